package pgstore_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// tidy moves the mark, and returns where it is then.
func tidy(t *testing.T, s *pgstore.Store, l relay.Lease) int64 {
	t.Helper()
	_, err := s.Tidy(t.Context(), l, math.MaxInt64)
	must(t, err)
	return s.LowWater()
}

const storedMark = `SELECT low_water FROM event_outbox_lease`

// Marking rows as published writes no index: each of them is a HOT update.
func TestMarkingChangesNoIndex(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		const rows = 2_000
		watcher := pg.Connect(t.Context())
		exec(t, pg.Pool, `ALTER TABLE event_outbox SET (autovacuum_enabled = off)`)
		s := newStore(t, pg)
		lease := lead(t, s)
		insertMany(t, pg, rows, 500)
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		s.Close() // the statistics of a session are complete once it has ended
		pg.Pool.Reset()
		waitFor(t, watcher, `SELECT n_tup_upd >= $1 FROM pg_stat_user_tables WHERE relname = 'event_outbox'`, rows)
		if hot := ask[int64](t, watcher, `SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'event_outbox'`); hot != rows {
			t.Errorf("%d of %d updates are HOT", hot, rows)
		}
	})
}

// The mark passes rows that are settled, failed or dead, and a new term reads those of them
// that are not settled.
func TestTheMarkPassesWhatAnIndexHas(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		for i := range 6 {
			insert(t, pg.Pool, fmt.Sprint(i))
		}
		if at := tidy(t, s, lease); at != 0 {
			t.Fatalf("the mark is at %d, and no row is settled", at)
		}
		must(t, s.Settle(t.Context(), lease, relay.Settlement{
			Published: []int64{1, 2},
			Failed:    []relay.Failure{{Seq: 3, Err: "too large", RetryCount: 1, RetryIn: 1e12}, {Seq: 4, Err: "too large", RetryCount: 1, Dead: true}},
		}))
		if at := tidy(t, s, lease); at != 4 {
			t.Fatalf("the mark is at %d, want 4", at)
		}
		if at := ask[int64](t, pg.Pool, storedMark); at != 4 {
			t.Fatalf("the lease has %d", at)
		}
		must(t, s.Release(t.Context(), lease))

		next := newStore(t, pg)
		lease = lead(t, next)
		snap := snapshot(t, next)
		if diff := cmp.Diff([]int64{3, 5, 6}, seqs(backlog(t, next, snap, wide))); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff([]int64{3, 5, 6}, seqs(backlog(t, next, snap, relay.Limit{Rows: 1, Bytes: 1}))); diff != "" {
			t.Fatalf("page by page: %s", diff)
		}
		if at := next.LowWater(); at != 4 {
			t.Fatalf("the next term begins at %d", at)
		}
		stats, err := next.Stats(t.Context())
		must(t, err)
		if stats.Pending != 3 || stats.Held != 1 || stats.Dead != 1 || stats.OldestAge <= 0 {
			t.Errorf("statistics: %+v", stats)
		}
		page, err := next.ReadAgain(t.Context(), snap, relay.Selection{Topic: "orders", Keys: []string{"2", "3", "4"}}, 0, 100, wide)
		must(t, err)
		if diff := cmp.Diff([]int64{3, 5}, seqs(page.Rows)); diff != "" {
			t.Fatal(diff)
		}
		settle(t, next, lease, backlog(t, next, snap, wide))
		if at := tidy(t, next, lease); at != 6 {
			t.Errorf("the mark is at %d, want 6", at)
		}
	})
}

