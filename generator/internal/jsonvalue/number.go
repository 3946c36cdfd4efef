// Package jsonvalue knows which JSON numbers are equal, and what they are in Go.
// Numbers are compared by value, whatever their size: nothing is rounded.
package jsonvalue

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxPlain is how many digits a number may have that is written without an
// exponent.
const maxPlain = 40

// CanonicalNumber is a JSON number in the one form of all that equal it: plain
// if it is an integer of few digits, else digits with an exponent.
func CanonicalNumber(text string) string {
	text, negative := strings.CutPrefix(text, "-")
	exp := 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exp, _ = strconv.Atoi(strings.TrimPrefix(text[i+1:], "+")) // clamped if it overflows
		exp = max(min(exp, math.MaxInt32), math.MinInt32)
		text = text[:i]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	exp -= len(fraction)
	trimmed := strings.TrimRight(digits, "0")
	exp += len(digits) - len(trimmed)
	if trimmed == "" {
		return "0"
	}
	sign := ""
	if negative {
		sign = "-"
	}
	switch point := len(trimmed) + exp; {
	case exp >= 0 && point <= maxPlain:
		return sign + trimmed + strings.Repeat("0", exp)
	case exp < 0 && point > 0:
		return sign + trimmed[:point] + "." + trimmed[point:]
	case exp < 0 && point > -6:
		return sign + "0." + strings.Repeat("0", -point) + trimmed
	default:
		return sign + trimmed + "e" + strconv.Itoa(exp)
	}
}

// IsWhole reports whether a JSON number has no fraction, however large it is.
func IsWhole(text string) bool {
	number := CanonicalNumber(text)
	_, exponent, large := strings.Cut(number, "e")
	return !strings.Contains(number, ".") && (!large || !strings.HasPrefix(exponent, "-"))
}

// maxWhole is how many zeros Whole writes at most.
const maxWhole = 10_000

// Whole is a JSON number that has no fraction, written without an exponent: 2.0
// and 2e0 are 2. Other numbers, and those with too many digits, are none.
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

// Rational is the exact value of a JSON number, or nil if its exponent is
// beyond what a float64 has.
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

// Stand is the exact value of a JSON number, or a number that stands for it if
// its exponent is beyond what a float64 has: one beyond all that have a Rational,
// or next to zero.
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

// Int64 is the Go literal of a JSON number that is an int64.
func Int64(text string) (string, bool) {
	r := Rational(text)
	if r == nil || !r.IsInt() || !r.Num().IsInt64() {
		return "", false
	}
	return r.Num().String(), true
}

// Float64 is the Go literal of the float64 next to a JSON number, "" if it is
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

// Floor is the largest integer that is not above r.
func Floor(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) }

// Ceil is the smallest integer that is not below r.
func Ceil(r *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	if m.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}
