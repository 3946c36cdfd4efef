package schema

import (
	"regexp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// lint reads the settings of lint. It does not know the rules.
func (r *configReader) lint(v *Value) {
	c := &r.c.Lint
	r.inner(v, "lint", []field{
		{name: "rules", read: func(v *Value) {
			if v.Kind != Object {
				r.wrong(v, "lint.rules", "an object that maps rule ids to levels")
				return
			}
			for _, m := range v.Members {
				if level := r.oneOf(m.Value, "the level of "+finding.Quote(m.Name), []string{"error", "warning", "note", "off"}); level != nil {
					c.Rules = append(c.Rules, LintRule{ID: Name{Text: m.Name, Pos: m.Pos}, Level: level.Text})
				}
			}
		}},
		{name: "property_names", read: func(v *Value) { storeText(&c.PropertyNames, r.oneOf(v, "lint.property_names", NameStyles())) }},
		{name: "enum_values", read: func(v *Value) { storeText(&c.EnumValues, r.oneOf(v, "lint.enum_values", NameStyles())) }},
		{name: "baseline", read: func(v *Value) { c.Baseline = r.path(v, "lint.baseline") }},
		{name: "event_types", read: func(v *Value) {
			if v.Kind != String {
				r.wrong(v, "lint.event_types", "a regular expression")
				return
			}
			if _, err := regexp.Compile(v.Text); err != nil {
				r.list.Errorf(v.Pos, "bad-pattern", "lint.event_types is not a valid Go regular expression: %s", finding.Printable(err.Error()))
				return
			}
			c.EventTypes = &Name{Text: v.Text, Pos: v.Pos}
		}},
	})
}
