package schema

import (
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
)

// apiExtension reads an x-outbox of a message. What was read before has precedence.
func (l *loader) apiExtension(m *apiMessage, pos finding.Pos, v *Value, marks *Marks) {
	r := &reader{list: l.list, at: map[string]finding.Pos{}}
	if x := readExtension(l.list, pos, v, "x-outbox", partOfEvent, r.markFields(marks)); x != nil {
		m.x = extended(m.x, x)
	}
}

// extended returns an extension with what more says besides.
func extended(x, more *Extension) *Extension {
	if x == nil {
		one := *more
		one.At = map[string]finding.Pos{}
		for member, pos := range more.At {
			one.At[member] = pos
		}
		return &one
	}
	fill := func(to **Name, from *Name) {
		if *to == nil {
			*to = from
		}
	}
	fill(&x.Type, more.Type)
	fill(&x.Topic, more.Topic)
	fill(&x.Envelope, more.Envelope)
	fill(&x.AggregateType, more.AggregateType)
	fill(&x.AggregateID, more.AggregateID)
	fill(&x.Correlation, more.Correlation)
	fill(&x.SchemaURI, more.SchemaURI)
	if x.Version == nil {
		x.Version = more.Version
	}
	if x.Key == nil && !x.NoKey {
		x.Key, x.NoKey, x.KeyPos = more.Key, more.NoKey, more.KeyPos
	}
	x.Tombstone = x.Tombstone || more.Tombstone
	x.Wrapped = x.Wrapped || more.Wrapped
	if x.Compat == (CompatRule{}) {
		x.Compat = more.Compat
	}
	for member, pos := range more.At {
		if _, there := x.At[member]; !there {
			x.At[member] = pos
		}
	}
	return x
}

// Place returns the position of a member, or otherwise if it is missing.
func (x *Extension) Place(member string, otherwise finding.Pos) finding.Pos {
	if pos, ok := x.At[member]; ok {
		return pos
	}
	return otherwise
}

// apiEvents returns the events of all messages.
func (l *loader) apiEvents(c *Config) []*Event {
	defer func(before bool) { l.needed = before }(l.needed)
	l.needed = true
	var events []*Event
	for _, d := range l.apis {
		for _, m := range d.messages {
			if e := l.apiEvent(c, m); e != nil {
				e.Within = d.unit.doc
				events = append(events, e)
			}
		}
	}
	return events
}

// apiEvent returns the event of a message; nil if it is none, or if something was
// reported.
func (l *loader) apiEvent(c *Config, m *apiMessage) *Event {
	switch {
	case m.left || m.payload == nil:
		return nil
	case m.own != nil && m.x != nil:
		l.list.Errorf(m.x.Pos, "event-described-twice", "this event is also described in its file, at %s", m.own.Outbox.Pos).
			SetHint("keep either x-outbox there or this one")
		return nil
	case m.own != nil && m.own.Doc.Listed:
		return nil // the file makes the event
	case m.own != nil:
		m.x = extended(nil, m.own.Outbox)
	}
	x := extended(&Extension{Pos: m.at.value.Pos, At: map[string]finding.Pos{}}, &Extension{})
	if m.x != nil {
		x = m.x
	}
	if !l.apiType(m, x) || !l.apiTopic(m, x) || !l.apiAggregate(m, x) {
		return nil
	}
	l.apiCorrelation(c, m, x)
	x.checkVersion(l.list)
	if _, set := c.At["envelope"]; !set && x.Envelope == nil {
		x.Envelope = &Name{Text: "none", Pos: x.Pos} // the payload is the whole value of the record
	}
	e := l.event(c, m.payload, x, apiName(m, x))
	if e != nil && m.payload.OnlyRef() && m.payload.Ref.Target != nil && m.payload.Ref.Target.Pointer == "/components/schemas/"+e.GoName {
		e.Schema = m.payload.Ref.Target // the schema of this event, and no one else's
	}
	for _, member := range []string{"description", "summary"} {
		if v := m.text(member); e != nil && v != nil && e.Description == "" {
			e.Description = v.Text
		}
	}
	return e
}

// text returns a member of the message that is a text and not empty.
func (m *apiMessage) text(name string) *Value {
	if v := m.merged.Member(name); v != nil && v.Kind == String && v.Text != "" {
		return v
	}
	return nil
}

