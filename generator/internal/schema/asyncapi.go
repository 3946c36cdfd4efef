package schema

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// apiVersion is a version of AsyncAPI that can be read.
var apiVersion = regexp.MustCompile(`^(2\.[0-6]|3\.[0-9]+)\.[0-9]+(-.*)?$`)

// apiDocument is a file with the key asyncapi. It says which events there are: each of
// its messages is one.
type apiDocument struct {
	unit     *unit
	major    int // 2 or 3
	messages []*apiMessage
	// content is the content type of messages that have none.
	content *Value
	publish *finding.Pos // the first publish, if it means that the service receives
}

// apiMessage is one message. Several channels may have it.
type apiMessage struct {
	document *apiDocument   // the first that has it
	others   []*apiDocument // the others
	at       node           // where it is, after references
	// merged is the message with its traits.
	merged *Value
	// key is the name by which its channel or components has it, with the place.
	// otherwise is that of a message without any name, and operation what is added to it
	// if a channel has two of them.
	key, otherwise Name
	operation      string
	byChannel      bool // its type is the name of its channel
	untitled       bool // its title is not its Go name
	channels       []apiChannel
	// left is true if it is no event, because x-outbox: false says so.
	left bool
	// entry is the entry of events: that describes it, and from where; nil: none.
	entry *EventConfig

	payload *Schema // the event data, once it is read
	own     *Schema // a schema file that describes its event itself, as the payload
	x       *Extension
}

// apiChannel is a channel that has a message.
type apiChannel struct {
	name   Name // its key
	place  apiPlace
	topic  *Value // the address, or the topic of its Kafka binding; nil: unknown
	left   bool   // x-outbox: false
	leftBy bool   // x-outbox: false in an operation of AsyncAPI 3
	does   direction
}

// messageKey identifies a message that several documents may have. The major version
// decides how its traits are merged.
type messageKey struct {
	at    apiPlace
	major int
}

// asyncAPI recognises a document of AsyncAPI, and returns its major version. A version
// that cannot be read is reported if the file is a source of events.
func (l *loader) asyncAPI(u *unit, v *Value) int {
	version := v.Member("asyncapi")
	source := u.owned || l.describes[u.doc.Path]
	switch {
	case v.Kind != Object || version == nil || version.Kind != String && !source:
		return 0
	case version.Kind == String && apiVersion.MatchString(version.Text):
		return int(version.Text[0] - '0')
	case source && version.Kind != String:
		l.list.Errorf(version.Pos, "asyncapi-version", "the version of AsyncAPI must be a string, not %s", version.Describe()).
			SetHint("write three numbers, such as 3.0.0")
	case source:
		l.list.Errorf(version.Pos, "asyncapi-version", "%s is not a version of AsyncAPI that outboxgen reads", finding.Quote(version.Text)).
			SetHint("write 2.0.0 to 2.6.0, 3.0.0 or 3.1.0, and convert older documents")
	}
	if strings.HasPrefix(version.Text, "2") {
		return 2
	}
	return 3
}

// apiDocuments collects the messages of each document of AsyncAPI that schemas: matches
// or an entry of events: names.
func (l *loader) apiDocuments() {
	defer func(listing, needed bool) { l.listing, l.needed = listing, needed }(l.listing, l.needed)
	l.listing = false
	for _, u := range l.sortedUnits() {
		if u.api == 0 || u.scanned || u.value.Member("asyncapi") == nil || !u.owned && !l.describes[u.doc.Path] {
			continue
		}
		u.scanned = true
		l.needed = u.matches
		d := &apiDocument{unit: u, major: u.api, content: u.value.Member("defaultContentType")}
		r := &apiReader{load: l, document: d}
		r.channels()
		r.rest()
		if d.major > 2 {
			r.actions()
		}
		l.apis = append(l.apis, d)
	}
}

// apiReader collects the messages of a document.
type apiReader struct {
	load     *loader
	document *apiDocument
}

// object returns the object at a member of n, after references; ok is false if there is
// none, or another value, which was reported.
func (r *apiReader) object(n node, name string) (node, bool) {
	inner, ok := n.member(name)
	if !ok {
		return node{}, false
	}
	return r.target(inner, name)
}

// target follows the references of n, which must lead to an object.
func (r *apiReader) target(n node, name string) (node, bool) {
	to, ok := r.load.deref(n)
	switch {
	case !ok || to.value.Kind == Object:
		return to, ok
	case to.value == n.value:
		r.load.brokenRef(n.unit, n.value, failure{id: "wrong-type", message: finding.Quote(name) + " must be an object, not " + n.value.Describe()})
	default:
		r.load.brokenRef(n.unit, n.value.Member("$ref"), failure{id: "wrong-type", message: finding.Quote(name) + " must be an object, but this refers to " + to.value.Describe()})
	}
	return node{}, false
}

func (r *apiReader) root() node { return node{unit: r.document.unit, value: r.document.unit.value} }

