package schema

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// Marks is what x-outbox says at any schema besides the event. It does not affect
// validation.
type Marks struct {
	Pos finding.Pos
	// Personal is whether the values are personal data, here and inside; nil if not
	// set.
	Personal *bool
	// Grows is whether an enum will get more values; nil if not set.
	Grows *bool
	// Suppressed lists the lint rules that are suppressed here and inside, in source
	// order.
	Suppressed []Suppression
}

// Suppression suppresses one rule.
type Suppression struct {
	ID     Name
	Reason string // "" if none is given
}

// markNames are the members of x-outbox for marks. silence is the earlier name of
// suppress.
var markNames = []string{"personal", "grows", "suppress", "silence"}

// marksAlone reports whether an x-outbox has only marks and describes no event.
func marksAlone(v *Value, root bool) bool {
	if v.Kind != Object || len(v.Members) == 0 {
		return false
	}
	marks := 0
	for _, m := range v.Members {
		if slices.Contains(markNames, m.Name) {
			marks++
		} else if slices.Contains(eventMembers, m.Name) {
			return false
		}
	}
	return marks > 0 || !root
}

// markFields reads the marks into to.
func (r *reader) markFields(to *Marks) []field {
	suppress := func(name string) field {
		return field{name: name, read: func(v *Value) {
			if v.Kind != Object {
				r.wrong(v, name, "an object that maps rule ids to reasons")
				return
			}
			for _, m := range v.Members {
				s := Suppression{ID: Name{Text: m.Name, Pos: m.Pos}}
				if m.Value.Kind == String {
					s.Reason = m.Value.Text
				}
				to.Suppressed = append(to.Suppressed, s)
			}
		}}
	}
	return []field{
		{name: "personal", read: func(v *Value) { to.Personal = r.flag(v, "personal") }},
		{name: "grows", read: func(v *Value) { to.Grows = r.flag(v, "grows") }},
		suppress("suppress"), suppress("silence"),
	}
}
