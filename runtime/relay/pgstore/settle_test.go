package pgstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// rowState has the columns of a row that settling changes.
type rowState struct {
	Seq        int64
	Published  bool
	Dead       bool
	RetryCount int
	LastError  string
	Waits      bool
}

func states(t *testing.T, pg *services.PG) []rowState {
	t.Helper()
	rows, err := pg.Pool.Query(t.Context(), `SELECT seq, published_at IS NOT NULL, dead_at IS NOT NULL, retry_count,
		coalesce(last_error, ''), next_attempt_at IS NOT NULL FROM event_outbox ORDER BY seq`)
	must(t, err)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rowState])
	must(t, err)
	return list
}

func withMode(m pgstore.Mode) func(*pgstore.Config) {
	return func(c *pgstore.Config) { c.Mode = m }
}

func TestSettle(t *testing.T) {
	settlement := relay.Settlement{
		Published: []int64{1, 3},
		Failed: []relay.Failure{
			{Seq: 2, Err: "too large\x00", RetryCount: 1, RetryIn: time.Hour},
			{Seq: 4, Err: strings.Repeat("é", 2_000), RetryCount: 10, Dead: true},
		},
	}
	failed := []rowState{
		{Seq: 2, RetryCount: 1, LastError: "too large", Waits: true},
		{Seq: 4, RetryCount: 10, LastError: strings.Repeat("é", 1_000) + "…", Dead: true},
	}
	for _, c := range []struct {
		mode pgstore.Mode
		want []rowState
	}{
		{pgstore.Mark, []rowState{{Seq: 1, Published: true}, failed[0], {Seq: 3, Published: true}, failed[1], {Seq: 5}}},
		{pgstore.Delete, []rowState{failed[0], failed[1], {Seq: 5}}},
	} {
		t.Run(string(c.mode), func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				s := newStore(t, pg, withMode(c.mode))
				lease := lead(t, s)
				for range 5 {
					insert(t, pg.Pool, "a")
				}
				for range 2 { // again, as after an unknown outcome
					must(t, s.Settle(t.Context(), lease, settlement))
				}
				if diff := cmp.Diff(c.want, states(t, pg)); diff != "" {
					t.Fatal(diff)
				}

				// Rows that wait for a retry still have to be published.
				must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{2, 5}}))
				unsettled := backlog(t, s, snapshot(t, s), wide)
				if len(unsettled) != 0 {
					t.Fatalf("unsettled: %v", seqs(unsettled))
				}
			})
		})
	}
}

func TestSettleUnderALostLease(t *testing.T) {
	for _, mode := range []pgstore.Mode{pgstore.Mark, pgstore.Delete} {
		t.Run(string(mode), func(t *testing.T) {
			each(t, func(t *testing.T, pg *services.PG) {
				s := newStore(t, pg, withMode(mode))
				stale := lead(t, s)
				insert(t, pg.Pool, "a")
				insert(t, pg.Pool, "b")
				lead(t, newStore(t, pg))

				for _, settlement := range []relay.Settlement{
					{Published: []int64{1}},
					{Published: []int64{1}, Failed: []relay.Failure{{Seq: 2, RetryCount: 1, Err: "no", Dead: true}}},
				} {
					if err := s.Settle(t.Context(), stale, settlement); !errors.Is(err, relay.ErrLeaseLost) {
						t.Fatalf("settling under a lost lease: %v", err)
					}
				}
				if diff := cmp.Diff([]rowState{{Seq: 1}, {Seq: 2}}, states(t, pg)); diff != "" {
					t.Fatal(diff)
				}
				if _, err := s.Sweep(t.Context(), stale, 0, 10); !errors.Is(err, relay.ErrLeaseLost) {
					t.Fatalf("sweeping under a lost lease: %v", err)
				}
				if _, err := s.Decisions(t.Context(), stale, nil); !errors.Is(err, relay.ErrLeaseLost) {
					t.Fatalf("decisions under a lost lease: %v", err)
				}
			})
		})
	}
}

