package pgstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// The versions of rows that were published, and that vacuum has not removed yet,
// cost later ticks nothing: what a tick reads does not grow with them.
func TestATickDoesNotTouchDeadRows(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		const dead, ticks = 50_000, 20
		watcher := pg.Connect(t.Context())
		others := ask[[]int32](t, watcher, `SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database()`)
		// Full pages, so that no insert looks for room in those of the dead rows.
		exec(t, pg.Pool, `ALTER TABLE event_outbox SET (autovacuum_enabled = off, fillfactor = 100)`)
		insertMany(t, pg, dead, 10)
		exec(t, pg.Pool, `UPDATE event_outbox SET published_at = now()`)
		pg.Pool.Reset()
		// The statistics of a session are complete once it has ended.
		touched := func() int64 {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for ask[bool](t, watcher, `SELECT EXISTS (SELECT FROM pg_stat_activity
				WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> ALL ($1))`, others) {
				if ctx.Err() != nil {
					t.Fatal("sessions do not end")
				}
			}
			return ask[int64](t, watcher, `SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit
				FROM pg_statio_user_tables WHERE relname = 'event_outbox'`)
		}
		before := touched()

		s := newStore(t, pg)
		lead(t, s)
		from := snapshot(t, s)
		for range ticks {
			insert(t, pg.Pool, "k")
			to := snapshot(t, s)
			if rows := tick(t, s, from, to, wide); len(rows) != 1 {
				t.Fatalf("a tick of %d rows", len(rows))
			}
			from = to
		}
		s.Close()
		pg.Pool.Reset()
		blocks := touched() - before
		t.Logf("%d ticks over %d dead row versions touched %d blocks", ticks, dead, blocks)
		if limit := int64(60 * ticks); blocks == 0 || blocks > limit {
			t.Errorf("%d ticks touched %d blocks, want some and at most %d", ticks, blocks, limit)
		}
	})
}
