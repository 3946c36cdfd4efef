package schema

import (
	"fmt"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/goname"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// The widths of the outbox table's columns, in characters, and Kafka's limit
// for the name of a topic.
const (
	maxEventType     = 255
	maxAggregateType = 100
	maxTopic         = 249
	maxEventVersion  = 1_000_000
)

// versionSuffix is the version in an event type.
var versionSuffix = regexp.MustCompile(`\.v([1-9][0-9]*)$`)

// Family returns the part of an event type that all versions of the event share: the type
// without the version at its end, such as .v2, or -v2, _v2 and V2 if that is the version.
func Family(eventType string, version int) string {
	if stem := versionSuffix.ReplaceAllString(eventType, ""); stem != eventType {
		return stem
	}
	if named := messageVersion.FindStringSubmatch(eventType); named != nil && named[2] == strconv.Itoa(version) {
		return messageVersion.ReplaceAllString(eventType, "$1")
	}
	return eventType
}

// eventMembers are the members of x-outbox that describe an event.
var eventMembers = []string{"version", "type", "topic", "envelope", "aggregate", "key", "correlation", "tombstone", "role"}

var envelopes = []string{"outbox", "cloudevents", "none"}

func (b *builder) extension(s *Schema, m Member) {
	marks := &Marks{Pos: m.Pos}
	r := &reader{list: b.list, at: map[string]finding.Pos{}}
	switch {
	case marksAlone(m.Value, s.Pointer == ""):
		r.object(m.Pos, m.Value, "x-outbox inside a schema", r.markFields(marks))
	case b.unit.described[s.Pointer] || b.unit.api != 0 && m.Value.Kind == Bool:
		return // the message has it
	case s.Pointer != "":
		b.unit.mayDescribe = true
		if b.unit.api != 0 {
			b.list.Errorf(m.Pos, "misplaced-x-outbox", "x-outbox describes an event here; in AsyncAPI it belongs in a message, or at the top of its payload")
			return
		}
		b.list.Errorf(m.Pos, "misplaced-x-outbox", "x-outbox belongs at the top level of a file, one event version per file").
			SetHint("describe this schema under events: in the project file, or move it to its own file")
		return
	default:
		s.Outbox = readExtension(b.list, m.Pos, m.Value, "x-outbox", wholeEvent, r.markFields(marks))
	}
	s.Marks = marks
}

// completeness is how much of an event a description has to say.
type completeness int

const (
	wholeEvent  completeness = iota // x-outbox of a schema file
	entryEvent                      // an entry of events:, for a schema or a message
	partOfEvent                     // in a message of AsyncAPI, which says the rest
)

// The roles of a service for an event.
const (
	rolePublish = "publish"
	roleConsume = "consume"
)

// readExtension reads the members that describe an event, in x-outbox or in an entry of
// events:. more has the other allowed members.
//
// In a part of an event, required members may be missing, and the aggregate of an event
// that the service only consumes. Those that an entry lacks are in Missing: a
// message says them itself.
func readExtension(list *finding.List, pos finding.Pos, v *Value, where string, whole completeness, more []field) *Extension {
	e := &Extension{Pos: pos, At: map[string]finding.Pos{}}
	r := &reader{list: list, at: e.At}
	role := v.Member("role")
	consumes := role != nil && role.Kind == String && role.Text == roleConsume
	fields := append([]field{
		{name: "version", required: true, read: func(v *Value) { e.Version = r.version(v) }},
		{name: "type", required: true, read: func(v *Value) { e.Type = r.label(v, "type", maxEventType) }},
		{name: "topic", read: func(v *Value) { e.Topic = r.topic(v) }},
		{name: "envelope", read: func(v *Value) { e.Envelope = r.oneOf(v, "envelope", envelopes) }},
		{name: "aggregate", required: !consumes, read: func(v *Value) { r.aggregate(e, v) }},
		{name: "key", read: func(v *Value) {
			e.KeyPos = v.Pos
			if e.NoKey = v.Kind == Null; !e.NoKey {
				e.Key = r.pointer(v, "key")
			}
		}},
		{name: "correlation", read: func(v *Value) { e.Correlation = r.pointer(v, "correlation") }},
		{name: "role", read: func(v *Value) { e.Role = r.oneOf(v, "role", []string{rolePublish, roleConsume}) }},
		{name: "tombstone", read: func(v *Value) { store(&e.Tombstone, r.flag(v, "tombstone")) }},
		{name: "compat", read: func(v *Value) { r.compat(&e.Compat, v) }},
	}, more...)
	var required []string
	for i, f := range fields {
		if f.required && whole != wholeEvent && !slices.ContainsFunc(more, func(m field) bool { return m.name == f.name }) {
			required, fields[i].required = append(required, f.name), false
		}
	}
	if whole != wholeEvent {
		fields = append(fields,
			field{name: "name", read: func(v *Value) { r.goName(e, v) }},
			field{name: "payload", read: func(v *Value) {
				if of := r.oneOf(v, "payload", []string{"data", "envelope"}); of != nil {
					e.Wrapped = of.Text == "envelope"
				}
			}},
			field{name: "data_schema_uri", read: func(v *Value) { e.SchemaURI = r.text(v, "data_schema_uri", uriReference, notEmpty) }})
	}
	if !r.object(pos, v, where, fields) {
		return nil
	}
	for _, name := range required {
		if whole == entryEvent && !r.seen(name) {
			e.Missing = append(e.Missing, name)
		}
	}
	if whole != partOfEvent {
		e.checkVersion(list)
	}
	if consumes && whole != partOfEvent && e.AggregateType == nil && !r.seen("aggregate") {
		e.AggregateType = e.Type
	}
	if e.Tombstone && e.NoKey {
		list.Errorf(e.At["tombstone"], "tombstone-without-key",
			"tombstone: true, but the event has no key; a tombstone deletes what was published under its key").
			SetHint("remove key: null, or remove tombstone: true")
	}
	if whole != partOfEvent && e.Topic == nil && e.Type != nil && !r.seen("topic") {
		if problem := topicProblem(e.Type.Text); problem != "" {
			list.Errorf(e.Type.Pos, "bad-topic", "the type is also the topic, but %s", problem).SetHint("set topic:")
		}
	}
	return e
}

// goName reads the Go name of an event, without its version.
func (r *reader) goName(e *Extension, v *Value) {
	if v.Kind == String && token.IsIdentifier(v.Text) && token.IsExported(v.Text) {
		e.GoName = Name{Text: v.Text, Pos: v.Pos}
		return
	}
	f := r.list.Errorf(v.Pos, "bad-name", "name must be an exported Go identifier, not %s", v.Describe())
	if v.Kind == String && goname.Title(v.Text) != "" {
		f.SetHint("write " + goname.Title(v.Text))
	}
}

func (r *reader) version(v *Value) *Number {
	if v.Kind == NumberKind {
		whole, ok := jsonvalue.Whole(v.Text)
		if ok && !strings.HasPrefix(whole, "-") && whole != "0" && len(whole) <= len(fmt.Sprint(maxEventVersion))-1 {
			return &Number{Text: whole, Pos: v.Pos}
		}
	}
	r.list.Errorf(v.Pos, "bad-version", "version must be a whole number from 1 to %d, not %s", maxEventVersion-1, v.Describe())
	return nil
}

func (r *reader) aggregate(e *Extension, v *Value) {
	at := r.inner(v, "aggregate", []field{
		{name: "type", required: true, read: func(v *Value) { e.AggregateType = r.label(v, "aggregate.type", maxAggregateType) }},
		{name: "id", read: func(v *Value) { e.AggregateID = r.pointer(v, "aggregate.id") }},
	})
	for name, pos := range at {
		e.At["aggregate."+name] = pos
	}
}

// label reads a name for a column and a header: short, without control characters and
// without white space at its ends.
func (r *reader) label(v *Value, name string, most int) *Name {
	if v.Kind != String {
		r.wrong(v, name, "a string")
		return nil
	}
	problem := ""
	switch text := v.Text; {
	case text == "":
		problem = "is empty"
	case utf8.RuneCountInString(text) > most:
		problem = fmt.Sprintf("has %d characters; the column holds %d", utf8.RuneCountInString(text), most)
	case strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Cf, c) }):
		problem = "contains a control character"
	case strings.TrimSpace(text) != text:
		problem = "begins or ends with white space"
	}
	if problem != "" {
		r.list.Errorf(v.Pos, "bad-name", "%s %s", name, problem)
		return nil
	}
	return &Name{Text: v.Text, Pos: v.Pos}
}

