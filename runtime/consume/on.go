package consume

import (
	"context"
	"errors"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// On registers a typed handler for one event. Generated On… functions call it;
// services call those.
//
// The handler's context carries the event's correlation id, and the event's id
// as the cause, so that events which it inserts are linked to this one. A record
// that does not fit T is a [DecodeError] and does not reach the handler. One that
// fits but breaks a constraint of the schema reaches it: call Data.Validate where
// that matters. Tombstones (records without a value) do not reach it: see
// [OnTombstone].
func On[T outbox.Data](r *Router, t outbox.EventType[T], h func(ctx context.Context, e outbox.Envelope[T]) error) {
	if h == nil {
		panic("consume: On: the handler of event type " + t.Type + " is nil")
	}
	r.Handle(t.Type, func(ctx context.Context, m Message) error {
		e, err := decode(t, m)
		if err == nil && e.EventID == uuid.Nil {
			err = errors.New("the event has no id, neither in its envelope nor in its headers")
		}
		if err != nil {
			record := m.Record()
			record.EventType = t.Type
			return &DecodeError{Record: record, Err: err}
		}
		if e.CorrelationID != "" {
			ctx = outbox.ContextWithCorrelationID(ctx, e.CorrelationID)
		}
		ctx = outbox.ContextWithCausationID(ctx, e.EventID.String())
		return h(ctx, e)
	})
}

// decode runs the decoder, which may be code of the service: a type that the
// generator was told to use, or a hand-written UnmarshalJSON.
func decode[T outbox.Data](t outbox.EventType[T], m Message) (e outbox.Envelope[T], err error) {
	defer RecoverTo(&err)
	return t.Decode(m.Value, m.Headers...)
}

// OnTombstone registers a handler for the tombstones of a topic: records with a
// key and a null value, by which a producer says that what it published under
// this key is deleted, and which log compaction removes in the end. The handler
// gets the record's key; a tombstone without a key reaches it as an empty one.
// Every group should expect a tombstone more than once.
//
// A tombstone has no body, so [On] and [Router.Handle] never see one. Without a
// handler for its topic it is skipped and counted: see [Router.Counts].
func OnTombstone[K ~string | ~[]byte](r *Router, topic string, h func(ctx context.Context, key K) error) {
	if h == nil {
		panic("consume: OnTombstone: the handler of topic " + topic + " is nil")
	}
	r.HandleTombstone(topic, func(ctx context.Context, m Message) error {
		return h(ctx, K(m.Key))
	})
}
