package ir

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// goPattern is an ECMA-262 pattern in Go's syntax. The second result says what
// Go lacks, "" when there is nothing.
func goPattern(source string) (string, string) {
	var out strings.Builder
	class := false
	for i := 0; i < len(source); i++ {
		c := source[i]
		switch {
		case c == '\\' && i+1 < len(source):
			i++
			n, missing := escape(&out, source, i, class)
			if missing != "" {
				return "", missing
			}
			i += n
		case c == '[' && !class:
			class = true
			out.WriteByte(c)
			if strings.HasPrefix(source[i+1:], "^]") || strings.HasPrefix(source[i+1:], "]") {
				return "", "an empty character class"
			}
		case c == '[':
			out.WriteString(`\[`) // begins no named class there
		case c == ']':
			class = false
			out.WriteByte(c)
		case c == '.' && !class:
			out.WriteString(`[^\n\r\x{2028}\x{2029}]`)
		case c == '(' && strings.HasPrefix(source[i:], "(?") && !class:
			rest := source[i+2:]
			for prefix, what := range map[string]string{"=": "a look-ahead", "!": "a negative look-ahead", "<=": "a look-behind", "<!": "a negative look-behind"} {
				if strings.HasPrefix(rest, prefix) {
					return "", what
				}
			}
			out.WriteByte(c)
		default:
			out.WriteByte(c)
		}
	}
	if _, err := regexp.Compile(out.String()); err != nil {
		return "", strings.TrimPrefix(err.Error(), "error parsing regexp: ")
	}
	return out.String(), ""
}

// brokenPattern says why a pattern is no regular expression, neither of
// ECMA-262 nor of any other dialect; "" where it may be one.
func brokenPattern(source string) string {
	class, groups := false, 0
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case c == '\\':
			if i++; i == len(source) {
				return "it ends in a backslash"
			}
		case class:
			class = c != ']'
		case c == '[':
			class = true
		case c == '(':
			groups++
		case c == ')':
			if groups--; groups < 0 {
				return "a ) closes nothing"
			}
		}
	}
	switch {
	case class:
		return "a [ is not closed"
	case groups > 0:
		return "a ( is not closed"
	}
	_, err := regexp.Compile(source)
	var wrong *syntax.Error
	if !errors.As(err, &wrong) {
		return ""
	}
	switch {
	case wrong.Code == syntax.ErrMissingRepeatArgument:
		return "there is nothing for " + wrong.Expr + " to repeat"
	case wrong.Code == syntax.ErrInvalidCharRange && !strings.HasPrefix(wrong.Expr, `\`) && !strings.HasPrefix(wrong.Expr, "["):
		return "the range " + wrong.Expr + " is backwards"
	default:
		return "" // something that Go alone does not know
	}
}

// whiteSpace is what \s means in ECMA-262, inside a class.
const whiteSpace = `\t\n\v\f\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`

// escape writes the escape whose letter is at i and returns how many more
// bytes it took.
func escape(out *strings.Builder, source string, i int, class bool) (int, string) {
	switch c := source[i]; c {
	case 's':
		if class {
			out.WriteString(whiteSpace)
		} else {
			out.WriteString("[" + whiteSpace + "]")
		}
	case 'S':
		if class {
			return 0, `\S in a character class`
		}
		out.WriteString("[^" + whiteSpace + "]")
	case 'u':
		if i+4 < len(source) && isHex(source[i+1:i+5]) {
			if low := strings.ToLower(source[i+1 : i+3]); low >= "d8" && low <= "df" {
				return 0, "a surrogate"
			}
			out.WriteString(`\x{` + source[i+1:i+5] + `}`)
			return 4, ""
		}
		if end := strings.IndexByte(source[i:], '}'); end > 2 && source[i+1] == '{' && isHex(source[i+2:i+end]) {
			out.WriteString(`\x` + source[i+1:i+end+1])
			return end, ""
		}
		return 0, `\u without four digits`
	case 'c':
		if i+1 < len(source) {
			if l := source[i+1] | 0x20; 'a' <= l && l <= 'z' {
				fmt.Fprintf(out, `\x%02x`, l-'a'+1)
				return 1, ""
			}
		}
		return 0, `\c without a letter`
	case 'k':
		return 0, "a back-reference"
	case 'b', 'B':
		if class {
			out.WriteString(`\x08`)
			return 0, ""
		}
		out.WriteString(`\` + string(c))
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return 0, "a back-reference"
	case '0':
		out.WriteString(`\x00`)
	case '/', '-':
		if class && c == '-' {
			out.WriteString(`\-`)
			break
		}
		out.WriteByte(c)
	default:
		out.WriteString(`\` + string(c))
	}
	return 0, ""
}

func isHex(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return s != ""
}
