// Package jsonvalue compares JSON numbers by value and converts them to Go. It rounds
// nothing, whatever their size.
package jsonvalue

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxPlain is how many digits a number may have that is written without an
// exponent.
const maxPlain = 40

// farthest limits exponents: numbers beyond it are treated as if they had this
// exponent, here and in package rule of the runtime.
const farthest = 1 << 60

// decimal is a number: digits times ten to the power exp. The digits do not begin or
// end with 0; they are "" for zero. A large exponent costs nothing.
type decimal struct {
	negative bool
	digits   string
	exp      int64
}

func parse(text string) decimal {
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exp, _ := strconv.ParseInt(strings.TrimPrefix(text[i+1:], "+"), 10, 64) // clamped if it overflows
		d.exp = max(min(exp, farthest), -farthest)
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	d.digits = strings.TrimRight(digits, "0")
	d.exp += int64(len(digits) - len(d.digits) - len(fraction))
	if d.digits == "" {
		return decimal{}
	}
	return d
}

// Compare returns a negative number if the JSON number x is less than y, a positive one
// if it is greater, and 0 if they are equal.
func Compare(x, y string) int {
	a, b := parse(x), parse(y)
	if order := cmp.Compare(a.sign(), b.sign()); order != 0 {
		return order
	}
	// The number is 0.digits times ten to this power; no digits end in 0.
	order := cmp.Or(cmp.Compare(a.exp+int64(len(a.digits)), b.exp+int64(len(b.digits))), strings.Compare(a.digits, b.digits))
	if a.negative {
		return -order
	}
	return order
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

func (d decimal) minus() string {
	if d.negative {
		return "-"
	}
	return ""
}

// CanonicalNumber returns a text that is the same for equal JSON numbers: plain for an
// integer of few digits, else digits with an exponent.
func CanonicalNumber(text string) string {
	d := parse(text)
	if d.digits == "" {
		return "0"
	}
	sign := d.minus()
	switch point := int64(len(d.digits)) + d.exp; {
	case d.exp >= 0 && point <= maxPlain:
		return sign + d.digits + strings.Repeat("0", int(d.exp))
	case d.exp < 0 && point > 0:
		return sign + d.digits[:point] + "." + d.digits[point:]
	case d.exp < 0 && point > -6:
		return sign + "0." + strings.Repeat("0", int(-point)) + d.digits
	default:
		return sign + d.digits + "e" + strconv.FormatInt(d.exp, 10)
	}
}

// IsWhole reports whether a JSON number has no fraction, however large it is.
func IsWhole(text string) bool { return parse(text).exp >= 0 }

// maxWhole is the largest number of zeros that Whole writes.
const maxWhole = 10_000

// Whole returns a JSON number without a fraction, without an exponent: 2.0 and 2e0
// become 2. ok is false for other numbers, and for those with too many digits.
func Whole(text string) (string, bool) {
	digits, exponent, large := strings.Cut(CanonicalNumber(text), "e")
	if strings.Contains(digits, ".") {
		return "", false
	}
	if !large {
		return digits, true
	}
	zeros, err := strconv.Atoi(exponent)
	if err != nil || zeros < 0 || zeros > maxWhole {
		return "", false
	}
	return digits + strings.Repeat("0", zeros), true
}

// Rational returns the exact value of a JSON number, or nil if its exponent is beyond
// that of a float64.
func Rational(text string) *big.Rat {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil
	}
	if f == 0 {
		if CanonicalNumber(text) != "0" {
			return nil // too small for a float64, and not zero
		}
		return new(big.Rat)
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return r
}

// Stand returns the exact value of a JSON number or, if its exponent is beyond that of
// a float64, a substitute: one beyond all that have a Rational, or next to zero.
func Stand(text string) *big.Rat {
	if r := Rational(text); r != nil {
		return r
	}
	stand := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), 1100))
	if f, _ := strconv.ParseFloat(text, 64); f == 0 {
		stand.Inv(stand)
	}
	if strings.HasPrefix(text, "-") {
		stand.Neg(stand)
	}
	return stand
}

// Bounded returns a JSON number as written, or one of the same sign with a smaller
// exponent, for code that would write out its zeros.
func Bounded(text string) string {
	if r := Rational(text); r != nil {
		if r.Sign() == 0 {
			return "0"
		}
		return text
	}
	d := parse(text)
	d.exp = max(min(d.exp, maxBounded), -maxBounded)
	return d.minus() + d.digits + "e" + strconv.FormatInt(d.exp, 10)
}

// maxBounded is the exponent of substitutes.
const maxBounded = 1000

// Int64 returns the Go literal of a JSON number that is an int64.
func Int64(text string) (string, bool) {
	r := Rational(text)
	if r == nil || !r.IsInt() || !r.Num().IsInt64() {
		return "", false
	}
	return r.Num().String(), true
}

// Float64 returns the Go literal of the float64 next to a JSON number, "" if it is
// beyond every float64.
func Float64(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return ""
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// ExactFloat64 reports whether a float64 holds all digits of a JSON number.
func ExactFloat64(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && CanonicalNumber(strconv.FormatFloat(f, 'g', -1, 64)) == CanonicalNumber(text)
}

// Floor returns the largest integer that is at most r.
func Floor(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) }

// Ceil returns the smallest integer that is at least r.
func Ceil(r *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	if m.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}
