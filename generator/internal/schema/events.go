package schema

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
)

// described loads the files that events: in the config names, so that their references
// resolve with all others. The schemas are looked up after everything is loaded.
func (l *loader) described(c *Config) {
	for i := range c.Events {
		e := &c.Events[i]
		if e.Schema.Text == "" {
			l.eventRefs = append(l.eventRefs, nil)
			continue
		}
		ref := &Ref{Text: e.Schema.Text, Pos: e.Schema.Pos}
		l.eventRefs = append(l.eventRefs, ref)
		config := &unit{doc: &Document{Path: path.Base(c.Path)}, byPointer: map[string]*Schema{}}
		from := &resource{unit: config, base: projectBase(config.doc.Path), name: projectBase(""), anchors: map[string]*Schema{}}
		if strings.HasPrefix(e.Schema.Text, "#") {
			l.list.Errorf(e.Schema.Pos, "bad-reference", "there is no schema file for %s", finding.Quote(e.Schema.Text))
			continue
		}
		l.pending = append(l.pending, pendingRef{ref: ref, from: from})
	}
}

// events lists the events of the project and reports contradictions.
func (l *loader) events(c *Config) []*Event {
	var events []*Event
	for _, u := range l.matched {
		if s := u.doc.Root; s != nil && s.Outbox != nil {
			if e := l.event(c, s, s.Outbox, Name{}); e != nil {
				events = append(events, e)
			}
		}
	}
	events = append(events, l.apiEvents(c)...)
	for i, ec := range c.Events {
		ref := l.eventRefs[i]
		if ec.Schema.Text == "" || ref != nil && ref.Target != nil {
			for _, name := range ec.Missing { // a schema does not say it
				l.list.Errorf(ec.Pos, "missing-member", "the event needs the member %s", name)
			}
		}
		if ref == nil || ref.Target == nil {
			continue
		}
		switch {
		case ec.Left:
			l.list.Errorf(ec.Schema.Pos, "asyncapi-entry", "event: false leaves out a message of a document of AsyncAPI, but %s is a schema", finding.Quote(ec.Schema.Text)).
				SetHint("a schema file is no event without x-outbox and without an entry; remove this entry")
			continue
		case ec.At["payload"].Line > 0:
			l.list.Errorf(ec.At["payload"], "unused-member", "payload is for messages of AsyncAPI, but %s is a schema", finding.Quote(ec.Schema.Text)).
				SetHint("name the schema of the event data, and remove payload")
			continue
		}
		if other := ref.Target.Outbox; other != nil {
			l.list.Errorf(ec.Pos, "event-described-twice", "this event is also described in its file, at %s", other.Pos).
				SetHint("keep either x-outbox there or this entry")
			continue
		}
		if e := l.event(c, ref.Target, &ec.Extension, ec.Name); e != nil {
			events = append(events, e)
		}
	}
	l.unique(events, "duplicate-type", "type", func(e *Event) string { return e.Type },
		func(e *Event) finding.Pos { return e.typePos },
		func(e *Event) string { return "the type " + finding.Quote(e.Type) })
	l.unique(events, "duplicate-name", "name", func(e *Event) string { return e.GoName },
		func(e *Event) finding.Pos { return e.namePos },
		func(e *Event) string { return "the Go name " + e.GoName })
	slices.SortStableFunc(events, func(a, b *Event) int { return strings.Compare(a.GoName, b.GoName) })
	return events
}

// unique reports events that share something that must be unique, at each except the
// first. member is what sets it in x-outbox of a message of AsyncAPI.
func (l *loader) unique(events []*Event, id, member string, key func(*Event) string, pos func(*Event) finding.Pos, what func(*Event) string) {
	first := map[string]*Event{}
	for _, e := range events {
		other, dup := first[key(e)]
		if !dup {
			first[key(e)] = e
			continue
		}
		f := l.list.Errorf(pos(e), id, "%s is also used by the event at %s", what(e), pos(other))
		if e.Within != nil {
			f.SetHint("add " + member + ": to x-outbox of this message, or leave one of the two out with x-outbox: false")
		}
	}
}

// event builds the event that x describes; nil if something required was missing and
// reported.
func (l *loader) event(c *Config, s *Schema, x *Extension, name Name) *Event {
	if x.Version == nil || x.Type == nil || x.AggregateType == nil {
		return nil
	}
	version, err := strconv.Atoi(x.Version.Text)
	if err != nil {
		return nil // its range was checked
	}
	e := &Event{
		Schema: s, Pos: x.Pos, Version: version, Type: x.Type.Text, Topic: x.Type.Text,
		Envelope: c.Envelope, AggregateType: x.AggregateType.Text,
		AggregateID: x.AggregateID, Key: x.Key, Keyed: !x.NoKey, Correlation: x.Correlation, CorrelationUUID: c.CorrelationID == "uuid",
		Tombstone: x.Tombstone,
		Consumed:  x.Role != nil && x.Role.Text == roleConsume,
		Service:   Name{Text: c.Service, Pos: c.At["service"]},
		Compat:    CompatRule{Level: cmp.Or(x.Compat.Level, c.Compat.Level), Policy: cmp.Or(x.Compat.Policy, c.Compat.Policy)},
		OwnCompat: x.Compat,
		SchemaURI: s.ID,
		at:        x.At,
		typePos:   x.Type.Pos,
	}
	if x.Topic != nil {
		e.Topic = x.Topic.Text
	}
	if x.Envelope != nil {
		e.Envelope = x.Envelope.Text
	}
	if x.SchemaURI != nil {
		e.SchemaURI = x.SchemaURI.Text
	}
	e.GoName, e.namePos = eventName(s, x, name, version)
	if len(e.GoName) > maxGoName {
		l.list.Errorf(e.namePos, "bad-name", "the Go name of the event has %d bytes; the maximum is %d", len(e.GoName), maxGoName).
			SetHint("shorten the title, or set a name under events:")
	}
	for _, p := range []struct {
		what    string
		pointer *Name
	}{{"aggregate.id", e.AggregateID}, {"key", e.Key}, {"correlation", e.Correlation}} {
		if p.pointer != nil {
			l.checkPointer(c, s, p.what, p.pointer)
		}
	}
	return e
}

// eventName returns the Go name of the event data: the name in the config, else the
// title, else the name of the file or definition, followed by the version.
//
// Tools write the schema of a type as a reference to its definition; then the
// definition's name counts.
func eventName(s *Schema, x *Extension, given Name, version int) (string, finding.Pos) {
	suffix := "V" + strconv.Itoa(version)
	name, pos := given.Text, given.Pos
	for root := s; s.Title == "" && s.OnlyRef() && s.Ref.Target != nil && s.Ref.Target.Doc == root.Doc; {
		if s = s.Ref.Target; s == root {
			break // a circle, which was reported
		}
	}
	switch {
	case name != "":
	case s.Title != "":
		name, pos = goname.Title(s.Title), s.At["title"]
	default:
		name, pos = goname.Exported(lastName(s)), x.Pos
		if strings.HasSuffix(strings.ToUpper(name), suffix) {
			name = name[:len(name)-len(suffix)]
		}
	}
	if !strings.HasSuffix(name, suffix) {
		name += suffix
	}
	return name, pos
}

// lastName returns the last name on the path to s: of its definition, or of its file
// without the extension.
func lastName(s *Schema) string {
	if tokens, _ := pointerTokens(s.Pointer); len(tokens) > 0 {
		return tokens[len(tokens)-1]
	}
	base := path.Base(s.Doc.Path)
	return strings.TrimSuffix(base, path.Ext(base))
}
