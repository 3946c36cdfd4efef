package outbox

import "context"

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
	// NewRow validates the data and builds the row. Generated types do it.
	NewRow(ctx context.Context, opts ...Option) (Row, error)
}

// With gives an event options of its own, for the InsertAll of a generated package.
// Later options win.
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
func unwrap(e Event) (Event, []Option) {
	if w, ok := e.(withOptions); ok {
		return w.Event, w.opts
	}
	return e, nil
}
