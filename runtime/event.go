package outbox

import "context"

// Event is event data that can build its row. Values of generated data types implement
// it. With adds options.
type Event interface {
	// NewRow validates the data and builds the row.
	NewRow(ctx context.Context, opts ...Option) (Row, error)
}

// With returns the event with its own options, for the InsertAll functions of generated
// packages. Later options win.
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

// unwrap returns the event without its options, and the options.
func unwrap(e Event) (Event, []Option) {
	if w, ok := e.(withOptions); ok {
		return w.Event, w.opts
	}
	return e, nil
}
