package pgstore_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

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
