package consume

import (
	"context"
	"fmt"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// HandleEvent registers a typed handler for an event type. The On… functions of
// generated packages call it; services call those. It panics like [Router.Handle].
//
// If decode returns an error, Dispatch returns a [DecodeError] and does not call the
// handler. The handler gets no tombstones (records without a value): see [OnTombstone].
func (r *Router) HandleEvent(eventType string, decode func(value []byte, headers []outbox.Header) (handle func(context.Context) error, err error)) {
	r.Handle(eventType, func(ctx context.Context, m Message) error {
		handle, err := decoded(decode, m.Body(), r.eventHeaders(m))
		if err != nil {
			return undecodable(m, eventType, err)
		}
		return handle(ctx)
	})
}

// decoded runs the decoder for the body or the key of a message. It may run code of the
// service: a custom Go type, or a hand-written UnmarshalJSON.
func decoded(decode func([]byte, []outbox.Header) (func(context.Context) error, error), part []byte, headers []outbox.Header) (handle func(context.Context) error, err error) {
	defer RecoverTo(&err)
	return decode(part, headers)
}

func undecodable(m Message, eventType string, err error) error {
	record := m.Record()
	record.EventType = eventType
	return &DecodeError{Record: record, Err: err}
}

// HandleEventTombstone registers a typed handler for the tombstones of an event type. The
// On…Tombstone functions of generated packages call it; services call those. A tombstone
// has the type in its header event_type. It panics like [Router.Handle].
//
// If decode returns an error, Dispatch returns a [DecodeError] and does not call the
// handler.
func (r *Router) HandleEventTombstone(eventType string, decode func(key []byte, headers []outbox.Header) (handle func(context.Context) error, err error)) {
	if eventType == "" {
		panic("consume: Router.HandleEventTombstone: the event type is empty")
	}
	if _, taken := r.eventTombstones[eventType]; taken {
		panic(fmt.Sprintf("consume: Router.HandleEventTombstone: event type %q has a handler for tombstones already; "+
			"call both from one handler if two are wanted", eventType))
	}
	r.eventTombstones[eventType] = r.wrap(func(ctx context.Context, m Message) error {
		handle, err := decoded(decode, m.Key, m.Headers)
		if err != nil {
			return &DecodeError{Record: m.Record(), Err: err}
		}
		return handle(ctx)
	})
}

// OnTombstone registers a handler for the tombstones of a topic. A tombstone is a
// record with a key and a null value: the producer has deleted what it published under
// the key, and log compaction will remove it. The handler gets the record's key; it is
// empty if the record has none. A tombstone can be delivered more than once.
//
// An event type can have its own handler for tombstones: an On…Tombstone function of a
// generated package registers it. That handler gets the tombstones with this type in the
// header event_type; the handler of OnTombstone gets all others of the topic. Other
// handlers get no tombstones. Without a handler a tombstone is skipped and counted: see
// [Router.Counts]. OnTombstone panics like [Router.HandleTombstone].
func OnTombstone[K ~string | ~[]byte](r *Router, topic string, h func(ctx context.Context, key K) error) {
	if h == nil {
		panic("consume: OnTombstone: the handler of topic " + topic + " is nil")
	}
	r.HandleTombstone(topic, func(ctx context.Context, m Message) error {
		return h(ctx, K(m.Key))
	})
}
