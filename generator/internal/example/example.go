// Package example finds an example of the values that a schema allows: one that the
// schema gives itself, or else one that it makes. An example is valid, which package
// validator decides, or at least not known to be invalid; and the same schema gives the same example.
package example

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

// Example is a value of a schema.
type Example struct {
	Value *schema.Value
	// Made is true if the value is not an example of the schema itself. Then it is valid.
	Made bool
	// Unchecked is true if the schema has a pattern that cannot be checked, or is too large,
	// and nothing else is wrong with the value.
	Unchecked bool
}

// Of returns an example for s, or nil if it finds none: a schema can demand what is not
// found by trying, or allow no value, or have a keyword that v cannot check.
func Of(s *schema.Schema, v *validator.Validator) *Example {
	return Find(s, v, nil, func(*schema.Value) bool { return true })
}

// Find is Of for examples that fit. The examples in more come before those of the schema.
func Find(s *schema.Schema, v *validator.Validator, more []*schema.Value, fits func(*schema.Value) bool) *Example {
	if s == nil || !v.Checks(s) {
		return nil
	}
	if given := givenBy(s, v, more, fits); given != nil {
		return given
	}
	known := patterns{}
	for _, a := range attempts {
		m := maker{attempt: a, budget: mostValues, patterns: known}
		value := m.value(conjunction(nil, s, a.turn), s.Title, 0)
		if value != nil && v.Check(s, value) == validator.Valid && fits(value) {
			return &Example{Value: value, Made: true}
		}
	}
	return nil
}

// givenBy returns the first example of more, of a schema, or of what it refers to: a valid
// one if possible.
func givenBy(s *schema.Schema, v *validator.Validator, more []*schema.Value, fits func(*schema.Value) bool) *Example {
	all := slices.Clone(more)
	for _, described := range s.Described() {
		all = append(all, described.Examples...)
	}
	var unchecked *Example
	for _, given := range all {
		if !fits(given) {
			continue
		}
		switch v.Check(s, given) {
		case validator.Valid:
			return &Example{Value: given}
		case validator.Unchecked:
			if unchecked == nil {
				unchecked = &Example{Value: given, Unchecked: true}
			}
		}
	}
	return unchecked
}

// attempt is one way to make a value.
type attempt struct {
	turn     int  // which branch, value or text is taken where there are several
	optional int  // the depth down to which optional properties are written
	given    bool // with the examples and defaults in the schema
}

// attempts has those that tell a reader most first.
var attempts = func() []attempt {
	var all []attempt
	const turns = 6
	for turn := range turns {
		for _, given := range []bool{true, false} {
			for _, optional := range []int{deepOptional, 2, 1, 0} {
				all = append(all, attempt{turn, optional, given})
			}
		}
	}
	return all
}()

const (
	// mostValues is the size of an example.
	mostValues = 2000
	// deepOptional is the depth down to which optional properties are written first, and
	// deepest that of required ones. A schema that needs more is recursive.
	deepOptional, deepest = 6, 24
)

// maker makes one value.
type maker struct {
	attempt

	budget   int // values that may still be made
	patterns patterns
}

// conjunction adds the schemas that s demands all: those that it refers to, those of
// allOf, and one branch of each union and condition.
func conjunction(all []*schema.Schema, s *schema.Schema, turn int) []*schema.Schema {
	const most = 200
	if s == nil || len(all) >= most {
		return all
	}
	for _, known := range all {
		if known == s {
			return all
		}
	}
	all = append(all, s)
	if s.Ref != nil {
		all = conjunction(all, s.Ref.Target, turn)
	}
	for _, part := range s.AllOf {
		all = conjunction(all, part, turn)
	}
	for _, union := range [][]*schema.Schema{s.AnyOf, s.OneOf} {
		if branches := notNull(union); len(branches) > 0 {
			branch := branches[turn%len(branches)]
			all = conjunction(all, branch, turn)
			if values := Tags(s.Discriminator, branch); len(values) > 0 {
				all = append(all, tagged(s.Discriminator, values))
			}
		}
	}
	switch {
	case s.If == nil:
	case turn%2 == 0:
		all = conjunction(conjunction(all, s.If, turn), s.Then, turn)
	default:
		all = conjunction(all, s.Else, turn)
	}
	return all
}

