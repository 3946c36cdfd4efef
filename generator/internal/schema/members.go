package schema

import (
	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// field is one member that an object of the config or of x-outbox may have.
type field struct {
	name     string
	required bool
	read     func(v *Value)
}

// reader reads objects with fixed members.
type reader struct {
	list *finding.List
	at   map[string]finding.Pos // of each member read
}

// object reads the members of v, at pos, in source order. It returns false if v is not
// an object.
func (r *reader) object(pos finding.Pos, v *Value, where string, fields []field) bool {
	if v.Kind != Object {
		r.wrong(v, where, "an object")
		return false
	}
	names := make([]string, len(fields))
	byName := make(map[string]field, len(fields))
	for i, f := range fields {
		names[i] = f.name
		byName[f.name] = f
	}
	for _, m := range v.Members {
		f, ok := byName[m.Name]
		if !ok {
			r.list.Errorf(m.Pos, "unknown-member", "%s has no member %s", where, finding.Quote(m.Name)).
				SetHint(finding.DidYouMean(m.Name, names))
			continue
		}
		r.at[m.Name] = m.Pos
		f.read(m.Value)
	}
	for _, f := range fields {
		if f.required && !r.seen(f.name) {
			r.list.Errorf(pos, "missing-member", "%s needs the member %s", where, f.name)
		}
	}
	return true
}

func (r *reader) seen(name string) bool {
	_, ok := r.at[name]
	return ok
}

// inner reads the members of an object inside another one, and returns where they are.
func (r *reader) inner(v *Value, where string, fields []field) map[string]finding.Pos {
	sub := &reader{list: r.list, at: map[string]finding.Pos{}}
	sub.object(v.Pos, v, where, fields)
	return sub.at
}

// text reads a string; nil: it is not valid, which was reported.
func (r *reader) text(v *Value, name, wanted string, valid func(text string) bool) *Name {
	if v.Kind != String || !valid(v.Text) {
		r.wrong(v, name, wanted)
		return nil
	}
	return &Name{Text: v.Text, Pos: v.Pos}
}

func notEmpty(text string) bool { return text != "" }

// flag reads true or false; nil: it is neither, which was reported.
func (r *reader) flag(v *Value, name string) *bool {
	if v.Kind != Bool {
		r.wrong(v, name, "true or false")
		return nil
	}
	return &v.Bool
}

// store stores what was read, unless a problem was reported.
func store[T any](to, read *T) {
	if read != nil {
		*to = *read
	}
}

// storeText is store without the position.
func storeText(to *string, read *Name) {
	if read != nil {
		*to = read.Text
	}
}

func (r *reader) wrong(v *Value, name, wanted string) {
	r.list.Errorf(v.Pos, "wrong-type", "%s must be %s, not %s", name, wanted, v.Describe())
}
