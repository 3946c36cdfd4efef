package pgstore_test

import (
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
