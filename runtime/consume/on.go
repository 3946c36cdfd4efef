package consume

import (
	"context"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// HandleEvent registers a typed handler for an event type. The On… functions of
// generated packages call it; services call those. What [Router.Handle] says of its
// panics holds here too.
//
// A record that decode does not take is a [DecodeError] and does not reach the
// handler. Tombstones (records without a value) do not reach it either: see
// [OnTombstone].
func (r *Router) HandleEvent(eventType string, decode func(value []byte, headers []outbox.Header) (handle func(context.Context) error, err error)) {
	r.Handle(eventType, func(ctx context.Context, m Message) error {
		handle, err := decoded(decode, m)
		if err != nil {
			record := m.Record()
			record.EventType = eventType
			return &DecodeError{Record: record, Err: err}
		}
		return handle(ctx)
	})
}

// decoded runs the decoder, which may be code of the service: a type that the
// generator was told to use, or a hand-written UnmarshalJSON.
func decoded(decode func([]byte, []outbox.Header) (func(context.Context) error, error), m Message) (handle func(context.Context) error, err error) {
	defer RecoverTo(&err)
	return decode(m.Value, m.Headers)
}

// OnTombstone registers a handler for the tombstones of a topic: records with a
// key and a null value, by which a producer says that what it published under
// this key is deleted, and which log compaction removes in the end. The handler
// gets the record's key; a tombstone without a key reaches it as an empty one.
// Every group should expect a tombstone more than once.
//
// A tombstone has no body, so other handlers never see one. Without a
// handler for its topic it is skipped and counted: see [Router.Counts].
func OnTombstone[K ~string | ~[]byte](r *Router, topic string, h func(ctx context.Context, key K) error) {
	if h == nil {
		panic("consume: OnTombstone: the handler of topic " + topic + " is nil")
	}
	r.HandleTombstone(topic, func(ctx context.Context, m Message) error {
		return h(ctx, K(m.Key))
	})
}
