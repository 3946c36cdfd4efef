package main

import (
	"context"

	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// bulkColumns are what bulk measures. All but the first are for each event.
var bulkColumns = []string{perSecond, "server µs", "WAL bytes", "client µs", "allocs"}

// bulkInsert inserts events in a transaction.
type bulkInsert func(ctx context.Context, tx pgx.Tx, list []events.EssayGradedV1) error

func bulkVariants(_ context.Context, l *lab) ([]variant, error) {
	many, few := l.effort.bulk, max(1, l.effort.bulk/6)
	return []variant{
		{"COPY of ready rows", bareLabel, 0, l.bulk(many, nil)},
		{"Insert, one by one", "single", 0, l.bulk(few, insertSingly)},
		{"Queue on a pgx.Batch", "batch", 0, l.bulk(many, insertByBatch)},
		{"InsertAll (unnest)", "unnest", 0, l.bulk(many, insertAll)},
	}, nil
}

// bulk measures transactions that insert events. Without an insert it copies rows.
func (l *lab) bulk(transactions int, insert bulkInsert) measurement {
	return func(ctx context.Context) ([]float64, error) {
		if err := l.reset(ctx); err != nil {
			return nil, err
		}
		conn, err := pgx.Connect(ctx, l.url)
		if err != nil {
			return nil, err
		}
		defer conn.Close(ctx) //nolint:errcheck // nothing depends on the goodbye
		var sum usage
		for i := range transactions + 1 { // the first warms up
			list := make([]events.EssayGradedV1, l.effort.bulkBatch)
			for n := range list {
				list[n] = sample(n)
			}
			do := insert
			if do == nil {
				if do, err = copyReady(ctx, list); err != nil {
					return nil, err
				}
			}
			used, err := l.during(ctx, func() error {
				return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return do(ctx, tx, list) })
			})
			if err != nil {
				return nil, err
			}
			if i > 0 {
				used.transactions = int64(len(list))
				sum.add(used)
			}
		}
		return sum.each(), nil
	}
}

// copyReady inserts rows with COPY. They are made before the clock starts.
func copyReady(ctx context.Context, list []events.EssayGradedV1) (bulkInsert, error) {
	rows := make([][]any, len(list))
	for i, e := range list {
		r, err := e.NewRow(ctx)
		if err != nil {
			return nil, err
		}
		rows[i] = []any{r.ID, r.AggregateType, r.AggregateID, r.EventType, r.Topic, r.Key, r.Data, r.Headers}
	}
	return func(ctx context.Context, tx pgx.Tx, _ []events.EssayGradedV1) error {
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"event_outbox"},
			[]string{"id", "aggregate_type", "aggregate_id", "event_type", "topic", "event_key", "event_data", "headers"},
			pgx.CopyFromRows(rows))
		return err
	}, nil
}

func insertSingly(ctx context.Context, tx pgx.Tx, list []events.EssayGradedV1) error {
	for _, e := range list {
		if err := events.InsertEssayGradedV1(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

func insertByBatch(ctx context.Context, tx pgx.Tx, list []events.EssayGradedV1) error {
	var batch pgx.Batch
	for _, e := range list {
		if err := events.QueueEssayGradedV1(ctx, &batch, e); err != nil {
			return err
		}
	}
	return tx.SendBatch(ctx, &batch).Close()
}

func insertAll(ctx context.Context, tx pgx.Tx, list []events.EssayGradedV1) error {
	all := make([]outbox.Event, len(list))
	for i, e := range list {
		all[i] = e
	}
	return events.InsertAll(ctx, tx, all...)
}
