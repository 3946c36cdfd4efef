package pgstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Events of a log are read like those of a table: see TestHistory.
func TestLogHistory(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		r := &reader{open: func() relay.Store {
			var repairs repairCount
			s := newLog(t, pg, repairs.use)
			s.AsideRows(50)
			t.Cleanup(func() { repairs.want(t, 0) })
			return s
		}}
		changes := r.history(t, pg)
		s := newLog(t, pg)
		lead(t, s)
		if left := backlog(t, s, snapshot(t, s), wide); len(left) != 0 {
			t.Errorf("%d events are unsettled: %v", len(left), seqs(left))
		}
		late := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_late`)
		if n := ask[int](t, pg.Pool, `SELECT count(*) FROM event_outbox_cursor`); n != 1 {
			t.Errorf("%d cursors are kept; want 1", n)
		}
		t.Logf("%d events, %d read again by another term, %d set aside", changes, r.again, late)
	})
}

// The view says what became of each event.
func TestLogView(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		s.AsideRows(1)
		lease := lead(t, s)
		var all []int64
		for _, key := range []string{"published", "failed", "dead", "aside", "late"} {
			all = append(all, insert(t, pg.Pool, key))
		}
		snap := snapshot(t, s)
		backlog(t, s, snap, wide)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{
			Published: []int64{all[0]},
			Failed: []relay.Failure{
				{Seq: all[1], Err: "bad", RetryCount: 1, RetryIn: time.Hour},
				{Seq: all[2], Err: "bad", RetryCount: 1, Dead: true},
			},
		}))
		tick(t, s, snap, snap, wide) // sets aside the older one of the other two
		settle(t, s, lease, []relay.Row{{Seq: all[4]}})
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		insert(t, pg.Pool, "new")
		got := ask[string](t, pg.Pool, `SELECT string_agg(format('%s: %s, %s', event_key, state, published_at IS NOT NULL), E'\n' ORDER BY seq) FROM event_outbox_history`)
		want := "published: published, t\nfailed: failed, f\ndead: dead, f\naside: waiting, f\nlate: published, t\nnew: waiting, f"
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got): %s", d)
		}
	})
}

// The statistics count rows that are neither settled nor dead.
func TestLogStats(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		var all []int64
		for _, key := range []string{"a", "b", "c", "d", "e"} {
			all = append(all, insert(t, pg.Pool, key))
		}
		backlog(t, s, snapshot(t, s), wide)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{
			Published: []int64{all[0], all[3]},
			Failed: []relay.Failure{
				{Seq: all[1], Err: "bad", RetryCount: 1, RetryIn: time.Hour},
				{Seq: all[2], Err: "bad", RetryCount: 1, Dead: true},
			},
		}))
		got, err := s.Stats(t.Context())
		must(t, err)
		got.OldestAge = 0
		if d := cmp.Diff(relay.Stats{Pending: 2, Held: 1, Dead: 1, LastSeq: all[4]}, got); d != "" {
			t.Errorf("(-want +got): %s", d)
		}
	})
}

// One row waits for long. What was published beside it is known as published too, so
// that it can be replayed.
func TestLogHistoryBesideARowThatWaits(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		waits := insert(t, pg.Pool, "waits")
		rest := []int64{insert(t, pg.Pool, "a"), insert(t, pg.Pool, "b")}
		backlog(t, s, snapshot(t, s), wide)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: rest}))
		tidied, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		if d := cmp.Diff(relay.Tidied{First: waits, Last: rest[1], Safe: rest[1]}, tidied); d != "" {
			t.Errorf("Tidy (-want +got): %s", d)
		}
		_, err = s.Tidy(t.Context(), lease, waits)
		must(t, err)
		got := ask[string](t, pg.Pool, `SELECT string_agg(event_key || ' ' || state, ', ' ORDER BY seq) FROM event_outbox_history`)
		if want := "waits waiting, a published, b published"; got != want {
			t.Errorf("the history has %s; want %s", got, want)
		}
		next := newLog(t, pg)
		lead(t, next)
		if d := cmp.Diff([]int64{waits}, seqs(backlog(t, next, snapshot(t, next), wide))); d != "" {
			t.Errorf("the next term reads (-want +got): %s", d)
		}
	})
}

// Counting rows looks for each in what is settled ahead of the cursor, which may be 32,768 rows:
// by a hash.
func TestLogStatsHashWhatIsAhead(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lead(t, s)
		plan := s.PlanOfLogCounts(t.Context(), t)
		if !strings.Contains(plan, "hashed SubPlan") {
			t.Errorf("the plan has no hash:\n%s", plan)
		}
	})
}
