package consume

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
)

// Handler handles one message. A nil error means that the message is handled: its
// offset can be committed.
type Handler func(ctx context.Context, m Message) error

// Middleware wraps a handler, for metrics, logging, timeouts and the like.
type Middleware func(next Handler) Handler

// Unknown says what happens to a record whose event type has no handler.
type Unknown int

const (
	// Skip counts the record as handled. Use it if a topic has several event types.
	Skip Unknown = iota
	// Fail makes Dispatch return an [UnknownTypeError].
	Fail
)

// Option configures a [Router].
type Option func(*Router)

// OnUnknown sets what happens to records without a handler. Default: [Skip].
func OnUnknown(u Unknown) Option { return func(r *Router) { r.unknown = u } }

// Use wraps every handler, those registered later too; the first middleware is
// the outermost. It runs for messages that have a handler.
func Use(middleware ...Middleware) Option {
	return func(r *Router) { r.middleware = append(r.middleware, middleware...) }
}

// Router has the handler of each event type. Register every handler before the first
// Dispatch. After that the router does not change, and any number of goroutines can
// call Dispatch.
type Router struct {
	handlers   map[string]Handler // by event type
	tombstones map[string]Handler // by topic
	unknown    Unknown
	middleware []Middleware

	skippedUnknown, skippedTombstones atomic.Uint64
}

// Counts are the records that a [Router] skipped since it was created.
type Counts struct {
	SkippedUnknown    uint64 // their event type has no handler
	SkippedTombstones uint64 // their topic has no handler for tombstones
}

// NewRouter returns a router without handlers.
func NewRouter(opts ...Option) *Router {
	r := &Router{handlers: map[string]Handler{}, tombstones: map[string]Handler{}}
	for _, opt := range opts {
		opt(r)
	}
	return r
}

// Handle registers a handler for the raw messages of an event type. It panics
// when the type is empty or has a handler already, as http.ServeMux does: both
// are mistakes in the wiring that no run should get past.
func (r *Router) Handle(eventType string, h func(ctx context.Context, m Message) error) {
	if eventType == "" {
		panic("consume: Router.Handle: the event type is empty")
	}
	if h == nil {
		panic(fmt.Sprintf("consume: Router.Handle: the handler of event type %q is nil", eventType))
	}
	if _, taken := r.handlers[eventType]; taken {
		panic(fmt.Sprintf("consume: Router.Handle: event type %q has a handler already; "+
			"call both from one handler if two are wanted", eventType))
	}
	r.handlers[eventType] = r.wrap(h)
}

// HandleTombstone registers a handler for the tombstones of a topic; see
// [OnTombstone], which is the typed form. It panics when the topic is empty or
// has such a handler already.
func (r *Router) HandleTombstone(topic string, h func(ctx context.Context, m Message) error) {
	if topic == "" {
		panic("consume: Router.HandleTombstone: the topic is empty")
	}
	if h == nil {
		panic(fmt.Sprintf("consume: Router.HandleTombstone: the handler of topic %q is nil", topic))
	}
	if _, taken := r.tombstones[topic]; taken {
		panic(fmt.Sprintf("consume: Router.HandleTombstone: topic %q has a handler for tombstones already; "+
			"call both from one handler if two are wanted", topic))
	}
	r.tombstones[topic] = r.wrap(h)
}

func (r *Router) wrap(h Handler) Handler {
	for _, m := range slices.Backward(r.middleware) {
		h = m(h)
	}
	return h
}

// Counts returns how many records were skipped so far. It may be called at any
// time.
func (r *Router) Counts() Counts {
	return Counts{SkippedUnknown: r.skippedUnknown.Load(), SkippedTombstones: r.skippedTombstones.Load()}
}

// EventTypes lists the event types that have a handler, sorted.
func (r *Router) EventTypes() []string {
	types := make([]string, 0, len(r.handlers))
	for t := range r.handlers {
		types = append(types, t)
	}
	slices.Sort(types)
	return types
}

// Dispatch calls the handler of the message's event type, or, for a tombstone,
// that of its topic. Its error is a [DecodeError], an [UnknownTypeError] or a
// [HandlerError]. A panic of a handler or a decoder does not get past it: it is
// returned as a [PanicError] inside of one of these.
func (r *Router) Dispatch(ctx context.Context, m Message) error {
	if m.Tombstone() {
		h, ok := r.tombstones[m.Topic]
		if !ok {
			r.skippedTombstones.Add(1)
			return nil
		}
		return call(ctx, h, m, m.Record().EventType)
	}
	eventType, err := m.EventType()
	if err != nil {
		return &DecodeError{Record: m.Record(), Err: err}
	}
	h, ok := r.handlers[eventType]
	if !ok {
		if r.unknown == Skip {
			r.skippedUnknown.Add(1)
			return nil
		}
		return &UnknownTypeError{Record: named(m, eventType)}
	}
	return call(ctx, h, m, eventType)
}

func call(ctx context.Context, h Handler, m Message, eventType string) error {
	err := protected(ctx, h, m)
	if err == nil || Permanent(err) {
		return err
	}
	return &HandlerError{Record: named(m, eventType), Err: err}
}

func protected(ctx context.Context, h Handler, m Message) (err error) {
	defer RecoverTo(&err)
	return h(ctx, m)
}

// named is the message's record for an error: what the headers do not say of it
// is taken from the body.
func named(m Message, eventType string) Record {
	record := m.Record()
	record.EventType = eventType
	if record.EventID == "" {
		if id, err := m.EventID(); err == nil {
			record.EventID = id.String()
		}
	}
	return record
}
