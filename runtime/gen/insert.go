package gen

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

// SQL has the two statements that insert events, as sqlc compiled them. Both skip ids
// that already exist. For generated ids they are sent without ON CONFLICT.
type SQL = link.SQL

// Insert builds the event's row and inserts it on tx. An *outbox.Tx sends it with
// COMMIT; on any other transaction it is one round trip.
//
// It returns the data's *outbox.ValidationError, or an *outbox.InsertError. If the
// database refused the insert on a plain pgx.Tx, the transaction is aborted, as after
// any failed statement.
func Insert(ctx context.Context, tx outbox.Transaction, sql SQL, event outbox.Event, opts ...outbox.Option) error {
	return InsertAll(ctx, tx, sql, outbox.With(event, opts...))
}

// InsertAll inserts events of any types on tx, in order, in as few statements as
// possible: one for each thousand rows, and one for each event whose id the caller
// chose, to learn its outcome. outbox.With sets options of a single event. If one of
// the events cannot be built, none is inserted. Errors are those of Insert.
func InsertAll(ctx context.Context, tx outbox.Transaction, sql SQL, events ...outbox.Event) error {
	return runtime.InsertAll(ctx, tx, sql, events)
}

// CancelDelayed is outbox.CancelDelayed for the table that the statements insert into.
func CancelDelayed(ctx context.Context, tx outbox.Transaction, sql SQL, id uuid.UUID) (bool, error) {
	return runtime.CancelDelayed(ctx, tx, sql, id)
}

// Queue adds the insert of an event to a batch. The caller sends the batch within a
// transaction, together with other statements. The outcome is known when Close reads
// the results. If an *outbox.Tx sends the batch, the event is logged and the relay is
// woken after the commit, as with Insert. The event draws its seq when the batch runs,
// so put it after the statement that takes the lock for its key.
//
// A batch belongs to no Outbox, so Now and NewID of Options do not apply. Use
// outbox.WithClock and outbox.WithNewID instead.
func Queue(ctx context.Context, batch *pgx.Batch, sql SQL, event outbox.Event, opts ...outbox.Option) error {
	return runtime.Queue(ctx, batch, sql, outbox.With(event, opts...))
}
