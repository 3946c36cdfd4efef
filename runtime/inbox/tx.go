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

// Beginner begins transactions; *pgxpool.Pool and *pgx.Conn do.
type Beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Tx returns a handler that runs h once for each event, in a transaction which
// also records the event's id under the consumer's name, and commits it. When h
// fails or panics, the transaction is rolled back, its connection goes back to the
// pool and the id is free again: the next delivery is handled as the first. A panic
// then goes on to the caller; consume.Router turns it into an error.
//
// For an event that was handled before, h is not called and the result is nil.
// While two deliveries of one event are handled at the same time, the second
// waits for the first transaction to end.
//
// The consumer's name (at most 255 characters) stands for one effect: two handlers
// of one service that both want the same event need two names. Changing it
// forgets what was handled.
//
// A handler that inserts events of its own in tx inserts them at once, where
// outbox.Tx sends them along with COMMIT; see [InOutbox] for that.
//
// When h panics or calls runtime.Goexit, the transaction is rolled back and the
// panic goes on. A connection of a pool that leads to a server which takes no
// writes (see [outbox.IsReadOnly]) is closed and does not go back.
func Tx[T any](db Beginner, consumer string, h func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[T]) error) func(ctx context.Context, e outbox.Envelope[T]) error {
	checkConsumer(consumer)
	return func(ctx context.Context, e outbox.Envelope[T]) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			err := once(ctx, tx, consumer, e.EventID, func() error { return h(ctx, tx, e) })
			if outbox.IsReadOnly(err) {
				giveUp(ctx, tx)
			}
			return err
		})
	}
}

// closeTime bounds the good-bye to a connection that is of no use.
const closeTime = time.Second

// giveUp closes the connection of a transaction if it belongs to a pool, which
// would give it to others: it leads to a server that takes no writes.
func giveUp(ctx context.Context, tx pgx.Tx) {
	if _, pooled := tx.(*pgxpool.Tx); !pooled {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	_ = tx.Conn().Close(ctx) // the rollback that follows finds it closed
}

// InOutbox is [Tx] with a transaction of an outbox, for handlers that insert
// events: those go with COMMIT, and the relay is woken.
func InOutbox[T any](ob *outbox.Outbox, consumer string, h func(ctx context.Context, tx *outbox.Tx, e outbox.Envelope[T]) error) func(ctx context.Context, e outbox.Envelope[T]) error {
	checkConsumer(consumer)
	return func(ctx context.Context, e outbox.Envelope[T]) error {
		return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			return once(ctx, tx, consumer, e.EventID, func() error { return h(ctx, tx, e) })
		})
	}
}

// Claim records the event's id in a transaction of the caller's, and reports
// whether this is the first time: false means that the event was handled before,
// and the transaction has nothing to do. It is what Tx is made of, for handlers
// that need another shape.
func Claim(ctx context.Context, tx outbox.Transaction, consumer string, eventID uuid.UUID) (bool, error) {
	if eventID == uuid.Nil {
		return false, errors.New("inbox: the event has no id, by which a repeat could be told")
	}
	n, err := inboxdb.New(tx).Claim(ctx, inboxdb.ClaimParams{Consumer: consumer, EventID: eventID})
	if err != nil {
		return false, fmt.Errorf("inbox: record event %s for consumer %s: %w%s", eventID, consumer, err, remedy(err, tx, claimPrivileges))
	}
	return n == 1, nil
}

func once(ctx context.Context, tx outbox.Transaction, consumer string, id uuid.UUID, h func() error) error {
	first, err := Claim(ctx, tx, consumer, id)
	if err != nil || !first {
		return err
	}
	return h()
}

// checkConsumer panics, since the name is written in code.
func checkConsumer(consumer string) {
	const limit = 255
	if consumer == "" || len(consumer) > limit {
		panic(fmt.Sprintf("inbox: the consumer's name %q must have 1 to %d bytes", consumer, limit))
	}
}
