package relay_test

import (
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// A next_attempt_at that a writer sets has no effect: a running leader and a new one
// send the row at once.
func TestNextAttemptAtOfARowThatNeverFailedMeansNothing(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		migrated(t, pg)
		sink := newTaking()
		insert := func(n int) {
			t.Helper()
			_, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, next_attempt_at)
				VALUES ('a', 'a', 't', 'here', 'k', to_json($1::int), now() + interval '1 hour')`, n)
			if err != nil {
				t.Fatal(err)
			}
		}
		cfg := relay.Config{Sink: sink, Store: postgresStore(t, pg, pgstore.Mark)}
		running := start(t, cfg)
		running.w.leads(t)
		insert(1)
		sink.takes(t, "here/k/1")
		running.w.publishes(t, 1)
		running.stop()

		insert(2)
		cfg.Store = postgresStore(t, pg, pgstore.Mark)
		start(t, cfg).w.publishes(t, 1)
		sink.takes(t, "here/k/1", "here/k/2")
	})
}

// Older writers store an empty string for a row without a key. Such rows have no order
// and do not hold up each other, for a running leader and a new one.
func TestAnEmptyKeyIsNoKey(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		migrated(t, pg)
		insert := func(data string) {
			t.Helper()
			_, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
				VALUES ('a', 'a', 't', 'here', '', $1)`, data)
			if err != nil {
				t.Fatal(err)
			}
		}
		sink := newTaking()
		cfg := relay.Config{Sink: sink, Store: postgresStore(t, pg, pgstore.Mark), RetryMin: time.Hour, RetryMax: time.Hour, PauseMin: 10 * time.Millisecond, PauseMax: 100 * time.Millisecond}
		running := start(t, cfg)
		insert(`"poison"`)
		running.w.until(t, "the row failed", func(w *watcher) bool { return w.settled.Failed == 1 })
		insert("1")
		running.w.publishes(t, 1)
		running.stop()

		cfg.Store = postgresStore(t, pg, pgstore.Mark)
		running = start(t, cfg)
		insert("2")
		running.w.until(t, "a row without a key is held", func(w *watcher) bool { return len(w.status.Held) == 1 && w.status.Held[0].Key == nil })
		running.w.publishes(t, 1)
		if _, err := pg.Pool.Exec(t.Context(), `UPDATE event_outbox SET event_data = '3', next_attempt_at = NULL WHERE published_at IS NULL`); err != nil {
			t.Fatal(err)
		}
		running.w.publishes(t, 2)
		sink.takes(t, "here/null/1", "here/null/2", "here/null/3")
	})
}
