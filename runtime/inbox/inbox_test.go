package inbox_test

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/inbox"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(services.Wrap(m)) }

type grade struct{ Letter string }

func setUp(t *testing.T, pg *services.PG) {
	t.Helper()
	querymode.Use(t, pg)
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Pool.Exec(t.Context(), `CREATE TABLE effect (id uuid, n int)`); err != nil {
		t.Fatal(err)
	}
}

// each runs a test on every installed Postgres, with a pool whose role has the
// privileges of a consumer and may insert effects.
func each(t *testing.T, test func(t *testing.T, pg *services.PG, pool *pgxpool.Pool)) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		setUp(t, pg)
		consumer := pgroles.Create(t, pg).Consumer
		if _, err := pg.Pool.Exec(t.Context(), `GRANT INSERT ON effect TO `+pgx.Identifier{consumer.Name}.Sanitize()); err != nil {
			t.Fatal(err)
		}
		pool, err := pgxpool.New(t.Context(), consumer.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		test(t, pg, pool)
	})
}

func count(t *testing.T, pg *services.PG, sql string) int {
	t.Helper()
	var n int
	if err := pg.Pool.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func event() outbox.Envelope[grade] { return outbox.Envelope[grade]{EventID: uuid.New()} }

// insertEffect returns a handler that inserts its effect without a unique constraint,
// so a second run would show.
func insertEffect(ctx context.Context, tx pgx.Tx, e outbox.Envelope[grade]) error {
	_, err := tx.Exec(ctx, `INSERT INTO effect (id) VALUES ($1)`, e.EventID)
	return err
}

func TestARepeatIsSkipped(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		handle := inbox.Tx(pool, "grades", insertEffect)
		other := inbox.Tx(pool, "statistics", insertEffect)
		e := event()
		for range 3 {
			if err := handle(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, pg, `SELECT count(*) FROM effect`); n != 1 {
			t.Fatalf("%d effects", n)
		}
		if err := other(t.Context(), e); err != nil { // another consumer has its own entries
			t.Fatal(err)
		}
		if n := count(t, pg, `SELECT count(*) FROM effect`); n != 2 {
			t.Fatalf("%d effects of two consumers", n)
		}
	})
}

func TestAFailureLeavesTheEventToBeHandled(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		broken := errors.New("no")
		fail := true
		handle := inbox.Tx(pool, "grades", func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[grade]) error {
			if err := insertEffect(ctx, tx, e); err != nil || !fail {
				return err
			}
			return broken
		})
		e := event()
		if err := handle(t.Context(), e); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if n := count(t, pg, `SELECT count(*) FROM effect`) + count(t, pg, `SELECT count(*) FROM event_inbox`); n != 0 {
			t.Fatalf("a failed handler left %d rows", n)
		}
		fail = false
		if err := handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if n := count(t, pg, `SELECT count(*) FROM effect`); n != 1 {
			t.Fatalf("%d effects", n)
		}
	})
}

// One event is delivered several times at once. The effect exists once, and it exists
// whenever a delivery returns without an error.
func TestConcurrentDuplicates(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		var runs atomic.Int32
		handle := inbox.Tx(pool, "grades", func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[grade]) error {
			run := runs.Add(1)
			if err := insertEffect(ctx, tx, e); err != nil {
				return err
			}
			if run%3 == 1 { // the one that holds the id fails sometimes
				return errors.New("no")
			}
			return nil
		})
		for range 20 {
			e := event()
			var wg sync.WaitGroup
			var succeeded atomic.Int32
			for range 8 {
				wg.Go(func() {
					if handle(t.Context(), e) == nil {
						succeeded.Add(1)
					}
				})
			}
			wg.Wait()
			if succeeded.Load() == 0 {
				if err := handle(t.Context(), e); err != nil {
					if err := handle(t.Context(), e); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if n := count(t, pg, `SELECT count(*) FROM effect`); n != 20 {
			t.Fatalf("%d effects of 20 events", n)
		}
		if n := count(t, pg, `SELECT count(DISTINCT id) FROM effect`); n != 20 {
			t.Fatalf("%d events had an effect, of 20", n)
		}
	})
}

// A duplicate waits for the first transaction, and handles the event when that
// one is rolled back.
func TestADuplicateWaits(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		for _, commit := range []bool{true, false} {
			e := event()
			first, err := pool.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := inbox.Claim(t.Context(), first, "grades", e.EventID); err != nil || !ok {
				t.Fatal(ok, err)
			}
			handled := false
			done := make(chan error, 1)
			go func() {
				done <- inbox.Tx(pool, "grades", func(context.Context, pgx.Tx, outbox.Envelope[grade]) error {
					handled = true
					return nil
				})(t.Context(), e)
			}()
			for count(t, pg, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
				if t.Context().Err() != nil {
					t.Fatal("the duplicate does not wait")
				}
			}
			end := first.Rollback
			if commit {
				end = first.Commit
			}
			if err := end(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if handled == commit {
				t.Errorf("commit=%v: the duplicate's handler ran: %v", commit, handled)
			}
		}
	})
}

