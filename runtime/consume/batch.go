package consume

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// BatchHandler handles the messages of a batch. They have one event type, come from one
// partition, and are in the order of their offsets. If it returns nil, all of them are
// handled and their offsets can be committed. To say which message failed, it returns a
// [BatchError]; the messages before that one then count as handled. Any other error, or a
// panic, concerns the whole batch.
type BatchHandler func(ctx context.Context, batch []Message) error

// BatchMiddleware wraps a batch handler.
type BatchMiddleware func(next BatchHandler) BatchHandler

// BatchOptions limit the batches of a handler. A batch is handed over when it has
// MaxRecords or MaxBytes, when a record of another event type with a handler follows, when
// MaxWait is over, or when the reader's memory is full (kafka.Config.BufferRecords and
// BufferBytes). Zero values are the defaults.
type BatchOptions struct {
	// MaxRecords is the largest number of records in a batch. Default 500, like
	// max.poll.records of Kafka's own client.
	MaxRecords int
	// MaxBytes limits the keys, values and headers of a batch. A larger record is its own
	// batch. Default 1 MiB.
	MaxBytes int64
	// MaxWait is how long a batch waits for more records, after its first one. Default 0:
	// it does not wait; a batch has the records that are in memory.
	MaxWait time.Duration
}

func (o BatchOptions) withDefaults() BatchOptions {
	const records, size = 500, 1 << 20
	o.MaxRecords = cmp.Or(o.MaxRecords, records)
	o.MaxBytes = cmp.Or(o.MaxBytes, size)
	return o
}

// check panics if an option is negative.
func (o BatchOptions) check() {
	if o.MaxRecords < 0 || o.MaxBytes < 0 || o.MaxWait < 0 {
		panic(fmt.Sprintf("consume: BatchOptions has MaxRecords %d, MaxBytes %d and MaxWait %v: none may be negative; 0 is the default",
			o.MaxRecords, o.MaxBytes, o.MaxWait))
	}
}

// UseBatch wraps every batch handler in the middleware. The first one is the outermost. It
// runs once for each batch. The middleware of [Use] does not run for batch handlers. A
// router that has middleware of Use needs UseBatch before it accepts batch handlers,
// without arguments if they need no middleware.
func UseBatch(middleware ...BatchMiddleware) Option {
	return func(r *Router) {
		r.batchMiddleware = append(r.batchMiddleware, middleware...)
		r.batchMiddlewareSet = true
	}
}

// HandleBatch registers a handler for batches of raw messages of an event type. It panics
// like [Router.Handle], also if an option is negative, or if the router has the
// middleware of [Use] but no [UseBatch].
func (r *Router) HandleBatch(eventType string, options BatchOptions, h func(ctx context.Context, batch []Message) error) {
	if h == nil {
		panic(fmt.Sprintf("consume: Router.HandleBatch: the handler of event type %q is nil", eventType))
	}
	options.check()
	if len(r.middleware) > 0 && !r.batchMiddlewareSet {
		panic(fmt.Sprintf("consume: Router.HandleBatch: the router has middleware of Use, which the batch handler of event type %q does not get: "+
			"give its batch middleware to UseBatch; UseBatch() if there is none", eventType))
	}
	b := &Batch{eventType: eventType, options: options.withDefaults(), handle: h, router: r}
	for _, m := range slices.Backward(r.batchMiddleware) {
		b.handle = m(b.handle)
	}
	r.register(eventType, b.one)
	r.batches[eventType] = b
}

// OnBatch registers a typed handler for batches of an event. on is the function of the
// generated package that registers a handler for single events:
//
//	consume.OnBatch(router, events.OnOrderPlacedV1, consume.BatchOptions{},
//		func(ctx context.Context, batch []outbox.Envelope[events.OrderPlacedV1]) error { … })
//
// If a record does not decode, the handler gets those before it, and the record is a
// [DecodeError]. The handler gets no tombstones. Its context has no correlation id and no
// causation id, because each event has its own: use outbox.ContextWithCorrelationID and
// outbox.ContextWithCausationID for the events that the handler inserts. OnBatch panics
// like [Router.HandleBatch].
func OnBatch[T any](r *Router, on func(r gen.Router, handle func(context.Context, outbox.Envelope[T]) error), options BatchOptions, h func(ctx context.Context, batch []outbox.Envelope[T]) error) {
	var event decoding
	on(&event, func(context.Context, outbox.Envelope[T]) error { return nil })
	if h == nil {
		panic("consume: OnBatch: the handler of event type " + event.eventType + " is nil")
	}
	r.HandleBatch(event.eventType, options, func(ctx context.Context, batch []Message) error {
		events := make([]outbox.Envelope[T], 0, len(batch))
		var event decoding
		on(&event, func(_ context.Context, e outbox.Envelope[T]) error {
			events = append(events, e)
			return nil
		})
		undecodable := event.all(ctx, batch, r.eventHeaders)
		if len(events) > 0 {
			if err := h(ctx, events); err != nil {
				return err
			}
		}
		return undecodable
	})
}

