package compat

import (
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// costOfValue is how many looks at a pair take as long as one check of a value.
const costOfValue = 20

// shared returns the values that both lists have.
func (c *comparison) shared(values, others []*schema.Value) []*schema.Value {
	c.work += len(values) + len(others)
	has := make(map[string]bool, len(others))
	for _, v := range others {
		has[c.text(v)] = true
	}
	var both []*schema.Value
	for _, v := range values {
		if has[c.text(v)] {
			both = append(both, v)
		}
	}
	return both
}

// fits reports whether one of the values that a shape lists fits it and another shape.
func (c *comparison) fits(values []*schema.Value, of, other *shape) bool {
	if listed := valuesOf(other); listed != nil && len(values) > 1 {
		values = c.shared(values, listed)
	}
	for _, v := range values {
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
	if !c.mayFit(v, s) {
		return validator.Invalid
	}
	return c.checked(c.bare(s.s), v)
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
		return c.checked(c.bare(s.s), v) // a list of types
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
	c.work += costOfValue
	return c.values.Fits(s, v)
}
