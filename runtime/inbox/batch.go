package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox/inboxdb"
)

// TxBatch is [Tx] for a batch handler (consume.OnBatch): one transaction records the ids
// of all events and has the effects of h. h gets the events that were not handled before,
// in their order; if there are none, it is not called.
//
// If h returns an error, or panics, the transaction is rolled back, and no event of the
// batch is handled. That includes a consume.BatchError: TxBatch returns the error inside
// it, which then concerns the whole batch. After the last attempt the consumer hands the
// events over one by one, each in its own transaction.
func TxBatch[T any](db Beginner, consumer string, h func(ctx context.Context, tx pgx.Tx, batch []outbox.Envelope[T]) error) func(ctx context.Context, batch []outbox.Envelope[T]) error {
	return InTxBatch(inTx(db), consumer, h)
}

// InTxBatch is [TxBatch] with the transactions that inTx runs, as in [InTx].
func InTxBatch[T any, X outbox.Transaction](inTx func(ctx context.Context, fn func(ctx context.Context, tx X) error) error, consumer string, h func(ctx context.Context, tx X, batch []outbox.Envelope[T]) error) func(ctx context.Context, batch []outbox.Envelope[T]) error {
	checkConsumer(consumer)
	return func(ctx context.Context, batch []outbox.Envelope[T]) error {
		return asOne(inTx(ctx, func(ctx context.Context, tx X) error {
			first, err := unhandled(ctx, tx, consumer, batch)
			if err != nil || len(first) == 0 {
				return err
			}
			return h(ctx, tx, first)
		}))
	}
}

// ClaimAll is [Claim] for several events, in one statement. It reports for each of them
// whether this is the first time. If eventIDs has an id twice, it is false for the second
// one.
func ClaimAll(ctx context.Context, tx outbox.Transaction, consumer string, eventIDs []uuid.UUID) (first []bool, err error) {
	texts := make([]string, len(eventIDs)) // pgx knows []string in every query mode
	for i, id := range eventIDs {
		if id == uuid.Nil {
			return nil, errNoID
		}
		texts[i] = id.String()
	}
	claimed, err := inboxdb.New(tx).ClaimAll(ctx, inboxdb.ClaimAllParams{Consumer: consumer, EventIds: texts})
	if err != nil {
		return nil, fmt.Errorf("inbox: record %d events for consumer %s: %w%s", len(eventIDs), consumer, err, remedy(err, tx, claimPrivileges))
	}
	free := make(map[uuid.UUID]bool, len(claimed))
	for _, id := range claimed {
		free[id] = true
	}
	first = make([]bool, len(eventIDs))
	for i, id := range eventIDs {
		first[i] = free[id]
		delete(free, id)
	}
	return first, nil
}

// unhandled claims the events of a batch, and returns those that were not handled before.
func unhandled[T any](ctx context.Context, tx outbox.Transaction, consumer string, batch []outbox.Envelope[T]) ([]outbox.Envelope[T], error) {
	ids := make([]uuid.UUID, len(batch))
	for i := range batch {
		ids[i] = batch[i].EventID
	}
	claimed, err := ClaimAll(ctx, tx, consumer, ids)
	if err != nil {
		return nil, err
	}
	first := make([]outbox.Envelope[T], 0, len(batch))
	for i := range batch {
		if claimed[i] {
			first = append(first, batch[i])
		}
	}
	return first, nil
}

// asOne makes the error of one message one of the batch: the others are rolled back too.
func asOne(err error) error {
	failed, ok := errors.AsType[*consume.BatchError](err)
	if !ok {
		return err
	}
	if failed.Err == nil {
		return errors.New("inbox: the handler returned a BatchError without an error; the transaction of the batch is rolled back")
	}
	return fmt.Errorf("inbox: the transaction of the batch is rolled back: %w", failed.Err)
}
