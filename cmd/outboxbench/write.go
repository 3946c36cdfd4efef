package main

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

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
		{"no event", bareLabel, 0, l.writes(func(p *prepared) transaction { return p.eventless })},
		{"event sent with COMMIT", "commit", 0, l.writes(func(p *prepared) transaction { return p.riding })},
		{"event in the update's batch", "batch", 0, l.writes(func(p *prepared) transaction { return p.batched })},
		{"event as a round trip", "round-trip", 0, l.writes(func(p *prepared) transaction { return p.roundTrip })},
		{"the same, pg_notify inside", "notify", 0, l.writes(func(p *prepared) transaction { return p.notifying })},
	}, nil
}

// writes measures transactions of the writers.
func (l *lab) writes(with func(*prepared) transaction) measurement {
	return func(ctx context.Context) ([]float64, error) {
		if err := l.newBatches(ctx); err != nil {
			return nil, err
		}
		p, err := l.prepare(ctx, writers)
		if err != nil {
			return nil, err
		}
		defer p.close()
		do := with(p)
		if _, err := runWriters(ctx, writers, do, l.effort.writing/10); err != nil {
			return nil, err
		}
		used, err := l.use(ctx, writers, do, l.effort.writing)
		return used.each(), err
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

func (p *prepared) eventless(ctx context.Context, n int) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, update, batchID(n))
		return err
	})
}

func (p *prepared) notifying(ctx context.Context, n int) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, update, batchID(n)); err != nil {
			return err
		}
		if err := events.InsertEssayGradedV1(ctx, tx, p.events[n]); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "SELECT pg_notify('outboxbench', '')")
		return err
	})
}