// apiName returns the Go name of the event data, without the version.
func apiName(m *apiMessage, x *Extension) Name {
	if m.entry != nil && m.entry.Name.Text != "" {
		return m.entry.Name
	}
	if title := m.text("title"); title != nil {
		return Name{Text: goname.Title(title.Text), Pos: title.Pos}
	}
	return Name{Text: goname.Exported(versionSuffix.ReplaceAllString(x.Type.Text, "")), Pos: x.Type.Pos}
}

// named returns the name that a message has in its document; nil if there is none.
func (m *apiMessage) named() *Value {
	var key *Value
	if m.key.Text != "" {
		key = &Value{Pos: m.key.Pos, Kind: String, Text: m.key.Text}
	}
	names := []*Value{m.text("messageId"), m.text("name"), m.text("title"), key}
	if m.document.major > 2 { // the key is the id of the message
		names = []*Value{m.text("name"), key, m.text("title")}
	}
	for _, name := range names {
		if name != nil {
			return name
		}
	}
	return nil
}

// apiType sets the type and the version of the event, unless x-outbox has them.
func (l *loader) apiType(m *apiMessage, x *Extension) bool {
	if x.Type == nil {
		if x.seen("type") {
			return false // its value was reported
		}
		named := m.named()
		if to := m.payload.Resolved(); named == nil && m.payload.OnlyRef() && to != nil && len(to.Pointer) > 0 {
			named = &Value{Pos: m.payload.Ref.Pos, Kind: String, Text: lastName(to)}
		}
		if named == nil {
			l.list.Errorf(m.at.value.Pos, "asyncapi-message-unnamed", "the message has no name, so its event has no type").
				SetHint("add name: to the message")
			return false
		}
		r := &reader{list: l.list}
		if x.Type = r.label(named, "the type of the event, "+finding.Quote(named.Text)+",", maxEventType); x.Type == nil {
			return false
		}
		x.At["type"] = named.Pos
	}
	if x.Version == nil {
		if x.seen("version") {
			return false
		}
		x.Version = &Number{Text: "1", Pos: x.Type.Pos}
		if named := versionSuffix.FindStringSubmatch(x.Type.Text); named != nil {
			x.Version.Text = named[1]
		}
	}
	return true
}

func (x *Extension) seen(member string) bool {
	_, ok := x.At[member]
	return ok
}

// apiCorrelation sets the pointer to the correlation id, unless x-outbox has it or the
// id is not in the event data.
func (l *loader) apiCorrelation(c *Config, m *apiMessage, x *Extension) {
	given := m.merged.Member("correlationId")
	if given == nil || x.Correlation != nil || x.seen("correlation") {
		return
	}
	n, ok := l.deref(l.nodeOf(given, m.at.unit))
	if !ok {
		return
	}
	location := n.value.Member("location")
	if location == nil || location.Kind != String {
		l.list.Warnf(n.value.Pos, "asyncapi-correlation", "correlationId has no location, so it is ignored").
			SetHint("write location: $message.payload#/correlation_id")
		return
	}
	if strings.HasPrefix(location.Text, "$message.header#") {
		return
	}
	pointer, ok := strings.CutPrefix(location.Text, "$message.payload#")
	if _, problem := pointerTokens(pointer); !ok || problem != "" {
		l.list.Warnf(location.Pos, "asyncapi-correlation", "the location %s is not an expression such as $message.payload#/correlation_id, so it is ignored", finding.Quote(location.Text)).
			SetHint("write $message.payload# or $message.header# and a JSON Pointer")
		return
	}
	if x.Wrapped {
		if pointer, ok = strings.CutPrefix(pointer, "/data"); !ok || pointer != "" && pointer[0] != '/' {
			return // it is in the envelope
		}
	}
	correlation := &Name{Text: pointer, Pos: location.Pos}
	all := l.list
	l.list = &finding.List{}
	l.checkPointer(c, m.payload, "correlation", correlation)
	found := l.list.Sorted()
	if l.list = all; len(found) > 0 {
		l.list.Warnf(location.Pos, "asyncapi-correlation", "%s, so it is ignored", found[0].Message).
			SetHint("correct the location, or set correlation: in x-outbox")
		return
	}
	x.Correlation, x.At["correlation"] = correlation, location.Pos
}

// checkVersion warns about a type that ends in another version.
func (x *Extension) checkVersion(list *finding.List) {
	if x.Type == nil || x.Version == nil {
		return
	}
	if named := versionSuffix.FindStringSubmatch(x.Type.Text); named != nil && named[1] != x.Version.Text {
		list.Warnf(x.Type.Pos, "version-mismatch", "the type ends in .v%s, but the version is %s", named[1], x.Version.Text).
			SetHint("use the same version in both")
	}
}
