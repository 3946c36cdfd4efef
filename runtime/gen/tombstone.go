package gen

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
)

// TombstoneRouter registers handlers of tombstones: a *consume.Router.
type TombstoneRouter interface {
	// HandleEventTombstone registers a handler for the tombstones of an event type.
	// decode reads the key and returns a function that calls the handler with it.
	HandleEventTombstone(eventType string, decode func(key []byte, headers []outbox.Header) (handle func(context.Context) error, err error))
}

// OnTombstone registers a typed handler for the tombstones of one event: records with
// the event's type in the header event_type, a key, and a null value. parse reads the
// key: KeyString, KeyUUID, KeyInt or KeyUint. A key that it cannot read, or that is empty
// or missing, is a decode error, and handle is not called.
//
// The handler's context has the correlation id of the tombstone's headers, and the
// tombstone's id as the causation id.
func OnTombstone[T Data, K any](r TombstoneRouter, t *EventType[T], parse func(key string) (K, error), handle func(ctx context.Context, key K) error) {
	if handle == nil {
		panic("gen: OnTombstone: the handler of event type " + t.Type + " is nil")
	}
	r.HandleEventTombstone(t.Type, func(key []byte, headers []outbox.Header) (func(context.Context) error, error) {
		if len(key) == 0 {
			return nil, errors.New("the tombstone has no key")
		}
		parsed, err := parse(string(key))
		if err != nil {
			return nil, fmt.Errorf("the key %.100q of the tombstone: %w", key, err)
		}
		var correlation, id string
		for _, h := range headers {
			switch h.Key {
			case "trace_id":
				correlation = string(h.Value)
			case "event_id":
				id = string(h.Value)
			}
		}
		return func(ctx context.Context) error {
			if correlation != "" {
				ctx = outbox.ContextWithCorrelationID(ctx, correlation)
			}
			if id != "" {
				ctx = outbox.ContextWithCausationID(ctx, id)
			}
			return handle(ctx, parsed)
		}, nil
	})
}

// KeyString reads a key that is text.
func KeyString[K ~string](key string) (K, error) { return K(key), nil }

// KeyUUID reads a key that is a UUID.
func KeyUUID(key string) (uuid.UUID, error) { return uuid.Parse(key) }

// KeyInt reads a key that is a whole number.
func KeyInt[K ~int64](key string) (K, error) {
	n, err := strconv.ParseInt(key, 10, 64)
	return K(n), err
}

// KeyUint reads a key that is a whole number of 0 or more.
func KeyUint(key string) (uint64, error) { return strconv.ParseUint(key, 10, 64) }
