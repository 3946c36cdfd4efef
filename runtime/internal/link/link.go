// Package link lets packages gen and outboxtest call unexported functions of package
// outbox, as log/internal does for log/slog. It knows no type of package outbox, which
// imports it, so they are type parameters; the comments name the types.
package link

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Outbox is the Functions of package outbox, which sets them when it is initialized.
var Outbox any

// Functions are functions of package outbox. T is outbox.Transaction, P outbox.Option, E
// outbox.Event, R outbox.Row, H outbox.Header, and V outbox.Envelope[json.RawMessage].
// The functions have these types, and not any, because a value that becomes an interface
// is an allocation for each event.
type Functions[T, P, E, R, H, V any] struct {
	// NewRow builds the row of an event. After an error the row is empty.
	NewRow func(ctx context.Context, event Event, opts []P) (R, error)
	// Decode decodes an envelope of the kind and checks the event type.
	Decode func(kind EnvelopeKind, eventType string, value []byte, headers []H) (V, error)
	// InsertAll inserts events on tx.
	InsertAll func(ctx context.Context, tx T, sql SQL, events []E) error
	// CancelDelayed deletes a delayed event on tx.
	CancelDelayed func(ctx context.Context, tx T, sql SQL, id uuid.UUID) (bool, error)
	// Queue adds the insert of an event to the batch.
	Queue func(ctx context.Context, batch *pgx.Batch, sql SQL, event E) error
}

// SQL is the statements that insert events. Both end with ON CONFLICT (id) DO NOTHING,
// which is left out for events whose ids were generated.
type SQL struct {
	// One inserts one event. Its arguments are the columns id, aggregate_type,
	// aggregate_id, event_type, topic, event_key, event_data and headers.
	One string
	// Many inserts several events in order. Its arguments are arrays: the columns as
	// for One, with an array of booleans before event_key that is false for an event
	// without a key.
	Many string
}

// Event is one event with what its schema says about it.
type Event struct {
	Type, Topic, Source, SchemaURI, AggregateType string
	Envelope                                      EnvelopeKind
	Unkeyed                                       bool
	// CorrelationUUID is true if the correlation id has to be a UUID.
	CorrelationUUID bool
	Data            json.Marshaler // nil: a tombstone
	Values          Values
}

// Values reads from the data of an event what the row needs. given is false for a value
// that the data does not have.
type Values interface {
	AggregateID() (id string, given bool, err error)
	Key() (key string, given bool, err error)
	CorrelationID() string
}

// Built is an event with its row. E is outbox.Event, R is outbox.Row, and O is
// outbox.Outcome.
type Built[E, R, O any] struct {
	// Event is the event as the caller gave it, without the options of outbox.With.
	Event E
	// Row is the row for the table.
	Row R
	// IDGiven is true if the caller chose the id. Inserting the event again then does
	// nothing; otherwise a repeated id is an error.
	IDGiven bool
	// Outcome, if not nil, gets the outcome of the insert.
	Outcome *O
}

// Recorder is a transaction without a database, such as outboxtest.Recorder. P is
// outbox.Option.
type Recorder[P, E, R, O any] interface {
	// Record keeps the events that build returns. build applies options before those of
	// each event.
	Record(build func(options []P) ([]Built[E, R, O], error)) error
}

// Canceler is a Recorder that can cancel a delayed event.
type Canceler interface {
	CancelDelayed(id uuid.UUID) (bool, error)
}
