package consume

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/outboxgen/outboxgen/runtime/internal/routing"
	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
)

// Handler handles one message. If it returns nil, the message is handled and its offset
// can be committed.
type Handler func(ctx context.Context, m Message) error

// Middleware wraps a handler, for example with metrics, logging or timeouts.
type Middleware func(next Handler) Handler

// Unknown says what happens to a record whose event type has no handler.
type Unknown int

const (
	// Skip counts the record as handled. Use it if a topic has several event types. The
	// router logs the first record of each type, and [Router.Counts] has the numbers.
	Skip Unknown = iota
	// Fail makes Dispatch return an [UnknownTypeError].
	Fail
)

// Option configures a [Router].
type Option func(*Router)

// OnUnknown sets what happens to records without a handler. Default: [Skip].
func OnUnknown(u Unknown) Option { return func(r *Router) { r.unknown = u } }

// Use wraps every handler in the middleware, including handlers that are registered
// later. The first middleware is the outermost. It runs only for messages that have a
// handler. Batch handlers have their own middleware: [UseBatch].
func Use(middleware ...Middleware) Option {
	return func(r *Router) { r.middleware = append(r.middleware, middleware...) }
}

// Logger sets where the router logs the event types that it skips. Default:
// slog.Default().
func Logger(l *slog.Logger) Option { return func(r *Router) { r.log = l } }

// Router holds the handler of each event type. Register every handler before the first
// Dispatch. After that the router does not change, and any number of goroutines can
// call Dispatch.
type Router struct {
	handlers   map[string]Handler // by event type
	batches    map[string]*Batch  // those of batches
	tombstones map[string]Handler // by topic
	// eventTombstones are the handlers of tombstones by event type.
	eventTombstones map[string]Handler
	topics          map[string]TopicOptions // of producers that do not use outboxgen
	unknown         Unknown
	middleware      []Middleware
	log             *slog.Logger

	batchMiddleware    []BatchMiddleware
	batchMiddlewareSet bool

	skipped           skipped
	skippedTombstones atomic.Uint64
}

// Counts are the numbers of records that a [Router] skipped since it was created.
type Counts struct {
	SkippedUnknown    uint64 // their event type has no handler
	SkippedTombstones uint64 // neither their event type nor their topic has a handler for tombstones
	// SkippedByType is SkippedUnknown by event type. It has the first 1,000 types.
	SkippedByType map[string]uint64
}

// NewRouter returns a router without handlers.
func NewRouter(opts ...Option) *Router {
	r := &Router{
		handlers: map[string]Handler{}, batches: map[string]*Batch{},
		tombstones: map[string]Handler{}, eventTombstones: map[string]Handler{}, topics: map[string]TopicOptions{},
	}
	for _, opt := range opts {
		opt(r)
	}
	r.log = safelog.New(cmp.Or(r.log, slog.Default()))
	return r
}

// Handle registers a handler for the raw messages of an event type. It panics if the
// type is empty, h is nil, or the type has a handler already: these are programming
// errors, as in http.ServeMux.
func (r *Router) Handle(eventType string, h func(ctx context.Context, m Message) error) {
	if h == nil {
		panic(fmt.Sprintf("consume: Router.Handle: the handler of event type %q is nil", eventType))
	}
	r.register(eventType, r.wrap(h))
}

func (r *Router) register(eventType string, h Handler) {
	if eventType == "" {
		panic("consume: Router: the event type of a handler is empty")
	}
	if _, taken := r.handlers[eventType]; taken {
		panic(fmt.Sprintf("consume: Router: event type %q has a handler already; "+
			"call both from one handler if two are wanted", eventType))
	}
	r.handlers[eventType] = h
}

// HandleTombstone registers a handler for the tombstones of a topic; [OnTombstone] is
// the typed form. It panics if the topic is empty, h is nil, or the topic has such a
// handler already.
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

