package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// drain measures how long it takes to send rows that wait.
type drain struct {
	mode      pgstore.Mode
	unsettled int  // the relay's UnsettledRows; 0: its default
	held      bool // a transaction stays open, and the rows lie behind dead rows
}

func (d drain) variants(_ context.Context, l *lab) ([]variant, error) {
	return []variant{
		{"bare loop", bareLabel, func(ctx context.Context) ([]float64, error) { return d.measure(ctx, l, d.bare) }},
		{"relay", oursLabel, func(ctx context.Context) ([]float64, error) { return d.measure(ctx, l, d.relay) }},
	}, nil
}

// drainer sends and settles the rows that wait, and returns how long that took. Then it
// calls late, which commits one more row if a transaction was held open.
type drainer func(ctx context.Context, l *lab, brokers []string, late func() error) (time.Duration, error)

func (d drain) measure(ctx context.Context, l *lab, run drainer) (_ []float64, err error) {
	if err := l.reset(ctx); err != nil {
		return nil, err
	}
	late := func() error { return nil }
	if d.held {
		hold, err := l.hold(ctx)
		if err != nil {
			return nil, err
		}
		defer hold.Close(ctx) //nolint:errcheck // nothing depends on the goodbye
		late = func() error { _, err := hold.Exec(ctx, "COMMIT"); return err }
		if err := l.seedDead(ctx); err != nil {
			return nil, err
		}
	}
	if err := l.fill(ctx); err != nil {
		return nil, err
	}
	kafka, err := l.kafka()
	if err != nil {
		return nil, err
	}
	defer kafka.Close()
	took, err := run(ctx, l, kafka.ListenAddrs(), late)
	if err != nil {
		return nil, err
	}
	if err := l.verify(ctx, kafka.ListenAddrs()); err != nil {
		return nil, err
	}
	return []float64{float64(l.rows) / took.Seconds()}, nil
}

// fill inserts the rows that wait.
func (l *lab) fill(ctx context.Context) error {
	if err := l.seed(ctx, l.rows); err != nil {
		return err
	}
	for _, sql := range []string{"VACUUM ANALYZE event_outbox", "CHECKPOINT"} {
		if _, err := l.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// seed inserts rows as the insert functions would, in one statement. Each has
// its own event id in its data.
func (l *lab) seed(ctx context.Context, rows int) error {
	row, err := sample(0).NewRow(ctx)
	if err != nil {
		return err
	}
	var headers *string
	if l.headers {
		text := string(row.Headers)
		headers = &text
	}
	_, err = l.admin.Exec(ctx, `
		INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers)
		SELECT id, $2, key, $3, $4, key,
		       replace(replace($5, $7, id::text), $8, key)::json, replace($6::text, $7, id::text)::json
		FROM (SELECT gen_random_uuid() AS id, 'batch-' || lpad((i % $9)::text, 4, '0') AS key
		      FROM generate_series(1, $1::integer) AS i) AS made`,
		rows, row.AggregateType, row.EventType, row.Topic, string(row.Data), headers, row.ID.String(), row.AggregateID, keys)
	if err != nil {
		return fmt.Errorf("insert rows: %w", err)
	}
	return nil
}

// seedDead inserts rows and deletes them again.
func (l *lab) seedDead(ctx context.Context) error {
	if err := l.seed(ctx, l.rows); err != nil {
		return err
	}
	_, err := l.admin.Exec(ctx, "DELETE FROM event_outbox")
	return err
}

// hold opens a transaction that has inserted an event and stays open.
func (l *lab) hold(ctx context.Context) (_ *pgx.Conn, err error) {
	conn, err := pgx.Connect(ctx, l.url)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close(ctx))
		}
	}()
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ"); err != nil {
		return nil, err
	}
	holder := *l
	holder.admin = conn
	return conn, holder.seed(ctx, 1)
}

// verify checks the result: every row is in Kafka, and no row waits.
func (l *lab) verify(ctx context.Context, brokers []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	sent, err := ends(ctx, kadm.NewClient(client))
	if err != nil {
		return err
	}
	var waiting int64
	if err := l.admin.QueryRow(ctx, "SELECT count(*) FROM event_outbox WHERE published_at IS NULL").Scan(&waiting); err != nil {
		return err
	}
	if sent < int64(l.rows) || waiting > 1 {
		return fmt.Errorf("%d of %d rows are in Kafka and %d are pending: the measurement is invalid", sent, l.rows, waiting)
	}
	return nil
}
