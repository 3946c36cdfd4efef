package schema

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

var (
	compatLevels   = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}
	compatPolicies = []string{"generated", "lenient", "strict"}
)

// compat reads the member compat of the config.
func (r *configReader) compat(v *Value) {
	c := &r.c.Compat
	c.Pos = v.Pos
	sub := &reader{list: r.list, at: map[string]finding.Pos{}}
	fields := append(r.rule(&c.CompatRule, "compat."), []field{
		{name: "versions", read: func(v *Value) { r.choice(&c.Versions, v, "compat.versions", []string{"apart", "together"}) }},
		{name: "subjects", read: func(v *Value) {
			r.choice(&c.Subjects, v, "compat.subjects", []string{"topic", "record", "topic-record"})
		}},
		{name: "released", read: func(v *Value) {
			if v.Kind != String || v.Text == "" || strings.HasPrefix(v.Text, "-") {
				r.wrong(v, "compat.released", "a pattern of git tags such as v*")
				return
			}
			c.Released = v.Text
		}},
		{name: "frozen", read: func(v *Value) {
			if v.Kind != Bool {
				r.wrong(v, "compat.frozen", "true or false")
				return
			}
			c.Frozen = v.Bool
		}},
		{name: "accept", read: r.accept},
	}...)
	sub.object(v.Pos, v, "compat", fields)
}

// rule returns the members that say how changes are checked.
func (r *reader) rule(to *CompatRule, prefix string) []field {
	return []field{
		{name: "level", read: func(v *Value) {
			if n := r.oneOf(v, prefix+"level", compatLevels); n != nil {
				to.Level = n.Text
			}
		}},
		{name: "policy", read: func(v *Value) {
			if n := r.oneOf(v, prefix+"policy", compatPolicies); n != nil {
				to.Policy = n.Text
			}
		}},
	}
}

// compat reads the member compat of an event's description.
func (r *reader) compat(to *CompatRule, v *Value) {
	sub := &reader{list: r.list, at: map[string]finding.Pos{}}
	sub.object(v.Pos, v, "compat", r.rule(to, "compat."))
}

func (r *configReader) accept(v *Value) {
	if v.Kind != Array {
		r.wrong(v, "compat.accept", "an array of changes, each with id, event and reason")
		return
	}
	for _, item := range v.Items {
		a := Acceptance{Pos: item.Pos}
		sub := &reader{list: r.list, at: map[string]finding.Pos{}}
		read := func(to *Name, name, what string) field {
			return field{name: name, required: true, read: func(v *Value) {
				if v.Kind != String || strings.TrimSpace(v.Text) == "" {
					r.wrong(v, name, what)
					return
				}
				*to = Name{Text: v.Text, Pos: v.Pos}
			}}
		}
		sub.object(item.Pos, item, "the accepted change", []field{
			read(&a.ID, "id", "the id of a finding, such as event-removed"),
			read(&a.Event, "event", "the type of the event"),
			read(&a.Reason, "reason", "a sentence that says why no consumer breaks"),
		})
		if a.ID.Text != "" && a.Event.Text != "" && a.Reason.Text != "" {
			r.c.Compat.Accept = append(r.c.Compat.Accept, a)
		}
	}
}