// Counts returns how many records were skipped so far. It is safe for concurrent use.
func (r *Router) Counts() Counts {
	unknown, byType := r.skipped.counts()
	return Counts{SkippedUnknown: unknown, SkippedByType: byType, SkippedTombstones: r.skippedTombstones.Load()}
}

// EventTypes returns the event types that have a handler, sorted.
func (r *Router) EventTypes() []string {
	types := slices.AppendSeq(make([]string, 0, len(r.handlers)), maps.Keys(r.handlers))
	slices.Sort(types)
	return types
}

// Empty reports whether no handler is registered, for event types or tombstones. Such a
// router skips every record.
func (r *Router) Empty() bool { return len(r.handlers)+len(r.tombstones)+len(r.eventTombstones) == 0 }

// BatchEventTypes returns the event types that have a batch handler, sorted.
func (r *Router) BatchEventTypes() []string { return slices.Sorted(maps.Keys(r.batches)) }

// Dispatch calls the handler of the message's event type. The type is the one in the
// header event_type. If there is no such header, or no handler for that type, it is the
// type in the envelope. [ForTopic] changes this for a topic. A record that has no type at
// all is a [DecodeError]; in a topic with TopicOptions.TypeFrom it is a record without a
// handler. For a tombstone, Dispatch calls the handler for tombstones of its
// event type, or else the one for its topic.
//
// Dispatch returns a [DecodeError], an [UnknownTypeError] or a [HandlerError]. It recovers
// panics of handlers and decoders and returns each as a [PanicError] inside one of these.
func (r *Router) Dispatch(ctx context.Context, m Message) error {
	called, err := r.Route(ctx, m)
	routing.Note(ctx, called)
	return err
}

// Route does what [Router.Dispatch] does. It also reports whether it called a handler:
// without an error, false means that the message was skipped.
func (r *Router) Route(ctx context.Context, m Message) (called bool, err error) {
	if m.Tombstone() {
		m, _, _, _ = r.describe(m) // the type of a tombstone is known or not
		h := r.forTombstone(m)
		if h == nil {
			r.skippedTombstones.Add(1)
			return false, nil
		}
		return true, call(ctx, h, m, m.Record().EventType)
	}
	m, eventType, h, err := r.find(m)
	switch {
	case err != nil:
		return false, &DecodeError{Record: m.Record(), Err: err}
	case h != nil:
		return true, call(ctx, h, m, eventType)
	case r.unknown == Skip:
		r.skip(ctx, m, eventType)
		return false, nil
	}
	return false, &UnknownTypeError{Record: named(m, eventType)}
}

// forTombstone returns the handler of a tombstone, or nil.
func (r *Router) forTombstone(m Message) Handler {
	if h := r.eventTombstones[m.Record().EventType]; h != nil {
		return h
	}
	return r.tombstones[m.Topic]
}

// find returns the handler of a message, or nil, and the event type that selected it. The
// message has the headers of its topic's options.
// Some relays write another type into the header than the writer of the event wrote
// into the envelope.
func (r *Router) find(m Message) (described Message, eventType string, h Handler, err error) {
	m, typed, badID, err := r.describe(m)
	if err != nil {
		return m, "", nil, err
	}
	if typed {
		eventType, _ = m.Header(headerEventType)
		h = r.handlers[eventType]
	} else if eventType, h, err = r.ofType(m); err != nil {
		return m, "", nil, err
	}
	if h != nil && badID != nil {
		return m, "", nil, badID
	}
	return m, eventType, h, nil
}

// ofType is find for a topic without options.
func (r *Router) ofType(m Message) (eventType string, h Handler, err error) {
	eventType, err = m.EventType()
	if err != nil {
		return "", nil, err
	}
	if h = r.handlers[eventType]; h != nil {
		return eventType, h, nil
	}
	if id, err := m.identity(); err == nil {
		if h = r.handlers[id.eventType]; h != nil {
			return id.eventType, h, nil
		}
	}
	return eventType, nil, nil
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

// named returns the message's record for an error. What the headers do not say is read
// from the body.
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
