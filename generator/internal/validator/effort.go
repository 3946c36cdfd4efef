package validator

import "github.com/outboxgen/outboxgen/generator/internal/schema"

// mostSteps is how many schemas may be applied to a value and to what is in it. The library
// goes through every path that leads to a schema, of which a few lines of allOf can make
// billions.
const mostSteps = 1_000_000

// efforts counts what the library has to apply, without doing it. It remembers every schema
// with every value, so many paths cost nothing here.
type efforts map[application]int

type application struct {
	schema *schema.Schema
	value  *schema.Value
}

// tooLarge reports whether the library would need more than mostSteps steps.
func tooLarge(s *schema.Schema, value *schema.Value) bool {
	return efforts{}.of(s, value) > mostSteps
}

// of returns the number of steps, or one beyond mostSteps. It is never too small: patterns
// count for every name, and so do properties that are declared also as additional ones.
func (e efforts) of(s *schema.Schema, value *schema.Value) int {
	if s == nil || value == nil {
		return 0
	}
	at := application{s, value}
	if steps, known := e[at]; known {
		return steps
	}
	e[at] = 0 // a cycle of references is an error, which was reported
	steps := 1
	add := func(s *schema.Schema, value *schema.Value) {
		if steps <= mostSteps {
			steps += e.of(s, value)
		}
	}
	for _, sub := range []*schema.Schema{s.Not, s.If, s.Then, s.Else} {
		add(sub, value)
	}
	if s.Ref != nil {
		add(s.Ref.Target, value)
	}
	for _, list := range [][]*schema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, sub := range list {
			add(sub, value)
		}
	}
	for _, p := range s.DependentSchemas {
		add(p.Schema, value)
	}
	for _, m := range value.Members {
		for _, p := range s.Properties {
			if p.Name == m.Name {
				add(p.Schema, m.Value)
			}
		}
		for _, p := range s.PatternProperties {
			add(p.Schema, m.Value)
		}
		add(s.AdditionalProperties, m.Value)
		add(s.UnevaluatedProperties, m.Value)
		add(s.PropertyNames, &schema.Value{Kind: schema.String, Text: m.Name})
	}
	for i, item := range value.Items {
		if i < len(s.PrefixItems) {
			add(s.PrefixItems[i], item)
		}
		add(s.Items, item)
		add(s.Contains, item)
		add(s.UnevaluatedItems, item)
	}
	e[at] = steps
	return steps
}