// A transaction that drew a seq and is open keeps the mark below its rows, whatever ends
// meanwhile. A transaction that does not write to the outbox does not.
func TestTheMarkWaitsForWriters(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		stranger := begin(t, pg)
		exec(t, stranger, `SELECT pg_current_xact_id()`)
		from := snapshot(t, s)
		insert(t, pg.Pool, "1")
		open := begin(t, pg)
		insert(t, open, "2")
		insert(t, pg.Pool, "3")
		rows := backlog(t, s, snapshot(t, s), wide)
		settle(t, s, lease, rows)
		for range 3 {
			insert(t, pg.Pool, "later")
			if at := tidy(t, s, lease); at > 1 {
				t.Fatalf("the mark is at %d, and row 2 may still appear", at)
			}
		}
		must(t, open.Commit(t.Context()))
		to := snapshot(t, s)
		settle(t, s, lease, tick(t, s, from, to, wide))
		for range 2 { // it may ask again for a later place
			tidy(t, s, lease)
		}
		if at := s.LowWater(); at != 6 {
			t.Fatalf("the mark is at %d, want 6", at)
		}
	})
}

func TestTheMarkWaitsForAPreparedTransaction(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private(), services.Setting("max_prepared_transactions", "2"))
	migrate(t, pg)
	s := newStore(t, pg)
	lease := lead(t, s)
	snapshot(t, s)
	conn := pg.Connect(t.Context())
	exec(t, conn, `BEGIN`)
	insert(t, conn, "prepared")
	exec(t, conn, `PREPARE TRANSACTION 'later'`)
	second := insert(t, pg.Pool, "direct")
	must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{second}}))
	for range 3 {
		if at := tidy(t, s, lease); at != 0 {
			t.Fatalf("the mark is at %d, and row 1 may still appear", at)
		}
	}
	exec(t, conn, `COMMIT PREPARED 'later'`)
	settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
	for range 2 {
		tidy(t, s, lease)
	}
	if at := s.LowWater(); at != second {
		t.Fatalf("the mark is at %d, want %d", at, second)
	}
}

// While a transaction is being prepared, pg_locks may list each of its locks with another
// owner. So the mark waits for every prepared transaction, whatever locks pg_locks lists.
func TestTheMarkWaitsForTransactionsInPreparation(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private(), services.Setting("max_prepared_transactions", "2"))
	migrate(t, pg)
	s := newStore(t, pg)
	lease := lead(t, s)
	snapshot(t, s)
	conn := pg.Connect(t.Context())
	exec(t, conn, `BEGIN`)
	exec(t, conn, `SELECT pg_current_xact_id()`)
	exec(t, conn, `PREPARE TRANSACTION 'without a lock on the table'`)
	seq := insert(t, pg.Pool, "direct")
	must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{seq}}))
	for range 2 {
		if at := tidy(t, s, lease); at != 0 {
			t.Fatalf("the mark is at %d, and a transaction is prepared", at)
		}
	}
	exec(t, conn, `COMMIT PREPARED 'without a lock on the table'`)
	if at := tidy(t, s, lease); at != seq {
		t.Fatalf("the mark is at %d, want %d", at, seq)
	}
}

