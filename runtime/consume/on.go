package consume

import (
	"context"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// HandleEvent registers a typed handler for an event type. The On… functions of
// generated packages call it; services call those. It panics like [Router.Handle].
//
// If decode returns an error, Dispatch returns a [DecodeError] and does not call the
// handler. The handler gets no tombstones (records without a value): see [OnTombstone].
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

// decoded runs the decoder. It may run code of the service: a custom Go type, or a
// hand-written UnmarshalJSON.
func decoded(decode func([]byte, []outbox.Header) (func(context.Context) error, error), m Message) (handle func(context.Context) error, err error) {
	defer RecoverTo(&err)
	return decode(m.Body(), m.Headers)
}

// OnTombstone registers a handler for the tombstones of a topic. A tombstone is a
// record with a key and a null value: the producer has deleted what it published under
// the key, and log compaction will remove it. The handler gets the record's key; it is
// empty if the record has none. A tombstone can be delivered more than once.
//
// Other handlers get no tombstones. Without a handler for its topic a tombstone is
// skipped and counted: see [Router.Counts]. OnTombstone panics like
// [Router.HandleTombstone].
func OnTombstone[K ~string | ~[]byte](r *Router, topic string, h func(ctx context.Context, key K) error) {
	if h == nil {
		panic("consume: OnTombstone: the handler of topic " + topic + " is nil")
	}
	r.HandleTombstone(topic, func(ctx context.Context, m Message) error {
		return h(ctx, K(m.Key))
	})
}
