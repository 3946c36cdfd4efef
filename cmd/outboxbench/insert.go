package main

import (
	"context"
	"fmt"
	"runtime/pprof"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// insertions compares what a transaction with an event costs with the barest code that
// sends the same row.
type insertions struct {
	writers int
	fsync   string // of the server
}

// insertColumns are what insertions and write measure for each variant. The time of
// processors, bytes and allocations are for each transaction.
var insertColumns = []string{"transactions/s", "server µs", "WAL bytes", "client µs", "allocs"}

// insertWays are the variants. The one at barestWay is the barest code, which the others are
// compared with.
var insertWays = []struct {
	name, label string
	with        func(*prepared) transaction
}{
	{"no event", "none", func(p *prepared) transaction { return p.eventless }},
	{"barest code", bareLabel, barestTransaction},
	{"the same, BEGIN on its own", "begin", barestWithBegin},
	{"event sent with COMMIT", "commit", func(p *prepared) transaction { return p.riding }},
	{"event in the update's batch", "batch", func(p *prepared) transaction { return p.batched }},
	{"event as a round trip", "round-trip", func(p *prepared) transaction { return p.roundTrip }},
}

const barestWay = 1

// variants returns variants that are measured together: each round gives every variant
// several short turns, because the speed of a machine changes within seconds.
func (i insertions) variants(ctx context.Context, l *lab) ([]variant, error) {
	l, err := l.withFsync(ctx, i.fsync)
	if err != nil {
		return nil, err
	}
	r := &insertRound{insertions: i, lab: l}
	var out []variant
	for n, way := range insertWays {
		out = append(out, variant{way.name, way.label, barestWay, func(ctx context.Context) ([]float64, error) {
			if n == 0 {
				if err := r.run(ctx); err != nil {
					return nil, err
				}
			}
			return r.results[n], nil
		}})
	}
	return out, nil
}

// insertRound measures all variants once.
type insertRound struct {
	insertions
	lab     *lab
	results [][]float64 // of each variant
}

// insertTurns is how many turns a variant has in a round.
const insertTurns = 5

func (r *insertRound) run(ctx context.Context) error {
	l := r.lab
	if err := l.newBatches(ctx); err != nil {
		return err
	}
	p, err := l.prepare(ctx, r.writers)
	if err != nil {
		return err
	}
	defer p.close()
	sums := make([]usage, len(insertWays))
	for turn := range insertTurns + 1 { // the first warms up
		for i, way := range insertWays {
			var used usage
			pprof.Do(ctx, pprof.Labels("variant", way.label), func(ctx context.Context) {
				used, err = l.use(ctx, r.writers, way.with(p), l.effort.writing/insertTurns)
			})
			if err != nil {
				return fmt.Errorf("%s: %w", way.name, err)
			}
			if turn > 0 {
				sums[i].add(used)
			}
		}
	}
	r.results = nil
	for _, u := range sums {
		r.results = append(r.results, u.each())
	}
	return nil
}

// use measures transactions for a time.
func (l *lab) use(ctx context.Context, writers int, do transaction, d time.Duration) (usage, error) {
	var n int64
	u, err := l.during(ctx, func() (err error) {
		n, err = runWriters(ctx, writers, do, d)
		return err
	})
	u.transactions = n
	return u, err
}

// prepared has what the variants share. The events and rows exist before the clock starts.
type prepared struct {
	pool   *pgxpool.Pool
	outbox *outbox.Outbox
	events []events.EssayGradedV1
	rows   []outbox.Row
}

func (l *lab) prepare(ctx context.Context, writers int) (*prepared, error) {
	p := &prepared{}
	for n := range keys {
		event := sample(n)
		row, err := event.NewRow(ctx)
		if err != nil {
			return nil, err
		}
		p.events, p.rows = append(p.events, event), append(p.rows, row)
	}
	pool, err := l.pool(ctx, int32(writers))
	if err != nil {
		return nil, err
	}
	p.pool, p.outbox = pool, outbox.New(pool, outbox.Options{Logger: l.log})
	return p, nil
}

func (p *prepared) close() {
	p.outbox.Close()
	p.pool.Close()
}

// barestInsert is the statement of the barest code.
const barestInsert = `INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, headers)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// barestTransaction sends a row that is ready except for its id: BEGIN with the update, and
// the INSERT with COMMIT.
func barestTransaction(p *prepared) transaction {
	return func(ctx context.Context, n int) error {
		conn, err := p.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // closes the connection unless it is idle
		var batch pgx.Batch
		batch.Queue("begin")
		batch.Queue(update, batchID(n))
		if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
		return insertAndCommit(ctx, conn, &p.rows[n])
	}
}

// barestWithBegin is barestTransaction with one round trip more, for BEGIN.
func barestWithBegin(p *prepared) transaction {
	return func(ctx context.Context, n int) error {
		conn, err := p.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release() // closes the connection unless it is idle
		if _, err := conn.Exec(ctx, "begin"); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, update, batchID(n)); err != nil {
			return err
		}
		return insertAndCommit(ctx, conn, &p.rows[n])
	}
}

func insertAndCommit(ctx context.Context, conn *pgxpool.Conn, r *outbox.Row) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	var batch pgx.Batch
	batch.Queue(barestInsert, pgtype.UUID{Bytes: id, Valid: true}, r.AggregateType, r.AggregateID, r.EventType, r.Topic, r.Key, r.Data, r.Headers)
	var tag pgconn.CommandTag
	batch.Queue("commit").Exec(func(t pgconn.CommandTag) error { tag = t; return nil })
	if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	if tag.String() != "COMMIT" {
		return fmt.Errorf("COMMIT answered %s", tag)
	}
	return nil
}

func (p *prepared) riding(ctx context.Context, n int) error {
	return p.outbox.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		if _, err := tx.Exec(ctx, update, batchID(n)); err != nil {
			return err
		}
		return events.InsertEssayGradedV1(ctx, tx, p.events[n])
	})
}

func (p *prepared) batched(ctx context.Context, n int) error {
	return p.outbox.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		var batch pgx.Batch
		batch.Queue(update, batchID(n))
		if err := events.QueueEssayGradedV1(ctx, &batch, p.events[n]); err != nil {
			return err
		}
		return tx.SendBatch(ctx, &batch).Close()
	})
}

func (p *prepared) roundTrip(ctx context.Context, n int) error {
	return pgx.BeginFunc(ctx, p.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, update, batchID(n)); err != nil {
			return err
		}
		return events.InsertEssayGradedV1(ctx, tx, p.events[n])
	})
}