// A few rows that wait for long do not keep the mark from passing many others.
func TestRowsThatWaitAreSetAside(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		s.TidyRows(10)
		lease := lead(t, s)
		insertMany(t, pg, 30, 10)
		var published []int64
		for seq := int64(1); seq <= 30; seq++ {
			if seq != 3 && seq != 7 && seq < 25 {
				published = append(published, seq)
			}
		}
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: published}))
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		if at := s.LowWater(); at != 2 {
			t.Fatalf("the mark is at %d, want 2", at)
		}
		for range 4 {
			tidy(t, s, lease)
		}
		if at := s.LowWater(); at != 24 { // of the last rows too many wait
			t.Fatalf("the mark is at %d, want 24", at)
		}
		aside := ask[[]int64](t, pg.Pool, `SELECT array_agg(seq ORDER BY seq) FROM event_outbox WHERE next_attempt_at IS NOT NULL`)
		if diff := cmp.Diff([]int64{3, 7}, aside); diff != "" {
			t.Fatal(diff)
		}
		held, err := s.ReadHeld(t.Context(), relay.Blocking{})
		must(t, err)
		if len(held) != 0 {
			t.Errorf("rows that wait hold their keys: %+v", held)
		}
		snap := snapshot(t, s)
		rows := backlog(t, s, snap, wide)
		if diff := cmp.Diff([]int64{3, 7, 25, 26, 27, 28, 29, 30}, seqs(rows)); diff != "" {
			t.Fatal(diff)
		}
		settle(t, s, lease, rows)
		if at := tidy(t, s, lease); at != 30 {
			t.Errorf("the mark is at %d, want 30", at)
		}
		if n := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox WHERE next_attempt_at IS NOT NULL`); n != 0 {
			t.Errorf("%d published rows are still in the index of rows that wait", n)
		}
	})
}

// Rows that wait are set aside also if there are more of them than of the others. A row that
// failed, and whose next_attempt_at somebody took away, does not hold its key again.
func TestManyRowsThatWaitAreSetAside(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		s.TidyRows(10)
		lease := lead(t, s)
		insertMany(t, pg, 30, 10)
		rows := seqs(backlog(t, s, snapshot(t, s), wide))
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: rows[15:]}))
		exec(t, pg.Pool, `UPDATE event_outbox SET retry_count = 3 WHERE seq = 2`)
		var marks []int64
		for range 4 {
			_, err := s.Tidy(t.Context(), lease, 12)
			must(t, err)
			marks = append(marks, s.LowWater())
		}
		if diff := cmp.Diff([]int64{0, 10, 12, 12}, marks); diff != "" {
			t.Errorf("marks (-want +got):\n%s", diff)
		}
		aside := ask[[]int64](t, pg.Pool, `SELECT array_agg(seq ORDER BY seq) FROM event_outbox WHERE next_attempt_at IS NOT NULL`)
		if diff := cmp.Diff(rows[:12], aside); diff != "" {
			t.Errorf("set aside (-want +got):\n%s", diff)
		}
		held, err := s.ReadHeld(t.Context(), relay.Blocking{})
		must(t, err)
		if len(held) != 0 {
			t.Errorf("rows that wait hold their keys: %+v", held)
		}
	})
}

// A mark is true for one sequence. A sequence that starts over, or is set back, numbers
// rows from below it.
func TestTheMarkOfAnotherSequence(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		for name, change := range map[string]string{
			"restarted": `TRUNCATE event_outbox RESTART IDENTITY`,
			"set back":  `TRUNCATE event_outbox; SELECT setval('event_outbox_seq_seq', 2)`,
		} {
			for _, leading := range []bool{false, true} {
				exec(t, pg.Pool, `TRUNCATE event_outbox RESTART IDENTITY`)
				s := newStore(t, pg)
				lease := lead(t, s)
				insertMany(t, pg, 10, 10)
				settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
				if at := tidy(t, s, lease); at != 10 {
					t.Fatalf("%s: the mark is at %d, want 10", name, at)
				}
				for _, one := range strings.Split(change, "; ") {
					exec(t, pg.Pool, one)
				}
				if leading {
					tidy(t, s, lease)
				}
				first := insert(t, pg.Pool, "low")
				if leading {
					if at := tidy(t, s, lease); at >= first {
						t.Errorf("%s: the mark is at %d, and row %d is not settled", name, at, first)
					}
					if diff := cmp.Diff([]int64{first}, seqs(backlog(t, s, snapshot(t, s), wide))); diff != "" {
						t.Errorf("%s: %s", name, diff)
					}
					insertMany(t, pg, 20, 10) // the sequence passes the former mark
				}
				must(t, s.Release(t.Context(), lease))
				next := newStore(t, pg)
				lease = lead(t, next)
				rows := seqs(backlog(t, next, snapshot(t, next), wide))
				if len(rows) == 0 || rows[0] != first {
					t.Errorf("%s, leading %v: the next term reads %v, want %d first", name, leading, rows, first)
				}
				must(t, next.Release(t.Context(), lease))
			}
		}
	})
}

// While a session alters the sequence, the mark cannot be read. That keeps no statement
// waiting, and the mark of a running term stays known.
func TestTheMarkWhileTheSequenceIsLocked(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		insertMany(t, pg, 10, 10)
		snap := snapshot(t, s)
		settle(t, s, lease, backlog(t, s, snap, wide)[:4])
		if at := tidy(t, s, lease); at != 4 {
			t.Fatalf("the mark is at %d, want 4", at)
		}
		owner := begin(t, pg)
		exec(t, owner, `ALTER SEQUENCE event_outbox_seq_seq RESTART`)
		if at := tidy(t, s, lease); at != 4 {
			t.Errorf("the mark is at %d, want 4", at)
		}
		if rows := backlog(t, s, snap, wide); len(rows) != 6 {
			t.Errorf("%d rows are read, want 6", len(rows))
		}
		_, err := s.Search(t.Context(), lease)
		must(t, err)
		next := newStore(t, pg)
		lead(t, next)
		const locked = "the sequence of seq is locked by another session"
		if _, err := next.ReadBacklog(t.Context(), snap, 0, wide); err == nil || !strings.Contains(err.Error(), locked) {
			t.Errorf("a new term's read answers %v", err)
		}
		must(t, owner.Rollback(t.Context()))
		if rows := backlog(t, next, snap, wide); len(rows) != 6 {
			t.Errorf("%d rows are read, want 6", len(rows))
		}
	})
}

// A row whose seq was not drawn from the sequence can be below the mark. A running leader
// that reads it moves the mark back, so that a successor finds it too.
func TestARowWithAChosenSeq(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		from := snapshot(t, s)
		insertMany(t, pg, 9, 10)
		to := snapshot(t, s)
		settle(t, s, lease, tick(t, s, from, to, wide))
		if at := tidy(t, s, lease); at != 9 {
			t.Fatalf("the mark is at %d, want 9", at)
		}
		exec(t, pg.Pool, `DELETE FROM event_outbox WHERE seq = 4`)
		exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, seq)
			OVERRIDING SYSTEM VALUE VALUES ('a', 'order', 'order.paid.v1', 'orders', 'restored', '{}', 4)`)
		later := snapshot(t, s)
		if diff := cmp.Diff([]string{"restored"}, keys(tick(t, s, to, later, wide))); diff != "" {
			t.Fatal(diff)
		}
		must(t, s.Release(t.Context(), lease))
		next := newStore(t, pg)
		lead(t, next)
		if diff := cmp.Diff([]string{"restored"}, keys(backlog(t, next, snapshot(t, next), wide))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Moving the mark back is repeated as long as it may not have happened.
func TestMovingTheMarkBackIsRepeated(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		from := snapshot(t, s)
		insertMany(t, pg, 9, 10)
		to := snapshot(t, s)
		settle(t, s, lease, tick(t, s, from, to, wide))
		if at := tidy(t, s, lease); at != 9 {
			t.Fatalf("the mark is at %d, want 9", at)
		}
		exec(t, pg.Pool, `DELETE FROM event_outbox WHERE seq = 4`)
		exec(t, pg.Pool, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, seq)
			OVERRIDING SYSTEM VALUE VALUES ('a', 'order', 'order.paid.v1', 'orders', 'restored', '{}', 4)`)
		later := snapshot(t, s)
		other := begin(t, pg)
		exec(t, other, `SELECT FROM event_outbox_lease FOR UPDATE`)
		if _, err := s.ReadTick(t.Context(), to, later, 0, wide); err == nil {
			t.Fatal("the mark was moved in a row that another session has locked")
		}
		must(t, other.Rollback(t.Context()))
		if diff := cmp.Diff([]string{"restored"}, keys(tick(t, s, to, later, wide))); diff != "" {
			t.Fatal(diff)
		}
		if at := ask[int64](t, pg.Pool, storedMark); at != 3 {
			t.Errorf("the lease has %d, want 3", at)
		}
	})
}

// What lost its next_attempt_at, by an operator's hand or by the replay of an earlier
// version, is found again.
func TestRowsBelowTheMarkThatLostTheirIndex(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		insertMany(t, pg, 5, 10)
		snap := snapshot(t, s)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{
			Published: []int64{3, 4, 5},
			Failed:    []relay.Failure{{Seq: 1, Err: "too large", RetryCount: 1, RetryIn: 1e12}, {Seq: 2, Err: "too large", RetryCount: 1, Dead: true}},
		}))
		if at := tidy(t, s, lease); at != 5 {
			t.Fatalf("the mark is at %d, want 5", at)
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET next_attempt_at = NULL WHERE seq = 1`)
		held, err := s.ReadHeld(t.Context(), relay.Blocking{})
		must(t, err)
		if len(held) != 0 {
			t.Errorf("row 1 still holds its key: %+v", held)
		}
		exec(t, pg.Pool, `WITH replayed AS (UPDATE event_outbox SET dead_at = NULL, next_attempt_at = NULL, retry_count = 0 WHERE seq = 2 RETURNING *)
			INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key)
			SELECT 'op', 'replay', seq, id, event_type, topic, event_key FROM replayed`)
		decisions, err := s.Decisions(t.Context(), lease, nil)
		must(t, err)
		if len(decisions) != 1 {
			t.Fatalf("decisions: %+v", decisions)
		}
		if diff := cmp.Diff([]int64{1, 2}, seqs(backlog(t, s, snap, wide))); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A row that another session has locked keeps nobody waiting. It gets its next_attempt_at
// once it can. The session that sets it is one of those that a successor ends.
func TestLockedRowsThatLostTheirIndex(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		insertMany(t, pg, 5, 10)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{
			Published: []int64{3, 4, 5},
			Failed:    []relay.Failure{{Seq: 1, Err: "too large", RetryCount: 1, RetryIn: 1e12}, {Seq: 2, Err: "too large", RetryCount: 1, Dead: true}},
		}))
		if at := tidy(t, s, lease); at != 5 {
			t.Fatalf("the mark is at %d, want 5", at)
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET next_attempt_at = NULL, published_at = NULL WHERE seq IN (1, 3)`)
		exec(t, pg.Pool, `WITH replayed AS (UPDATE event_outbox SET dead_at = NULL, next_attempt_at = NULL, retry_count = 0 WHERE seq = 2 RETURNING *)
			INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key)
			SELECT 'op', 'replay', seq, id, event_type, topic, event_key FROM replayed`)
		const aside = `SELECT coalesce(array_agg(seq ORDER BY seq), '{}') FROM event_outbox WHERE next_attempt_at IS NOT NULL`
		var restored [][]int64
		var decided []int
		look := func() {
			t.Helper()
			_, err := s.ReadHeld(t.Context(), relay.Blocking{})
			must(t, err)
			restored = append(restored, ask[[]int64](t, pg.Pool, aside))
			decisions, err := s.Decisions(t.Context(), lease, nil)
			must(t, err)
			decided = append(decided, len(decisions))
			restored = append(restored, ask[[]int64](t, pg.Pool, aside))
			_, err = s.Search(t.Context(), lease)
			must(t, err)
			restored = append(restored, ask[[]int64](t, pg.Pool, aside))
		}
		other := begin(t, pg)
		exec(t, other, `SELECT FROM event_outbox FOR UPDATE`)
		look()
		must(t, other.Rollback(t.Context()))
		s.Trim()
		_, err := s.ReadHeld(t.Context(), relay.Blocking{})
		must(t, err)
		if registered := ask[[]bool](t, pg.Pool, `
			SELECT array_agg(a.pid IN (SELECT (b ->> 'pid')::int FROM event_outbox_lease, jsonb_array_elements(backends) AS b))
			FROM pg_stat_activity AS a
			WHERE a.query LIKE '%name: Restore %' AND a.pid <> pg_backend_pid() AND a.datname = current_database()`); !slices.Equal(registered, []bool{true}) {
			t.Errorf("are the sessions that restored rows registered? %v", registered)
		}
		look()
		none := []int64{}
		if diff := cmp.Diff([][]int64{none, none, none, {1}, {1, 2}, {1, 2, 3}}, restored); diff != "" {
			t.Errorf("restored rows (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{0, 1}, decided); diff != "" {
			t.Errorf("decisions (-want +got):\n%s", diff)
		}
	})
}

// Rows below the mark that somebody made unpublished, or restored, by hand are found a page
// at a time, and then reads find them. A former leader changes nothing.
func TestRowsBelowTheMarkAreSearched(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		s.TidyRows(4)
		lease := lead(t, s)
		insertMany(t, pg, 10, 10)
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		if at := tidy(t, s, lease); at != 10 {
			t.Fatalf("the mark is at %d, want 10", at)
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = NULL WHERE seq IN (2, 3, 9)`)
		exec(t, pg.Pool, `CREATE TABLE backup AS SELECT * FROM event_outbox WHERE seq = 6`)
		exec(t, pg.Pool, `DELETE FROM event_outbox WHERE seq = 6`)
		exec(t, pg.Pool, `INSERT INTO event_outbox OVERRIDING SYSTEM VALUE SELECT * FROM backup`)
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = NULL WHERE seq = 6`)
		snap := snapshot(t, s)
		if rows := backlog(t, s, snap, wide); len(rows) != 0 {
			t.Fatalf("found without a search: %v", seqs(rows))
		}
		var found []int64
		for range 4 {
			highest, err := s.Search(t.Context(), lease)
			must(t, err)
			found = append(found, highest)
		}
		if diff := cmp.Diff([]int64{9, 6, 2, 9}, found); diff != "" {
			t.Errorf("the searches find (-want +got):\n%s", diff)
		}
		snap = snapshot(t, s)
		page, _, err := s.ReadEdited(t.Context(), snap, snap, 0, 10, wide)
		must(t, err)
		if diff := cmp.Diff([]int64{2, 3, 6, 9}, seqs(page.Rows)); diff != "" {
			t.Errorf("edited rows (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int64{2, 3, 6, 9}, seqs(backlog(t, s, snap, wide))); diff != "" {
			t.Errorf("the backlog of the next term (-want +got):\n%s", diff)
		}

		next := newStore(t, pg)
		lead(t, next)
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = NULL WHERE seq = 5`)
		if _, err := s.Search(t.Context(), lease); !errors.Is(err, relay.ErrLeaseLost) {
			t.Errorf("the former leader's search answers %v", err)
		}
		if aside := ask[bool](t, pg.Pool, `SELECT next_attempt_at IS NOT NULL FROM event_outbox WHERE seq = 5`); aside {
			t.Error("the former leader changed a row")
		}
	})
}