func (r *apiReader) channels() {
	if x := r.root().value.member("x-outbox"); x != nil {
		r.misplaced(x)
	}
	all, ok := r.object(r.root(), "channels")
	if !ok {
		return
	}
	for _, m := range all.value.Members {
		if r.document.major == 2 && strings.HasPrefix(m.Name, "x-") && !isChannel(m.Value) {
			continue
		}
		n, ok := r.target(all.at(m), m.Name)
		if !ok {
			continue
		}
		if x := n.value.member("x-outbox"); x != nil && !refuses(n.value) {
			r.misplaced(x)
		}
		channel := apiChannel{name: Name{Text: m.Name, Pos: m.Pos}, place: n.place(), left: refuses(n.value)}
		if r.document.major == 2 {
			channel.topic = &Value{Pos: m.Pos, Kind: String, Text: m.Name}
		} else if address := n.value.Member("address"); address != nil && address.Kind != Null {
			channel.topic = address
		}
		if kafka, ok := r.kafka(n); ok {
			if topic := kafka.value.Member("topic"); topic != nil {
				channel.topic = topic
			}
		}
		if r.document.major == 2 {
			r.operations(n, channel)
		} else {
			r.named(n, channel)
		}
	}
}

// kafka returns the Kafka binding of n.
func (r *apiReader) kafka(n node) (node, bool) {
	bindings, ok := r.object(n, "bindings")
	if !ok {
		return node{}, false
	}
	return r.object(bindings, "kafka")
}

// named adds the messages of a channel of AsyncAPI 3.
func (r *apiReader) named(n node, channel apiChannel) {
	all, ok := r.object(n, "messages")
	if !ok {
		return
	}
	for _, m := range all.value.Members {
		at := channel
		at.left = at.left || r.leftHere(m.Value)
		target, ok := r.target(all.at(m), m.Name)
		if !ok {
			continue
		}
		key := Name{Text: m.Name, Pos: m.Pos}
		operation, converted := r.converted(m.Name)
		if !converted {
			r.add(target, key, at)
			continue
		}
		name := Name{}
		if target.place() != all.at(m).place() {
			name = target.name(name)
		}
		if _, also := r.converted(name.Text); also {
			name = Name{}
		}
		message := r.add(target, name, at)
		if message.otherwise = key; strings.HasSuffix(m.Name, ".message") {
			message.otherwise.Text = operation
		}
		if operation == "publish" || operation == "subscribe" {
			message.otherwise, message.operation = channel.name, operation
		}
	}
}

// convertedKey matches the keys that the converter of the AsyncAPI initiative gives to
// the messages of channels: the operation of AsyncAPI 2, or its id, and a number.
var convertedKey = regexp.MustCompile(`^(.+)\.message(\.[0-9]+)?$`)

// converted reports whether the converter made the key of a message, so that it is no
// name, and from which operation.
func (r *apiReader) converted(key string) (operation string, ok bool) {
	made := convertedKey.FindStringSubmatch(key)
	if made == nil {
		return "", false
	}
	operations := r.root().inside("operations").value
	return made[1], made[1] == "publish" || made[1] == "subscribe" || operations != nil && operations.Member(made[1]) != nil
}

// leftHere reports whether x-outbox: false is beside a reference to a message. Anything
// else there is reported, because it has no effect.
func (r *apiReader) leftHere(v *Value) bool {
	x := v.member("x-outbox")
	if v.Kind != Object || v.Member("$ref") == nil || x == nil {
		return false
	}
	if !refuses(v) {
		r.misplaced(x)
	}
	return refuses(v)
}

// misplaced reports x-outbox in a place of a document where it has no effect.
func (r *apiReader) misplaced(x *Member) {
	if r.document.unit.matches {
		r.load.list.Errorf(x.Pos, "misplaced-x-outbox", "x-outbox has no effect here; in AsyncAPI it belongs in a message, in a trait of one, or at the top of its payload").
			SetHint("move it to the message, or write x-outbox: false to leave out the messages")
	}
}

// operations adds the messages of a channel of AsyncAPI 2.
func (r *apiReader) operations(n node, channel apiChannel) {
	for _, m := range n.value.Members {
		if m.Name != "publish" && m.Name != "subscribe" {
			continue
		}
		operation, ok := r.target(n.at(m), m.Name)
		if !ok {
			continue
		}
		whole := r.load.withTraits(operation, r.document.major)
		at := channel
		at.left = at.left || refuses(operation.value) || refuses(whole)
		if x := whole.member("x-outbox"); x != nil && !refuses(whole) {
			r.misplaced(x)
		}
		at.does = sends
		if (m.Name == "publish") != r.load.api.PublishSends {
			at.does = receives
		}
		if m.Name == "publish" && at.does == receives && r.document.publish == nil {
			r.document.publish = &m.Pos
		}
		message, ok := r.object(operation, "message")
		if !ok {
			continue
		}
		if !severalMessages(message.value) {
			key, unnamed := channel.name, m.Name
			if id := whole.Member("operationId"); id != nil && id.Kind == String {
				key, unnamed = Name{Text: id.Text, Pos: id.Pos}, ""
			}
			at.left = at.left || r.leftHere(operation.inside("message").value)
			if message.place() != operation.inside("message").place() {
				key = message.name(key)
			}
			added := r.add(message, key, at)
			if key == channel.name {
				added.operation = unnamed
			}
			continue
		}
		r.oneOf(message, at, map[apiChoice]bool{})
	}
}

