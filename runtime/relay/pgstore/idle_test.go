package pgstore_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// forEver is longer than a test may take.
const forEver = 10 * time.Minute

// idle takes the two snapshots after which the store can wait, and waits.
func idle(t *testing.T, s *pgstore.Store) (moved chan bool) {
	t.Helper()
	snapshot(t, s)
	snapshot(t, s)
	moved = make(chan bool, 1)
	go func() {
		ok, err := s.Idle(t.Context(), forEver)
		if err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		moved <- ok
	}()
	return moved
}

const waitingOnServer = `SELECT EXISTS (SELECT FROM pg_stat_activity
	WHERE datname = current_database() AND query LIKE '-- name: WaitForInserts%' AND state = 'active')`

// Whatever commits rows that the latest snapshot does not show ends the wait, and
// the next snapshot shows them.
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
				moved := idle(t, s)
				waitFor(t, pg.Pool, waitingOnServer)
				c.after(t, pg, tx)
				var rows []relay.Row
				for len(rows) == 0 {
					if !<-moved {
						t.Fatal("the wait ended without a move")
					}
					now := snapshot(t, s)
					rows = tick(t, s, shown, now, wide)
					if len(rows) == 0 { // the seq was drawn, and its transaction is open
						moved = idle(t, s)
					}
				}
				if got := keys(rows); len(got) != 1 || got[0] != "a" {
					t.Errorf("rows %v", got)
				}
			})
		})
	}
}

// What goes on beside an outbox does not end its wait: transactions of other
// tables, open or ended.
func TestIdleSleepsThroughOtherTransactions(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `CREATE TABLE other (id int)`)
		s := newStore(t, pg)
		lead(t, s)
		open := begin(t, pg)
		exec(t, open, `INSERT INTO other VALUES (1)`)
		moved := idle(t, s)
		waitFor(t, pg.Pool, waitingOnServer)
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
		snapshot(t, s)
		snapshot(t, s)
		moved, err := s.Idle(t.Context(), 100*time.Millisecond)
		must(t, err)
		if moved {
			t.Error("nothing was inserted")
		}
	})
}
