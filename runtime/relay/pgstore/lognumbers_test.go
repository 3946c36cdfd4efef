package pgstore_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// If the table is emptied and its numbers start over, the term ends, and the next one delivers
// the new rows, although numbers of the former ones are among those that are settled.
func TestLogNumbersStartOver(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		for range 3 {
			insert(t, pg.Pool, "k")
		}
		backlog(t, s, snapshot(t, s), wide)
		must(t, s.Settle(t.Context(), lease, relay.Settlement{Published: []int64{2, 3}}))
		exec(t, pg.Pool, `TRUNCATE event_outbox RESTART IDENTITY`)
		for range 3 {
			insert(t, pg.Pool, "k")
		}
		if _, err := s.Snapshot(t.Context()); !errors.Is(err, relay.ErrLeaseLost) {
			t.Errorf("Snapshot says %v; want that the term is over", err)
		}
		next := newLog(t, pg)
		lead(t, next)
		if d := cmp.Diff([]int64{1, 2, 3}, seqs(backlog(t, next, snapshot(t, next), wide))); d != "" {
			t.Errorf("the next term reads (-want +got): %s", d)
		}
	})
}

// Somebody sets the sequence back, without a new file. Rows that are inserted then have numbers
// below the floor, which reads begin above, or numbers that are among those that are settled.
func TestLogNumbersAreSetBack(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		for range 9 {
			insert(t, pg.Pool, "k")
		}
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		_, err := s.Tidy(t.Context(), lease, 0) // the place of the sequence
		must(t, err)
		snap := snapshot(t, s)
		insert(t, pg.Pool, "k")
		tick(t, s, snap, snapshot(t, s), wide)
		settle(t, s, lease, []relay.Row{{Seq: 10}})
		if got := ask[string](t, pg.Pool, `SELECT format('shown %s, seq %s, ahead %s, floor %s', shown, seq, ahead, floor) FROM event_outbox_cursor`); got != `shown , seq 0, ahead \x, floor 9` {
			t.Fatalf("the cursor is: %s", got)
		}
		exec(t, pg.Pool, `SELECT setval('event_outbox_seq_seq', 3)`)
		insert(t, pg.Pool, "k")
		if _, err := s.Snapshot(t.Context()); !errors.Is(err, relay.ErrLeaseLost) {
			t.Errorf("Snapshot says %v; want that the term is over", err)
		}
		must(t, newLog(t, pg).Check(t.Context()))
		insert(t, pg.Pool, "k")
		next := newLog(t, pg)
		lead(t, next)
		if d := cmp.Diff([]int64{11, 12}, seqs(backlog(t, next, snapshot(t, next), wide))); d != "" {
			t.Errorf("the next term reads (-want +got): %s", d)
		}
	})
}

// Numbers that no row has, as after a setval, are passed in one step.
func TestLogAGapInTheNumbers(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lead(t, s)
		first := insert(t, pg.Pool, "a")
		exec(t, pg.Pool, `SELECT setval('event_outbox_seq_seq', 50000000)`)
		last := insert(t, pg.Pool, "a")
		pages := 0
		snap := snapshot(t, s)
		got := seqs(all(t, wide, func(after int64, limit relay.Limit) (relay.Page, error) {
			pages++
			return s.ReadBacklog(t.Context(), snap, after, limit)
		}))
		if d := cmp.Diff([]int64{first, last}, got); d != "" || pages > 2 {
			t.Errorf("read in %d pages; want 2 (-want +got): %s", pages, d)
		}
	})
}
