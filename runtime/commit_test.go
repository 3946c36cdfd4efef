package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// wakes counts wake-ups.
type wakes struct {
	count chan struct{}
	err   error
}

func newWakes(err error) *wakes { return &wakes{count: make(chan struct{}, 1000), err: err} }

func (w *wakes) Wake(context.Context) error {
	w.count <- struct{}{}
	return w.err
}

// after closes the outbox, so that all wake-ups have ended, and returns their number.
func (w *wakes) after(ob *outbox.Outbox) int {
	ob.Close()
	return len(w.count)
}

func raiseAndInsert(grade int) func(ctx context.Context, tx *outbox.Tx) error {
	return func(ctx context.Context, tx *outbox.Tx) error {
		if _, err := raise(ctx, tx, "e1"); err != nil {
			return err
		}
		return InsertGraded(ctx, tx, event(grade))
	}
}

// raiseAndThen is raiseAndInsert with something to do right before COMMIT is sent.
func raiseAndThen(grade int, then func()) func(ctx context.Context, tx *outbox.Tx) error {
	return func(ctx context.Context, tx *outbox.Tx) error {
		defer then()
		return raiseAndInsert(grade)(ctx, tx)
	}
}

// The connection breaks while COMMIT is being sent: it is unknown whether the
// transaction is committed, InTx says so and does not retry, and the relay is woken.
func TestConnectionCutAtCommit(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		for name, test := range map[string]struct {
			verdict verdict
			want    state
		}{
			"before the server sees it": {dropAndCut, state{1, []int{1}}},
			"after the server did it":   {passOnThenCut, state{2, []int{1, 2}}},
		} {
			for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
				t.Run(name+"/"+mode.String(), func(t *testing.T) {
					t.Parallel()
					pg := open(t)
					proxy := newProxy(t, pg.URL, mode)
					if err := newOutbox(t, proxy.Pool, outbox.Options{}).InTx(t.Context(), raiseAndInsert(1)); err != nil {
						t.Fatal(err) // the statements are prepared now
					}
					waker := newWakes(nil)
					ob := newOutbox(t, proxy.Pool, outbox.Options{Waker: waker, MaxRetries: 5})

					err := ob.InTx(t.Context(), raiseAndThen(2, func() { proxy.Next(func() verdict { return test.verdict }) }))
					unknown := isError[*outbox.CommitUnknownError](t, err)
					if unknown.Events != 1 || !outbox.IsCommitUnknown(err) || outbox.SafeToRetry(err) {
						t.Errorf("error %+v", unknown)
					}
					if diff := cmp.Diff(test.want, readState(t, pg.Pool)); diff != "" {
						t.Errorf("what is left (-want +got):\n%s", diff)
					}
					if n := waker.after(ob); n != 1 {
						t.Errorf("%d wake-ups, want 1", n)
					}
				})
			}
		}
	})
}

// The server is terminated at COMMIT and answers with a fatal error. It may have
// committed and been waiting for a standby, so the outcome is unknown.
func TestBackendTerminatedAtCommit(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		ob := newOutbox(t, pg.Pool, outbox.Options{})
		_, err := pg.Pool.Exec(t.Context(), `create function suicide() returns trigger language plpgsql as
		$$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(10); return null; end $$;
		create constraint trigger t after insert on event_outbox deferrable initially deferred for each row execute function suicide()`)
		if err != nil {
			t.Fatal(err)
		}
		err = ob.InTx(t.Context(), raiseAndInsert(1))
		wantError[*outbox.CommitUnknownError](t, err)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Severity != "FATAL" {
			t.Errorf("cause %v, want the server's fatal error", err)
		}
	})
}

// If the server refuses the commit, the outcome is known.
func TestCommitRefused(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		waker := newWakes(nil)
		ob := newOutbox(t, pg.Pool, outbox.Options{Waker: waker})
		_, err := pg.Pool.Exec(t.Context(), `create table child (id text references essay deferrable initially deferred)`)
		if err != nil {
			t.Fatal(err)
		}
		err = ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			if _, err := tx.Exec(ctx, `insert into child values ('nobody')`); err != nil {
				return err
			}
			return InsertGraded(ctx, tx, event(1))
		})
		if e := isError[*pgconn.PgError](t, err); e.Code != "23503" || outbox.IsCommitUnknown(err) {
			t.Errorf("InTx = %v", err)
		}
		if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
		if n := waker.after(ob); n != 0 {
			t.Errorf("%d wake-ups, want none", n)
		}
		if n := pg.Pool.Stat().TotalConns(); n != 1 {
			t.Errorf("the pool has %d connections, want the one that was used to be good still", n)
		}
	})
}

