package consume

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// TopicOptions say where the records of a topic have the type and the id of their event,
// for a producer that writes no headers event_type and event_id: see [ForTopic].
type TopicOptions struct {
	// EventType is the type of every event of the topic. Use it if the topic has one type
	// of event. Default "": see TypeFrom.
	EventType string
	// TypeFrom reads the event type of a record. Use it if the topic has several types. A
	// record for which it returns "" has no handler: see [OnUnknown]. Default nil: the
	// header event_type or the type in the envelope, as in other topics.
	TypeFrom Attribute
	// IDFrom reads the event id of a record. Package inbox and others use the id to
	// recognise a repeated event. A UUID is used unchanged. For any other text, the id is
	// a UUID that is computed from the topic and the text. A record for which IDFrom
	// returns "" is a [DecodeError]. Default nil: the header event_id, and without such a
	// header, [FromPosition].
	IDFrom Attribute
}

// Attribute reads a value from a record, for [TopicOptions]. It returns "" if the record
// does not have the value. An error makes the record a [DecodeError]. An Attribute must
// return the same text each time that it gets the same record.
type Attribute func(m Message) (string, error)

// FromHeader returns an [Attribute] that reads a header, such as ce_id of a CloudEvent in
// binary mode.
func FromHeader(name string) Attribute {
	return func(m Message) (string, error) {
		text, _ := m.Header(name)
		return text, nil
	}
}

// FromJSON returns an [Attribute] that reads a string or a number of the record's value,
// which must be JSON. The pointer is a JSON Pointer (RFC 6901), such as /messageId.
// FromJSON panics if it is not.
func FromJSON(pointer string) Attribute {
	if !strings.HasPrefix(pointer, "/") {
		panic(fmt.Sprintf("consume: FromJSON: %q is not a JSON Pointer: it must begin with /", pointer))
	}
	names := strings.Split(pointer[1:], "/")
	for i, name := range names {
		names[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	}
	return func(m Message) (string, error) {
		value := json.RawMessage(m.Body())
		if !json.Valid(value) {
			return "", errors.New("the record's value is not JSON")
		}
		for _, name := range names {
			value = member(value, name)
		}
		text, ok := scalar(value)
		if !ok {
			return "", fmt.Errorf("%s is neither a string nor a number", pointer)
		}
		return text, nil
	}
}

// member returns a member of an object or an element of an array; nil: there is none.
func member(value json.RawMessage, name string) json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(value, &object) == nil {
		return object[name]
	}
	var array []json.RawMessage
	index, err := strconv.Atoi(name)
	if err != nil || json.Unmarshal(value, &array) != nil || index < 0 || index >= len(array) {
		return nil
	}
	return array[index]
}

// scalar returns a string, or the JSON text of a number. It returns "" for null and for a
// value that is missing.
func scalar(value json.RawMessage) (text string, ok bool) {
	if value == nil {
		return "", true
	}
	var of any
	decoder := json.NewDecoder(strings.NewReader(string(value)))
	decoder.UseNumber()
	if err := decoder.Decode(&of); err != nil {
		return "", false
	}
	switch of := of.(type) {
	case nil:
		return "", true
	case string:
		return of, true
	case json.Number:
		return of.String(), true
	}
	return "", false
}

// FromPosition is an [Attribute] for ids: topic, partition, offset and timestamp of the
// record. It recognises a record that is delivered again, also after a retry topic or
// after outboxrelay redrive, and tells the records of a topic that was deleted and
// created again from the former ones. It does not recognise an event that its producer
// publishes twice, nor a record that was copied to another cluster.
func FromPosition(m Message) (string, error) {
	if position, ok := m.Header(headerRedrivePosition); ok {
		return position, nil
	}
	return fmt.Sprintf("%s/%d/%d/%d", m.Topic, m.Partition, m.Offset, m.Timestamp.UnixMilli()), nil
}