// The naive settling statement asks for the epoch with EXISTS. While it waits for
// a row, the lease moves on, and it still commits.
func TestSettleWithExistsWouldCommitAfterTheTerm(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		lead(t, newStore(t, pg))
		seq := insert(t, pg.Pool, "a")
		inTheWay := begin(t, pg)
		exec(t, inTheWay, `SELECT FROM event_outbox WHERE seq = $1 FOR UPDATE`, seq)

		stale := pg.Connect(t.Context())
		settled := make(chan error, 1)
		go func() {
			_, err := stale.Exec(t.Context(), `UPDATE event_outbox SET published_at = now() WHERE seq = $1
				AND EXISTS (SELECT FROM event_outbox_lease WHERE epoch = 1)`, seq)
			settled <- err
		}()
		waitBlocked(t, pg, stale.PgConn().PID())
		lead(t, newStore(t, pg))
		must(t, inTheWay.Rollback(t.Context()))
		must(t, <-settled)
		if diff := cmp.Diff([]rowState{{Seq: seq, Published: true}}, states(t, pg)); diff != "" {
			t.Fatalf("the naive statement no longer shows the fault that the real one avoids:\n%s", diff)
		}
	})
}

// The same order of events: the take-over cannot pass the settling statement, and ends
// its session instead.
func TestSettleNeverCommitsAfterTheTerm(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		stale := lead(t, s)
		seq := insert(t, pg.Pool, "a")
		inTheWay := begin(t, pg)
		exec(t, inTheWay, `SELECT FROM event_outbox WHERE seq = $1 FOR UPDATE`, seq)

		settled := make(chan error, 1)
		go func() { settled <- s.Settle(t.Context(), stale, relay.Settlement{Published: []int64{seq}}) }()
		waitBlocked(t, pg, 0)
		lease := lead(t, newStore(t, pg, func(c *pgstore.Config) { c.LockTimeout = 500 * time.Millisecond }))
		if lease.Epoch != 2 {
			t.Fatalf("the lease is %+v", lease)
		}
		must(t, inTheWay.Rollback(t.Context()))
		if err := <-settled; err == nil {
			t.Fatal("the statement of the former term was not ended")
		}
		if diff := cmp.Diff([]rowState{{Seq: seq}}, states(t, pg)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// The other way round: the settling statement comes while a take-over is being
// committed.
func TestSettleWaitsForATakeOver(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		stale := lead(t, s)
		seq := insert(t, pg.Pool, "a")
		takeOver := begin(t, pg)
		exec(t, takeOver, `SELECT FROM event_outbox_lease FOR UPDATE`)
		exec(t, takeOver, `UPDATE event_outbox_lease SET epoch = epoch + 1, holder = $1`, uuid.New())

		settled := make(chan error, 1)
		go func() { settled <- s.Settle(t.Context(), stale, relay.Settlement{Published: []int64{seq}}) }()
		waitBlocked(t, pg, 0)
		must(t, takeOver.Commit(t.Context()))
		if err := <-settled; !errors.Is(err, relay.ErrLeaseLost) {
			t.Fatalf("settling: %v", err)
		}
		if diff := cmp.Diff([]rowState{{Seq: seq}}, states(t, pg)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestRenewingDoesNotWaitForSettling(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		seq := insert(t, pg.Pool, "a")
		inTheWay := begin(t, pg)
		exec(t, inTheWay, `SELECT FROM event_outbox WHERE seq = $1 FOR UPDATE`, seq)
		settled := make(chan error, 1)
		go func() { settled <- s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{seq}}) }()
		waitBlocked(t, pg, 0)
		renew(t, s, lease, relay.Progress{})
		must(t, inTheWay.Rollback(t.Context()))
		must(t, <-settled)
	})
}

// waitBlocked returns once a session of this database waits for a lock: the session
// with the pid, or any if pid is 0.
func waitBlocked(t *testing.T, pg *services.PG, pid uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !ask[bool](t, pg.Pool, `SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock' AND (pid = $1 OR $1 = 0))`, int32(pid)) {
		if ctx.Err() != nil {
			t.Fatal("nothing waits for a lock")
		}
	}
}

