package pgstore_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

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

// The newest rows are those that are there: with settle: delete, the numbers of the sequence
// may be far ahead of them.
func TestTheNewestRowsAreThoseThatAreLeft(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		s := newStore(t, pg)
		s.LookSeqs(10)
		lead(t, s)
		insertMany(t, pg, 100, 10)
		exec(t, pg.Pool, `DELETE FROM event_outbox WHERE seq <> 50`)
		stats, err := s.Stats(t.Context())
		must(t, err)
		if stats.Pending != 1 || stats.OldestAge <= 0 {
			t.Errorf("row 50 is not counted: %+v", stats)
		}
	})
}
