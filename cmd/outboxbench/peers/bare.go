package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// bare is a loop as people write it first, one step after the other. With it these
// numbers can be compared with those of outboxbench, whose bare loop overlaps the
// steps.
var bare = peer{
	name: "bare loop, one step after the other",
	prepare: func(ctx context.Context, pool *pgxpool.Pool, rows int) error {
		_, err := pool.Exec(ctx, `
			CREATE TABLE outbox (seq bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, key text NOT NULL, data json NOT NULL, published_at timestamptz);
			CREATE INDEX ON outbox (seq) WHERE published_at IS NULL`)
		if err != nil {
			return err
		}
		_, err = pool.CopyFrom(ctx, pgx.Identifier{"outbox"}, []string{"key", "data"},
			pgx.CopyFromSlice(rows, func(n int) ([]any, error) { return []any{key(n), payload(n)}, nil }))
		return err
	},
	drain: func(ctx context.Context, pool *pgxpool.Pool, client *kgo.Client, _ int) (time.Duration, error) {
		const page = 5_000
		start := time.Now()
		for after := int64(0); ; {
			rows, err := pool.Query(ctx, `SELECT seq, key, data::text FROM outbox WHERE published_at IS NULL AND seq > $1 ORDER BY seq LIMIT $2`, after, page)
			if err != nil {
				return 0, err
			}
			var seqs []int64
			var records []*kgo.Record
			for rows.Next() {
				var seq int64
				r := &kgo.Record{Topic: topic}
				if err := rows.Scan(&seq, &r.Key, &r.Value); err != nil {
					return 0, err
				}
				seqs, records = append(seqs, seq), append(records, r)
			}
			if err := rows.Err(); err != nil {
				return 0, err
			}
			if len(seqs) == 0 {
				return time.Since(start), nil
			}
			after = seqs[len(seqs)-1]
			if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
				return 0, err
			}
			if _, err := pool.Exec(ctx, `UPDATE outbox SET published_at = now() WHERE seq = ANY($1)`, seqs); err != nil {
				return 0, err
			}
		}
	},
}

// verify makes sure that every row is in Kafka.
func verify(ctx context.Context, client *kgo.Client, rows int) error {
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	var sent int64
	ends.Each(func(o kadm.ListedOffset) { sent += o.Offset })
	if sent < int64(rows) {
		return fmt.Errorf("%d of %d rows are in Kafka: the measurement is void", sent, rows)
	}
	return nil
}
