package consume

import (
	"context"
	"fmt"
	"slices"
)

// Handler handles one message. A nil error means that the message is done with
// for good: its offset may be committed.
type Handler func(ctx context.Context, m Message) error

// Middleware wraps a handler, for metrics, logging, timeouts and the like.
type Middleware func(next Handler) Handler

// Unknown says what becomes of a record whose event type has no handler.
type Unknown int

const (
	// Skip lets the record pass as handled. It is what a consumer of a topic
	// shared by several event types wants.
	Skip Unknown = iota
	// Fail makes Dispatch return an [UnknownTypeError].
	Fail
)

// Option configures a [Router].
type Option func(*Router)

// OnUnknown sets what becomes of records without a handler. Default: [Skip].
func OnUnknown(u Unknown) Option { return func(r *Router) { r.unknown = u } }

// Use wraps every handler, those registered later too; the first middleware is
// the outermost. It runs for messages that have a handler.
func Use(middleware ...Middleware) Option {
	return func(r *Router) { r.middleware = append(r.middleware, middleware...) }
}

// Router knows the handler of each event type. Register every handler before
// the first Dispatch; from then on the router does not change and Dispatch may
// be called by any number of goroutines.
type Router struct {
	handlers   map[string]Handler
	unknown    Unknown
	middleware []Middleware
}

// NewRouter returns a router without handlers.
func NewRouter(opts ...Option) *Router {
	r := &Router{handlers: map[string]Handler{}}
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
	wrapped := Handler(h)
	for _, m := range slices.Backward(r.middleware) {
		wrapped = m(wrapped)
	}
	r.handlers[eventType] = wrapped
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

// Dispatch calls the handler of the message's event type. Its error is a
// [DecodeError], an [UnknownTypeError] or a [HandlerError].
func (r *Router) Dispatch(ctx context.Context, m Message) error {
	eventType, err := m.EventType()
	if err != nil {
		if r.unknown == Skip && len(m.Headers) == 0 && len(m.Value) == 0 {
			return nil // a tombstone carries no event
		}
		return &DecodeError{Record: m.Record(), Err: err}
	}
	h, ok := r.handlers[eventType]
	if !ok {
		if r.unknown == Skip {
			return nil
		}
		record := m.Record()
		record.EventType = eventType
		return &UnknownTypeError{Record: record}
	}
	if err := h(ctx, m); err != nil {
		if Permanent(err) {
			return err
		}
		record := m.Record()
		record.EventType = eventType
		return &HandlerError{Record: record, Err: err}
	}
	return nil
}
