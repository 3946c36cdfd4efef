package schema

import (
	"net/url"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// apiPayloads finds the messages that entries of events: name, and reads the payload of
// each message that is an event.
func (l *loader) apiPayloads(c *Config) {
	defer func(before bool) { l.needed = before }(l.needed)
	for _, e := range c.Events {
		if file := e.file(); file != "" && l.units[file] == nil {
			l.file(file)
		}
	}
	l.apiDocuments()
	l.needed = true
	for i := range c.Events {
		l.apiEntry(&c.Events[i], i)
	}
	for _, d := range l.apis {
		for _, m := range d.messages {
			if l.isEvent(m) {
				l.about(m, func() { l.apiMessage(m) })
			} else {
				m.left = true
			}
		}
	}
	l.setMarks()
}

// apiMessage reads x-outbox and the payload of a message that is an event.
func (l *loader) apiMessage(m *apiMessage) {
	m.at.unit.needed, m.document.unit.needed = true, true
	if m.entry != nil {
		l.withTraits(m.at, m.document.major) // what is broken there is needed now
		m.x = extended(nil, &m.entry.Extension)
	}
	marks := &Marks{}
	if x := m.merged.member("x-outbox"); x != nil {
		marks.Pos = x.Pos
		l.apiExtension(m, x.Pos, x.Value, marks)
	}
	defer func(before *apiMessage) { l.undescribed = before }(l.undescribed)
	if m.x == nil && !l.payloadOutbox(m) {
		l.undescribed = m
	}
	if m.payload = l.apiPayload(m); m.payload != nil && m.payload.Marks == nil && marks.Pos.Line > 0 {
		m.payload.Marks = marks
	}
	if m.left {
		l.leftEntry(m)
	}
}

// isEvent reports whether a message is an event, before its payload is read: it may be in
// a format that nobody needs.
func (l *loader) isEvent(m *apiMessage) bool {
	left := m.left || len(m.channels) > 0 && !slices.ContainsFunc(m.channels, func(c apiChannel) bool { return !c.left })
	switch {
	case m.entry == nil && !m.listed():
		return false
	case left:
		l.leftEntry(m)
		return false
	case m.entry == nil && l.api.OmitReceived && m.onlyReceived() && !m.hasRole():
		return false
	case m.entry != nil || len(m.channels) > 0 || m.merged.Member("x-outbox") != nil || l.payloadOutbox(m):
		return true
	}
	l.list.Add(finding.Finding{
		Pos: m.at.value.Pos, Severity: finding.Note, ID: "asyncapi-message-unused",
		Message: "no channel has this message, so it is no event",
	})
	return false
}

// hasRole reports whether x-outbox of a message says what the service does with its event.
func (m *apiMessage) hasRole() bool {
	x := m.merged.Member("x-outbox")
	return x != nil && x.Member("role") != nil
}

// leftEntry reports the entry of a message that x-outbox: false leaves out.
func (l *loader) leftEntry(m *apiMessage) {
	if m.entry != nil {
		l.list.Errorf(m.entry.Schema.Pos, "asyncapi-entry", "%s is a message that x-outbox: false leaves out", finding.Quote(m.entry.Schema.Text)).
			SetHint("remove this entry, or x-outbox: false in the message, its channel or its payload")
	}
}

// payloadOutbox reports whether the payload of a message, or a schema that it refers to,
// describes an event. It reports no problem.
func (l *loader) payloadOutbox(m *apiMessage) bool {
	defer func(r reading, needed bool) { l.reading, l.needed = r, needed }(l.reading, l.needed)
	l.needed = false
	n, ok := m.at.member("payload")
	if format := m.merged.Member("schemaFormat"); ok && format != nil && m.document.major == 2 {
		n.unit.formatted(n.pointer, format) // a problem is reported with the payload
	}
	for range maxAPIRefs {
		if !ok {
			return false
		}
		if format, multi := n.unit.multiFormat(n.value); multi {
			n = n.inside("schema")
			n.unit.formatted(n.pointer, format) // a problem is reported with the payload
			continue
		}
		ref := n.value.Member("$ref")
		if n.value.Kind != Object || ref == nil || ref.Kind != String {
			break
		}
		l.reading = n.unit.readingSchemas(n.pointer)
		next, f := l.apiTarget(n, ref.Text)
		if f != nil {
			return false
		}
		n = next
	}
	x := n.value.Member("x-outbox")
	return x != nil && !marksAlone(x, n.pointer == "")
}

// apiEntry looks for the message that an entry of events: names.
func (l *loader) apiEntry(e *EventConfig, index int) {
	u := l.units[e.file()]
	if l.eventRefs[index] == nil || u == nil || u.value == nil {
		return
	}
	ref, err := url.Parse(e.Schema.Text)
	if err != nil {
		return
	}
	tokens, problem := pointerTokens(ref.Fragment)
	target, f := l.reach(u, tokens)
	if f != nil || problem != "" {
		return // reported as any other reference
	}
	if u.api != 0 {
		to, ok := l.deref(target)
		if !ok {
			l.forget(index)
			return
		}
		target = to
	}
	m := l.messageAt(target, e.file())
	switch {
	case m != nil && e.Left:
		m.left = true
	case m != nil && m.entry != nil:
		l.list.Errorf(e.Pos, "event-described-twice", "the event of this message is also described by the entry at %s", m.entry.Pos).
			SetHint("keep one of the two entries")
	case m != nil:
		m.entry = e
	default:
		what := target.describe()
		if what == "" {
			return // a schema
		}
		l.list.Errorf(e.Schema.Pos, "asyncapi-entry", "%s is %s, and no schema or message of a document that was read", finding.Quote(e.Schema.Text), what).
			SetHint(l.messagesHint(e.file()))
	}
	l.forget(index)
}

// forget drops the reference of an entry, which names no schema.
func (l *loader) forget(index int) {
	ref := l.eventRefs[index]
	l.eventRefs[index] = nil
	l.pending = slices.DeleteFunc(l.pending, func(p pendingRef) bool { return p.ref == ref })
}

// messageAt returns the message at a node: that of the document called file, if it has
// the message, or else of another one.
func (l *loader) messageAt(n node, file string) *apiMessage {
	var found *apiMessage
	for _, d := range l.apis {
		for _, m := range d.messages {
			if m.at.place() == n.place() && (found == nil || m.in(file)) {
				found = m
			}
		}
	}
	return found
}

// in reports whether the document called file has the message.
func (m *apiMessage) in(file string) bool {
	return m.document.unit.doc.Path == file || slices.ContainsFunc(m.others, func(d *apiDocument) bool { return d.unit.doc.Path == file })
}

// messagesHint lists the messages of a document.
func (l *loader) messagesHint(file string) string {
	var places []string
	for _, d := range l.apis {
		for _, m := range d.messages {
			if place := m.at.unit.doc.Path + "#" + m.at.pointer; m.in(file) && !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
	}
	if len(places) == 0 {
		return "name a message that a channel or components/messages has, or a schema"
	}
	return "its messages are: " + quotedList(places, maxListed)
}

// describe says what part of a document of AsyncAPI a node is; "" if it may be a schema.
func (n node) describe() string {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return n.value.Member(name) != nil })
	}
	tokens, _ := pointerTokens(n.pointer)
	above := ""
	if len(tokens) > 1 {
		above = tokens[len(tokens)-2]
	}
	switch {
	case n.value.Kind != Object:
		return ""
	case len(tokens) == 0 && has("asyncapi"):
		return "a document of AsyncAPI"
	case has("$schema", "$ref", "type", "properties", "allOf", "anyOf", "enum", "const"):
		return ""
	case has("publish", "subscribe", "messages", "address"):
		return "a channel"
	case has("payload"), n.unit.api != 0 && (above == "messages" && !slices.Contains(tokens, "properties") || has("oneOf") && (above == "publish" || above == "subscribe")):
		return "a message"
	case has("message"), has("action") && has("channel"):
		return "an operation"
	}
	return ""
}
