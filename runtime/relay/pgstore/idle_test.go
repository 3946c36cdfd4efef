package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// forEver is longer than a test may take.
const forEver = 10 * time.Minute

// idle takes the two snapshots after which the store can wait, and waits on the
// server. (A transaction of another test, open in the snapshot, may end before the
// store has looked what it holds; then there is nothing to wait for yet.)
func idle(t *testing.T, pg *services.PG, s *pgstore.Store) (moved chan bool) {
	t.Helper()
	for {
		read := snapshot(t, s)
		moved = make(chan bool, 1)
		go func() {
			ok, err := s.Idle(t.Context(), read, forEver)
			if err != nil && t.Context().Err() == nil {
				t.Error(err)
			}
			moved <- ok
		}()
		tick := time.NewTicker(5 * time.Millisecond)
		for !ask[bool](t, pg.Pool, waitingOnServer) && len(moved) == 0 {
			<-tick.C
		}
		tick.Stop()
		if len(moved) == 0 {
			return moved
		}
	}
}

const waitingOnServer = `SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE datname = current_database() AND query LIKE '-- name: WaitForInserts%' AND state = 'active')`

// Every commit of rows that the latest snapshot does not show ends the wait, and the
// next snapshot shows them.
func TestIdleEndsWithEveryKindOfInsert(t *testing.T) {
	for name, c := range map[string]struct {
		before func(t *testing.T, pg *services.PG) pgx.Tx // before the snapshots
		after  func(t *testing.T, pg *services.PG, tx pgx.Tx)
	}{
		"an insert": {
			after: func(t *testing.T, pg *services.PG, _ pgx.Tx) { insert(t, pg.Pool, "a") },
		},
		"a transaction that inserted before": {
			before: func(t *testing.T, pg *services.PG) pgx.Tx { tx := begin(t, pg); insert(t, tx, "a"); return tx },
			after:  func(t *testing.T, _ *services.PG, tx pgx.Tx) { must(t, tx.Commit(t.Context())) },
		},
		"a transaction that was open before and inserts now": {
			before: func(t *testing.T, pg *services.PG) pgx.Tx {
				tx := begin(t, pg)
				exec(t, tx, `SELECT pg_current_xact_id()`)
				return tx
			},
			after: func(t *testing.T, _ *services.PG, tx pgx.Tx) { insert(t, tx, "a"); must(t, tx.Commit(t.Context())) },
		},
		"a transaction without an id that began before": {
			before: func(t *testing.T, pg *services.PG) pgx.Tx { tx := begin(t, pg); exec(t, tx, `SELECT 1`); return tx },
			after:  func(t *testing.T, _ *services.PG, tx pgx.Tx) { insert(t, tx, "a"); must(t, tx.Commit(t.Context())) },
		},
		"a savepoint": {
			before: func(t *testing.T, pg *services.PG) pgx.Tx {
				tx := begin(t, pg)
				exec(t, tx, `SAVEPOINT s`)
				insert(t, tx, "a")
				exec(t, tx, `RELEASE s`)
				return tx
			},
			after: func(t *testing.T, _ *services.PG, tx pgx.Tx) { must(t, tx.Commit(t.Context())) },
		},
		"COPY": {
			after: func(t *testing.T, pg *services.PG, _ pgx.Tx) {
				_, err := pg.Connect(t.Context()).CopyFrom(t.Context(), pgx.Identifier{"event_outbox"},
					[]string{"aggregate_id", "aggregate_type", "event_type", "topic", "event_key", "event_data"},
					pgx.CopyFromRows([][]any{{"a", "order", "order.paid.v1", "orders", "a", []byte(`{}`)}}))
				must(t, err)
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				s := newStore(t, pg)
				lead(t, s)
				var tx pgx.Tx
				if c.before != nil {
					tx = c.before(t, pg)
				}
				shown := snapshot(t, s)
				moved := idle(t, pg, s)
				c.after(t, pg, tx)
				var rows []relay.Row
				for len(rows) == 0 {
					if !<-moved {
						t.Fatal("the wait ended without a move")
					}
					now := snapshot(t, s)
					rows = tick(t, s, shown, now, wide)
					if len(rows) == 0 { // the seq was assigned, and its transaction is open
						moved = idle(t, pg, s)
					}
				}
				if got := keys(rows); len(got) != 1 || got[0] != "a" {
					t.Errorf("rows %v", got)
				}
			})
		})
	}
}