// notNull returns the branches that allow more than null, or all if none does.
func notNull(union []*schema.Schema) []*schema.Schema {
	var some []*schema.Schema
	for _, branch := range union {
		if s := branch.Resolved(); s != nil && len(s.Types) == 1 && s.Types[0] == "null" || s != nil && s.Const != nil && s.Const.Kind == schema.Null {
			continue
		}
		some = append(some, branch)
	}
	if len(some) == 0 {
		return union
	}
	return some
}

// value makes a value for a conjunction; nil if it is too deep or too large. name is
// what the value is called, for texts.
func (m *maker) value(all []*schema.Schema, name string, depth int) *schema.Value {
	if m.budget--; m.budget < 0 || depth > deepest {
		return nil
	}
	for _, s := range all {
		if s.Bool != nil && !*s.Bool {
			return nil
		}
	}
	if listed := m.listed(all); listed != nil {
		return listed
	}
	switch m.kind(all) {
	case "object":
		return m.object(all, depth)
	case "array":
		return m.array(all, name, depth)
	case "string":
		return &schema.Value{Kind: schema.String, Text: m.text(all, name)}
	case "integer":
		return m.number(all, true)
	case "number":
		return m.number(all, false)
	case "boolean":
		return &schema.Value{Kind: schema.Bool, Bool: m.turn%2 == 0}
	}
	return &schema.Value{Kind: schema.Null}
}

// listed returns a value that a schema has: a constant, an enum's, an example, or a
// default.
func (m *maker) listed(all []*schema.Schema) *schema.Value {
	var enum []*schema.Value
	for _, s := range all {
		if s.Const != nil {
			return s.Const
		}
		if s.Enum != nil && (enum == nil || len(s.Enum) < len(enum)) {
			enum = s.Enum
		}
	}
	if len(enum) > 0 {
		return enum[m.turn%len(enum)]
	}
	if !m.given {
		return nil
	}
	for _, s := range all {
		if len(s.Examples) > 0 {
			return s.Examples[m.turn%len(s.Examples)]
		}
	}
	for _, s := range all {
		if s.Default != nil && s.Default.Kind != schema.Null {
			return s.Default
		}
	}
	return nil
}

// kind returns the JSON type of the value to make.
func (m *maker) kind(all []*schema.Schema) string {
	kinds := []string{"object", "array", "string", "integer", "number", "boolean", "null"}
	stated := false
	for _, s := range all {
		if len(s.Types) == 0 {
			continue
		}
		stated = true
		var both []string
		for _, kind := range kinds {
			for _, allowed := range s.Types {
				if kind == allowed || kind == "integer" && allowed == "number" {
					both = append(both, kind)
					break
				}
			}
		}
		kinds = both
	}
	if !stated {
		return implied(all, m.turn)
	}
	if len(kinds) > 1 && kinds[len(kinds)-1] == "null" {
		kinds = kinds[:len(kinds)-1]
	}
	// A number may be an integer; a fraction shows more.
	if len(kinds) > 1 && kinds[0] == "integer" && kinds[1] == "number" {
		kinds = kinds[1:]
	}
	if len(kinds) == 0 {
		return "null"
	}
	return kinds[m.turn%len(kinds)]
}

// implied returns the type that the keywords are about, or without such keywords another
// one in each turn.
func implied(all []*schema.Schema, turn int) string {
	for _, s := range all {
		switch {
		case len(s.Properties) > 0, len(s.Required) > 0, len(s.PatternProperties) > 0, s.AdditionalProperties != nil, s.MinProperties != nil:
			return "object"
		case s.Items != nil, len(s.PrefixItems) > 0, s.MinItems != nil, s.Contains != nil:
			return "array"
		case s.Minimum != nil, s.Maximum != nil, s.ExclusiveMinimum != nil, s.ExclusiveMaximum != nil, s.MultipleOf != nil:
			return "number"
		}
	}
	kinds := []string{"string", "integer", "object", "boolean", "array", "null"}
	return kinds[turn%len(kinds)]
}
