package outbox_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
)

// BenchmarkCommit compares the ways to get an event into a transaction that
// updates one row. Each goroutine has a row of its own.
func BenchmarkCommit(b *testing.B) {
	pg := newDatabase(b)
	if _, err := pg.Pool.Exec(b.Context(), `insert into essay select 'b' || n, 0 from generate_series(1, 64) n`); err != nil {
		b.Fatal(err)
	}
	ob := newOutbox(b, pg.Pool, outbox.Options{})
	run := func(name string, transaction func(ctx context.Context, essay string) error) {
		b.Run(name, func(b *testing.B) {
			var goroutine atomic.Int64
			b.SetParallelism(4)
			b.ReportAllocs()
			b.RunParallel(func(loop *testing.PB) {
				essay := "b" + key(int(goroutine.Add(1)))
				for loop.Next() {
					if err := transaction(b.Context(), essay); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
		})
	}
	run("no event", func(ctx context.Context, essay string) error {
		return pgx.BeginFunc(ctx, pg.Pool, func(tx pgx.Tx) error { _, err := raise(ctx, tx, essay); return err })
	})
	run("riding with COMMIT", func(ctx context.Context, essay string) error {
		return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			grade, err := raise(ctx, tx, essay)
			return errors.Join(err, InsertGraded(ctx, tx, Graded{EssayID: essay, Grade: grade}))
		})
	})
	row, err := event(1).NewRow(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	run("riding with COMMIT, the barest code", func(ctx context.Context, essay string) error {
		return pg.Pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
			tx, err := conn.Begin(ctx)
			if err != nil {
				return err
			}
			if _, err := raise(ctx, tx, essay); err != nil {
				return err
			}
			var batch pgx.Batch
			batch.Queue(insertEvent, uuid.New(), row.AggregateType, essay, row.EventType, row.Topic, row.Key, row.Data, row.Headers)
			batch.Queue("commit")
			return conn.SendBatch(ctx, &batch).Close()
		})
	})
	run("at once, on a plain pgx.Tx", func(ctx context.Context, essay string) error {
		return pgx.BeginFunc(ctx, pg.Pool, func(tx pgx.Tx) error {
			grade, err := raise(ctx, tx, essay)
			return errors.Join(err, InsertGraded(ctx, tx, Graded{EssayID: essay, Grade: grade}))
		})
	})
	run("in a batch with the update", func(ctx context.Context, essay string) error {
		return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			var batch pgx.Batch
			batch.Queue(`update essay set grade = grade + 1 where id = $1`, essay)
			err := gen.Queue(ctx, &batch, insertRows, Graded{EssayID: essay, Grade: 1})
			return errors.Join(err, tx.SendBatch(ctx, &batch).Close())
		})
	})
}

// ready is an event whose row is made already.
type ready outbox.Row

func (r ready) NewRow(context.Context, ...outbox.Option) (outbox.Row, error) {
	return outbox.Row(r), nil
}

// BenchmarkInsertAll compares InsertAll to its own statement with rows that are
// there already, and to COPY. What lies between the first two is the building of
// envelopes; the rest is the server's.
func BenchmarkInsertAll(b *testing.B) {
	pg := newDatabase(b)
	ob := newOutbox(b, pg.Pool, outbox.Options{})
	events := repeat(event(1), 1000)
	rows := make([]outbox.Row, len(events))
	for i, e := range events {
		var err error
		if rows[i], err = e.NewRow(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	run := func(name string, transaction func(ctx context.Context) error) {
		b.Run(name, func(b *testing.B) {
			if _, err := pg.Pool.Exec(b.Context(), `truncate event_outbox`); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for i := range rows {
					rows[i].ID = uuid.Must(uuid.NewV7())
				}
				if err := transaction(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*len(events))/b.Elapsed().Seconds(), "events/s")
		})
	}
	run("InsertAll", func(ctx context.Context) error {
		return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			return gen.InsertAll(ctx, tx, insertRows, events...)
		})
	})
	run("its statement, rows at hand", func(ctx context.Context) error {
		made := make([]outbox.Event, len(rows))
		for i, row := range rows {
			made[i] = ready(row)
		}
		return pgx.BeginFunc(ctx, pg.Pool, func(tx pgx.Tx) error {
			return gen.InsertAll(ctx, tx, insertRows, made...)
		})
	})
	run("COPY, rows at hand", func(ctx context.Context) error {
		return pgx.BeginFunc(ctx, pg.Pool, func(tx pgx.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"event_outbox"},
				[]string{"id", "aggregate_type", "aggregate_id", "event_type", "topic", "event_key", "event_data", "headers"},
				pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
					r := rows[i]
					return []any{r.ID, r.AggregateType, r.AggregateID, r.EventType, r.Topic, r.Key, r.Data, r.Headers}, nil
				}))
			return err
		})
	})
}

func BenchmarkNewRow(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := graded.NewRow(b.Context(), event(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	recorder := &outboxtest.Recorder{}
	if err := InsertGraded(b.Context(), recorder, event(1)); err != nil {
		b.Fatal(err)
	}
	value := recorder.Rows()[0].Data
	b.ReportAllocs()
	for b.Loop() {
		if _, err := graded.Decode(value); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkInsert measures an insert without a database: building the row and the
// statement's arguments, with a fake transaction.
func BenchmarkInsert(b *testing.B) {
	for name, n := range map[string]int{"one": 1, "many": 100} {
		events := repeat(event(1), n)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := gen.InsertAll(b.Context(), accepting{int64(n)}, insertRows, events...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// accepting is a fake transaction that accepts every row, and stores none.
type accepting struct{ rows int64 }

func (n accepting) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	return pgconn.NewCommandTag("INSERT 0 " + strconv.FormatInt(n.rows, 10)), nil
}
func (accepting) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errBusiness }
func (accepting) QueryRow(context.Context, string, ...any) pgx.Row        { return nil }
func (accepting) Rollback(context.Context) error                          { return nil }
