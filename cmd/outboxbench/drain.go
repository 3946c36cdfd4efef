package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// inLog stands for the settlement of an outbox that is a log.
const inLog pgstore.Mode = "log"

// drain measures how long it takes to send rows that wait.
type drain struct {
	mode      pgstore.Mode
	unsettled int  // the relay's UnsettledRows; 0: its default
	held      bool // a transaction stays open, and the rows lie behind dead rows
	keep      bool // the rows of earlier measurements stay
	realKafka bool
	topic     string // of the bare loop; empty: that of the sample
}

func (d drain) variants(ctx context.Context, l *lab) ([]variant, error) {
	if d.realKafka { // skips the scenario where there is none
		k, err := l.realKafka(ctx)
		if err != nil {
			return nil, err
		}
		err = l.noteKafka(ctx, k)
		k.close()
		if err != nil {
			return nil, err
		}
	}
	return []variant{
		{"bare loop", bareLabel, 0, d.with(l, d.bare)},
		{"relay", oursLabel, 0, d.with(l, d.relay)},
	}, nil
}

func (d drain) with(l *lab, run drainer) measurement {
	return func(ctx context.Context) ([]float64, error) { return d.measure(ctx, l, run) }
}

// drainer sends and settles the rows that wait, and returns what that took. Then it
// calls late, which commits one more row if a transaction was held open.
type drainer func(ctx context.Context, l *lab, brokers []string, late func() error) (usage, error)

func (d drain) measure(ctx context.Context, l *lab, run drainer) (_ []float64, err error) {
	if d.mode == inLog {
		if l, err = l.withLog(ctx); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, l.withTable(context.WithoutCancel(ctx))) }()
	} else if !d.keep {
		if err := l.reset(ctx); err != nil {
			return nil, err
		}
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
	k, err := d.kafka(ctx, l)
	if err != nil {
		return nil, err
	}
	defer k.close()
	used, err := run(ctx, l, k.addrs, late)
	if err != nil {
		return nil, err
	}
	if err := d.verify(ctx, l, k); err != nil {
		return nil, err
	}
	return []float64{float64(l.rows) / used.took.Seconds(), used.server.Seconds(), used.client.Seconds(), float64(used.wal) / megabyte}, nil
}

func (d drain) kafka(ctx context.Context, l *lab) (*kafka, error) {
	if d.realKafka {
		return l.realKafka(ctx)
	}
	return l.kafka()
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
		FROM (SELECT `+l.ids()+` AS id, 'batch-' || lpad((i % $9)::text, 4, '0') AS key
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

// ids is SQL for the id of an event. A log has partitions for those that begin with a time, as
// the runtime's do.
func (l *lab) ids() string {
	if l.isLog {
		return "overlay(gen_random_uuid()::text PLACING left(event_outbox_id_at(clock_timestamp())::text, 13) FROM 1)::uuid"
	}
	return "gen_random_uuid()"
}

// withLog makes the outbox an empty log, and withTable an empty table again.
func (l *lab) withLog(ctx context.Context) (*lab, error) {
	inLog := *l
	inLog.isLog = true
	return &inLog, errors.Join(migrations.Down(ctx, l.admin), migrations.UpLog(ctx, l.admin))
}

func (l *lab) withTable(ctx context.Context) error {
	return errors.Join(migrations.Down(ctx, l.admin), migrations.Up(ctx, l.admin))
}

// verify checks the result: every row is in Kafka, and no row waits. The bare loop of a log
// has a cursor of its own.
func (d drain) verify(ctx context.Context, l *lab, k *kafka) error {
	sent, err := k.records(ctx)
	if err != nil {
		return err
	}
	var waiting int64
	if d.mode == inLog {
		if sent < int64(l.rows) {
			err = fmt.Errorf("%d of %d rows are in Kafka: the measurement is invalid", sent, l.rows)
		}
		return err
	}
	if err := l.admin.QueryRow(ctx, "SELECT count(*) FROM event_outbox WHERE published_at IS NULL").Scan(&waiting); err != nil {
		return err
	}
	if sent < int64(l.rows) || waiting > 1 {
		return fmt.Errorf("%d of %d rows are in Kafka and %d are pending: the measurement is invalid", sent, l.rows, waiting)
	}
	return nil
}
