package rule

import (
	"math/big"
	"strconv"
	"strings"
)

// number is an exact decimal number: 0.digits times ten to the power exp. digits does
// not begin or end with 0, and is "" for zero. A large exponent costs nothing.
type number struct {
	negative bool
	digits   string
	exp      int64
}

// farthest limits exponents: numbers beyond it are treated as if they had this
// exponent.
const farthest = 1 << 60

// parseNumber parses a JSON number.
func parseNumber(text string) (number, bool) {
	var n number
	text, n.negative = strings.CutPrefix(text, "-")
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exp, err := strconv.ParseInt(strings.TrimPrefix(text[i+1:], "+"), 10, 64)
		switch {
		case err == nil:
			n.exp = max(min(exp, farthest), -farthest)
		case strings.Trim(text[i+1:], "+-0123456789") != "" || text[i+1:] == "":
			return number{}, false
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
		return number{}, false
	}
	n.exp += int64(len(whole))
	significant := strings.TrimLeft(digits, "0")
	n.exp -= int64(len(digits) - len(significant))
	n.digits = strings.TrimRight(significant, "0")
	if n.digits == "" {
		return number{}, true
	}
	return n, true
}

// whole reports whether n has no fraction.
func (n number) whole() bool { return n.digits == "" || n.exp >= int64(len(n.digits)) }

func (n number) compare(m number) int {
	switch {
	case n == m:
		return 0
	case n.sign() != m.sign():
		return n.sign() - m.sign()
	case n.negative:
		return -n.magnitude(m)
	default:
		return n.magnitude(m)
	}
}

func (n number) sign() int {
	switch {
	case n.digits == "":
		return 0
	case n.negative:
		return -1
	default:
		return 1
	}
}

func (n number) magnitude(m number) int {
	if n.exp != m.exp {
		if n.exp < m.exp {
			return -1
		}
		return 1
	}
	return strings.Compare(n.digits, m.digits) // none ends in 0
}

// multiple reports whether n is an integer multiple of step.
func (n number) multiple(step number) bool {
	if n.digits == "" {
		return true
	}
	if step.digits == "" {
		return false
	}
	// n is a times ten to the power i, step is b times ten to the power j.
	a, b := integer(n.digits), integer(step.digits)
	power := (n.exp - int64(len(n.digits))) - (step.exp - int64(len(step.digits)))
	ten := big.NewInt(10)
	if power >= 0 {
		a.Mul(a, ten.Exp(ten, big.NewInt(power), b))
		return a.Mod(a, b).Sign() == 0
	}
	return false // a does not end in 0
}

func integer(digits string) *big.Int {
	n, _ := new(big.Int).SetString(digits, 10)
	return n
}

// canonical returns a text that is the same for equal numbers.
func (n number) canonical() string {
	if n.digits == "" {
		return "0"
	}
	sign := ""
	if n.negative {
		sign = "-"
	}
	return sign + n.digits + "e" + strconv.FormatInt(n.exp-int64(len(n.digits)), 10)
}
