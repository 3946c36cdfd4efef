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
// as the cause, so that events which it inserts are linked to this one without
// further ado. A record that does not fit T is a [DecodeError] and does not reach
// the handler; one that fits but breaks a constraint of the schema does, since it
// is the handler that knows whether it minds (Data.Validate tells).
func On[T outbox.Data](r *Router, t outbox.EventType[T], h func(ctx context.Context, e outbox.Envelope[T]) error) {
	if h == nil {
		panic("consume: On: the handler of event type " + t.Type + " is nil")
	}
	r.Handle(t.Type, func(ctx context.Context, m Message) error {
		e, err := t.Decode(m.Value, m.Headers...)
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
