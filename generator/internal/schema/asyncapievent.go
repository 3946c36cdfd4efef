package schema

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
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
	if !x.seen("tombstone") {
		x.Tombstone = more.Tombstone
	}
	if !x.seen("payload") {
		x.Wrapped = more.Wrapped
	}
	if x.GoName.Text == "" {
		x.GoName = more.GoName
	}
	fill(&x.Role, more.Role)
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
	var described []*apiMessage
	for _, d := range l.apis {
		for _, m := range d.messages {
			if m.left || m.payload == nil {
				continue
			}
			l.about(m, func() {
				if l.apiDescription(m) {
					described = append(described, m)
				}
			})
		}
	}
	l.warnPublish()
	described = l.sameMessages(described)
	l.sameTitles(described)
	var events []*Event
	for _, m := range described {
		l.about(m, func() {
			if e := l.apiEvent(c, m); e != nil {
				events = append(events, e)
			}
		})
	}
	return events
}

// apiDescription completes what x-outbox says about the event of a message with its type
// and its version. It returns false if the message makes no event, or if something was
// reported.
func (l *loader) apiDescription(m *apiMessage) bool {
	switch {
	case m.own != nil && m.x != nil:
		l.list.Errorf(m.x.Pos, "event-described-twice", "this event is also described in its file, at %s", m.own.Outbox.Pos).
			SetHint("keep either x-outbox there or this one")
		return false
	case m.own != nil && m.own.Doc.Listed:
		return false // the file makes the event
	case m.own != nil:
		m.x = extended(nil, m.own.Outbox)
	case m.x == nil:
		m.x = &Extension{Pos: m.at.value.Pos, At: map[string]finding.Pos{}}
	}
	return l.apiType(m, m.x)
}

// apiEvent returns the event of a message; nil if something was reported.
func (l *loader) apiEvent(c *Config, m *apiMessage) *Event {
	x := m.x
	if !l.apiTopic(m, x) || !l.apiAggregate(c, m, x) {
		return nil
	}
	l.apiCorrelation(c, m, x)
	x.checkVersion(l.list)
	if _, set := c.At["envelope"]; !set && x.Envelope == nil {
		x.Envelope = &Name{Text: "none", Pos: x.Pos} // the payload is the whole value of the record
	}
	e := l.event(c, m.payload, x, apiName(m, x))
	if e == nil {
		return nil
	}
	if m.payload.OnlyRef() && m.payload.Ref.Target != nil && m.payload.Ref.Target.Pointer == "/components/schemas/"+ComponentKey(e.GoName) {
		e.Schema = m.payload.Ref.Target // the schema of this event, and no one else's
	}
	e.Consumed = m.consumed(x)
	e.Within, e.message = m.document.unit.doc, m.at.unit.doc
	for _, d := range m.others {
		e.AlsoWithin = append(e.AlsoWithin, d.unit.doc)
	}
	if v := m.text("title"); v != nil {
		e.Title = v.Text
	}
	for _, member := range []string{"description", "summary"} {
		if v := m.text(member); v != nil && e.Description == "" {
			e.Description = v.Text
		}
	}
	e.Examples = l.apiExamples(m)
	return e
}

// apiExamples returns the examples of the event data. The specification allows no
// references there, but its tools follow them. A broken one is no example.
func (l *loader) apiExamples(m *apiMessage) []*Value {
	defer func(before reading) { l.reading = before }(l.reading)
	follow := func(v *Value) *Value {
		n := l.nodeOf(v, m.at.unit)
		for range maxAPIRefs {
			if !refers(n.value) {
				return n.value
			}
			l.reading = reading{api: n.unit.api, part: true}
			next, f := l.apiTarget(n, n.value.Member("$ref").Text)
			if f != nil {
				return nil
			}
			n = next
		}
		return nil
	}
	all := m.merged.Member("examples")
	if all == nil || all.Kind != Array {
		return nil
	}
	var data []*Value
	for _, example := range all.Items {
		if example = follow(example); example == nil || example.Member("payload") == nil {
			continue
		}
		payload := follow(example.Member("payload"))
		if payload != nil && m.x.Wrapped {
			payload = payload.Member("data")
		}
		if payload != nil {
			data = append(data, payload)
		}
	}
	return data
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
	if x.GoName.Text != "" {
		return x.GoName
	}
	if title := m.text("title"); title != nil && !m.untitled {
		return Name{Text: goname.Title(title.Text), Pos: title.Pos}
	}
	version, _ := strconv.Atoi(x.Version.Text) // it was checked
	return Name{Text: goname.Exported(Family(x.Type.Text, version)), Pos: x.Type.Pos}
}

