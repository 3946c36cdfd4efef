package main

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

const (
	writers = 8
	update  = "UPDATE batches SET graded = graded + 1 WHERE id = $1"
)

// transaction runs one business transaction, for the batch with this number.
type transaction func(ctx context.Context, n int) error

func writeVariants(_ context.Context, l *lab) ([]variant, error) {
	return []variant{
		{"no event", bareLabel, 0, l.writes(bareTransaction)},
		{"event sent with COMMIT", "commit", 0, l.writes(ridingTransaction)},
		{"event in the update's batch", "batch", 0, l.writes(batchTransaction)},
		{"event as a round trip", "round-trip", 0, l.writes(roundTripTransaction(false))},
		{"the same, pg_notify inside", "notify", 0, l.writes(roundTripTransaction(true))},
	}, nil
}

// writes measures transactions of the writers.
func (l *lab) writes(with func(*pgxpool.Pool, *outbox.Outbox) transaction) measurement {
	return func(ctx context.Context) ([]float64, error) {
		if err := l.newBatches(ctx); err != nil {
			return nil, err
		}
		pool, err := l.pool(ctx, writers)
		if err != nil {
			return nil, err
		}
		defer pool.Close()
		ob := outbox.New(pool, outbox.Options{Logger: l.log})
		defer ob.Close()
		do := with(pool, ob)
		if _, err := runWriters(ctx, writers, do, l.effort.writing/10); err != nil {
			return nil, err
		}
		n, err := runWriters(ctx, writers, do, l.effort.writing)
		return []float64{float64(n) / l.effort.writing.Seconds()}, err
	}
}

// newBatches empties the tables and inserts the batches.
func (l *lab) newBatches(ctx context.Context) error {
	if err := l.reset(ctx); err != nil {
		return err
	}
	_, err := l.admin.Exec(ctx, "INSERT INTO batches (id) SELECT 'batch-' || lpad(i::text, 4, '0') FROM generate_series(0, $1::integer - 1) AS i", keys)
	return err
}

// runWriters counts the transactions that the writers begin within the time, at least
// one each.
func runWriters(ctx context.Context, writers int, do transaction, during time.Duration) (int64, error) {
	var count atomic.Int64
	end := time.Now().Add(during)
	var all errgroup.Group
	for range writers {
		all.Go(func() error {
			for again := true; again; again = time.Now().Before(end) {
				if err := do(ctx, rand.IntN(keys)); err != nil {
					return err
				}
				count.Add(1)
			}
			return nil
		})
	}
	err := all.Wait()
	return count.Load(), err
}

func bareTransaction(pool *pgxpool.Pool, _ *outbox.Outbox) transaction {
	return func(ctx context.Context, n int) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, update, batchID(n))
			return err
		})
	}
}

func ridingTransaction(_ *pgxpool.Pool, ob *outbox.Outbox) transaction {
	return func(ctx context.Context, n int) error {
		return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			if _, err := tx.Exec(ctx, update, batchID(n)); err != nil {
				return err
			}
			return events.InsertEssayGradedV1(ctx, tx, sample(n))
		})
	}
}

func batchTransaction(_ *pgxpool.Pool, ob *outbox.Outbox) transaction {
	return func(ctx context.Context, n int) error {
		return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			var batch pgx.Batch
			batch.Queue(update, batchID(n))
			if err := events.QueueEssayGradedV1(ctx, &batch, sample(n)); err != nil {
				return err
			}
			return tx.SendBatch(ctx, &batch).Close()
		})
	}
}

func roundTripTransaction(notify bool) func(*pgxpool.Pool, *outbox.Outbox) transaction {
	return func(pool *pgxpool.Pool, _ *outbox.Outbox) transaction {
		return func(ctx context.Context, n int) error {
			return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, update, batchID(n)); err != nil {
					return err
				}
				if err := events.InsertEssayGradedV1(ctx, tx, sample(n)); err != nil || !notify {
					return err
				}
				_, err := tx.Exec(ctx, "SELECT pg_notify('outboxbench', '')")
				return err
			})
		}
	}
}
