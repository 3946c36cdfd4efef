package schema

import (
	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// subjects says what the findings in documents of AsyncAPI are about that do not stand
// inside a schema.
type subjects struct {
	// warned has the payload of the message that a warning is about, wherever the warning
	// stands: the topic of a message is in its channel.
	warned map[warning]*Schema
	// messages and schemas have the messages and the outermost schemas of each document.
	messages, schemas map[string][]extent
}

// warning identifies a warning.
type warning struct {
	pos         finding.Pos
	id, message string
}

// extent is a part of a file, from its first to its last place.
type extent struct {
	from, to finding.Pos
	payload  *Schema // of a message
}

// About returns the schema that a warning is about which stands in a document of AsyncAPI,
// but inside none of its schemas: the payload of a message, or nil if it is about no
// message. outside is false for a warning in another place.
func (p *Project) About(f finding.Finding) (s *Schema, outside bool) {
	schemas, ok := p.subjects.schemas[f.Pos.File]
	if _, inside := innermost(schemas, f.Pos); !ok || inside {
		return nil, false
	}
	if s, ok := p.subjects.warned[warning{f.Pos, f.ID, f.Message}]; ok {
		return s, true
	}
	m, _ := innermost(p.subjects.messages[f.Pos.File], f.Pos)
	return m.payload, true
}

// innermost returns the last of some extents that contains a place.
func innermost(all []extent, pos finding.Pos) (found extent, ok bool) {
	for _, e := range all {
		if e.from.Compare(pos) <= 0 && pos.Compare(e.to) <= 0 && (!ok || e.from.Compare(found.from) > 0) {
			found, ok = e, true
		}
	}
	return found, ok
}

// extentOf returns the extent of a value.
func extentOf(v *Value, payload *Schema) extent {
	e := extent{v.Pos, v.Pos, payload}
	e.add(v)
	return e
}

// add extends e to all parts of a value. An alias of YAML stands elsewhere.
func (e *extent) add(v *Value) {
	reach := func(pos finding.Pos) {
		if pos.File == e.from.File && pos.Compare(e.to) > 0 {
			e.to = pos
		}
	}
	reach(v.Pos)
	for _, item := range v.Items {
		e.add(item)
	}
	for _, m := range v.Members {
		reach(m.Pos)
		e.add(m.Value)
	}
}

// about records the warnings that read adds as those about a message.
func (l *loader) about(m *apiMessage, read func()) {
	list, before := l.list, l.list.Len()
	read()
	for _, f := range list.Since(before) {
		if f.Severity == finding.Warning {
			l.warned[warning{f.Pos, f.ID, f.Message}] = m
		}
	}
}

// subjects returns what findings are about.
func (l *loader) subjects() subjects {
	all := subjects{warned: map[warning]*Schema{}, messages: map[string][]extent{}, schemas: map[string][]extent{}}
	for w, m := range l.warned {
		all.warned[w] = m.payload
	}
	for _, u := range l.units {
		if u.api == 0 {
			continue
		}
		file := u.doc.Path
		all.schemas[file] = []extent{}
		for _, root := range u.doc.Roots {
			tokens, _ := pointerTokens(root.Pointer)
			if v, _, _ := u.value.at(tokens); v != nil {
				all.schemas[file] = append(all.schemas[file], extentOf(v, nil))
			}
		}
	}
	for _, m := range l.messages {
		if m.payload != nil {
			file := m.at.unit.doc.Path
			all.messages[file] = append(all.messages[file], extentOf(m.at.value, m.payload))
		}
	}
	return all
}