// named returns the name that a message has in its document; nil if there is none.
func (m *apiMessage) named() *Value {
	text := func(name Name) *Value {
		if name.Text == "" {
			return nil
		}
		return &Value{Pos: name.Pos, Kind: String, Text: name.Text}
	}
	key := text(m.key)
	names := []*Value{m.text("messageId"), m.text("name"), m.text("title"), key}
	if m.document.major > 2 { // the key is the id of the message
		names = []*Value{m.text("name"), key, m.text("title"), text(m.otherwise)}
	}
	for _, name := range names {
		if name != nil {
			m.byChannel = name == key && m.document.major == 2 && m.operation != "" || name == names[len(names)-1] && m.document.major > 2
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
		texts := []string{x.Type.Text}
		if title := m.text("title"); title != nil {
			texts = append(texts, title.Text)
		}
		for _, text := range texts {
			if named := messageVersion.FindStringSubmatch(text); named != nil && len(named[2]) < len(fmt.Sprint(maxEventVersion)) {
				x.Version.Text = named[2]
				break
			}
		}
	}
	return true
}

// messageVersion is the version at the end of the type or the title of a message: .v2,
// -v2, _v2, the word v2, or V2 after a lower-case letter or a digit.
var messageVersion = regexp.MustCompile(`(?:[-._ ][vV]|([\p{Ll}0-9])V)([1-9][0-9]*)$`)

// sameMessages returns messages without those that repeat another one, such as an alias
// of YAML, or a message that a tool writes in each operation: these have the type and the
// content of the other one, in the same file, and only add their channels to it.
func (l *loader) sameMessages(all []*apiMessage) []*apiMessage {
	first := map[string]*apiMessage{}
	renamed := map[string]string{}
	var kept []*apiMessage
	for _, m := range all {
		other := first[m.x.Type.Text]
		switch {
		case other == nil:
			first[m.x.Type.Text] = m
		case m.entry == nil && other.entry == nil && m.at.unit == other.at.unit && m.merged.Canonical() == other.merged.Canonical():
			for _, c := range m.channels {
				other.join(c)
			}
			continue
		case m.byChannel && other.byChannel && m.operation != other.operation:
			renamed[m.x.Type.Text] = m.x.Type.Text // two messages of one channel without names
		}
		kept = append(kept, m)
	}
	for _, m := range kept {
		if name := m.x.Type.Text; renamed[name] != "" && m.byChannel {
			m.x.Type = &Name{Text: name + "." + m.operation, Pos: m.x.Type.Pos}
		}
	}
	return kept
}

// sameTitles finds messages whose titles give the same Go name. Their types give other
// names.
func (l *loader) sameTitles(all []*apiMessage) {
	titled := map[string][]*apiMessage{}
	for _, m := range all {
		if title := m.text("title"); title != nil && m.x.GoName.Text == "" && (m.entry == nil || m.entry.Name.Text == "") {
			name := strings.TrimSuffix(goname.Title(title.Text), "V"+m.x.Version.Text) + " " + m.x.Version.Text
			titled[name] = append(titled[name], m)
		}
	}
	for _, same := range titled {
		for i, m := range same {
			// Messages with one type are reported, and have no better name.
			if !slices.ContainsFunc(same, func(other *apiMessage) bool { return other.x.Type.Text != m.x.Type.Text }) {
				continue
			}
			m.untitled = true
			other := same[(i+1)%len(same)]
			l.about(m, func() {
				l.list.Warnf(m.text("title").Pos, "asyncapi-title", "the message at %s has the same title, so the type of this event, %s, gives its Go name",
					other.text("title").Pos, finding.Quote(m.x.Type.Text)).
					SetHint("to choose the Go name, change the title, or add name: in x-outbox of the message")
			})
		}
	}
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
	if problem := l.pointerProblem(c, m.payload, "correlation", correlation); problem != "" {
		l.list.Warnf(location.Pos, "asyncapi-correlation", "%s, so it is ignored", problem).
			SetHint("correct the location, or set correlation: in x-outbox")
		return
	}
	x.Correlation, x.At["correlation"] = correlation, location.Pos
}

// pointerProblem returns the first problem of a pointer into event data that the document
// gives, or "".
func (l *loader) pointerProblem(c *Config, data *Schema, what string, pointer *Name) string {
	all := l.list
	l.list = &finding.List{}
	l.checkPointer(c, data, what, pointer)
	found := l.list.Sorted()
	if l.list = all; len(found) > 0 {
		return found[0].Message
	}
	return ""
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

// apiAbout takes the owner and the description of the service from the first document of
// AsyncAPI that has them, unless the config does.
func (l *loader) apiAbout(c *Config) {
	text := func(v *Value, member string) string {
		if v == nil || v.Member(member) == nil || v.Member(member).Kind != String {
			return ""
		}
		return strings.TrimSpace(v.Member(member).Text)
	}
	for _, d := range l.apis {
		info := d.unit.value.Member("info")
		if info == nil || !d.unit.doc.Listed {
			continue
		}
		contact := info.Member("contact")
		var owner []string
		for _, member := range []string{"name", "email", "url"} {
			if part := text(contact, member); part != "" {
				owner = append(owner, part)
			}
		}
		c.About.Owner = cmp.Or(c.About.Owner, strings.Join(owner, ", "))
		c.About.Description = cmp.Or(c.About.Description, text(info, "description"))
	}
}