// A round of the search ends, however fast the mark moves on, and continues in the next
// term.
func TestARoundOfTheSearchEnds(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		var s *pgstore.Store
		var lease relay.Lease
		begin := func() {
			s = newStore(t, pg)
			s.TidyRows(4)
			lease = lead(t, s)
		}
		publish := func() { // more rows than a search looks at
			insertMany(t, pg, 8, 10)
			settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
			for range 2 {
				tidy(t, s, lease)
			}
		}
		begin()
		publish()
		publish()
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = NULL WHERE seq IN (1, 5, 9, 13)`)
		var found []int64
		for range 4 {
			highest, err := s.Search(t.Context(), lease)
			must(t, err)
			found = append(found, highest)
			publish()
			must(t, s.Release(t.Context(), lease))
			s.Close()
			begin()
			tidy(t, s, lease)
		}
		if diff := cmp.Diff([]int64{13, 9, 5, 1}, found); diff != "" {
			t.Errorf("the searches find (-want +got):\n%s", diff)
		}
	})
}

// Tidy says which row keeps the mark from moving, so that the relay can look at it.
func TestTheRowThatKeepsTheMark(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		s.TidyRows(4)
		lease := lead(t, s)
		insertMany(t, pg, 5, 10)
		rows := backlog(t, s, snapshot(t, s), wide)
		settle(t, s, lease, slices.Concat(rows[:1], rows[2:4]))
		for setAside, want := range []relay.Tidied{
			{First: 2, Last: 4, Safe: 5},
			{First: 2, Last: 5, Safe: 5}, // the mark is before row 2 now
			{First: 2, Last: 5, Safe: 5, More: true, SetAside: true},
		} {
			got, err := s.Tidy(t.Context(), lease, int64(setAside))
			must(t, err)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("set aside up to %d (-want +got):\n%s", setAside, diff)
			}
		}
	})
}

// A gap in the numbers, however large, costs no more than one page.
func TestAPageSkipsAGap(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		s.LookSeqs(10)
		lead(t, s)
		const far = 1_000_000_000_000
		insertMany(t, pg, 2, 10)
		exec(t, pg.Pool, `SELECT setval('event_outbox_seq_seq', $1)`, int64(far))
		insertMany(t, pg, 1, 10)
		snap := snapshot(t, s)
		first, err := s.ReadBacklog(t.Context(), snap, 0, wide)
		must(t, err)
		second, err := s.ReadBacklog(t.Context(), snap, first.End, wide)
		must(t, err)
		type page struct {
			Seqs []int64
			More bool
			End  int64
		}
		want := []page{{[]int64{1, 2}, true, far}, {[]int64{far + 1}, false, 0}}
		if diff := cmp.Diff(want, []page{{seqs(first.Rows), first.More, first.End}, {seqs(second.Rows), second.More, second.End}}); diff != "" {
			t.Errorf("pages (-want +got):\n%s", diff)
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET event_key = 'edited' WHERE seq > 2`)
		edits := snapshot(t, s)
		var edited []int64
		reads := 0
		for after, more := int64(0), true; more; reads++ {
			page, end, err := s.ReadEdited(t.Context(), edits, edits, after, far+1, wide)
			must(t, err)
			edited = append(edited, seqs(page.Rows)...)
			after, more = end, page.More
		}
		if diff := cmp.Diff([]int64{far + 1}, edited); diff != "" || reads > 3 {
			t.Errorf("%d reads: %s", reads, diff)
		}
	})
}