// An insert that the database refuses makes the commit fail, and the error names the
// event.
func TestInsertRefusedAtCommit(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		ob := newOutbox(t, pg.Pool, outbox.Options{})
		if _, err := pg.Pool.Exec(t.Context(), `alter table event_outbox add check (aggregate_id <> 'bad')`); err != nil {
			t.Fatal(err)
		}
		bad := uuid.New()
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			_, raised := raise(ctx, tx, "e1")
			return errors.Join(raised, InsertGraded(ctx, tx, event(1)),
				InsertGraded(ctx, tx, Graded{EssayID: "bad", Grade: 2}, outbox.WithID(bad)), InsertGraded(ctx, tx, event(3)))
		})
		got := isError[*outbox.InsertError](t, err)
		if got.EventID != bad || got.EventType != graded.Type {
			t.Errorf("the error names %s %s, want %s", got.EventType, got.EventID, bad)
		}
		if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" {
			t.Errorf("what is left (-want +got):\n%s", diff)
		}
		if err := ob.InTx(t.Context(), raiseAndInsert(4)); err != nil {
			t.Errorf("the connection is good for no more: %v", err)
		}
	})
}

func TestInsertErrorNamesTheRemedy(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	if _, err := pg.Pool.Exec(t.Context(), `drop table event_outbox`); err != nil {
		t.Fatal(err)
	}
	err := ob.InTx(t.Context(), raiseAndInsert(1))
	wantError[*outbox.InsertError](t, err)
	if !strings.Contains(err.Error(), "outboxgen migration") {
		t.Errorf("no remedy in %q", err)
	}
}

// Arguments that pgx cannot encode never reach the server, so the outcome is known.
func TestInsertThatCannotBeSent(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	broken := gen.SQL{One: strings.Replace(insertEvent, "$1::uuid", "md5($1::int::text)::uuid", 1)}
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		return gen.Insert(ctx, tx, broken, event(1))
	})
	if err == nil || outbox.IsCommitUnknown(err) {
		t.Errorf("InTx = %v, want an error that is certain", err)
	}
	if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

// The function returned without closing its rows: the connection is busy and COMMIT
// cannot be sent, so nothing is committed. The pool continues with another connection.
func TestRowsLeftOpen(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	waker := newWakes(nil)
	ob := newOutbox(t, pg.Pool, outbox.Options{Waker: waker})
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		_, raised := raise(ctx, tx, "e1")
		rows, err := tx.Query(ctx, `select generate_series(1, 3)`)
		if rows.Next(); rows.Err() != nil {
			return rows.Err()
		}
		return errors.Join(raised, err, InsertGraded(ctx, tx, event(1)))
	})
	if err == nil || outbox.IsCommitUnknown(err) {
		t.Errorf("InTx = %v, want an error that is certain", err)
	}
	if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if err := ob.InTx(t.Context(), raiseAndInsert(1)); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
	if n := waker.after(ob); n != 1 {
		t.Errorf("%d wake-ups, want that of the second transaction", n)
	}
}

func TestContextEndsBeforeCommit(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	err := ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		defer cancel()
		return raiseAndInsert(1)(ctx, tx)
	})
	if !errors.Is(err, context.Canceled) || outbox.IsCommitUnknown(err) {
		t.Errorf("InTx = %v", err)
	}
	if diff := cmp.Diff(state{}, readState(t, pg.Pool)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
}

func TestContextEndsWhileCommitIsOnItsWay(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	proxy := newProxy(t, pg.URL, pgx.QueryExecModeExec)
	waker := newWakes(nil)
	ob := newOutbox(t, proxy.Pool, outbox.Options{Waker: waker})
	ctx, cancel := context.WithCancel(t.Context())
	cancelThen := func() verdict { cancel(); return passOn }
	if err := ob.InTx(ctx, raiseAndThen(1, func() { proxy.Next(cancelThen) })); err != nil {
		t.Errorf("InTx = %v", err)
	}
	if diff := cmp.Diff(state{1, []int{1}}, readState(t, pg.Pool)); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	if n := waker.after(ob); n != 1 {
		t.Errorf("%d wake-ups, want 1: the caller's context does not matter", n)
	}
}

func TestCommitTimeout(t *testing.T) {
	t.Parallel()
	onEachPostgres(t, func(t *testing.T, open func(testing.TB) *services.PG) {
		pg := open(t)
		proxy := newProxy(t, pg.URL, pgx.QueryExecModeExec)
		ob := newOutbox(t, proxy.Pool, outbox.Options{CommitTimeout: 200 * time.Millisecond})
		released := make(chan struct{})
		hold := func() verdict { <-released; return dropAndCut }
		err := ob.InTx(t.Context(), raiseAndThen(1, func() { proxy.Next(hold) }))
		close(released)
		wantError[*outbox.CommitUnknownError](t, err)
	})
}

