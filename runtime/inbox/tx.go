package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox/inboxdb"
)

// Beginner begins transactions. *pgxpool.Pool and *pgx.Conn implement it.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Tx returns a handler that runs h once for each event, in a transaction that also
// records the event's id under the consumer's name. If h returns an error, panics or
// calls runtime.Goexit, the transaction is rolled back, its connection goes back to the
// pool, and the next delivery handles the event. A panic continues in the caller;
// consume.Router turns it into an error.
//
// For an event that was handled before, h is not called and the result is nil. If
// two deliveries of one event are handled at the same time, the second waits for the
// first transaction to end.
//
// The consumer's name (at most 255 characters) identifies one effect: two handlers of
// one service that both handle the same event need two names. Changing the name
// forgets what was handled.
//
// An event that h inserts in tx is inserted immediately. To send it with COMMIT, use
// [InOutbox].
//
// A connection to a server that accepts no writes (see [outbox.IsReadOnly]) is closed
// instead of returned to the pool.
func Tx[T any](db Beginner, consumer string, h func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[T]) error) func(ctx context.Context, e outbox.Envelope[T]) error {
	return InTx(inTx(db), consumer, h)
}

// inTx returns a function that runs others in a transaction.
func inTx(db Beginner) func(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
	return func(ctx context.Context, fn func(ctx context.Context, tx pgx.Tx) error) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			err := fn(ctx, tx)
			if outbox.IsReadOnly(err) {
				giveUp(ctx, tx)
			}
			return err
		})
	}
}

// closeTime limits closing a connection that is of no use.
const closeTime = time.Second

// giveUp closes the connection of a transaction that belongs to a pool, so that the
// pool does not give it to others: its server accepts no writes.
func giveUp(ctx context.Context, tx pgx.Tx) {
	if _, pooled := tx.(*pgxpool.Tx); !pooled {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	_ = tx.Conn().Close(ctx) // the rollback that follows finds it closed
}

// InOutbox is [Tx] with a transaction of an outbox, for handlers that insert events:
// they are sent with COMMIT, and the relay is woken.
func InOutbox[T any](ob *outbox.Outbox, consumer string, h func(ctx context.Context, tx *outbox.Tx, e outbox.Envelope[T]) error) func(ctx context.Context, e outbox.Envelope[T]) error {
	return InTx(ob.InTx, consumer, h)
}

// InTx is [Tx] with the transactions that inTx runs: a method InTx, for instance that of
// an *outboxsql.Outbox for services that use database/sql. inTx commits if the function
// returns nil, and rolls back otherwise.
func InTx[T any, X outbox.Transaction](inTx func(ctx context.Context, fn func(ctx context.Context, tx X) error) error, consumer string, h func(ctx context.Context, tx X, e outbox.Envelope[T]) error) func(ctx context.Context, e outbox.Envelope[T]) error {
	checkConsumer(consumer)
	return func(ctx context.Context, e outbox.Envelope[T]) error {
		return inTx(ctx, func(ctx context.Context, tx X) error {
			first, err := Claim(ctx, tx, consumer, e.EventID)
			if err != nil || !first {
				return err
			}
			return h(ctx, tx, e)
		})
	}
}

var errNoID = errors.New("inbox: the event has no id, by which a repeat could be told")

// Claim records the event's id in the caller's transaction, and reports whether this
// is the first time. False means that the event was handled before: then end the
// transaction. Use Claim if [Tx] does not fit your handler.
// With database/sql, or a library that is built on it, pass outboxsql.On(tx).
func Claim(ctx context.Context, tx outbox.Transaction, consumer string, eventID uuid.UUID) (bool, error) {
	if eventID == uuid.Nil {
		return false, errNoID
	}
	n, err := inboxdb.New(tx).Claim(ctx, inboxdb.ClaimParams{Consumer: consumer, EventID: eventID})
	if err != nil {
		return false, fmt.Errorf("inbox: record event %s for consumer %s: %w%s", eventID, consumer, err, remedy(err, tx, claimPrivileges))
	}
	return n == 1, nil
}

// checkConsumer panics, because the name is a constant in the code.
func checkConsumer(consumer string) {
	const limit = 255
	if consumer == "" || len(consumer) > limit {
		panic(fmt.Sprintf("inbox: the consumer's name %q must have 1 to %d bytes", consumer, limit))
	}
}