func TestHeldRowsAndDecisions(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		for _, key := range []string{"waits", "parked", "blocks", "goes"} {
			insert(t, pg.Pool, key)
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET event_type = 'strict.v1' WHERE seq = 3`)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Failed: []relay.Failure{
			{Seq: 1, Err: "no", RetryCount: 3, RetryIn: time.Hour},
			{Seq: 2, Err: "no", RetryCount: 10, Dead: true},
			{Seq: 3, Err: "no", RetryCount: 10, Dead: true},
		}}))
		key := func(s string) *string { return &s }
		waits := relay.HeldRow{Seq: 1, Topic: "orders", Key: key("waits"), EventType: "order.paid.v1", RetryCount: 3}
		parked := relay.HeldRow{Seq: 2, Topic: "orders", Key: key("parked"), EventType: "order.paid.v1", RetryCount: 10, Dead: true}
		blocks := relay.HeldRow{Seq: 3, Topic: "orders", Key: key("blocks"), EventType: "strict.v1", RetryCount: 10, Dead: true}
		for _, c := range []struct {
			blocking relay.Blocking
			want     []relay.HeldRow
		}{
			{relay.Blocking{}, []relay.HeldRow{waits}},
			{relay.Blocking{Except: []string{"strict.v1"}}, []relay.HeldRow{waits, blocks}},
			{relay.Blocking{ByDefault: true}, []relay.HeldRow{waits, parked, blocks}},
			{relay.Blocking{ByDefault: true, Except: []string{"strict.v1"}}, []relay.HeldRow{waits, parked}},
		} {
			held, err := s.ReadHeld(t.Context(), c.blocking)
			must(t, err)
			for i := range held {
				if !held[i].Dead && (held[i].RetryIn <= 59*time.Minute || held[i].RetryIn > time.Hour || held[i].NextAttempt.IsZero()) {
					t.Fatalf("the retry is in %v, at %v", held[i].RetryIn, held[i].NextAttempt)
				}
				held[i].RetryIn, held[i].NextAttempt = 0, time.Time{}
			}
			if diff := cmp.Diff(c.want, held); diff != "" {
				t.Fatalf("%+v:\n%s", c.blocking, diff)
			}
		}

		stats, err := s.Stats(t.Context())
		must(t, err)
		if stats.OldestAge <= 0 || stats.OldestAge > time.Hour {
			t.Fatalf("the oldest is %v old", stats.OldestAge)
		}
		stats.OldestAge = 0
		if diff := cmp.Diff(relay.Stats{Pending: 2, Held: 1, Dead: 2, LastSeq: 4}, stats); diff != "" {
			t.Fatal(diff)
		}

		// An operator replays one row and discards another.
		exec(t, pg.Pool, `INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, topic, event_key)
			SELECT 'ann', CASE seq WHEN 2 THEN 'replay' ELSE 'discard' END, seq, id, event_type, topic, event_key
			FROM event_outbox WHERE seq IN (2, 3) ORDER BY seq`)
		exec(t, pg.Pool, `UPDATE event_outbox SET dead_at = NULL, retry_count = 0 WHERE seq = 2`)
		exec(t, pg.Pool, `DELETE FROM event_outbox WHERE seq = 3`)
		want := []relay.Decision{
			{ID: 1, Seq: 2, Topic: "orders", Key: key("parked")},
			{ID: 2, Seq: 3, Topic: "orders", Key: key("blocks"), Discarded: true},
		}
		for _, step := range []struct {
			done []int64
			want []relay.Decision
		}{{nil, want}, {nil, want}, {[]int64{1}, want[1:]}, {[]int64{1, 2}, nil}, {nil, nil}} {
			got, err := s.Decisions(t.Context(), lease, step.done)
			must(t, err)
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Fatal(diff)
			}
		}
		again, err := s.ReadAgain(t.Context(), snapshot(t, s), relay.Selection{Topic: "orders", Keys: []string{"parked"}}, 1, 2, wide)
		must(t, err)
		if diff := cmp.Diff([]int64{2}, seqs(again.Rows)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		// Transactions of one, ten and one hundred rows; old ones, young ones, a dead
		// one, one not published, and rows of before an upgrade.
		for i := range 10 {
			insertMany(t, pg, []int{1, 10, 100}[i%3], 1)
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = now() - interval '8 days', created_at = now() - interval '9 days'`)
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = NULL, dead_at = now() WHERE seq = 2`)
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = NULL WHERE seq = 50`)
		exec(t, pg.Pool, `UPDATE event_outbox SET tx = NULL WHERE seq BETWEEN 100 AND 120`)
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = now() WHERE seq IN (51, 110)`)
		young := insert(t, pg.Pool, "young")
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = now() WHERE seq = $1`, young)

		total, calls := 0, 0
		for {
			n, err := s.Sweep(t.Context(), lease, 7*24*time.Hour, 30)
			must(t, err)
			if n > 30 {
				t.Fatalf("swept %d rows, more than 30", n)
			}
			total += n
			if calls++; n < 30 {
				break
			}
		}
		var left []int64
		for _, r := range states(t, pg) {
			left = append(left, r.Seq)
		}
		if diff := cmp.Diff([]int64{2, 50, 51, 110, young}, left); diff != "" {
			t.Fatal(diff)
		}
		if want := int(young) - 5; total != want {
			t.Fatalf("swept %d rows in %d calls, not %d", total, calls, want)
		}
	})
}