func TestWakeUps(t *testing.T) {
	t.Parallel()
	given := uuid.New()
	for name, test := range map[string]struct {
		run  func(ctx context.Context, tx *outbox.Tx) error
		want int
	}{
		"an event": {raiseAndInsert(1), 1},
		"no event": {func(ctx context.Context, tx *outbox.Tx) error { _, err := raise(ctx, tx, "e1"); return err }, 0},
		"rolled back": {func(ctx context.Context, tx *outbox.Tx) error {
			return errors.Join(InsertGraded(ctx, tx, event(1)), errBusiness)
		}, 0},
		"nothing new": {func(ctx context.Context, tx *outbox.Tx) error {
			return InsertGraded(ctx, tx, event(1), outbox.WithID(given))
		}, 0},
		"in a batch of the caller's": {func(ctx context.Context, tx *outbox.Tx) error {
			var batch pgx.Batch
			if err := gen.Queue(ctx, &batch, insertRows, event(1)); err != nil {
				return err
			}
			return tx.SendBatch(ctx, &batch).Close()
		}, 1},
		"in a batch whose results are read by hand": {func(ctx context.Context, tx *outbox.Tx) error {
			var batch pgx.Batch
			if err := gen.Queue(ctx, &batch, insertRows, event(1)); err != nil {
				return err
			}
			results := tx.SendBatch(ctx, &batch)
			_, err := results.Exec()
			return errors.Join(err, results.Close())
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := newDatabase(t)
			if err := newOutbox(t, pg.Pool, outbox.Options{}).InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return InsertGraded(ctx, tx, event(0), outbox.WithID(given))
			}); err != nil {
				t.Fatal(err)
			}
			waker := newWakes(nil)
			ob := newOutbox(t, pg.Pool, outbox.Options{Waker: waker})
			if err := ob.InTx(t.Context(), test.run); err != nil && !errors.Is(err, errBusiness) {
				t.Fatal(err)
			}
			if n := waker.after(ob); n != test.want {
				t.Errorf("%d wake-ups, want %d", n, test.want)
			}
		})
	}
}

// slowWaker is held until the test lets it go.
type slowWaker struct {
	began, release chan struct{}
}

func (w *slowWaker) Wake(context.Context) error {
	w.began <- struct{}{}
	<-w.release
	return nil
}

// Commits during a wake-up share the next one, and do not wait for it.
func TestWakeUpsCoalesce(t *testing.T) {
	t.Parallel()
	waker := &slowWaker{began: make(chan struct{}, 100), release: make(chan struct{})}
	ob := outbox.New(nil, outbox.Options{Waker: waker, Logger: slog.New(slog.DiscardHandler)})
	ob.Wake()
	<-waker.began
	for range 50 {
		ob.Wake()
	}
	close(waker.release)
	<-waker.began
	ob.Close()
	if n := len(waker.began); n != 0 {
		t.Errorf("%d wake-ups more than two", n)
	}
	ob.Wake()
	if n := len(waker.began); n != 0 {
		t.Error("a wake-up after Close")
	}
}

