package schema

import (
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
)

// apiPayloads finds the messages that entries of events: name, and reads the payload of
// each message that is an event.
func (l *loader) apiPayloads(c *Config) {
	for _, e := range c.Events {
		if file := e.file(); file != "" && l.units[file] == nil {
			l.file(file)
		}
	}
	l.apiDocuments()
	for i := range c.Events {
		l.apiEntry(&c.Events[i], i)
	}
	for _, d := range l.apis {
		for _, m := range d.messages {
			if l.describes[d.unit.doc.Path] && m.entry == nil || m.left {
				continue
			}
			if m.entry != nil {
				m.x = extended(nil, &m.entry.Extension)
			}
			marks := &Marks{}
			if x := m.merged.member("x-outbox"); x != nil {
				marks.Pos = x.Pos
				l.apiExtension(m, x.Pos, x.Value, marks)
			}
			if m.payload = l.apiPayload(m); m.payload != nil && m.payload.Marks == nil && marks.Pos.Line > 0 {
				m.payload.Marks = marks
			}
		}
	}
	l.setMarks()
}

// apiEntry looks for the message that an entry of events: names.
func (l *loader) apiEntry(e *EventConfig, index int) {
	if l.eventRefs[index] == nil {
		return
	}
	file, pointer, _ := strings.Cut(e.Schema.Text, "#")
	if file == "" || l.units[e.file()] == nil || l.units[e.file()].api == 0 {
		return
	}
	tokens, _ := pointerTokens(pointer)
	value, _, _ := l.units[e.file()].value.at(tokens)
	if value == nil {
		return // reported as any other reference
	}
	target, ok := l.deref(node{unit: l.units[e.file()], pointer: pointer, value: value})
	if !ok {
		return
	}
	for _, d := range l.apis {
		for _, m := range d.messages {
			if d.unit.doc.Path == e.file() && m.at.value == target.value {
				m.entry = e
				l.eventRefs[index] = nil
				l.pending = slices.DeleteFunc(l.pending, func(p pendingRef) bool { return p.ref.Pos == e.Schema.Pos && p.at == nil })
				return
			}
		}
	}
}

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
	channels := slices.DeleteFunc(slices.Clone(m.channels), func(c apiChannel) bool { return c.left })
	if len(channels) == 0 && len(m.channels) > 0 {
		return nil
	}
	if len(channels) == 0 && m.x == nil {
		l.list.Add(finding.Finding{
			Pos: m.at.value.Pos, Severity: finding.Note, ID: "asyncapi-message-unused",
			Message: "no channel has this message, so it is no event",
		})
		return nil
	}
	x := extended(&Extension{Pos: m.at.value.Pos, At: map[string]finding.Pos{}}, &Extension{})
	if m.x != nil {
		x = m.x
	}
	if !l.apiType(m, x) || !l.apiTopic(channels, m, x) || !l.apiAggregate(m, x) {
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

// apiType sets the type and the version of the event, unless x-outbox has them.
func (l *loader) apiType(m *apiMessage, x *Extension) bool {
	if x.Type == nil {
		if x.seen("type") {
			return false // its value was reported
		}
		named := m.text("messageId")
		for _, member := range []string{"name", "title"} {
			if named == nil {
				named = m.text(member)
			}
		}
		if named == nil && m.key.Text != "" {
			named = &Value{Pos: m.key.Pos, Kind: String, Text: m.key.Text}
		}
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

// apiTopic sets the topic of the event from its channels, unless x-outbox has it.
func (l *loader) apiTopic(channels []apiChannel, m *apiMessage, x *Extension) bool {
	if x.Topic != nil || x.seen("topic") {
		return x.Topic != nil
	}
	const hint = "set bindings.kafka.topic in the channel, or topic: in x-outbox of the message; x-outbox: false leaves the message or the channel out"
	if len(channels) == 0 {
		problem := topicProblem(x.Type.Text)
		if problem != "" {
			l.list.Errorf(x.Type.Pos, "bad-topic", "the type is also the topic, but %s", problem).SetHint("set topic:")
		}
		return problem == ""
	}
	channel := channels[0]
	switch {
	case channel.topic == nil:
		l.list.Errorf(channel.name.Pos, "asyncapi-topic", "the channel %s has no address, so the topic of its events is unknown", finding.Quote(channel.name.Text)).SetHint(hint)
		return false
	case channel.topic.Kind != String:
		l.list.Errorf(channel.topic.Pos, "wrong-type", "the topic of the channel must be a string, not %s", channel.topic.Describe())
		return false
	case strings.ContainsAny(channel.topic.Text, "{}"):
		l.list.Errorf(channel.topic.Pos, "asyncapi-topic", "%s has parameters, so it is not the topic of an event", finding.Quote(channel.topic.Text)).SetHint(hint)
		return false
	}
	if problem := topicProblem(channel.topic.Text); problem != "" {
		l.list.Errorf(channel.topic.Pos, "asyncapi-topic", "%s is not a topic: %s", finding.Quote(channel.topic.Text), problem).SetHint(hint)
		return false
	}
	for _, other := range channels[1:] {
		if other.topic == nil || other.topic.Text != channel.topic.Text {
			l.list.Warnf(m.at.value.Pos, "asyncapi-topics", "the channels %s and %s both have this message; its event has one topic, %s",
				finding.Quote(channel.name.Text), finding.Quote(other.name.Text), finding.Quote(channel.topic.Text)).
				SetHint("set topic: in x-outbox of the message; a service sends an event to another topic with outbox.WithTopic")
			break
		}
	}
	x.Topic = &Name{Text: channel.topic.Text, Pos: channel.topic.Pos}
	x.At["topic"] = channel.topic.Pos
	return true
}

// apiAggregate sets the key and the aggregate of the event, unless x-outbox has them.
func (l *loader) apiAggregate(m *apiMessage, x *Extension) bool {
	binding := l.keyBinding(m)
	if binding != nil && x.Key == nil && !x.NoKey && !x.seen("key") {
		x.Key = l.boundKey(m, *binding)
		switch {
		case x.Key != nil && x.AggregateID != nil && x.AggregateID.Text == x.Key.Text:
			x.Key = nil // the default
		case x.Key != nil:
			x.At["key"], x.KeyPos = x.Key.Pos, x.Key.Pos
		case x.AggregateType == nil && !l.broken[binding.value.Member("$ref")]:
			l.list.Warnf(binding.value.Pos, "asyncapi-key", "the Kafka binding describes a key, but not where the event data has it").
				SetHint("refer to the schema of a property of the payload with $ref, or set key: in x-outbox")
		}
	}
	if x.AggregateType != nil || x.seen("aggregate") {
		return x.AggregateType != nil
	}
	name := x.Topic
	if name == nil {
		name = x.Type
	}
	text := name.Text
	text = text[:min(len(text), maxAggregateType)]
	x.AggregateType = &Name{Text: text, Pos: name.Pos}
	id := "a parameter of the insert function"
	if x.Key != nil {
		x.AggregateID, x.Key, id = x.Key, nil, "the key, "+finding.Quote(x.Key.Text)
	}
	l.list.Warnf(x.Pos, "asyncapi-aggregate", "the message does not say what its event is about: the aggregate type is the topic, %s, and the aggregate id is %s", finding.Quote(text), id).
		SetHint("add to the message: x-outbox: {aggregate: {type: order, id: /order_id}}")
	return true
}

// keyBinding returns the schema of the key in the Kafka binding of a message, or nil.
func (l *loader) keyBinding(m *apiMessage) *node {
	n := l.nodeOf(m.merged, m.at.unit)
	for _, member := range []string{"bindings", "kafka", "key"} {
		v := n.value.Member(member)
		if v == nil {
			return nil
		}
		n = l.nodeOf(v, n.unit)
		if member == "key" {
			return &n
		}
		var ok bool
		if n, ok = l.deref(n); !ok || n.value.Kind != Object {
			return nil
		}
	}
	return nil
}

// boundKey returns the pointer to the only property of the event data whose schema the
// binding refers to; nil if there is none.
func (l *loader) boundKey(m *apiMessage, binding node) *Name {
	if binding.value.Kind != Object || binding.value.Member("$ref") == nil {
		return nil
	}
	var places []string // of the binding and what it refers to
	for n := binding; n.value.Kind == Object && n.value.Member("$ref") != nil; {
		ref := n.value.Member("$ref")
		next, f := l.apiTarget(n, ref.Text)
		if f != nil {
			l.brokenRef(n.unit, ref, *f)
		}
		if f != nil || len(places) > maxAPIRefs {
			return nil
		}
		n = next
		places = append(places, n.unit.doc.Path+"#"+n.pointer)
	}
	var found []string
	for _, p := range properties(m.payload, "", map[*Schema]bool{}) {
		for s := p.Schema; s != nil; s = s.Ref.Target {
			if slices.Contains(places, s.Doc.Path+"#"+s.Pointer) {
				found = append(found, p.Name)
				break
			}
			if s.Ref == nil {
				break
			}
		}
	}
	if len(found) != 1 {
		return nil
	}
	return &Name{Text: found[0], Pos: binding.value.Pos}
}

// properties lists the properties of s with their pointers.
func properties(s *Schema, at string, seen map[*Schema]bool) []Property {
	if s == nil || seen[s] {
		return nil
	}
	seen[s] = true
	defer delete(seen, s)
	var all []Property
	if s.Ref != nil {
		all = append(all, properties(s.Ref.Target, at, seen)...)
	}
	for _, part := range s.AllOf {
		all = append(all, properties(part, at, seen)...)
	}
	const deepest = 3
	for _, p := range s.Properties {
		pointer := join(at, p.Name)
		all = append(all, Property{Name: pointer, Pos: p.Pos, Schema: p.Schema})
		if strings.Count(pointer, "/") < deepest {
			all = append(all, properties(p.Schema, pointer, seen)...)
		}
	}
	return all
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
		if pointer, ok = strings.CutPrefix(pointer, "/data"); !ok {
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
