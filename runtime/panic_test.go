package outbox_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/panicky"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// singlePool returns a pool with one connection, so that a leaked connection is
// noticed.
func singlePool(t *testing.T, pg *services.PG) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// usable fails the test unless a transaction can have the pool's connection.
func usable(t *testing.T, ob *outbox.Outbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := ob.InTx(ctx, raiseAndInsert(7)); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
}

// panicking panics when it is scanned into, is a source for CopyFrom that panics,
// and so on.
type panicking struct {
	value any
	left  int // rows of the source before it
}

func (p *panicking) Scan(any) error { panic(p.value) }
func (p *panicking) Next() bool     { p.left--; return p.left >= -1 }
func (p *panicking) Err() error     { return nil }
func (p *panicking) Values() ([]any, error) {
	if p.left < 0 {
		panic(p.value)
	}
	return []any{key(p.left), 1}, nil
}

// nowhere and nothing are nil in a way that linters do not notice.
func nowhere() *state { return nil }
func nothing() any    { return nil }

// If a function panics or calls runtime.Goexit, nothing is left in the database, its
// connection is free again, and the panic continues unchanged.
func TestInTxPanics(t *testing.T) {
	t.Parallel()
	errPanic := errors.New("oh")
	type fn = func(ctx context.Context, tx *outbox.Tx) error
	goexit := new(int) // stands for runtime.Goexit
	pg := newDatabase(t)
	for name, test := range map[string]struct {
		run  fn
		want any
	}{
		"a string":      {func(context.Context, *outbox.Tx) error { panic("oh") }, "oh"},
		"an error":      {func(context.Context, *outbox.Tx) error { panic(errPanic) }, errPanic},
		"an own type":   {func(context.Context, *outbox.Tx) error { panic(state{Grade: 3}) }, "{3 []}"},
		"nil":           {func(context.Context, *outbox.Tx) error { panic(nothing()) }, "panic called with nil argument"},
		"a nil pointer": {func(context.Context, *outbox.Tx) error { nowhere().Grade++; return nil }, "nil pointer dereference"},
		"runtime.Goexit": {func(context.Context, *outbox.Tx) error {
			runtime.Goexit()
			return nil
		}, goexit},
		"in a nested transaction": {func(ctx context.Context, tx *outbox.Tx) error {
			return pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				if err := InsertGraded(ctx, tx, event(2)); err != nil {
					return err
				}
				panic("oh")
			})
		}, "oh"},
		"runtime.Goexit in a nested transaction": {func(ctx context.Context, tx *outbox.Tx) error {
			return pgx.BeginFunc(ctx, tx, func(pgx.Tx) error { runtime.Goexit(); return nil })
		}, goexit},
		"while rows are open": {func(ctx context.Context, tx *outbox.Tx) error {
			rows, _ := tx.Query(ctx, `select generate_series(1, 100000)`)
			if rows.Next(); rows.Err() != nil {
				return rows.Err()
			}
			panic("oh")
		}, "oh"},
		"in Scan": {func(ctx context.Context, tx *outbox.Tx) error {
			return tx.QueryRow(ctx, `select 'x'`).Scan(&panicking{value: "oh"})
		}, "oh"},
		"in a callback of a batch": {func(ctx context.Context, tx *outbox.Tx) error {
			var batch pgx.Batch
			batch.Queue(`select 1`).Query(func(pgx.Rows) error { panic("oh") })
			batch.Queue(`select 2`)
			return tx.SendBatch(ctx, &batch).Close()
		}, "oh"},
		"in the source of CopyFrom": {func(ctx context.Context, tx *outbox.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"essay"}, []string{"id", "grade"}, &panicking{"oh", 20_000})
			return err
		}, "oh"},
		"in CopyFromFunc": {func(ctx context.Context, tx *outbox.Tx) error {
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"essay"}, []string{"id", "grade"}, pgx.CopyFromFunc(func() ([]any, error) { panic(errPanic) }))
			return err
		}, errPanic},
		"in NewRow": {func(ctx context.Context, tx *outbox.Tx) error {
			return InsertGraded(ctx, tx, event(1), func() outbox.Option { panic("oh") }())
		}, "oh"},
		"after a failed statement": {func(ctx context.Context, tx *outbox.Tx) error {
			if _, err := tx.Exec(ctx, `select 1/0`); err != nil {
				panic(errPanic)
			}
			return nil
		}, errPanic},
		"after the connection is lost": {func(ctx context.Context, tx *outbox.Tx) error {
			_ = tx.Conn().Close(ctx)
			panic("oh")
		}, "oh"},
	} {
		for _, canceled := range []bool{false, true} {
			name := name
			if canceled {
				name += ", with a context that has ended"
			}
			t.Run(name, func(t *testing.T) {
				pool := singlePool(t, pg)
				ob := newOutbox(t, pool, outbox.Options{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var got any = "the function of InTx did not panic"
				done := make(chan struct{})
				go func() {
					defer close(done)
					returned := false
					defer func() {
						got = recover()
						if got == nil && !returned {
							got = goexit
						}
					}()
					err := ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
						if err := raiseAndInsert(1)(ctx, tx); err != nil {
							return err
						}
						if !canceled {
							return test.run(ctx, tx)
						}
						defer cancel()
						return test.run(context.WithoutCancel(ctx), tx)
					})
					returned = true
					t.Errorf("InTx returned %v", err)
				}()
				<-done
				if text, ok := test.want.(string); ok {
					if message := strings.TrimSpace(sprint(got)); !strings.Contains(message, text) {
						t.Errorf("recovered %v, want %q", got, text)
					}
				} else if got != test.want {
					t.Errorf("recovered %v, want %v", got, test.want)
				}
				if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" {
					t.Errorf("what is left (-want +got):\n%s", diff)
				}
				usable(t, ob)
				if _, err := pg.Pool.Exec(t.Context(), `update essay set grade = 0; delete from event_outbox`); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

func sprint(v any) string {
	if err, ok := v.(error); ok {
		return err.Error()
	}
	return slog.AnyValue(v).String()
}

// wakerFunc is a Waker.
type wakerFunc func() error

func (f wakerFunc) Wake(context.Context) error { return f() }

// brokenHandler is a slog.Handler that panics where broken says so.
type brokenHandler struct {
	slog.Handler
	broken string
}

func (h brokenHandler) Enabled(ctx context.Context, level slog.Level) bool {
	if h.broken == "Enabled" {
		panic("oh")
	}
	return h.Handler.Enabled(ctx, level)
}

func (h brokenHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.broken == "Handle" {
		nowhere().Grade++
	}
	return h.Handler.Handle(ctx, r)
}

// A panic in code that runs after COMMIT does not affect the commit, and does not end
// the process.
func TestPanicsAfterCommit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wake   func() error // what the first wake-up does
		broken string       // method of the log's handler
		log    []string     // what the log says about it
	}{
		"waker":                               {wake: func() error { panic("oh") }, log: []string{"level=WARN", "wake-up failed", "the waker panicked: panic: oh", "panic_test.go", "wake-ups work again"}},
		"waker, nil pointer":                  {wake: func() error { nowhere().Grade++; return nil }, log: []string{"nil pointer dereference", "panic_test.go"}},
		"waker, runtime.Goexit":               {wake: func() error { runtime.Goexit(); return nil }, log: []string{"runtime.Goexit"}},
		"waker, an error whose methods panic": {wake: panicky.Error, log: []string{"level=WARN", "wake-up failed", "nil pointer dereference", "panicky.go"}},
		"handler, Handle":                     {broken: "Handle"},
		"handler, Enabled":                    {broken: "Enabled"},
		"handler and waker":                   {wake: func() error { panic("oh") }, broken: "Handle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			var log text
			var wakes atomic.Int32
			woken := make(chan struct{}, 10)
			waker := wakerFunc(func() error {
				defer func() { woken <- struct{}{} }()
				if wakes.Add(1) == 1 && test.wake != nil {
					return test.wake()
				}
				return nil
			})
			ob := newOutbox(t, singlePool(t, pg), outbox.Options{
				Waker: waker, Logger: slog.New(brokenHandler{log.logger().Handler(), test.broken}),
			})
			for i := range 2 {
				if err := ob.InTx(t.Context(), raiseAndInsert(i+1)); err != nil {
					t.Fatalf("InTx = %v", err)
				}
				select {
				case <-woken:
				case <-time.After(time.Minute):
					t.Fatal("nobody is woken")
				}
			}
			ob.Close()
			if diff := cmp.Diff(state{2, []int{1, 2}}, readState(t, pg.Pool)); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
			for _, part := range test.log {
				if !strings.Contains(log.String(), part) {
					t.Errorf("the log does not have %q:\n%s", part, log.String())
				}
			}
		})
	}
}

// A handler that panics while the transaction is rolled back does not replace the
// panic of the function.
func TestPanicOfTheLogDoesNotHideThatOfTheFunction(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, singlePool(t, pg), outbox.Options{Logger: slog.New(brokenHandler{slog.DiscardHandler, "Enabled"})})
	defer func() {
		if r := recover(); r != "the function's" {
			t.Errorf("recovered %v", r)
		}
		usable(t, ob)
	}()
	_ = ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		rows, err := tx.Query(ctx, `select generate_series(1, 3)`)
		if err != nil {
			return err
		}
		if rows.Next(); rows.Err() != nil {
			return rows.Err()
		}
		panic("the function's")
	})
}