// text is a log that several goroutines may write.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *text) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *text) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// logger writes lines without time.
func (l *text) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestLogAndFailedWakeUp(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	var log text
	id := uuid.MustParse("018f3f6e-0000-7000-8000-000000000001")
	ob := newOutbox(t, pg.Pool, outbox.Options{Waker: newWakes(errors.New("no redis")), Logger: log.logger()})
	for range 2 {
		err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			return InsertGraded(ctx, tx, event(1), outbox.WithID(id), outbox.WithCorrelationID("c-1"))
		})
		if err != nil {
			t.Fatal(err)
		}
		ob.Close() // the warning comes before the next line
	}
	want := `level=INFO msg="event committed" event_type=school.essay.graded.v1 event_id=018f3f6e-0000-7000-8000-000000000001 aggregate_type=essay aggregate_id=e1 topic=school.essay.graded.v1 correlation_id=c-1
level=WARN msg="wake-up failed; the events are committed, and the relay finds them at its next poll" error="no redis" failures=1
level=INFO msg="event was in the outbox already, nothing inserted" event_type=school.essay.graded.v1 event_id=018f3f6e-0000-7000-8000-000000000001 aggregate_type=essay aggregate_id=e1 topic=school.essay.graded.v1 correlation_id=c-1
`
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// A transaction has one line at level info, however many events it inserts.
func TestLogOfManyEvents(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	var log text
	ob := newOutbox(t, pg.Pool, outbox.Options{Logger: log.logger()})
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
		for i := range 50 {
			if err := InsertGraded(ctx, tx, event(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `level=INFO msg="events committed" events=50 event_types=[school.essay.graded.v1]` + "\n"
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// Wake-ups that fail every second time are logged once, and not at each failure.
func TestWakeUpsThatComeAndGo(t *testing.T) {
	t.Parallel()
	var log text
	woken := make(chan struct{}, 1)
	wakes := 0
	ob := outbox.New(nil, outbox.Options{Logger: log.logger(), Waker: wakerFunc(func() error {
		defer func() { woken <- struct{}{} }()
		if wakes++; wakes%2 == 1 {
			return errors.New("no redis")
		}
		return nil
	})})
	for range 40 {
		ob.Wake()
		<-woken
	}
	ob.Close()
	want := `level=WARN msg="wake-up failed; the events are committed, and the relay finds them at its next poll" error="no redis" failures=1
level=INFO msg="wake-ups work again" failures=1
`
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// An event with an id of the caller's is inserted once, on every path, and the second
// insert reports it.
func TestDeterministicIDs(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	ob := newOutbox(t, pg.Pool, outbox.Options{})
	id := outbox.DeterministicID(uuid.NameSpaceURL, "essay", "e1", "graded")
	paths := map[string]func(outcome *outbox.Outcome) error{
		"riding": func(outcome *outbox.Outcome) error {
			return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				err := InsertGraded(ctx, tx, event(1), outbox.WithID(id), outbox.WithOutcome(outcome))
				if outcome.Known {
					t.Error("the outcome is known before the commit")
				}
				return err
			})
		},
		"plain": func(outcome *outbox.Outcome) error {
			return pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error {
				return InsertGraded(t.Context(), tx, event(1), outbox.WithID(id), outbox.WithOutcome(outcome))
			})
		},
		"batch": func(outcome *outbox.Outcome) error {
			return pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error {
				var batch pgx.Batch
				err := gen.Queue(t.Context(), &batch, insertRows, event(1), outbox.WithID(id), outbox.WithOutcome(outcome))
				return errors.Join(err, tx.SendBatch(t.Context(), &batch).Close())
			})
		},
		"mixed": func(outcome *outbox.Outcome) error {
			return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return gen.InsertAll(ctx, tx, insertRows, event(2),
					outbox.With(event(1), outbox.WithID(id), outbox.WithOutcome(outcome)), event(3))
			})
		},
	}
	first := true
	for name, insert := range paths {
		var outcome outbox.Outcome
		if err := insert(&outcome); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := outbox.Outcome{EventID: id, Known: true, Inserted: first}
		first = false
		if diff := cmp.Diff(want, outcome); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	once := 0
	for _, row := range outboxtest.Pending(t, pg.Pool) {
		if row.ID == id {
			once++
		}
	}
	if once != 1 {
		t.Errorf("the event is there %d times", once)
	}
}

// A generated id that is already in the table would lose the event silently, so nothing
// is committed.
func TestGeneratedIDThatRepeats(t *testing.T) {
	t.Parallel()
	pg := newDatabase(t)
	same := func() (uuid.UUID, error) { return uuid.NameSpaceDNS, nil }
	ob := newOutbox(t, pg.Pool, outbox.Options{NewID: same})
	plain := func() error {
		return pgx.BeginFunc(t.Context(), pg.Pool, func(tx pgx.Tx) error {
			return InsertGraded(t.Context(), tx, event(1), outbox.WithNewID(same))
		})
	}
	if err := plain(); err != nil {
		t.Fatal(err)
	}
	for name, insert := range map[string]func() error{
		"plain":  plain,
		"riding": func() error { return ob.InTx(t.Context(), raiseAndInsert(1)) },
		"twice in a transaction": func() error {
			return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return errors.Join(InsertGraded(ctx, tx, event(1)), InsertGraded(ctx, tx, event(2)))
			})
		},
		"many": func() error {
			return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return gen.InsertAll(ctx, tx, insertRows, outbox.With(event(1), outbox.WithNewID(uuid.NewV7)), event(2))
			})
		},
		"with a partition": func() error {
			return ob.InTx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
				return InsertGraded(ctx, tx, event(1), outbox.WithPartition(1))
			})
		},
	} {
		if err := insert(); !strings.Contains(isError[*outbox.InsertError](t, err).Error(), "NewID must never return the same id twice") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff(state{0, []int{1}}, readState(t, pg.Pool)); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
}
