package schema

import (
	"strings"
)

var (
	compatLevels   = []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}
	compatPolicies = []string{"generated", "lenient", "strict"}
)

func (r *configReader) compat(v *Value) {
	c := &r.c.Compat
	c.Pos = v.Pos
	isPattern := func(text string) bool { return text != "" && !strings.HasPrefix(text, "-") }
	r.inner(v, "compat", append(r.rule(&c.CompatRule), []field{
		{name: "versions", read: func(v *Value) {
			storeText(&c.Versions, r.oneOf(v, "compat.versions", []string{"apart", "together"}))
		}},
		{name: "subjects", read: func(v *Value) {
			c.SubjectsPos = v.Pos
			storeText(&c.Subjects, r.oneOf(v, "compat.subjects", []string{"topic", "record", "topic-record"}))
		}},
		{name: "released", read: func(v *Value) {
			storeText(&c.Released, r.text(v, "compat.released", "a pattern of git tags such as v*", isPattern))
		}},
		{name: "frozen", read: func(v *Value) { store(&c.Frozen, r.flag(v, "compat.frozen")) }},
		{name: "accept", read: r.accept},
	}...))
}

// rule returns the members that say how changes are checked.
func (r *reader) rule(to *CompatRule) []field {
	return []field{
		{name: "level", read: func(v *Value) { storeText(&to.Level, r.oneOf(v, "compat.level", compatLevels)) }},
		{name: "policy", read: func(v *Value) { storeText(&to.Policy, r.oneOf(v, "compat.policy", compatPolicies)) }},
	}
}

// compat reads the member compat of an event's description.
func (r *reader) compat(to *CompatRule, v *Value) {
	r.inner(v, "compat", r.rule(to))
}

func (r *configReader) accept(v *Value) {
	if v.Kind != Array {
		r.wrong(v, "compat.accept", "an array of changes, each with id, event and reason")
		return
	}
	for _, item := range v.Items {
		a := Acceptance{Pos: item.Pos}
		notBlank := func(text string) bool { return strings.TrimSpace(text) != "" }
		read := func(to *Name, name, what string) field {
			return field{name: name, required: true, read: func(v *Value) { store(to, r.text(v, name, what, notBlank)) }}
		}
		r.inner(item, "the accepted change", []field{
			read(&a.ID, "id", "the id of a finding, such as event-removed"),
			read(&a.Event, "event", "the type of the event"),
			read(&a.Reason, "reason", "a sentence that says why no consumer breaks"),
		})
		if a.ID.Text != "" && a.Event.Text != "" && a.Reason.Text != "" {
			r.c.Compat.Accept = append(r.c.Compat.Accept, a)
		}
	}
}