// In a cluster in which nothing else happens, the transaction that was begun last is in
// no snapshot: it has not ended, and its id is not below that of one that has. The
// wait ends with it, whenever it began.
func TestIdleEndsWithAWriterThatNoSnapshotNames(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	migrate(t, pg)
	s := newStore(t, pg)
	lead(t, s)
	snapshot(t, s)
	tx := begin(t, pg)
	insert(t, tx, "a")
	read := snapshot(t, s)
	if id := ask[string](t, tx, `SELECT pg_current_xact_id()::text`); !strings.HasPrefix(string(read), id+":"+id+":") {
		t.Errorf("the snapshot is %s, so this shows nothing: the transaction is %s", read, id)
	}
	moved := idle(t, pg, s)
	must(t, tx.Commit(t.Context()))
	if !<-moved {
		t.Fatal("the wait ended without a move")
	}
	if rows := tick(t, s, read, snapshot(t, s), wide); len(rows) != 1 {
		t.Errorf("rows %v", keys(rows))
	}
}

// Other transactions, open or ended, do not end an outbox's wait if they do not touch
// it.
func TestIdleSleepsThroughOtherTransactions(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `CREATE TABLE other (id int)`)
		s := newStore(t, pg)
		lead(t, s)
		open := begin(t, pg)
		exec(t, open, `INSERT INTO other VALUES (1)`)
		moved := idle(t, pg, s)
		for range 20 {
			exec(t, pg.Pool, `INSERT INTO other VALUES (2)`)
		}
		must(t, open.Commit(t.Context()))
		// Several looks later it still waits.
		began := ask[string](t, pg.Pool, `SELECT query_start::text FROM pg_stat_activity WHERE query LIKE '-- name: WaitForInserts%' AND datname = current_database()`)
		waitFor(t, pg.Pool, `SELECT clock_timestamp() - $1::timestamptz > interval '500 ms'`, began)
		select {
		case <-moved:
			t.Error("the wait ended")
		default:
		}
		insert(t, pg.Pool, "a")
		if !<-moved {
			t.Error("an insert did not end the wait")
		}
	})
}

func TestIdleEndsAfterItsLimit(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lead(t, s)
		quiet(t, s, func(read relay.Snapshot) (bool, error) { return s.Idle(t.Context(), read, 100*time.Millisecond) })
	})
}

// quiet waits until a wait has ended without a move: a transaction of another test
// may have locked the table, as autovacuum does.
func quiet(t *testing.T, s *pgstore.Store, wait func(relay.Snapshot) (bool, error)) {
	t.Helper()
	for range 100 {
		moved, err := wait(snapshot(t, s))
		must(t, err)
		if !moved {
			return
		}
	}
	t.Fatal("every wait ended with a move, and nothing was inserted")
}

// A server that logs slow statements does not log the waiting, unless nothing would
// be left of it.
func TestIdleStaysBelowWhatIsLoggedAsSlow(t *testing.T) {
	for _, c := range []struct {
		slow  string
		least int // statements in the time of the test
		fails bool
	}{
		{"-1", 1, false},
		{"0", 1, false},     // everything is logged, so the fewer the better
		{"400ms", 2, false}, // at most 300 ms each, and none if less than 200 ms are left
		{"100ms", 0, true},
	} {
		t.Run(c.slow, func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				exec(t, pg.Pool, fmt.Sprintf(`ALTER DATABASE %s SET log_min_duration_statement = '%s'`, pgx.Identifier{pg.Database}.Sanitize(), c.slow))
				var waits statementCounter
				s := newStore(t, pg, func(cfg *pgstore.Config) { cfg.Conn.Tracer = &waits })
				lead(t, s)
				if c.fails {
					if _, err := s.Idle(t.Context(), snapshot(t, s), time.Second); err == nil {
						t.Error("it waits")
					}
					return
				}
				quiet(t, s, func(read relay.Snapshot) (bool, error) { waits.Store(0); return s.Idle(t.Context(), read, time.Second) })
				if n := int(waits.Load()); n < c.least || c.least == 1 && n > 1 {
					t.Errorf("%d statements, want %d", n, c.least)
				}
			})
		})
	}
}

