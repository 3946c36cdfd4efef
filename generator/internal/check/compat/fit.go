package compat

import (
	"slices"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// What one check of a value costs, in looks at a pair. A check that needs more than
// mostSteps is not made.
const (
	costOfValue = 20
	costOfStep  = 5
	mostSteps   = 20_000
)

// fits reports whether one of the values that a shape lists fits it and another shape.
func (c *comparison) fits(values []*schema.Value, of, other *shape) bool {
	list := listingPart(other)
	for _, v := range values {
		if c.work++; list != nil && !c.lists(list, v) {
			continue
		}
		if c.fit(v, other) == validator.Valid && c.fit(v, of) == validator.Valid {
			return true
		}
	}
	return false
}

// fit checks a value against a shape. It looks up what an enum lists, however long that is,
// and compiles the rest of a schema once.
func (c *comparison) fit(v *schema.Value, s *shape) validator.Verdict {
	c.work++
	if v.Kind == schema.Object || v.Kind == schema.Array {
		return c.checked(s.s, v)
	}
	switch s.kind {
	case anything:
		return validator.Valid
	case nothing:
		return validator.Invalid
	case enumKind, constKind:
		return verdict(c.lists(s, v))
	case notKind:
		return validator.Valid - c.fit(v, c.shape(s.s.Not))
	case conditionKind:
		return c.fitCondition(v, s.s)
	case combined:
		return c.fitAll(v, s)
	case stringKind, numberKind, booleanKind, nullKind, objectKind, arrayKind:
	}
	return c.fitTypes(v, s)
}

// fitTypes checks a value that is no object and no array against what a shape says about the
// types of values.
func (c *comparison) fitTypes(v *schema.Value, s *shape) validator.Verdict {
	if !c.mayFit(v, s) {
		return validator.Invalid
	}
	if is, known := plain(v, s); known {
		return is
	}
	return c.checked(c.bare(s.s), v)
}

// plain checks a value against a shape without a validator, because long lists of values are
// often checked against a type, or against a length. known is false if it cannot. The types
// of the shape allow the value.
func plain(v *schema.Value, s *shape) (is validator.Verdict, known bool) {
	of := s.s
	switch {
	case len(of.Types) == 0:
		return validator.Unchecked, false
	case v.Kind == schema.Bool, v.Kind == schema.Null:
		return validator.Valid, true
	case v.Kind == schema.NumberKind:
		bounded := slices.ContainsFunc([]*schema.Number{of.Minimum, of.Maximum, of.ExclusiveMinimum, of.ExclusiveMaximum, of.MultipleOf},
			func(n *schema.Number) bool { return n != nil })
		return validator.Valid, !bounded && of.Format == ""
	case v.Kind != schema.String, of.Pattern != nil, of.Format != "", of.ContentEncoding != "":
		return validator.Unchecked, false
	}
	length := utf8.RuneCountInString(v.Text)
	least, most := of.MinLength.Count(), of.MaxLength.Count()
	return verdict((least == nil || length >= *least) && (most == nil || length <= *most)), true
}

// mayFit reports whether the types of a shape allow a value.
func (c *comparison) mayFit(v *schema.Value, s *shape) bool {
	c.work++
	types := s.s.Types
	return len(types) == 0 || v.Is(types)
}

// fitAll checks a value against a combination.
func (c *comparison) fitAll(v *schema.Value, s *shape) validator.Verdict {
	if s.madeUp && s.op == anyOf {
		return c.fitTypes(v, s)
	}
	parts := s.parts
	if !s.madeUp {
		parts = nil
		subs := s.subs
		if s.op == oneOf {
			subs = s.s.OneOf // also those that it lists twice
		}
		for _, sub := range subs {
			parts = append(parts, c.shape(sub))
		}
	}
	worst, best, count := validator.Valid, validator.Invalid, 0
	unsure := false
	for _, part := range parts {
		is := c.fit(v, part)
		worst, best = min(worst, is), max(best, is)
		unsure = unsure || is == validator.Unchecked
		if is == validator.Valid {
			count++
		}
	}
	switch {
	case s.op == allOf:
		return worst
	case s.op == anyOf:
		return best
	case count > 1, count == 0 && !unsure:
		return validator.Invalid
	case unsure:
		return validator.Unchecked
	}
	return validator.Valid
}

func (c *comparison) fitCondition(v *schema.Value, s *schema.Schema) validator.Verdict {
	branch := func(s *schema.Schema) validator.Verdict {
		if s == nil {
			return validator.Valid
		}
		return c.fit(v, c.shape(s))
	}
	yes, no := branch(s.Then), branch(s.Else)
	switch c.fit(v, c.shape(s.If)) {
	case validator.Valid:
		return yes
	case validator.Invalid:
		return no
	}
	if yes == no {
		return yes
	}
	return validator.Unchecked
}

func verdict(valid bool) validator.Verdict {
	if valid {
		return validator.Valid
	}
	return validator.Invalid
}

// lists reports whether an enum or a const has a value.
func (c *comparison) lists(s *shape, v *schema.Value) bool {
	if s.kind == constKind {
		return c.text(s.s.Const) == c.text(v)
	}
	set := c.sets[s.s]
	if set == nil {
		c.work += len(s.s.Enum)
		set = make(map[string]bool, len(s.s.Enum))
		for _, of := range s.s.Enum {
			set[c.text(of)] = true
		}
		c.sets[s.s] = set
	}
	return set[c.text(v)]
}

// bare returns what s says about the types of values, without the values that it lists, its
// reference and what it combines.
func (c *comparison) bare(s *schema.Schema) *schema.Schema {
	if known := c.bares[s]; known != nil {
		return known
	}
	bare := *s
	bare.Ref, bare.Enum, bare.Const, bare.Not = nil, nil, nil, nil
	bare.If, bare.Then, bare.Else, bare.AllOf, bare.AnyOf, bare.OneOf = nil, nil, nil, nil, nil, nil
	c.bares[s] = &bare
	return &bare
}

func (c *comparison) checked(s *schema.Schema, v *schema.Value) validator.Verdict {
	if c.values == nil {
		c.values = validator.New(c.policy == Generated)
	}
	verdict, steps := c.values.Fits(s, v, mostSteps)
	c.work += costOfValue + costOfStep*steps
	return verdict
}
