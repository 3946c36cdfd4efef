package schema

import (
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// Marks is what x-outbox says about a schema beside the event, or where there
// is none: it may stand at any schema. Nothing in it bears on which values are
// valid.
type Marks struct {
	Pos finding.Pos
	// Personal is whether the values tell something about a person; nil where
	// that is not said. It holds for everything inside as well.
	Personal *bool
	// Grows is whether an enum will get more values; nil where that is not said.
	Grows *bool
	// Silences lists the rules of lint that shall find nothing here and inside,
	// in source order.
	Silences []Silence
}

// Silence keeps one rule quiet.
type Silence struct {
	ID     Name
	Reason string // "" where none is given
}

var markNames = []string{"personal", "grows", "silence"}

// marksAlone reports whether the value of an x-outbox describes no event, and
// only marks the schema that it stands in: it has marks, and nothing else
// where it could have.
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
	flag := func(field **bool, name string) func(*Value) {
		return func(v *Value) {
			if v.Kind != Bool {
				r.wrong(v, name, "true or false")
				return
			}
			*field = &v.Bool
		}
	}
	return []field{
		{name: "personal", read: flag(&to.Personal, "personal")},
		{name: "grows", read: flag(&to.Grows, "grows")},
		{name: "silence", read: func(v *Value) {
			if v.Kind != Object {
				r.wrong(v, "silence", "an object that maps rule ids to reasons")
				return
			}
			for _, m := range v.Members {
				s := Silence{ID: Name{Text: m.Name, Pos: m.Pos}}
				if m.Value.Kind == String {
					s.Reason = m.Value.Text
				}
				to.Silences = append(to.Silences, s)
			}
		}},
	}
}
