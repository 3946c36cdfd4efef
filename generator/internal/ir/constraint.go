package ir

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// union is a keyword of alternatives.
type union struct {
	keyword  string
	branches []*schema.Schema
}

// unionsOf is the anyOf and the oneOf of a schema.
func unionsOf(s *schema.Schema) []union {
	var all []union
	if len(s.AnyOf) > 0 {
		all = append(all, union{"anyOf", s.AnyOf})
	}
	if len(s.OneOf) > 0 {
		all = append(all, union{"oneOf", s.OneOf})
	}
	return all
}

// constraintOnly reports whether the branches of the anyOf or oneOf of s say
// only which values of s are valid, and nothing about their shape: a list of
// required members for each branch of an object, a pattern for each of a
// string. Such a union has no types of its own; it is a rule for Validate.
func (b *builder) constraintOnly(s *schema.Schema, branches []*schema.Schema) bool {
	types := slices.DeleteFunc(slices.Clone(s.Types), func(t string) bool { return t == "null" })
	if len(types) != 1 && len(s.Properties) == 0 && s.Ref == nil && len(s.AllOf) == 0 {
		return false // there is nothing that they could constrain
	}
	seen := map[*schema.Schema]bool{}
	return !slices.ContainsFunc(branches, func(branch *schema.Schema) bool { return shapes(branch, types, seen) })
}

// shapes reports whether a schema describes members or items, or chooses a type
// that is not the only one of types.
func shapes(s *schema.Schema, types []string, seen map[*schema.Schema]bool) bool {
	if s == nil || seen[s] {
		return false
	}
	seen[s] = true
	if len(s.Properties)+len(s.PatternProperties)+len(s.PrefixItems) > 0 || s.AdditionalProperties != nil || s.Items != nil {
		return true
	}
	if len(s.Types) > 0 && !slices.Equal(s.Types, types) {
		return true
	}
	if s.Ref != nil && shapes(s.Ref.Target, types, seen) {
		return true
	}
	for _, parts := range [][]*schema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		if slices.ContainsFunc(parts, func(part *schema.Schema) bool { return shapes(part, types, seen) }) {
			return true
		}
	}
	return false
}
