package gen

import (
	"context"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// Router registers handlers of events: a *consume.Router. It is an interface so that a
// service which only inserts events does not import package consume.
type Router interface {
	// HandleEvent registers a handler for an event type. decode reads a record and
	// returns a function that calls the handler with the decoded event.
	HandleEvent(eventType string, decode func(value []byte, headers []outbox.Header) (handle func(context.Context) error, err error))
}

// noIDError is the error of an event without an id.
type noIDError struct{}

func (noIDError) Error() string {
	return "the event has no id, neither in its envelope nor in its headers"
}

// Remedy says what to do. Package consume puts it into the error of the record.
func (noIDError) Remedy() string {
	return "if its producer does not use outboxgen, describe the topic with consume.ForTopic"
}

// On registers a typed handler for one event.
//
// The handler's context has the event's correlation id, and the event's id as the
// causation id, so that events which the handler inserts are linked to this one. A
// record that does not fit T is a decode error, and handle is not called. A record that
// fits T but violates a constraint of the schema reaches the handler; call
// Data.Validate to check it. The handler gets no tombstones (records without a value):
// see OnTombstone.
func On[T Data](r Router, t *EventType[T], handle func(ctx context.Context, e outbox.Envelope[T]) error) {
	if handle == nil {
		panic("gen: On: the handler of event type " + t.Type + " is nil")
	}
	r.HandleEvent(t.Type, func(value []byte, headers []outbox.Header) (func(context.Context) error, error) {
		e, err := t.Decode(value, headers...)
		if err == nil && e.EventID == uuid.Nil {
			err = noIDError{}
		}
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context) error {
			if e.CorrelationID != "" {
				ctx = outbox.ContextWithCorrelationID(ctx, e.CorrelationID)
			}
			ctx = outbox.ContextWithCausationID(ctx, e.EventID.String())
			return handle(ctx, e)
		}, nil
	})
}