// statementCounter counts the statements that wait.
type statementCounter struct{ atomic.Int64 }

func (c *statementCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(data.SQL, "-- name: WaitForInserts ") {
		c.Add(1)
	}
	return ctx
}

func (*statementCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// waitEnds sends the result of each waiting statement.
type waitEnds chan error

type isWait struct{}

func (w waitEnds) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, isWait{}, strings.HasPrefix(data.SQL, "-- name: WaitForInserts "))
}

func (w waitEnds) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if is, _ := ctx.Value(isWait{}).(bool); is {
		w <- data.Err
	}
}

// A wait whose caller gave up ends on the server too, because it would keep others from
// waiting.
func TestAWaitEndsWithItsCaller(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		ends := make(waitEnds, 1000)
		s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = ends })
		lead(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		gone := make(chan error, 1)
		read := snapshot(t, s)
		go func() {
			_, err := s.Idle(ctx, read, forEver)
			gone <- err
		}()
		waitFor(t, pg.Pool, waitingOnServer)
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Fatalf("Idle: %v", err)
		}
		// Statements that ran to their end before do not count.
		var last error
		for last = <-ends; len(ends) > 0; last = <-ends {
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("the statement went on to its end: %v", last)
		}
	})
}

// Two outboxes wait in one statement, and one gives up: the other continues to wait.
func TestAWaitGoesOnForWhoIsLeft(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		server := newServer(t, pg)
		one, two := tenant(t, pg, server, "one"), tenant(t, pg, server, "two")
		lead(t, one)
		lead(t, two)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		gone := make(chan error, 1)
		read := snapshot(t, one)
		go func() {
			_, err := one.Idle(ctx, read, forEver)
			gone <- err
		}()
		moved := idle(t, pg, two)
		cancel()
		if err := <-gone; err == nil {
			t.Error("a wait that was called off returned no error")
		}
		exec(t, pg.Pool, `INSERT INTO two.event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data) VALUES ('a', 'b', 'c', 'd', '{}')`)
		if !<-moved {
			t.Error("an insert did not end the wait")
		}
	})
}

// The clock limits the wait, however long each look takes.
func TestIdleCountsTimeNotLooks(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		// As on a busy server, each look pauses ten times as long as it should.
		for _, sql := range []string{
			`CREATE SCHEMA slow`,
			`CREATE SEQUENCE slow.pauses`,
			`CREATE FUNCTION slow.pg_sleep(float8) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
				$$ BEGIN PERFORM nextval('slow.pauses'), pg_catalog.pg_sleep(10 * $1); END $$`,
			`GRANT USAGE ON SCHEMA slow TO PUBLIC`,
			fmt.Sprintf(`ALTER DATABASE %s SET search_path = slow, pg_catalog, public`, pgx.Identifier{pg.Database}.Sanitize()),
		} {
			exec(t, pg.Pool, sql)
		}
		s := newStore(t, pg)
		lead(t, s)
		quiet(t, s, func(read relay.Snapshot) (bool, error) {
			exec(t, pg.Pool, `ALTER SEQUENCE slow.pauses RESTART`)
			return s.Idle(t.Context(), read, time.Second)
		})
		// Each pause takes 250 ms, and 40 of the usual ones fill the time.
		if n := ask[int](t, pg.Pool, `SELECT last_value FROM slow.pauses`); n < 1 || n > 5 {
			t.Errorf("it paused %d times, want 1 to 5", n)
		}
	})
}