func (r *reader) topic(v *Value) *Name {
	if v.Kind != String {
		r.wrong(v, "topic", "a string")
		return nil
	}
	if problem := topicProblem(v.Text); problem != "" {
		r.list.Errorf(v.Pos, "bad-topic", "%s", problem)
		return nil
	}
	return &Name{Text: v.Text, Pos: v.Pos}
}

// topicProblem returns why Kafka refuses a topic name, or "".
func topicProblem(topic string) string {
	switch {
	case topic == "":
		return "the topic is empty"
	case topic == "." || topic == "..":
		return "Kafka does not allow the topic " + finding.Quote(topic)
	case len(topic) > maxTopic:
		return fmt.Sprintf("the topic has %d characters; Kafka allows %d", utf8.RuneCountInString(topic), maxTopic)
	}
	for _, c := range topic {
		if c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("._-", c) {
			return fmt.Sprintf("%s is not allowed in a topic; Kafka allows ASCII letters, digits, . _ and -", finding.Quote(string(c)))
		}
	}
	return ""
}

// pointer reads a JSON Pointer into the event data.
func (r *reader) pointer(v *Value, name string) *Name {
	if v.Kind != String {
		hint := ""
		if v.Kind == Null && name == "aggregate.id" {
			hint = "; omit it to pass the id to the insert function"
		}
		r.list.Errorf(v.Pos, "wrong-type", "%s must be a JSON Pointer such as /entity_id, not %s%s", name, v.Describe(), hint)
		return nil
	}
	_, problem := pointerTokens(v.Text)
	if problem != "" {
		f := r.list.Errorf(v.Pos, "bad-pointer", "%s %s: %s", name, finding.Quote(v.Text), problem)
		if text := strings.TrimLeft(v.Text, "#$./"); text != "" && !strings.HasPrefix(v.Text, "/") {
			f.SetHint("write " + finding.Quote("/"+strings.ReplaceAll(text, ".", "/")))
		}
		return nil
	}
	return &Name{Text: v.Text, Pos: v.Pos}
}

func (r *reader) oneOf(v *Value, name string, choices []string) *Name {
	if v.Kind == String && slices.Contains(choices, v.Text) {
		return &Name{Text: v.Text, Pos: v.Pos}
	}
	f := r.list.Errorf(v.Pos, "bad-choice", "%s must be one of %s, not %s", name, strings.Join(choices, ", "), v.Describe())
	if v.Kind == String {
		f.SetHint(finding.DidYouMean(v.Text, choices))
	}
	return nil
}