// ForTopic describes the records of a topic whose producer does not use outboxgen, for
// events with envelope: none. Handlers are registered as usual, with the generated On…
// functions:
//
//	router := consume.NewRouter(consume.ForTopic("adt.movements", consume.TopicOptions{
//		EventType: "adt.patient_admitted.v2",
//		IDFrom:    consume.FromJSON("/messageId"),
//	}))
//	events.OnPatientAdmittedV2(router, handle)
//
// Handlers and middleware get each record with the headers event_type and event_id, which
// replace headers of these names. The EventTimestamp of an envelope is the header
// occurred_at if that is a time, or else the timestamp of the record. ForTopic panics if
// the topic is empty or has options already, or if both EventType and TypeFrom are set.
func ForTopic(topic string, options TopicOptions) Option {
	if topic == "" {
		panic("consume: ForTopic: the topic is empty")
	}
	if options.EventType != "" && options.TypeFrom != nil {
		panic(fmt.Sprintf("consume: ForTopic: the options of topic %q have both EventType and TypeFrom; set one of them", topic))
	}
	return func(r *Router) {
		if _, taken := r.topics[topic]; taken {
			panic(fmt.Sprintf("consume: ForTopic: topic %q has options already", topic))
		}
		r.topics[topic] = options
	}
}

// describe returns the message with the headers that the options of its topic add. typed
// is true if they say the event type, which is "" if the record has none. A record
// without an id is an error only for a handler: badID.
func (r *Router) describe(m Message) (described Message, typed bool, badID, err error) {
	options, ok := r.topics[m.Topic]
	if !ok {
		return m, false, nil, nil
	}
	eventType := options.EventType
	if options.TypeFrom != nil && !m.Tombstone() {
		if eventType, err = options.TypeFrom.read(m); err != nil {
			return m, true, nil, fmt.Errorf("read the event type: %w", err)
		}
	}
	typed = eventType != "" || options.TypeFrom != nil
	if m.Tombstone() {
		if eventType != "" {
			m = m.with(headerEventType, eventType)
		}
		return m, typed, nil, nil
	}
	id, badID := options.id(m)
	if badID == nil {
		m = m.with(headerEventID, id.String())
	}
	if typed {
		m = m.with(headerEventType, eventType)
	}
	return m, typed, badID, nil
}

// namespace is that of the ids that are not UUIDs in the record.
var namespace = uuid.MustParse("5a0a36a3-1d0f-4f0a-9f2b-6f1c0d3f8f55")

// id returns the event id of a record.
func (o TopicOptions) id(m Message) (uuid.UUID, error) {
	var text string
	if o.IDFrom != nil {
		var err error
		if text, err = o.IDFrom.read(m); err != nil {
			return uuid.Nil, fmt.Errorf("read the event id: %w", err)
		}
	} else if text, _ = m.Header(headerEventID); text == "" {
		text, _ = FromPosition(m)
	}
	if text == "" {
		return uuid.Nil, remedied{fmt.Sprintf("the event has no id where TopicOptions.IDFrom of topic %s reads it", m.Topic),
			"read another value of the record, or leave out IDFrom to use the record's position"}
	}
	const canonical = 36
	if len(text) == canonical {
		if id, err := uuid.Parse(text); err == nil {
			if id == uuid.Nil {
				return uuid.Nil, remedied{"the event id is the nil UUID", "set TopicOptions.IDFrom to a value that differs in each event"}
			}
			return id, nil
		}
	}
	return uuid.NewSHA1(namespace, []byte(m.Topic+"\n"+text)), nil
}

// read calls a function of the service, which may panic.
func (a Attribute) read(m Message) (text string, err error) {
	defer RecoverTo(&err)
	return a(m)
}

// with returns the message with a header instead of those of that name.
func (m Message) with(name, value string) Message {
	others := slices.DeleteFunc(slices.Clone(m.Headers), func(h outbox.Header) bool { return h.Key == name })
	others = append(others, outbox.Header{Key: name, Value: []byte(value)})
	m.Headers = others
	return m
}

// eventHeaders returns the headers from which a typed handler reads the envelope. In a
// topic with options, schema_version is the producer's own, and occurred_at may be.
func (r *Router) eventHeaders(m Message) []outbox.Header {
	if _, ok := r.topics[m.Topic]; !ok || m.Tombstone() {
		return m.Headers
	}
	at, _ := m.Header(headerOccurredAt)
	if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
		at = m.Timestamp.UTC().Format(time.RFC3339Nano)
	}
	m = m.with(headerOccurredAt, at) // the record may have several
	return slices.DeleteFunc(slices.Clone(m.Headers), func(h outbox.Header) bool { return h.Key == headerSchemaVersion })
}

// remedied is an error that says what to do.
type remedied struct{ problem, remedy string }

func (e remedied) Error() string { return e.problem }

// Remedy says what to do.
func (e remedied) Remedy() string { return e.remedy }
