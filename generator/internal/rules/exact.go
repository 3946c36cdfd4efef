package rules

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// exact reports whether rules for schemas allow exactly the same values: rules leave
// out a pattern that Go cannot match, with a warning. Keywords that exclude or count
// the values of a schema need exact rules.
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

// oneOf adds the branches of a oneOf. If the number of matching branches cannot be
// known, it requires at least one.
func (m *maker) oneOf(r builder, s *schema.Schema) {
	switch {
	case m.exact(s.OneOf...):
		r.add("oneOf", m.all(s.OneOf))
	case len(s.AnyOf) == 0:
		r.add("anyOf", m.all(s.OneOf))
	}
}

// additional adds what s says about the properties that it does not describe, unless
// these cannot be known.
func (m *maker) additional(r builder, s *schema.Schema) {
	if !slices.ContainsFunc(s.PatternProperties, func(p schema.Property) bool { return !m.graph.Pattern(p.Name).Known() }) {
		r.part("additionalProperties", m.rule(s.AdditionalProperties))
	}
}

// unevaluated adds what s says about the properties or items that no schema below it
// describes, unless these cannot be known.
func (m *maker) unevaluated(r builder, s *schema.Schema, keyword string, rest *schema.Schema) {
	if rest != nil && m.exact(s) {
		m.evaluates = m.evaluates || keyword == "unevaluatedItems"
		r.part(keyword, m.rule(rest))
	}
}
