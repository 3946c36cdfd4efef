package schema

import (
	"fmt"
	"math/big"
	"strings"
)

// A plain YAML scalar resolves by the core schema of YAML 1.2: null, booleans,
// decimal, octal (0o17) and hexadecimal integers, floats; everything else is a
// string. So no, on, 2020-01-01, 1_000 and 0b11 are strings.

// resolvePlain sets the kind and the content of v from the plain scalar text. problem
// says why JSON cannot represent a number, or is "".
func resolvePlain(text string, v *Value) (problem string) {
	switch text {
	case "", "~", "null", "Null", "NULL":
		v.Kind = Null
		return ""
	case "true", "True", "TRUE":
		v.Kind, v.Bool = Bool, true
		return ""
	case "false", "False", "FALSE":
		v.Kind, v.Bool = Bool, false
		return ""
	}
	number, isNumber, problem := coreNumber(text)
	switch {
	case problem != "":
		return problem
	case isNumber:
		v.Kind, v.Text = NumberKind, number
	default:
		v.Kind, v.Text = String, text
	}
	return ""
}

// coreNumber returns text as a JSON number if the core schema reads it as one.
func coreNumber(text string) (number string, isNumber bool, problem string) {
	unsigned := strings.TrimLeft(text, "+-")
	if len(text)-len(unsigned) > 1 || unsigned == "" {
		return "", false, ""
	}
	switch unsigned {
	case ".inf", ".Inf", ".INF":
		return "", false, text + " is infinity, which JSON does not have; quote it if it is a string"
	case ".nan", ".NaN", ".NAN":
		if unsigned == text {
			return "", false, text + " is not a number, which JSON does not have; quote it if it is a string"
		}
		return "", false, ""
	}
	if c := unsigned[0]; c != '.' && (c < '0' || c > '9') {
		return "", false, ""
	}
	if base := map[string]int{"0o": 8, "0x": 16}[unsigned[:min(2, len(unsigned))]]; base != 0 {
		return basedInteger(text, base)
	}
	number, ok := decimal(unsigned)
	if !ok {
		return "", false, ""
	}
	if number = plainExponent(number); text[0] == '-' {
		number = "-" + number
	}
	if problem := numberTooLarge(number); problem != "" {
		return "", false, problem
	}
	return number, true, ""
}

// basedInteger reads 0o17 and 0xFF, which have no sign.
func basedInteger(text string, base int) (number string, isNumber bool, problem string) {
	digits := text[min(2, len(text)):]
	if text[0] != '0' || digits == "" || strings.Trim(strings.ToLower(digits), "0123456789abcdef"[:base]) != "" {
		return "", false, ""
	}
	if len(digits) > maxNumberLen {
		return "", false, numberTooLarge(digits)
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return "", false, ""
	}
	return n.String(), true, ""
}

// decimal rewrites an unsigned number of the core schema, which allows .5, 5. and 007,
// as a JSON number.
func decimal(text string) (string, bool) {
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i:]
		digits := strings.TrimLeft(exponent[1:], "+-")
		if len(exponent)-1-len(digits) > 1 || !allDigits(digits) {
			return "", false
		}
	}
	whole, fraction, dotted := strings.Cut(mantissa, ".")
	if whole == "" && fraction == "" || whole != "" && !allDigits(whole) || fraction != "" && !allDigits(fraction) {
		return "", false
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if dotted && fraction == "" {
		fraction = "0"
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole + exponent, true
}

// plainExponent returns a number with an exponent in one form, without what YAML 1.1
// needs: 1.0e+3 is 1e3. So a document that was exported has the same text.
func plainExponent(number string) string {
	i := strings.IndexAny(number, "eE")
	if i < 0 {
		return number
	}
	mantissa := number[:i]
	if whole, fraction, _ := strings.Cut(mantissa, "."); strings.Trim(fraction, "0") == "" {
		mantissa = whole
	}
	return mantissa + "e" + strings.TrimPrefix(number[i+1:], "+")
}

func allDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// isJSONNumber checks text against RFC 8259.
func isJSONNumber(text string) bool {
	unsigned := strings.TrimPrefix(text, "-")
	if unsigned == "" || unsigned[0] < '0' || unsigned[0] > '9' || strings.HasSuffix(unsigned, ".") ||
		strings.Contains(unsigned, ".e") || strings.Contains(unsigned, ".E") {
		return false
	}
	canonical, ok := decimal(unsigned)
	return ok && canonical == unsigned
}

// numberTooLarge says why a number is refused: computing with so many digits costs more
// than any event needs. An exponent costs nothing.
func numberTooLarge(text string) string {
	if len(text) > maxNumberLen {
		return fmt.Sprintf("the number has %d characters; the maximum is %d", len(text), maxNumberLen)
	}
	return ""
}
