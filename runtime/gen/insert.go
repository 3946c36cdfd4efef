package gen

import (
	"context"

	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

// SQL is the two statements that insert events, as sqlc wrote them: One inserts one
// event, Many inserts several in their order. Both skip ids that exist already.
type SQL struct {
	// One takes the columns id, aggregate_type, aggregate_id, event_type, topic,
	// event_key, event_data and headers as its arguments.
	One string
	// Many takes arrays of the same columns, with an array of booleans before
	// event_key that is false for an event without a key.
	Many string
}

// Insert builds the event's row and inserts it on tx. On an *outbox.Tx it rides with
// COMMIT; on any other transaction it is a round trip of its own.
//
// It returns the data's *outbox.ValidationError, or an *outbox.InsertError. After an
// error on a plain pgx.Tx the transaction is aborted if the error came from the
// database, as after any failed statement.
func Insert(ctx context.Context, tx outbox.Transaction, sql SQL, event outbox.Event, opts ...outbox.Option) error {
	return InsertAll(ctx, tx, sql, outbox.With(event, opts...))
}

// InsertAll inserts events of any types on tx, in their order, in as few
// statements as possible: one for every thousand rows, and one for every event
// whose id the caller chose, so that its outcome can be told. Options of an
// event are given by outbox.With. Nothing is inserted when one of the events cannot
// be built. Errors are those of Insert.
func InsertAll(ctx context.Context, tx outbox.Transaction, sql SQL, events ...outbox.Event) error {
	return link.InsertAll(ctx, tx, link.SQL(sql), events)
}

// Queue puts the insert of an event on a batch that the caller sends, within a
// transaction, together with statements of its own. The outcome is known when
// Close reads the batch's results. Sent on an *outbox.Tx, the event is logged and
// the relay is woken after the commit, as with Insert; its seq is drawn when the
// batch runs, so put it behind the statement that takes the lock covering its key.
//
// A batch belongs to no Outbox: Now and NewID of its Options do not apply. Use
// outbox.WithClock and outbox.WithNewID instead.
func Queue(ctx context.Context, batch *pgx.Batch, sql SQL, event outbox.Event, opts ...outbox.Option) error {
	return link.Queue(ctx, batch, link.SQL(sql), outbox.With(event, opts...))
}
