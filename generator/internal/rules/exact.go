package rules

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// exact reports whether rules for schemas allow no more values than they do: a
// pattern that Go cannot match is left out of rules, with a warning. Keywords
// that refuse what a schema allows, or count what it allows, need that.
func (m *maker) exact(schemas ...*schema.Schema) bool {
	for _, s := range schemas {
		if name := m.graph.Unmatched(s); name != nil {
			ReportPattern(m.list, m.graph.Pattern(name.Text), name.Pos)
			return false
		}
	}
	return true
}

func (m *maker) not(r builder, s *schema.Schema) {
	if s.Not != nil && m.exact(s.Not) {
		r.add("not", m.rule(s.Not))
	}
}

func (m *maker) conditions(r builder, s *schema.Schema) {
	if s.If != nil && m.exact(s.If) {
		r.add("if", m.rule(s.If))
		r.part("then", m.rule(s.Then))
		r.part("else", m.rule(s.Else))
	}
}

// oneOf is the branches of a oneOf. If nobody knows how many of them allow a
// value, one has to.
func (m *maker) oneOf(r builder, s *schema.Schema) {
	switch {
	case m.exact(s.OneOf...):
		r.add("oneOf", m.all(s.OneOf))
	case len(s.AnyOf) == 0:
		r.add("anyOf", m.all(s.OneOf))
	}
}

// additional is what s says of the members that it does not describe, unless
// nobody knows which these are.
func (m *maker) additional(r builder, s *schema.Schema) {
	if !slices.ContainsFunc(s.PatternProperties, func(p schema.Property) bool { return !m.graph.Pattern(p.Name).Known() }) {
		r.part("additionalProperties", m.rule(s.AdditionalProperties))
	}
}

// unevaluated is what s says of the members or items that no schema below it
// describes, unless nobody knows which these are.
func (m *maker) unevaluated(r builder, s *schema.Schema, keyword string, rest *schema.Schema) {
	if rest != nil && m.exact(s) {
		m.evaluates = m.evaluates || keyword == "unevaluatedItems"
		r.part(keyword, m.rule(rest))
	}
}