// An outbox of an earlier version is read as before, and the migration to the current
// indexes, and back, can run while a relay leads.
func TestIndexesOfAnEarlierVersion(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		files, err := migrations.Files(migrations.Plain, migrations.Options{Kind: migrations.KindIndexes})
		must(t, err)
		down, up := string(files[0].Content), string(files[1].Content)
		owner := pg.Connect(t.Context())
		run := func(sql string) {
			t.Helper()
			_, err := owner.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
			must(t, err)
		}
		run(down)
		s := newStore(t, pg)
		must(t, s.Check(t.Context()))
		lease := lead(t, s)
		insertMany(t, pg, 5, 10)
		snap := snapshot(t, s)
		settle(t, s, lease, backlog(t, s, snap, wide)[:2])
		for _, step := range []struct {
			sql  string
			want int64
		}{{``, 0}, {up, 2}, {down, 0}, {up, 2}} {
			if step.sql != "" {
				run(step.sql)
			}
			if step.sql == up {
				if at := ask[int64](t, owner, storedMark); at != 2 {
					t.Errorf("the migration sets the mark to %d, want 2", at)
				}
			}
			if at := tidy(t, s, lease); at != step.want {
				t.Errorf("the mark is at %d, want %d", at, step.want)
			}
			if diff := cmp.Diff([]int64{3, 4, 5}, seqs(backlog(t, s, snapshot(t, s), wide))); diff != "" {
				t.Error(diff)
			}
			if step.want == 0 {
				for name, plan := range s.Plans(t.Context(), t, lease, snap) {
					if name != "RenewLease" && name != "LookFromMark" && name != "SetAside" && name != "HighestSeq" && name != "Restore" && name != "SearchBelow" && name != "NextSeq" && strings.Contains(plan, "Seq Scan on event_outbox ") {
						t.Errorf("%s scans the table:\n%s", name, plan)
					}
				}
			}
			must(t, newStore(t, pg).Check(t.Context()))
		}
	})
}

