package outbox

import "context"

// SupportsGenerator1 is true while this package can serve code that generator
// version 1 wrote. Generated code refers to it, so that a mismatch is an error
// of the compiler; the comment there says how to fix it.
const SupportsGenerator1 = true

// EnvelopeKind is how an event is wrapped on the wire.
type EnvelopeKind uint8

const (
	// EnvelopeOutbox is the envelope of this project, and the default.
	EnvelopeOutbox EnvelopeKind = iota
	// EnvelopeCloudEvents is CloudEvents 1.0 in its structured JSON form.
	EnvelopeCloudEvents
	// EnvelopeNone is the bare event data; what an envelope would say is in the
	// record's headers only.
	EnvelopeNone
)

// String returns the name that the project file uses.
func (k EnvelopeKind) String() string {
	switch k {
	case EnvelopeOutbox:
		return "outbox"
	case EnvelopeCloudEvents:
		return "cloudevents"
	case EnvelopeNone:
		return "none"
	}
	return "unknown"
}

// Data is event data: a struct that outboxgen generated from a schema. Its
// pointer is a json.Unmarshaler.
type Data interface {
	// MarshalJSON writes the data as compact JSON.
	MarshalJSON() ([]byte, error)
	// Validate returns a *ValidationError with every violation of the schema.
	Validate() error
}

// Event is event data that knows how to become a row. Generated data types are
// events by value; With adds options.
type Event interface {
	// NewRow validates the data and builds the row.
	NewRow(ctx context.Context, opts ...Option) (Row, error)
}

// EventType describes one version of one event. Generated code declares one for
// each; it is a value that nobody changes.
type EventType[T Data] struct {
	// Type is the event's type on the wire.
	Type string
	// Topic is the Kafka topic.
	Topic string
	// Source is the service that publishes.
	Source string
	// SchemaURI is the schema's $id; "": none.
	SchemaURI string
	// Envelope is how the event is wrapped; the zero value is EnvelopeOutbox.
	Envelope EnvelopeKind
	// AggregateType names the kind of aggregate.
	AggregateType string
	// AggregateID reads the aggregate's id from the data; nil: the caller gives
	// it with WithAggregateID.
	AggregateID func(*T) (string, error)
	// Key reads the record's key from the data; nil: the aggregate id.
	Key func(*T) (string, error)
	// Unkeyed is true for events without key and order.
	Unkeyed bool
	// CorrelationID reads the correlation id from the data; nil: the data has
	// none, as when it returns "".
	CorrelationID func(*T) string
}

// With gives an event options of its own, for InsertAll. Later options win.
func With(event Event, opts ...Option) Event {
	if len(opts) == 0 {
		return event
	}
	if w, ok := event.(withOptions); ok {
		return withOptions{w.Event, append(w.opts[:len(w.opts):len(w.opts)], opts...)}
	}
	return withOptions{event, opts}
}

type withOptions struct {
	Event
	opts []Option
}

func (w withOptions) NewRow(ctx context.Context, opts ...Option) (Row, error) {
	return w.Event.NewRow(ctx, append(opts[:len(opts):len(opts)], w.opts...)...)
}

// unwrap takes the options off again.
func unwrap(e Event) Event {
	if w, ok := e.(withOptions); ok {
		return w.Event
	}
	return e
}
