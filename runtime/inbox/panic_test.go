package inbox_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// ending is a way to end a handler without returning.
type ending func(ctx context.Context, tx pgx.Tx)

var noGrade *grade

func dereferenceNil(context.Context, pgx.Tx) { noGrade.Letter = "A" }

// If a handler does not return, its transaction is rolled back, its connection returns
// to the pool, and the event can be handled again.
func TestAHandlerThatPanics(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		ends := map[string]ending{
			"nil dereference": dereferenceNil,
			"panic":           func(context.Context, pgx.Tx) { panic(errors.New("no")) },
			"goexit":          func(context.Context, pgx.Tx) { runtime.Goexit() },
			"while it reads": func(ctx context.Context, tx pgx.Tx) {
				rows, err := tx.Query(ctx, `SELECT * FROM generate_series(1, 100000)`)
				if err != nil || !rows.Next() {
					t.Error(err)
				}
				panic("no")
			},
			"in a failed transaction": func(ctx context.Context, tx pgx.Tx) {
				if _, err := tx.Exec(ctx, `SELECT 1/0`); err == nil {
					t.Error("1/0 is a number")
				}
				panic("no")
			},
		}
		patient, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ob := outbox.New(pool, outbox.Options{})
		for kind, wrap := range map[string]func(name string, end ending) func(context.Context, outbox.Envelope[grade]) error{
			"Tx": func(name string, end ending) func(context.Context, outbox.Envelope[grade]) error {
				return inbox.Tx(pool, name, func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[grade]) error {
					if err := insertEffect(ctx, tx, e); err != nil {
						return err
					}
					end(ctx, tx)
					return nil
				})
			},
			"InOutbox": func(name string, end ending) func(context.Context, outbox.Envelope[grade]) error {
				return inbox.InOutbox(ob, name, func(ctx context.Context, tx *outbox.Tx, e outbox.Envelope[grade]) error {
					if err := insertEffect(ctx, tx, e); err != nil {
						return err
					}
					end(ctx, tx)
					return nil
				})
			},
		} {
			for name, end := range ends {
				e := event()
				ended := make(chan bool, 1)
				go func() { // a goroutine of its own: Goexit ends it
					returned := false
					defer func() { ended <- returned || recover() == nil && name != "goexit" }()
					_ = wrap("grades", end)(t.Context(), e)
					returned = true
				}()
				if <-ended {
					t.Errorf("%s, %s: the panic did not go on to the caller", kind, name)
				}
				for pool.Stat().AcquiredConns() != 0 { // the pool closes a busy connection in the background
					if patient.Err() != nil {
						t.Fatalf("%s, %s: %d connections were not given back", kind, name, pool.Stat().AcquiredConns())
					}
					runtime.Gosched()
				}
				if n := count(t, pg, `SELECT count(*) FROM effect`) + count(t, pg, `SELECT count(*) FROM event_inbox`); n != 0 {
					t.Fatalf("%s, %s: %d rows were committed", kind, name, n)
				}
				if err := wrap("grades", func(context.Context, pgx.Tx) {})(t.Context(), e); err != nil {
					t.Fatalf("%s, %s: the event cannot be handled afterwards: %v", kind, name, err)
				}
				if _, err := pg.Pool.Exec(t.Context(), `TRUNCATE effect, event_inbox`); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
