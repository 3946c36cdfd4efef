package consume

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// The headers that the relay writes and this package reads.
const (
	headerEventID       = "event_id"
	headerEventType     = "event_type"
	headerCorrelationID = "trace_id"
	headerReplay        = "outbox_replay"
	headerOccurredAt    = "occurred_at"
	headerSchemaVersion = "schema_version"
	// headerRedrivePosition is deadletter.HeaderRedrivePosition.
	headerRedrivePosition = "outbox_redrive_position"
)

// Message is one record. Its byte slices belong to the reader and must not be changed.
type Message struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte // nil: the event has no key
	Value     []byte // nil: a tombstone
	Headers   []outbox.Header
	Timestamp time.Time // of the record, not of the event
}

// Header returns the value of the first header with that name.
func (m Message) Header(name string) (value string, ok bool) {
	for _, h := range m.Headers {
		if h.Key == name {
			return string(h.Value), true
		}
	}
	return "", false
}

// Tombstone reports whether the record's value is null (an empty value is not null). A
// tombstone has no event; its headers may name the type of the event that it deletes: see
// [OnTombstone].
func (m Message) Tombstone() bool { return m.Value == nil }

// Replay returns the id of the replay that published the record again (outboxrelay replay
// --from), and whether there was one. Apart from that, a replayed record is the same as
// the first one, with the same event id.
func (m Message) Replay() (id string, ok bool) { return m.Header(headerReplay) }

// SkipReplays is middleware for [Use] that counts replayed records as handled, without
// calling the handler.
func SkipReplays(next Handler) Handler {
	return func(ctx context.Context, m Message) error {
		if _, ok := m.Replay(); ok {
			return nil
		}
		return next(ctx, m)
	}
}

// describeTopic says what to do about a record without a type or an id.
const describeTopic = "if its producer does not use outboxgen, describe the topic with consume.ForTopic"

// EventType returns the event's type: the header event_type or, if there is none, the
// type in the envelope. It returns an error if the record has neither.
func (m Message) EventType() (string, error) {
	if t, ok := m.Header(headerEventType); ok && t != "" {
		return t, nil
	}
	id, err := m.identity()
	if err != nil {
		return "", remedied{"there is no header event_type, and " + err.Error(), describeTopic}
	}
	if id.eventType == "" {
		return "", remedied{"neither the header event_type nor the body says what type of event this is", describeTopic}
	}
	return id.eventType, nil
}

// EventID returns the event's id, which is the same on every delivery of the event: the
// header event_id or, if there is none, the id in the envelope. It returns an error if
// the record has neither, or the id is not a UUID. The header comes first so that a
// duplicate is found without parsing the body.
func (m Message) EventID() (uuid.UUID, error) {
	text, ok := m.Header(headerEventID)
	if !ok || text == "" {
		id, err := m.identity()
		if err != nil {
			return uuid.Nil, err
		}
		text = id.eventID
	}
	if text == "" {
		return uuid.Nil, remedied{"neither the header event_id nor the body gives the event's id", describeTopic}
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return uuid.Nil, fmt.Errorf("the event id %q is not a uuid: %w", text, err)
	}
	return id, nil
}

// CorrelationID returns the correlation id of the record, or "".
func (m Message) CorrelationID() string {
	if v, ok := m.Header(headerCorrelationID); ok {
		return v
	}
	id, err := m.identity()
	if err != nil {
		return ""
	}
	return id.correlationID
}

// Record identifies the message for errors and logs. It reads only the headers.
func (m Message) Record() Record {
	r := Record{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset}
	r.EventID, _ = m.Header(headerEventID)
	r.EventType, _ = m.Header(headerEventType)
	return r
}

type identity struct {
	eventID, eventType, correlationID string
}

// identity reads the fields of an outbox envelope or of a CloudEvent in structured JSON
// mode.
func (m Message) identity() (identity, error) {
	var body struct {
		EventID       string `json:"event_id"`
		EventType     string `json:"event_type"`
		CorrelationID string `json:"correlation_id"`

		SpecVersion string `json:"specversion"`
		ID          string `json:"id"`
		Type        string `json:"type"`
		CECorrel    string `json:"correlationid"`
	}
	if err := json.Unmarshal(m.Body(), &body); err != nil {
		return identity{}, fmt.Errorf("the body is not an event envelope: %w", err)
	}
	if body.SpecVersion != "" {
		return identity{body.ID, body.Type, body.CECorrel}, nil
	}
	return identity{body.EventID, body.EventType, body.CorrelationID}, nil
}
