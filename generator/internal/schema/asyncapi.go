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
}

// apiMessage is one message. Several channels may have it.
type apiMessage struct {
	document *apiDocument
	at       node // where it is, after references
	// merged is the message with its traits.
	merged *Value
	// key is the name by which its channel or components has it, with the place.
	key      Name
	channels []apiChannel
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
	name  Name   // its key
	topic *Value // the address, or the topic of its Kafka binding; nil: unknown
	left  bool   // x-outbox: false
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
		r := &apiReader{load: l, document: d, byPlace: map[apiPlace]*apiMessage{}}
		r.channels()
		r.rest()
		l.apis = append(l.apis, d)
	}
}

// apiReader collects the messages of a document.
type apiReader struct {
	load     *loader
	document *apiDocument
	byPlace  map[apiPlace]*apiMessage
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
		channel := apiChannel{name: Name{Text: m.Name, Pos: m.Pos}, left: refuses(n.value)}
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
		if target, ok := r.target(all.at(m), m.Name); ok {
			r.add(target, Name{Text: m.Name, Pos: m.Pos}, channel)
		}
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
		at := channel
		at.left = at.left || refuses(operation.value)
		message, ok := r.object(operation, "message")
		if !ok {
			continue
		}
		branches := message.value.Member("oneOf")
		if branches == nil || branches.Kind != Array {
			key := channel.name
			if id := r.load.withTraits(operation, 2).Member("operationId"); id != nil && id.Kind == String {
				key = Name{Text: id.Text, Pos: id.Pos}
			}
			if message.place() != operation.inside("message").place() {
				key = message.name(key)
			}
			r.add(message, key, at)
			continue
		}
		for i := range branches.Items {
			inner := message.inside("oneOf").item(i)
			target, ok := r.target(inner, "message")
			if !ok {
				continue
			}
			var key Name
			if target.place() != inner.place() {
				key = target.name(key)
			}
			r.add(target, key, at)
		}
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

func (r *apiReader) add(n node, key Name, channel apiChannel) {
	m := r.message(n, key)
	i := slices.IndexFunc(m.channels, func(c apiChannel) bool { return c.name == channel.name })
	if i < 0 {
		m.channels = append(m.channels, channel)
		return
	}
	m.channels[i].left = m.channels[i].left && channel.left // one of two operations may have it
}

// message returns the message at n.
func (r *apiReader) message(n node, key Name) *apiMessage {
	m := r.byPlace[n.place()]
	if m == nil {
		m = &apiMessage{document: r.document, at: n, key: key, left: refuses(n.value)}
		r.byPlace[n.place()] = m
		m.merged = r.load.withTraits(n, r.document.major)
		m.left = m.left || refuses(m.merged)
		r.document.messages = append(r.document.messages, m)
	}
	if m.key.Text == "" {
		m.key = key
	}
	return m
}

// refuses reports whether v has x-outbox: false: its messages are no events.
func refuses(v *Value) bool {
	x := v.Member("x-outbox")
	return x != nil && x.Kind == Bool && !x.Bool
}