// A statement looks at a limited number of rows above the mark, so that it ends, however
// many were published there.
func TestAPageLooksAtALimitedNumberOfRows(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		s.LookSeqs(10)
		lease := lead(t, s)
		insertMany(t, pg, 35, 10)
		var published []int64
		for seq := int64(2); seq <= 33; seq++ {
			published = append(published, seq)
		}
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: published}))
		snap := snapshot(t, s)
		for name, read := range map[string]func(after int64) (relay.Page, int64, error){
			"backlog": func(after int64) (relay.Page, int64, error) {
				page, err := s.ReadBacklog(t.Context(), snap, after, wide)
				return page, page.End, err
			},
			"again": func(after int64) (relay.Page, int64, error) {
				page, err := s.ReadAgain(t.Context(), snap, relay.Selection{Topic: "orders"}, after, 1_000, wide)
				return page, page.End, err
			},
		} {
			var pages [][]int64
			var ends []int64
			for after, more := int64(0), true; more; {
				page, end, err := read(after)
				must(t, err)
				pages, ends = append(pages, seqs(page.Rows)), append(ends, end)
				after, more = end, page.More
			}
			if diff := cmp.Diff([][]int64{{1}, {}, {}, {34, 35}}, pages); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if diff := cmp.Diff([]int64{10, 20, 30, 0}, ends); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		// Row 1 is just above the mark, and rows 34 and 35 are among the newest. Rows between
		// are not counted.
		stats := func() relay.Stats {
			t.Helper()
			stats, err := s.Stats(t.Context())
			must(t, err)
			return stats
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = NULL WHERE seq = 20`)
		if n := stats().Pending; n != 3 {
			t.Errorf("%d rows are counted as pending, want 3", n)
		}
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{1, 20}}))
		if got := stats(); got.Pending != 2 || got.OldestAge <= 0 {
			t.Errorf("only the newest rows are pending: %+v", got)
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET event_key = 'edited' WHERE seq = 34`)
		edits := snapshot(t, s)
		var edited []int64
		for after, more := int64(0), true; more; {
			page, end, err := s.ReadEdited(t.Context(), edits, edits, after, 35, wide)
			must(t, err)
			edited = append(edited, seqs(page.Rows)...)
			after, more = end, page.More
		}
		if diff := cmp.Diff([]int64{34}, edited); diff != "" {
			t.Error(diff)
		}
	})
}

// The pages of a tick end with the tick, however many rows were published since its first
// row.
func TestATickInPages(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		open := begin(t, pg)
		for range 5 {
			insert(t, open, "k")
		}
		first := snapshot(t, s)
		insertMany(t, pg, 50, 10)
		from := snapshot(t, s)
		settle(t, s, lease, tick(t, s, first, from, wide))
		must(t, open.Commit(t.Context()))
		insertMany(t, pg, 3, 10)
		to := snapshot(t, s)
		want := []int64{1, 2, 3, 4, 5, 56, 57, 58}
		for _, rows := range []int{1, 2, 3, 8, 100} {
			if diff := cmp.Diff(want, seqs(tick(t, s, from, to, relay.Limit{Rows: rows, Bytes: 1 << 20}))); diff != "" {
				t.Errorf("pages of %d: %s", rows, diff)
			}
		}
	})
}
