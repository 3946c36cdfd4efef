package schema

import (
	"bytes"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// misfit is a problem of a reference, which matters only if an event uses the
// reference.
type misfit struct {
	finding finding.Finding
	at      *Schema // the schema that has the reference; nil in the config
	file    *unit   // the file that cannot be read, nil if the reference itself is wrong
}

// misfits reports problems of references. used has the schemas that events use; nil
// means all. In a file that users cannot edit, a problem of a reference that no event
// uses is a warning.
func (l *loader) misfits(used map[*Schema]bool) {
	for _, m := range l.misfit {
		if m.file != nil {
			continue
		}
		if used != nil && m.at != nil && !used[m.at] && l.units[m.at.Doc.Path].foreign {
			m.finding.Severity = finding.Warning
			m.finding.Message += "; no event uses it"
			m.finding.Hint = ""
		}
		l.list.Add(m.finding)
	}
}

// unused turns errors in files that no event uses into warnings, so that they hide
// nothing about events. If the project has no event, every file counts as used. So does
// a file that cannot be read and contains x-outbox, because the code of its event would
// be removed.
func (l *loader) unused(used map[*Schema]bool) *finding.List {
	if len(used) == 0 {
		return l.list
	}
	inUse := map[string]bool{}
	for s := range used {
		inUse[s.Doc.Path] = true
	}
	for _, u := range l.units {
		if u.owned || u.needed || u.mayDescribe || u.value == nil && u.doc.Listed && u.mentionsOutbox() {
			inUse[u.doc.Path] = true
		}
	}
	for _, m := range l.misfit {
		if m.file != nil && (m.at == nil || used[m.at] || !l.units[m.at.Doc.Path].foreign) {
			inUse[m.file.doc.Path] = true
		}
	}
	list := &finding.List{}
	for _, f := range l.list.Sorted() {
		if u := l.units[f.Pos.File]; u != nil && !inUse[f.Pos.File] && f.Severity == finding.Error {
			f.Severity = finding.Warning
			f.Message += "; no event uses this file"
		}
		list.Add(f)
	}
	return list
}

// mentionsOutbox reports whether the file's text contains x-outbox, also in UTF-16.
func (u *unit) mentionsOutbox() bool {
	return bytes.Contains(bytes.ReplaceAll(u.doc.Source, []byte{0}, nil), []byte("x-outbox"))
}

// leadTo returns every schema that values of the events may have to satisfy.
func leadTo(events []*Event) map[*Schema]bool {
	used := map[*Schema]bool{}
	var open []*Schema
	reach := func(s *Schema) {
		if s != nil && !used[s] {
			used[s] = true
			open = append(open, s)
		}
	}
	for _, e := range events {
		reach(e.Schema)
	}
	for len(open) > 0 {
		s := open[len(open)-1]
		open = open[:len(open)-1]
		for _, sub := range s.Parts() {
			reach(sub)
		}
	}
	return used
}

// Parts returns the schemas that affect the values of s: those inside it, without its
// definitions, and those that it refers to.
func (s *Schema) Parts() []*Schema {
	parts := slices.Concat(s.inPlace(), s.PrefixItems)
	for _, named := range [][]Property{s.Properties, s.PatternProperties} {
		for _, p := range named {
			parts = append(parts, p.Schema)
		}
	}
	parts = append(parts, s.AdditionalProperties, s.UnevaluatedProperties, s.PropertyNames,
		s.Items, s.Contains, s.UnevaluatedItems, s.ContentSchema, s.BaseOf)
	if s.Ref != nil {
		parts = append(parts, s.Ref.Target)
	}
	if s.Discriminator != nil {
		parts = append(parts, s.Discriminator.Targets...)
	}
	return parts
}
