package ir

import (
	"math/big"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// unlisted is the rule for the constraints that a value breaks although the
// schema lists it. Those that every listed value meets say nothing.
func (b *builder) unlisted(s *schema.Schema, values []*schema.Value) []*Rule {
	r := &Rule{Place: b.placeOf(s)}
	m := &ruleMaker{builder: b}
	length := func(v *schema.Value) *big.Rat { return big.NewRat(int64(utf8.RuneCountInString(v.Text)), 1) }
	number := func(v *schema.Value) *big.Rat { return rational(v.Text) }
	for _, bound := range []struct {
		keyword string
		limit   *schema.Number
		kind    schema.ValueKind
		measure func(*schema.Value) *big.Rat
		meets   func(x, y *big.Rat) bool
		add     func()
	}{
		{"minLength", s.MinLength, schema.String, length, func(x, y *big.Rat) bool { return x.Cmp(y) >= 0 }, func() { r.count("minLength", b.count(s.MinLength)) }},
		{"maxLength", s.MaxLength, schema.String, length, func(x, y *big.Rat) bool { return x.Cmp(y) <= 0 }, func() { r.limit("maxLength", b.count(s.MaxLength)) }},
		{"minimum", s.Minimum, schema.NumberKind, number, func(x, y *big.Rat) bool { return x.Cmp(y) >= 0 }, nil},
		{"maximum", s.Maximum, schema.NumberKind, number, func(x, y *big.Rat) bool { return x.Cmp(y) <= 0 }, nil},
		{"exclusiveMinimum", s.ExclusiveMinimum, schema.NumberKind, number, func(x, y *big.Rat) bool { return x.Cmp(y) > 0 }, nil},
		{"exclusiveMaximum", s.ExclusiveMaximum, schema.NumberKind, number, func(x, y *big.Rat) bool { return x.Cmp(y) < 0 }, nil},
		{"multipleOf", s.MultipleOf, schema.NumberKind, number, func(x, y *big.Rat) bool { return y.Sign() == 0 || new(big.Rat).Quo(x, y).IsInt() }, nil},
	} {
		if bound.limit == nil {
			continue
		}
		breaks := func(v *schema.Value) bool {
			if v.Kind != bound.kind {
				return false
			}
			x, y := bound.measure(v), rational(bound.limit.Text)
			return x != nil && y != nil && !bound.meets(x, y)
		}
		if b.neverValid(values, breaks, bound.keyword+" "+bound.limit.Text) {
			if bound.add == nil {
				r.text(bound.keyword, bound.limit.Text)
			} else {
				bound.add()
			}
		}
	}
	if s.Pattern != nil {
		if source := m.pattern(s.Pattern); source != "" {
			expr := matcherOf(s.Pattern.Text)
			breaks := func(v *schema.Value) bool { return v.Kind == schema.String && !expr.MatchString(v.Text) }
			if b.neverValid(values, breaks, "the pattern") {
				r.text("pattern", source)
			}
		}
	}
	if len(r.Words) == 0 {
		return nil
	}
	return []*Rule{r}
}

// neverValid tells of the listed values that break a constraint.
func (b *builder) neverValid(values []*schema.Value, breaks func(*schema.Value) bool, constraint string) bool {
	found := false
	for _, v := range values {
		if breaks(v) {
			found = true
			b.list.Warnf(v.Pos, "value-constraint", "%s is listed, but breaks %s, so it is never valid", v.Describe(), constraint)
		}
	}
	return found
}
