package endtoend_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

var errChangedMind = errors.New("changed my mind")

// insert inserts an event with a name, by which the test finds it.
func insert(ctx context.Context, tx outbox.Transaction, name string) error {
	e := essay
	e.BatchID = name
	return events.InsertEssayGradedV1(ctx, tx, e)
}

// refused runs a statement that the database refuses.
func refused(ctx context.Context, tx pgx.Tx) { _, _ = tx.Exec(ctx, `select 1 / 0`) }

// attempt is a transaction, the names of the events that it must leave, and the
// error that it must end with.
type attempt struct {
	name string
	run  func(p *path) error
	left []string
	err  error
}

func (p *path) inTx(fn func(ctx context.Context, tx *outbox.Tx) error) error {
	return p.ob.InTx(p.t.Context(), fn)
}

var attempts = []attempt{
	{
		name: "committed", left: []string{"commit"},
		run: func(p *path) error {
			return p.inTx(func(ctx context.Context, tx *outbox.Tx) error { return insert(ctx, tx, "commit") })
		},
	},
	{
		name: "rolled back", err: errChangedMind,
		run: func(p *path) error {
			return p.inTx(func(ctx context.Context, tx *outbox.Tx) error {
				return errors.Join(insert(ctx, tx, "rollback"), errChangedMind)
			})
		},
	},
	{
		name: "COMMIT answers ROLLBACK", err: pgx.ErrTxCommitRollback,
		run: func(p *path) error {
			return p.inTx(func(ctx context.Context, tx *outbox.Tx) error {
				err := insert(ctx, tx, "aborted")
				refused(ctx, tx)
				return err
			})
		},
	},
	{
		name: "a savepoint rolled back, another released", left: []string{"before", "released", "after"},
		run: func(p *path) error {
			return p.inTx(func(ctx context.Context, tx *outbox.Tx) error {
				err := insert(ctx, tx, "before")
				undone := pgx.BeginFunc(ctx, tx, func(nested pgx.Tx) error {
					return errors.Join(insert(ctx, nested, "undone"), errChangedMind)
				})
				if !errors.Is(undone, errChangedMind) {
					return fmt.Errorf("the savepoint ended with %w", undone)
				}
				return errors.Join(err,
					pgx.BeginFunc(ctx, tx, func(nested pgx.Tx) error { return insert(ctx, nested, "released") }),
					insert(ctx, tx, "after"))
			})
		},
	},
	{
		name: "a savepoint around a failed statement", left: []string{"kept", "second try"},
		run: func(p *path) error {
			return p.inTx(func(ctx context.Context, tx *outbox.Tx) error {
				err := insert(ctx, tx, "kept")
				nested, beginErr := tx.Begin(ctx)
				if beginErr != nil {
					return beginErr
				}
				err = errors.Join(err, insert(ctx, nested, "first try"))
				refused(ctx, nested)
				return errors.Join(err, nested.Rollback(ctx), insert(ctx, tx, "second try"))
			})
		},
	},
	{
		name: "a raw savepoint rolled back to", left: []string{"raw before", "raw after"},
		run: func(p *path) error {
			return p.inTx(func(ctx context.Context, tx *outbox.Tx) error {
				exec := func(sql string) error { _, err := tx.Exec(ctx, sql); return err }
				return errors.Join(insert(ctx, tx, "raw before"), exec("savepoint s"),
					insert(ctx, tx, "raw undone"), exec("rollback to savepoint s"), insert(ctx, tx, "raw after"))
			})
		},
	},
	{
		name: "any pgx.Tx", left: []string{"plain", "plain released"},
		run: func(p *path) error {
			ctx := p.t.Context()
			return pgx.BeginFunc(ctx, p.pg.Pool, func(tx pgx.Tx) error {
				err := insert(ctx, tx, "plain")
				_ = pgx.BeginFunc(ctx, tx, func(nested pgx.Tx) error {
					return errors.Join(insert(ctx, nested, "plain undone"), errChangedMind)
				})
				return errors.Join(err,
					pgx.BeginFunc(ctx, tx, func(nested pgx.Tx) error { return insert(ctx, nested, "plain released") }))
			})
		},
	},
	{
		name: "any pgx.Tx rolled back", err: errChangedMind,
		run: func(p *path) error {
			ctx := p.t.Context()
			return pgx.BeginFunc(ctx, p.pg.Pool, func(tx pgx.Tx) error {
				return errors.Join(insert(ctx, tx, "plain rollback"), errChangedMind)
			})
		},
	},
	{
		name: "a query that finds nothing", err: pgx.ErrNoRows,
		run: func(p *path) error {
			return p.inTx(func(ctx context.Context, tx *outbox.Tx) error {
				var none int
				return errors.Join(insert(ctx, tx, "no rows"), tx.QueryRow(ctx, `select 1 where false`).Scan(&none))
			})
		},
	},
	{
		name: "committed again", left: []string{"last"},
		run: func(p *path) error {
			return p.inTx(func(ctx context.Context, tx *outbox.Tx) error { return insert(ctx, tx, "last") })
		},
	},
}

// In every way to end a transaction or a savepoint, rows, records and the error agree:
// after a rollback there is neither row nor record, after a commit both exist. The
// relay runs all the time, so it would see an event of an unfinished transaction.
func TestAtomicityBothWays(t *testing.T) {
	each(t, func(p *path) {
		p.relay()
		var want []string
		for _, a := range attempts {
			if err := a.run(p); !errors.Is(err, a.err) {
				p.t.Errorf("%s: the transaction ended with %v, want %v", a.name, err, a.err)
			}
			want = append(want, a.left...)
		}
		p.panics()
		p.published(len(want))
		var rows []string
		for _, r := range p.rows() {
			rows = append(rows, *r.Key)
		}
		equal(p.t, "the rows", want, rows)
		var records []string
		for _, r := range p.records(topic) {
			records = append(records, string(r.Key))
		}
		if diff := cmp.Diff(want, records, cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			p.t.Errorf("the records (-want +got):\n%s", diff)
		}
	}, topic)
}

// panics runs a transaction that panics.
func (p *path) panics() {
	defer func() {
		if recover() == nil {
			p.t.Error("InTx swallows a panic")
		}
	}()
	_ = p.inTx(func(ctx context.Context, tx *outbox.Tx) error {
		must(p.t, insert(ctx, tx, "panic"))
		panic("the function gives up")
	})
}

// The business row and the event both exist, or neither: a grade that the database
// refuses at the end of the transaction leaves no event.
func TestBusinessRowsAndEventsGoTogether(t *testing.T) {
	each(t, func(p *path) {
		ctx := p.t.Context()
		_, err := p.pg.Pool.Exec(ctx, `alter table grades add constraint cheat exclude using btree (score with =) deferrable initially deferred`)
		must(p.t, err)
		must(p.t, p.grade.CreateBatch(ctx, "b-1"))
		p.relay()
		if _, err := p.grade.Grade(ctx, "b-1", uuid.New(), 0.5); err != nil {
			p.t.Fatal(err)
		}
		if _, err := p.grade.Grade(ctx, "b-1", uuid.New(), 0.5); err == nil {
			p.t.Fatal("the constraint lets the score pass twice")
		}
		if _, err := p.grade.Grade(ctx, "b-1", uuid.New(), 0.6); err != nil {
			p.t.Fatal(err)
		}
		p.published(2)
		var grades int
		must(p.t, p.pg.Pool.QueryRow(ctx, `select count(*) from grades`).Scan(&grades))
		equal(p.t, "grades and records", []int{2, 2}, []int{grades, len(p.records(topic))})
	}, topic)
}
