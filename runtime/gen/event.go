package gen

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

// runtime is the functions of package outbox.
var runtime = link.Outbox.(link.Functions[outbox.Transaction, outbox.Option, outbox.Event, outbox.Row, outbox.Header, outbox.Envelope[json.RawMessage]])

// Data is event data: a struct that outboxgen generated from a schema. Its pointer
// implements json.Unmarshaler.
type Data interface {
	// MarshalJSON encodes the data as compact JSON.
	MarshalJSON() ([]byte, error)
	// Validate returns a *ValidationError with every violation of the schema.
	Validate() error
}

// EventType describes one version of one event. Generated code declares one for each
// event and never changes it.
type EventType[T Data] struct {
	// Type is the event's type, as in the record.
	Type string
	// Topic is the Kafka topic.
	Topic string
	// Source is the service that publishes.
	Source string
	// SchemaURI is the $id of the schema; "": none.
	SchemaURI string
	// Envelope says how the event is wrapped. The zero value is EnvelopeOutbox.
	Envelope EnvelopeKind
	// AggregateType is the kind of aggregate.
	AggregateType string
	// AggregateID returns the aggregate's id from the data. nil: the caller sets it
	// with outbox.WithAggregateID.
	AggregateID func(*T) (string, error)
	// Key returns the record's key from the data. nil: the aggregate id.
	Key func(*T) (string, error)
	// Unkeyed is true for events without a key, and so without order.
	Unkeyed bool
	// CorrelationID returns the correlation id from the data, or "". nil: the data has
	// none.
	CorrelationID func(*T) string
	// CorrelationUUID is true if every correlation id has to be a UUID.
	CorrelationUUID bool
	// Validate validates data that is about to be inserted. nil: the Validate of the
	// data.
	Validate func(*T) error
	// RefuseZeroKey is true if the key is a UUID, and the zero UUID means that it was not
	// set. Only NewTombstone uses it.
	RefuseZeroKey bool
}

// NewRow validates the data and builds the event's row: ids, envelope, headers. A
// required UUID or time that was not set is a violation, unless outboxgen.yaml has
// zero: allow. NewRow returns the data's *outbox.ValidationError, or an *outbox.InsertError if an id is
// missing or too long for its column, the correlation id has to be a UUID and is not, a
// header is reserved, or the data cannot be encoded. It never truncates a value.
func (t *EventType[T]) NewRow(ctx context.Context, data T, opts ...outbox.Option) (outbox.Row, error) {
	of := &values[T]{t, data}
	if err := of.validate(); err != nil {
		return outbox.Row{}, err
	}
	return runtime.NewRow(ctx, link.Event{
		Type: t.Type, Topic: t.Topic, Source: t.Source, SchemaURI: t.SchemaURI, AggregateType: t.AggregateType,
		Envelope: t.Envelope, Unkeyed: t.Unkeyed, CorrelationUUID: t.CorrelationUUID, Data: of, Values: of,
	}, opts)
}

// NewTombstone builds the row of a tombstone: a record with the key and a null value,
// which means that what was published under the key is deleted. The key is also the
// aggregate's id, unless outbox.WithAggregateID sets another one. It is not checked
// against the schema, except that it must not be empty, and not the zero UUID if
// RefuseZeroKey is true. NewTombstone returns an *outbox.InsertError as NewRow does, also
// for outbox.WithMetadata: a tombstone has no envelope.
func (t *EventType[T]) NewTombstone(ctx context.Context, key string, opts ...outbox.Option) (outbox.Row, error) {
	switch {
	case key == "":
		return outbox.Row{}, &outbox.InsertError{EventType: t.Type, Err: errors.New("the key of the tombstone is empty")}
	case t.RefuseZeroKey && key == uuid.Nil.String():
		return outbox.Row{}, &outbox.InsertError{EventType: t.Type, Err: errors.New("the key of the tombstone is the zero UUID; it was probably not set")}
	}
	return runtime.NewRow(ctx, link.Event{
		Type: t.Type, Topic: t.Topic, Source: t.Source, AggregateType: t.AggregateType,
		CorrelationUUID: t.CorrelationUUID, Values: deleted(key),
	}, opts)
}

// deleted is the values of a tombstone: its key.
type deleted string

func (k deleted) AggregateID() (string, bool, error) { return string(k), true, nil }
func (k deleted) Key() (string, bool, error)         { return string(k), true, nil }
func (k deleted) CorrelationID() string              { return "" }

// values is event data, and reads from it what the row needs.
type values[T Data] struct {
	of   *EventType[T]
	data T
}

func (v *values[T]) validate() error {
	if v.of.Validate != nil {
		return v.of.Validate(&v.data)
	}
	return v.data.Validate()
}

func (v *values[T]) MarshalJSON() ([]byte, error) { return v.data.MarshalJSON() }

func (v *values[T]) AggregateID() (string, bool, error) {
	if v.of.AggregateID == nil {
		return "", false, nil
	}
	id, err := v.of.AggregateID(&v.data)
	return id, true, err
}

func (v *values[T]) Key() (string, bool, error) {
	if v.of.Key == nil {
		return "", false, nil
	}
	key, err := v.of.Key(&v.data)
	return key, true, err
}

func (v *values[T]) CorrelationID() string {
	if v.of.CorrelationID == nil {
		return ""
	}
	return v.of.CorrelationID(&v.data)
}

// Decode decodes a record's value as this event. The envelope's own fields must be
// present and valid; unknown properties are kept in Extra. The data is decoded but not
// validated: call Validate for that.
//
// If the event has no envelope, the envelope's fields come from the record's headers.
// Without headers only Kind, EventType, SchemaVersion and Data are set. For other
// envelopes the headers are ignored.
//
// Every error is an *outbox.DecodeError.
func (t *EventType[T]) Decode(value []byte, headers ...outbox.Header) (outbox.Envelope[T], error) {
	raw, err := runtime.Decode(t.Envelope, t.Type, value, headers)
	if err != nil {
		return outbox.Envelope[T]{}, err
	}
	e := outbox.Envelope[T]{
		Kind: raw.Kind, EventID: raw.EventID, EventType: raw.EventType, EventTimestamp: raw.EventTimestamp,
		SourceService: raw.SourceService, SchemaVersion: raw.SchemaVersion, CorrelationID: raw.CorrelationID,
		DataSchemaURI: raw.DataSchemaURI, Metadata: raw.Metadata, Extra: raw.Extra,
	}
	if err := unmarshal(raw.Data, &e.Data); err != nil {
		return outbox.Envelope[T]{}, &outbox.DecodeError{EventType: t.Type, EventID: e.EventID, InData: true, Err: err}
	}
	return e, nil
}

// unmarshal uses the data's own UnmarshalJSON if it has one, as generated types do.
func unmarshal[T any](raw json.RawMessage, data *T) error {
	if len(raw) == 0 {
		return errors.New("the record's value is empty")
	}
	if u, ok := any(data).(json.Unmarshaler); ok {
		return u.UnmarshalJSON(raw)
	}
	return json.Unmarshal(raw, data)
}
