package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// steadyBatch is the number of events in a transaction of steady.
const steadyBatch = 50

// steadyVariants measure a load that stays the same.
func steadyVariants(_ context.Context, l *lab) ([]variant, error) {
	keep := l.effort.steady / 10
	relayKeeps := relay.Config{Keep: keep, SweepEvery: max(keep/10, time.Second)}
	return []variant{
		{"bare loop, UPDATE", bareLabel, 0, l.steady(bareLoop{mode: pgstore.Mark, keep: keep}.carrier(l, l.byNotify))},
		{"relay, settle: mark", oursLabel, 0, l.steady(l.postgresCarrier(pgstore.Mark, relayKeeps))},
		{"bare loop, DELETE", bareLabel, 2, l.steady(bareLoop{mode: pgstore.Delete}.carrier(l, l.byNotify))},
		{"relay, settle: delete", oursLabel, 2, l.steady(l.postgresCarrier(pgstore.Delete, relay.Config{}))},
	}, nil
}

// tableSize is the size of the outbox and its indexes, and its dead tuples.
type tableSize struct{ dead, megabytes float64 }

func (l *lab) tableSize(ctx context.Context) (s tableSize, err error) {
	err = l.admin.QueryRow(ctx, `SELECT pg_stat_get_dead_tuples(oid), pg_total_relation_size(oid) / 1048576.0
		FROM pg_class WHERE oid = 'event_outbox'::regclass`).Scan(&s.dead, &s.megabytes)
	return s, err
}

func (l *lab) steady(start carrier) measurement {
	return func(ctx context.Context) (_ []float64, err error) {
		if err := l.reset(ctx); err != nil {
			return nil, err
		}
		carried, err := l.carried(ctx, start)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, carried.end()) }()
		ctx, cancel := context.WithTimeout(ctx, l.effort.steady+stall)
		defer cancel()

		pause := steadyBatch * time.Second / time.Duration(l.effort.steadyRate)
		batches := max(2, int(l.effort.steady/pause))
		commits, arrivals := make([]time.Time, batches), make([]time.Time, batches*steadyBatch)
		var consumer errgroup.Group
		consumer.Go(func() error {
			missing := len(arrivals)
			return carried.consume(ctx, func(e envelope, at time.Time) bool {
				if n := e.Data.Number - 1; arrivals[n].IsZero() {
					arrivals[n] = at
					missing--
				}
				return missing == 0
			})
		})
		var half, end tableSize
		used, err := l.during(ctx, func() error {
			began := time.Now()
			for n := range batches {
				if n == batches/2 {
					if half, err = l.tableSize(ctx); err != nil {
						return err
					}
				}
				if !wait.For(ctx, time.Until(began.Add(time.Duration(n)*pause))) {
					return ctx.Err()
				}
				if commits[n], err = insertBatch(ctx, carried.outbox, n); err != nil {
					return err
				}
			}
			end, err = l.tableSize(ctx)
			return err
		})
		if err != nil {
			cancel()
		}
		if err := errors.Join(err, consumer.Wait()); err != nil {
			return nil, err
		}
		waits := make([]float64, len(arrivals))
		for n, at := range arrivals {
			waits[n] = milliseconds(commits[n/steadyBatch], at)
		}
		middle := len(waits) / 2
		first, second := percentile(waits[:middle], 99), percentile(waits[middle:], 99)
		return append([]float64{
			percentile(waits, 50), percentile(waits, 99), first, second,
			half.dead, end.dead, half.megabytes, end.megabytes,
		}, used.total()...), nil
	}
}

// insertBatch inserts the n-th batch of events, which are numbered from 1, and returns when it
// was committed.
func insertBatch(ctx context.Context, ob *outbox.Outbox, n int) (time.Time, error) {
	err := ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		list := make([]outbox.Event, steadyBatch)
		for i := range list {
			e := sample(n*steadyBatch + i)
			e.Number = int64(n*steadyBatch + i + 1)
			list[i] = e
		}
		return events.InsertAll(ctx, tx, list...)
	})
	return time.Now(), err
}