// severalMessages reports whether the message of an operation of AsyncAPI 2 is a choice.
func severalMessages(message *Value) bool {
	branches := message.Member("oneOf")
	return branches != nil && branches.Kind == Array && message.Member("payload") == nil
}

// apiChoice is a choice between messages, and whether its messages are left out.
type apiChoice struct {
	of   *Value
	left bool
}

// oneOf adds the messages of a choice, some of which may be choices themselves. read has the
// choices that were read before, and whether they were read to the end: each is read once.
func (r *apiReader) oneOf(message node, at apiChannel, read map[apiChoice]bool) {
	choice := apiChoice{message.value, at.left}
	ended, met := read[choice]
	if met && !ended {
		r.load.brokenRef(message.unit, message.value, *circle())
	}
	if met {
		return
	}
	read[choice] = false
	defer func() { read[choice] = true }()
	branches := message.inside("oneOf")
	for i := range branches.value.Items {
		inner := branches.item(i)
		target, ok := r.target(inner, "message")
		if !ok {
			continue
		}
		in := at
		in.left = in.left || r.leftHere(inner.value)
		if severalMessages(target.value) {
			r.oneOf(target, in, read)
			continue
		}
		var key Name
		if target.place() != inner.place() {
			key = target.name(key)
		}
		r.add(target, key, in)
	}
}

// isChannel reports whether a member of channels of AsyncAPI 2 whose name begins with x-
// is a channel, and no extension.
func isChannel(v *Value) bool {
	return v.Member("publish") != nil || v.Member("subscribe") != nil || v.Member("$ref") != nil
}

// name returns the name of a message that a reference leads to: that under which
// components or a file has it, or the name of the file whose root it is. A message
// inside a channel has none, so it gets the other name.
func (n node) name(otherwise Name) Name {
	tokens, _ := pointerTokens(n.pointer)
	last := len(tokens) - 1
	switch {
	case last < 0:
		base := path.Base(n.unit.doc.Path)
		return Name{Text: strings.TrimSuffix(base, path.Ext(base)), Pos: n.value.Pos}
	case last > 0 && tokens[last-1] == "messages":
	case last > 0 && slices.Contains([]string{"publish", "subscribe", "oneOf"}, tokens[last-1]):
		return otherwise
	}
	return Name{Text: tokens[last], Pos: n.value.Pos}
}

// rest adds the messages of components that no channel has.
func (r *apiReader) rest() {
	components, ok := r.object(r.root(), "components")
	if !ok {
		return
	}
	all, ok := r.object(components, "messages")
	if !ok {
		return
	}
	for _, m := range all.value.Members {
		if target, ok := r.target(all.at(m), m.Name); ok && target.value.Member("oneOf") == nil {
			r.message(target, Name{Text: m.Name, Pos: m.Pos})
		}
	}
}

// add adds a message of a channel.
func (r *apiReader) add(n node, key Name, channel apiChannel) *apiMessage {
	m := r.message(n, key)
	m.join(channel)
	return m
}

// join adds a channel to a message.
func (m *apiMessage) join(channel apiChannel) {
	i := slices.IndexFunc(m.channels, func(c apiChannel) bool { return c.name == channel.name })
	switch {
	case i < 0:
		m.channels = append(m.channels, channel)
	case m.channels[i].left: // one of two operations may have it
		m.channels[i] = channel
	case !channel.left:
		m.channels[i].does |= channel.does
	}
}

// listed reports whether schemas: matches a document that has the message.
func (m *apiMessage) listed() bool {
	return m.document.unit.doc.Listed || slices.ContainsFunc(m.others, func(d *apiDocument) bool { return d.unit.doc.Listed })
}

// message returns the message at n.
func (r *apiReader) message(n node, key Name) *apiMessage {
	at := messageKey{n.place(), r.document.major}
	m := r.load.messages[at]
	if m == nil {
		m = &apiMessage{document: r.document, at: n, key: key, left: refuses(n.value)}
		r.load.messages[at] = m
		m.merged = r.load.withTraits(n, r.document.major)
		m.left = m.left || refuses(m.merged)
		r.document.messages = append(r.document.messages, m)
	}
	if m.document != r.document && !slices.Contains(m.others, r.document) {
		m.others = append(m.others, r.document)
	}
	if m.key.Text == "" {
		m.key = key
	}
	return m
}

// refuses reports whether v has x-outbox: false: its messages are no events.
func refuses(v *Value) bool {
	x := v.Member("x-outbox")
	return x != nil && refusing(x)
}

func refusing(v *Value) bool { return v.Kind == Bool && !v.Bool }