func TestInOutbox(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		handle := inbox.InOutbox(outbox.New(pool, outbox.Options{}), "grades",
			func(ctx context.Context, tx *outbox.Tx, e outbox.Envelope[grade]) error {
				return insertEffect(ctx, tx, e)
			})
		e := event()
		for range 2 {
			if err := handle(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, pg, `SELECT count(*) FROM effect`); n != 1 {
			t.Fatalf("%d effects", n)
		}
	})
}

func TestForget(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG, pool *pgxpool.Pool) {
		_, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_inbox (consumer, event_id, handled_at)
			SELECT CASE WHEN i % 10 = 0 THEN 'other' ELSE 'grades' END, gen_random_uuid(),
			       now() - CASE WHEN i % 3 = 0 THEN interval '1 day' ELSE interval '40 days' END
			FROM generate_series(1, 3000) AS i`)
		if err != nil {
			t.Fatal(err)
		}
		n, err := inbox.Forget(t.Context(), pool, "grades", 30*24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		left := []int{int(n), count(t, pg, `SELECT count(*) FROM event_inbox WHERE consumer = 'grades'`),
			count(t, pg, `SELECT count(*) FROM event_inbox WHERE consumer = 'other'`)}
		if diff := cmp.Diff([]int{1800, 900, 300}, left); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, consumer := range []string{"", strings.Repeat("x", 256)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("the name %q is taken", consumer)
				}
			}()
			inbox.Tx(nil, consumer, insertEffect)
		}()
	}
	if _, err := inbox.Claim(t.Context(), nil, "grades", uuid.Nil); err == nil {
		t.Error("an event without id is taken")
	}
}

// The generated queries are those of the .sql files.
func TestQueriesAreGenerated(t *testing.T) {
	t.Parallel()
	diff := exec.CommandContext(t.Context(), "go", "run", "github.com/sqlc-dev/sqlc/cmd/sqlc", "diff")
	diff.Env = append(diff.Environ(), "GOWORK=") // go.work: only the root module requires sqlc
	out, err := diff.CombinedOutput()
	if err != nil {
		t.Fatalf("run go generate in this folder:\n%s%v", out, err)
	}
}

// The consumer's pool may use any mode of pgx.
func TestInEveryQueryExecMode(t *testing.T) {
	t.Parallel()
	querymode.Repeat(t, "^Test(ARepeat|AFailure|ADuplicate|InOutbox|Forget|Batch)")
}

// If a handler panics or calls runtime.Goexit, the event can be handled again, its
// connection is free, and the panic continues unchanged.
func TestHandlersThatPanic(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	setUp(t, pg)
	config := pg.Pool.Config()
	config.MaxConns = 1
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	ob := outbox.New(pool, outbox.Options{})
	t.Cleanup(ob.Close)

	type handler = func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[grade]) error
	type handle = func(ctx context.Context, e outbox.Envelope[grade]) error
	for name, wrap := range map[string]func(h handler) handle{
		"Tx": func(h handler) handle { return inbox.Tx(pool, "grades", h) },
		"InOutbox": func(h handler) handle {
			return inbox.InOutbox(ob, "grades", func(ctx context.Context, tx *outbox.Tx, e outbox.Envelope[grade]) error { return h(ctx, tx, e) })
		},
	} {
		for ending, end := range map[string]func(ctx context.Context, cancel context.CancelFunc, tx pgx.Tx){
			"panic":          func(context.Context, context.CancelFunc, pgx.Tx) { panic("oh") },
			"runtime.Goexit": func(context.Context, context.CancelFunc, pgx.Tx) { runtime.Goexit() },
			"panic with rows open": func(ctx context.Context, _ context.CancelFunc, tx pgx.Tx) {
				rows, err := tx.Query(ctx, `select generate_series(1, 100000)`)
				if rows.Next(); err != nil || rows.Err() != nil {
					return
				}
				panic("oh")
			},
			"panic when the context has ended": func(_ context.Context, cancel context.CancelFunc, _ pgx.Tx) {
				cancel()
				panic("oh")
			},
		} {
			t.Run(name+"/"+ending, func(t *testing.T) {
				e := event()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var recovered any
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { recovered = recover() }()
					err := wrap(func(ctx context.Context, tx pgx.Tx, e outbox.Envelope[grade]) error {
						if err := insertEffect(ctx, tx, e); err != nil {
							return err
						}
						end(ctx, cancel, tx)
						return nil
					})(ctx, e)
					t.Errorf("the handler returned %v", err)
				}()
				<-done
				if want := strings.HasPrefix(ending, "panic"); want != (recovered == "oh") {
					t.Errorf("recovered %v", recovered)
				}
				left := count(t, pg, `SELECT (SELECT count(*) FROM effect) + (SELECT count(*) FROM event_inbox)`)
				if left != 0 {
					t.Errorf("%d rows are left", left)
				}
				again, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := wrap(insertEffect)(again, e); err != nil {
					t.Errorf("the next delivery: %v", err)
				}
				if n := count(t, pg, `SELECT count(*) FROM effect`); n != 1 {
					t.Errorf("%d effects", n)
				}
				if _, err := pg.Pool.Exec(t.Context(), `TRUNCATE effect, event_inbox`); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}