// What was settled with an unknown outcome is settled again; a dead row that was
// replayed in between stays replayed, until the leader has acted on the replay.
func TestSettlingAgainUndoesNoReplay(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		for _, mode := range []pgstore.Mode{pgstore.Mark, pgstore.Delete} {
			t.Run(string(mode), func(t *testing.T) {
				s := newStore(t, pg, func(c *pgstore.Config) { c.Mode, c.Name = mode, "outbox_"+string(mode) })
				lease := lead(t, s)
				seq := insert(t, pg.Pool, "k")
				dies := relay.Settlement{Failed: []relay.Failure{{Seq: seq, Err: "no", RetryCount: 1, Dead: true}}}
				must(t, s.Settle(t.Context(), lease, dies))
				n, err := admin.Replay(t.Context(), pg.Pool, admin.Filter{}, admin.Decision{Actor: "ann"})
				must(t, err)
				if n != 1 {
					t.Fatalf("%d rows were replayed", n)
				}
				dead := func() bool {
					return ask[bool](t, pg.Pool, `SELECT dead_at IS NOT NULL FROM event_outbox WHERE seq = $1`, seq)
				}

				must(t, s.Settle(t.Context(), lease, dies))
				if dead() {
					t.Error("settling again undid the replay")
				}

				decisions, err := s.Decisions(t.Context(), lease, nil)
				must(t, err)
				dies.Decided = []int64{decisions[0].ID}
				must(t, s.Settle(t.Context(), lease, dies))
				if !dead() {
					t.Error("a row that failed after its replay was acted on is not dead")
				}
				exec(t, pg.Pool, `TRUNCATE event_outbox, event_outbox_audit`)
			})
		}
	})
}

// Of the dead rows of a key the first is listed, and none without a key.
func TestDeadRowsOfAKeyAreListedOnce(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		lease := lead(t, s)
		for _, key := range []string{"a", "b", "a", "none", "empty", "a", "other topic"} {
			insert(t, pg.Pool, key)
		}
		exec(t, pg.Pool, `UPDATE event_outbox SET event_key = CASE seq WHEN 4 THEN NULL WHEN 5 THEN '' ELSE 'a' END, topic = CASE seq WHEN 7 THEN 'others' ELSE topic END WHERE seq IN (4, 5, 7)`)
		var failed []relay.Failure
		for seq := range int64(7) {
			failed = append(failed, relay.Failure{Seq: seq + 1, Err: "no", RetryCount: 10, Dead: seq != 5, RetryIn: time.Hour})
		}
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Failed: failed}))
		held, err := s.ReadHeld(t.Context(), relay.Blocking{ByDefault: true})
		must(t, err)
		for i := range held {
			held[i].RetryIn, held[i].NextAttempt = 0, time.Time{}
		}
		row := func(seq int64, topic, key string, dead, others bool) relay.HeldRow {
			return relay.HeldRow{Seq: seq, Topic: topic, Key: &key, EventType: "order.paid.v1", RetryCount: 10, Dead: dead, Others: others}
		}
		want := []relay.HeldRow{row(1, "orders", "a", true, true), row(2, "orders", "b", true, false), row(6, "orders", "a", false, false), row(7, "others", "a", true, false)}
		if diff := cmp.Diff(want, held); diff != "" {
			t.Error(diff)
		}
	})
}
