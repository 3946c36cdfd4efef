package normal

import (
	"math/big"

	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// NumberForm is what applies to numbers.
type NumberForm struct {
	Minimum, Maximum, ExclusiveMinimum, ExclusiveMaximum *Limit
	MultipleOf                                           []Limit // different ones
	Format                                               string
	FormatOf                                             *schema.Schema
}

// TextForm is what applies to strings.
type TextForm struct {
	MinLength, MaxLength *Limit
	Patterns             []TextPattern // different ones
	Formats              []TextFormat  // different ones
	Encoding             string        // contentEncoding
	EncodingOf           *schema.Schema
}

// TextPattern is a pattern that strings match.
type TextPattern struct {
	Name schema.Name
	Of   *schema.Schema
}

// TextFormat is a format that strings have.
type TextFormat struct {
	Name string
	Of   *schema.Schema
}

// numbers works out what holds for numbers.
func (f *Form) numbers() {
	if f.Kinds&Number == None {
		return
	}
	n := &NumberForm{}
	for _, a := range f.Atoms {
		n.Minimum = tighter(n.Minimum, a.Minimum, a, true)
		n.Maximum = tighter(n.Maximum, a.Maximum, a, false)
		n.ExclusiveMinimum = tighter(n.ExclusiveMinimum, a.ExclusiveMinimum, a, true)
		n.ExclusiveMaximum = tighter(n.ExclusiveMaximum, a.ExclusiveMaximum, a, false)
		if a.MultipleOf != nil {
			n.multiple(a)
		}
		if n.Format == "" && a.Format != "" && !textFormat(a) {
			n.Format, n.FormatOf = a.Format, a
		}
	}
	f.Number = n
	if f.emptyRange(Integer) {
		f.Kinds &^= Integer
	}
	if f.emptyRange(Fraction) {
		f.Kinds &^= Fraction
	}
}

// textFormat reports whether the format of a schema applies only to its strings.
func textFormat(s *schema.Schema) bool {
	return len(s.Types) > 0 && kindsOfTypes(s.Types)&Number == None
}

func (n *NumberForm) multiple(a *schema.Schema) {
	for _, m := range n.MultipleOf {
		if jsonvalue.CanonicalNumber(m.Number.Text) == jsonvalue.CanonicalNumber(a.MultipleOf.Text) {
			return
		}
	}
	n.MultipleOf = append(n.MultipleOf, Limit{a.MultipleOf, a})
}

// tighter returns the stricter of a limit and the bound in a.
func tighter(limit *Limit, bound *schema.Number, a *schema.Schema, lower bool) *Limit {
	if bound == nil {
		return limit
	}
	if limit == nil {
		return &Limit{bound, a}
	}
	if order := jsonvalue.Compare(limit.Number.Text, bound.Text); order == 0 || (order > 0) == lower {
		return limit
	}
	return &Limit{bound, a}
}

// emptyRange reports whether the bounds exclude all numbers of a kind.
func (f *Form) emptyRange(kind Kinds) bool {
	n := f.Number
	for _, low := range []struct {
		*Limit
		open bool
	}{{n.Minimum, false}, {n.ExclusiveMinimum, true}} {
		for _, high := range []struct {
			*Limit
			open bool
		}{{n.Maximum, false}, {n.ExclusiveMaximum, true}} {
			if low.Limit != nil && high.Limit != nil && excludes(low.Limit, low.open, high.Limit, high.open, kind) {
				return true
			}
		}
	}
	return false
}

// excludes reports whether there is certainly no number of a kind between two bounds.
func excludes(low *Limit, openLow bool, high *Limit, openHigh bool, kind Kinds) bool {
	order := jsonvalue.Compare(low.Number.Text, high.Number.Text)
	if order > 0 || order == 0 && (openLow || openHigh || kind == Fraction && jsonvalue.IsWhole(low.Number.Text)) {
		return true
	}
	return kind == Integer && noneBetween(low.Number.Text, openLow, high.Number.Text, openHigh)
}

// noneBetween reports whether there is certainly no integer between two bounds.
func noneBetween(low string, openLow bool, high string, openHigh bool) bool {
	if jsonvalue.Rational(low) == nil && jsonvalue.Rational(high) == nil {
		return false // one number stands for both
	}
	return Lowest(jsonvalue.Stand(low), openLow).Cmp(Highest(jsonvalue.Stand(high), openHigh)) > 0
}

// Lowest returns the first integer from x on; open excludes x.
func Lowest(x *big.Rat, open bool) *big.Int {
	if open {
		return new(big.Int).Add(jsonvalue.Floor(x), big.NewInt(1))
	}
	return jsonvalue.Ceil(x)
}

// Highest returns the last integer up to x; open excludes x.
func Highest(x *big.Rat, open bool) *big.Int {
	if open {
		return new(big.Int).Sub(jsonvalue.Ceil(x), big.NewInt(1))
	}
	return jsonvalue.Floor(x)
}

// texts works out what holds for strings.
func (f *Form) texts() {
	if !f.Kinds.Has(String) {
		return
	}
	t := &TextForm{}
	for _, a := range f.Atoms {
		t.MinLength = tighter(t.MinLength, a.MinLength, a, true)
		t.MaxLength = tighter(t.MaxLength, a.MaxLength, a, false)
		if a.Pattern != nil {
			t.pattern(a)
		}
		if a.Format != "" && kindsOfTypes(a.Types).Has(String) {
			t.format(a)
		}
		if t.Encoding == "" && a.ContentEncoding != "" {
			t.Encoding, t.EncodingOf = a.ContentEncoding, a
		}
	}
	f.Text = t
	if crossed(t.MinLength, t.MaxLength) {
		f.Kinds &^= String
	}
}

func (t *TextForm) pattern(a *schema.Schema) {
	for _, p := range t.Patterns {
		if p.Name.Text == a.Pattern.Text {
			return
		}
	}
	t.Patterns = append(t.Patterns, TextPattern{*a.Pattern, a})
}

func (t *TextForm) format(a *schema.Schema) {
	for _, f := range t.Formats {
		if f.Name == a.Format {
			return
		}
	}
	t.Formats = append(t.Formats, TextFormat{a.Format, a})
}

// crossed reports whether a lower bound is above an upper one.
func crossed(low, high *Limit) bool {
	if low == nil || high == nil {
		return false
	}
	return jsonvalue.Compare(low.Number.Text, high.Number.Text) > 0
}
