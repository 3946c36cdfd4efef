package pgstore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// While writers wait, a repair reads only rows that the cursor does not show, however many are
// published, and whether or not the server knows how many there are.
func TestLogRepairReadsNoPublishedRows(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			SELECT overlay(gen_random_uuid()::text PLACING left(event_outbox_id_at(now() + n % 4 * interval '1 day')::text, 13) FROM 1)::uuid,
			       'a', 'order', 'order.paid.v1', 'orders', 'published', '{}' FROM generate_series(1, 200000) AS n`)
		exec(t, pg.Pool, `UPDATE event_outbox_cursor SET base = pg_current_snapshot()`)
		before := insertAll(t, pg, "a", "b", "c")
		setval(t, pg, before[0]-1)
		insertAll(t, pg, "d", "e")
		s := newLog(t, pg)
		lease := lead(t, s)
		for _, statistics := range []string{"without", "with"} {
			if statistics == "with" {
				exec(t, pg.Connect(t.Context()), `ANALYZE event_outbox`)
			}
			outcome, rows := s.ReadByRepair(t.Context(), t, lease)
			if outcome != "2" {
				t.Errorf("%s statistics %s rows get other numbers; want 2", statistics, outcome)
			}
			if rows > 1000 {
				t.Errorf("%s statistics %d rows are read, of which 5 are not published", statistics, rows)
			}
		}
	})
}

// overlapping starts writers whose transactions overlap all the time, so that one is always open. It
// returns what stops them.
func overlapping(t *testing.T, pg *services.PG) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for range 6 {
		conn := pg.Connect(t.Context())
		writers.Go(func() {
			for ctx.Err() == nil {
				tx, err := conn.Begin(context.WithoutCancel(ctx))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err = tx.Exec(context.WithoutCancel(ctx), `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
					VALUES ($1, 'w', 'order', 'order.paid.v1', 'orders', '{}'), ($2, 'w', 'order', 'order.paid.v1', 'orders', '{}')`,
					uuid.Must(uuid.NewV7()), uuid.New()); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Duration(300+rand.IntN(400)) * time.Millisecond)
				if err := tx.Commit(context.WithoutCancel(ctx)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	waitFor(t, pg.Pool, `SELECT count(DISTINCT pid) = 6 FROM pg_locks WHERE relation = 'event_outbox'::regclass AND mode = 'RowExclusiveLock'`)
	return func() {
		cancel()
		writers.Wait()
	}
}

// Some transaction that writes to the log, and to event_outbox_other, is open at any time, each for less
// than a second. A partition is dropped and another made after a few attempts, because each waits longer
// for the lock.
func TestLogPartitionsBesideWritersThatOverlap(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		exec(t, pg.Pool, oldDay)
		s := newLog(t, pg)
		lease := lead(t, s)
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		exec(t, pg.Pool, publishedLongAgo)
		future := ask[string](t, pg.Pool, `SELECT max(relname)::text FROM pg_class WHERE relname ~ '^event_outbox_d[0-9]{8}$'`)
		exec(t, pg.Connect(t.Context()), `DROP TABLE `+future)
		stop := overlapping(t, pg)
		defer stop()
		var dropped, made bool
		attempts := 0
		for ; (!dropped || !made) && attempts < 6; attempts++ {
			time.Sleep(300 * time.Millisecond)
			must(t, s.Maintain(t.Context(), lease, time.Hour))
			dropped = ask[bool](t, pg.Pool, `SELECT to_regclass('event_outbox_d20200101') IS NULL`)
			made = ask[bool](t, pg.Pool, `SELECT to_regclass($1) IS NOT NULL`, future)
		}
		if !dropped || !made {
			t.Errorf("after %d attempts a partition is dropped: %t, and another made: %t", attempts, dropped, made)
		}
	})
}

// The same of a repair of numbers.
func TestLogRepairBesideWritersThatOverlap(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		insertAll(t, pg, "a", "b", "c")
		setval(t, pg, 1_000_000)
		s, lease, _, rows := begins(t, pg)
		settle(t, s, lease, rows)
		stop := overlapping(t, pg)
		defer stop()
		setval(t, pg, 1)
		_, err := s.Snapshot(t.Context())
		for err != nil && !errors.Is(err, relay.ErrLeaseLost) { // the store tries again after a pause
			if !strings.Contains(err.Error(), "is locked") || strings.Contains(err.Error(), "it waited 2s") {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
			_, err = s.Snapshot(t.Context())
		}
		ends(t, err)
	})
}
