// Package decimal has the exact decimal numbers of JSON documents. A large exponent costs
// nothing.
package decimal

import (
	"cmp"
	"math/big"
	"strconv"
	"strings"
)

// Number is an exact decimal number. Equal numbers are equal by ==. The zero value is 0.
type Number struct {
	// The number is 0.digits times ten to the power exp. digits does not begin or end with
	// 0, and is "" for zero.
	negative bool
	digits   string
	exp      int64
}

// farthest limits exponents: numbers beyond it are treated as if they had this
// exponent.
const farthest = 1 << 60

// Parse parses a JSON number.
func Parse(text string) (Number, bool) {
	var n Number
	text, n.negative = strings.CutPrefix(text, "-")
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exp, err := strconv.ParseInt(strings.TrimPrefix(text[i+1:], "+"), 10, 64)
		switch {
		case err == nil:
			n.exp = max(min(exp, farthest), -farthest)
		case strings.Trim(text[i+1:], "+-0123456789") != "" || text[i+1:] == "":
			return Number{}, false
		case strings.HasPrefix(text[i+1:], "-"):
			n.exp = -farthest
		default:
			n.exp = farthest
		}
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := whole + fraction
	if whole == "" || strings.Trim(digits, "0123456789") != "" {
		return Number{}, false
	}
	n.exp += int64(len(whole))
	significant := strings.TrimLeft(digits, "0")
	n.exp -= int64(len(digits) - len(significant))
	n.digits = strings.TrimRight(significant, "0")
	if n.digits == "" {
		return Number{}, true
	}
	return n, true
}

// Float returns the shortest decimal number that is f as a float64. f must be finite.
func Float(f float64) Number {
	n, _ := Parse(strconv.FormatFloat(f, 'g', -1, 64))
	return n
}

// Whole reports whether n has no fraction.
func (n Number) Whole() bool { return n.power() >= 0 }

// power is the power of ten that the digits are multiplied with, as a whole number.
func (n Number) power() int64 { return n.exp - int64(len(n.digits)) }

// Int returns a whole number. ok is false if it has more than this many digits.
func (n Number) Int(most int) (_ *big.Int, ok bool) {
	if n.exp > int64(most) {
		return nil, false
	}
	value := integer("0" + n.digits + strings.Repeat("0", int(n.power())))
	if n.negative {
		value.Neg(value)
	}
	return value, true
}

// Compare returns -1, 0 or 1, as [cmp.Compare].
func (n Number) Compare(m Number) int {
	switch {
	case n == m:
		return 0
	case n.sign() != m.sign():
		return cmp.Compare(n.sign(), m.sign())
	}
	// No digits end in 0.
	return n.sign() * cmp.Or(cmp.Compare(n.exp, m.exp), strings.Compare(n.digits, m.digits))
}

func (n Number) sign() int {
	switch {
	case n.digits == "":
		return 0
	case n.negative:
		return -1
	default:
		return 1
	}
}

// Multiple reports whether n is an integer multiple of step.
func (n Number) Multiple(step Number) bool {
	if n.digits == "" {
		return true
	}
	if step.digits == "" {
		return false
	}
	// n is a times ten to the power i, step is b times ten to the power j.
	power := n.power() - step.power()
	if power < 0 {
		return false // a does not end in 0
	}
	a, b, ten := integer(n.digits), integer(step.digits), big.NewInt(10)
	a.Mul(a, ten.Exp(ten, big.NewInt(power), b))
	return a.Mod(a, b).Sign() == 0
}

func integer(digits string) *big.Int {
	n, _ := new(big.Int).SetString(digits, 10)
	return n
}

// maxPlain is how many digits a number may have that is written without an exponent.
const maxPlain = 40

// String returns a JSON number, the same for equal numbers: plain if it has few digits,
// else digits with an exponent.
func (n Number) String() string {
	sign := ""
	if n.negative {
		sign = "-"
	}
	switch power := n.power(); {
	case n.digits == "":
		return "0"
	case power >= 0 && n.exp <= maxPlain:
		return sign + n.digits + strings.Repeat("0", int(power))
	case power < 0 && n.exp > 0:
		return sign + n.digits[:n.exp] + "." + n.digits[n.exp:]
	case power < 0 && n.exp > -6:
		return sign + "0." + strings.Repeat("0", int(-n.exp)) + n.digits
	default:
		return sign + n.digits + "e" + strconv.FormatInt(power, 10)
	}
}