// decoding takes what an On… function registers.
type decoding struct {
	eventType string
	decode    func(value []byte, headers []outbox.Header) (func(context.Context) error, error)
}

// HandleEvent implements gen.Router.
func (d *decoding) HandleEvent(eventType string, decode func(value []byte, headers []outbox.Header) (handle func(context.Context) error, err error)) {
	d.eventType, d.decode = eventType, decode
}

// all hands over the events of the messages, up to the first that does not decode.
func (d *decoding) all(ctx context.Context, batch []Message, headers func(Message) []outbox.Header) error {
	for i, m := range batch {
		handle, err := decoded(d.decode, m.Body(), headers(m))
		if err != nil {
			return &BatchError{Index: i, Err: undecodable(m, d.eventType, err)}
		}
		if err := handle(ctx); err != nil {
			return &BatchError{Index: i, Err: err}
		}
	}
	return nil
}

// Batch is the batch handler of an event type, for code that reads records. Package
// consume/kafka gathers the batches; a test can call [Router.Dispatch], which makes a
// batch of each message.
type Batch struct {
	eventType string
	options   BatchOptions
	handle    BatchHandler
	router    *Router
}

// Batch returns the batch handler of the message's event type, or nil. skips is true if
// the router has no handler at all for the message, so that Dispatch would skip it.
func (r *Router) Batch(m Message) (b *Batch, skips bool) {
	if len(r.batches) == 0 {
		return nil, false
	}
	if m.Tombstone() {
		m, _, _, _ = r.describe(m) // the type of a tombstone is known or not
		return nil, r.forTombstone(m) == nil
	}
	_, eventType, h, err := r.find(m)
	switch {
	case err != nil:
		return nil, false
	case h == nil:
		return nil, r.unknown == Skip
	}
	return r.batches[eventType], false
}

// Options returns the limits of a batch, with their defaults.
func (b *Batch) Options() BatchOptions { return b.options }

// EventType returns the event type of the batch's messages.
func (b *Batch) EventType() string { return b.eventType }

// BatchResult is the outcome of a batch.
type BatchResult struct {
	// Handled is how many messages are handled, from the first one on.
	Handled int
	// Err is the error of the others: a *[HandlerError] or *[DecodeError]; nil if all are
	// handled.
	Err error
	// Named is true if Err is about one message, the first that is not handled. Otherwise
	// it is about all that are not handled.
	Named bool
}

// Dispatch calls the handler with a batch, which must have at least one message. It
// recovers a panic, and returns it as a [PanicError] inside a [HandlerError].
func (b *Batch) Dispatch(ctx context.Context, batch []Message) BatchResult {
	if len(b.router.topics) > 0 {
		batch = slices.Clone(batch)
		for i, m := range batch {
			if described, _, _, err := b.router.describe(m); err == nil { // Batch has checked the message
				batch[i] = described
			}
		}
	}
	err := func() (err error) {
		defer RecoverTo(&err)
		return b.handle(ctx, batch)
	}()
	if err == nil {
		return BatchResult{Handled: len(batch)}
	}
	result := BatchResult{Err: err, Named: len(batch) == 1}
	if failed, ok := errors.AsType[*BatchError](err); ok {
		result.Err = failed.cause()
		if failed.Index >= 0 && failed.Index < len(batch) {
			result.Handled, result.Named = failed.Index, true
		}
	}
	if Permanent(result.Err) {
		return result
	}
	wrapped := &HandlerError{Record: named(batch[result.Handled], b.eventType), Err: result.Err}
	if !result.Named {
		wrapped.Batch = len(batch)
	}
	result.Err = wrapped
	return result
}

// one handles one message as a batch.
func (b *Batch) one(ctx context.Context, m Message) error {
	err := b.handle(ctx, []Message{m})
	if failed, ok := errors.AsType[*BatchError](err); ok {
		return failed.cause()
	}
	return err
}
