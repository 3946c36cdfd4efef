package ir

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// count is a keyword that counts something. One beyond any length is as good
// as none for an upper bound, and cannot be met as a lower one.
func (b *builder) count(n *schema.Number) *int {
	if n == nil {
		return nil
	}
	text, ok := wholeNumber(n.Text)
	if !ok {
		return nil // which the loader reported
	}
	value, err := strconv.Atoi(text)
	if err != nil || value > math.MaxInt32 {
		value = math.MaxInt32
	}
	return &value
}

// rational is the exact value of a JSON number, or nil when its exponent is
// beyond what a float64 has.
func rational(text string) *big.Rat {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil
	}
	if f == 0 {
		return new(big.Rat)
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return r
}

// wholeNumber is the Go literal of a JSON number that is an int64.
func wholeNumber(text string) (string, bool) {
	r := rational(text)
	if r == nil || !r.IsInt() || !r.Num().IsInt64() {
		return "", false
	}
	return r.Num().String(), true
}

func floatLiteral(n *schema.Number) string {
	if n == nil {
		return ""
	}
	f, err := strconv.ParseFloat(n.Text, 64)
	if err != nil {
		return "" // beyond every float64
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// bound is a bound as an int64, "" when every int64 meets it.
func bound(n *schema.Number, none int64, round func(*big.Rat) *big.Int) string {
	if n == nil {
		return ""
	}
	r := rational(n.Text)
	if r == nil {
		r = new(big.Rat).SetInt64(math.MaxInt64)
		if strings.HasPrefix(n.Text, "-") {
			r.SetInt64(math.MinInt64)
		}
	}
	whole := round(r)
	switch {
	case whole.IsInt64() && whole.Int64() == none:
		return ""
	case whole.IsInt64():
		return whole.String()
	case whole.Sign() > 0 && none > 0, whole.Sign() < 0 && none < 0:
		return ""
	case whole.Sign() > 0:
		return strconv.FormatInt(math.MaxInt64, 10)
	default:
		return strconv.FormatInt(math.MinInt64, 10)
	}
}

func floor(r *big.Rat) *big.Int {
	return new(big.Int).Div(r.Num(), r.Denom())
}

func ceil(r *big.Rat) *big.Int {
	q, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
	if m.Sign() != 0 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

// NumberLiteral is a JSON number as a Go literal of a kind, Int or Float; ""
// when it is none.
func NumberLiteral(text string, kind Kind) string {
	if kind == Float {
		return floatLiteral(&schema.Number{Text: text})
	}
	literal, ok := wholeNumber(text)
	if !ok {
		return ""
	}
	return literal
}
