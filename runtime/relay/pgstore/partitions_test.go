package pgstore_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// oldDay makes the partition of a day in the past, with one event.
const oldDay = `
	CREATE TABLE event_outbox_d20200101 (LIKE event_outbox INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
	DO $$ BEGIN
		EXECUTE format('ALTER TABLE event_outbox ATTACH PARTITION event_outbox_d20200101 FOR VALUES FROM (%L) TO (%L)',
			event_outbox_id_at('2020-01-01 00:00Z'), event_outbox_id_at('2020-01-02 00:00Z'));
	END $$;
	INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
	VALUES (event_outbox_id_at('2020-01-01 12:00Z'), 'a', 'order', 'order.paid.v1', 'orders', 'a', '{}')`

// publishedLongAgo lets two hours pass since all events were published.
const publishedLongAgo = `
	WITH late AS (
		UPDATE event_outbox_late SET published_at = published_at - interval '2 hours' WHERE published_at > now() - interval '1 hour'
	)
	UPDATE event_outbox_tick SET published_at = published_at - interval '2 hours' WHERE published_at > now() - interval '1 hour'`

// If a partition cannot be dropped for long, the relay says which and why.
func TestLogSaysWhyAPartitionStays(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		var said lockedLines
		s := newLog(t, pg, func(c *pgstore.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey || a.Key == "store" {
					return slog.Attr{}
				}
				return a
			}}))
		})
		lease := lead(t, s)
		must(t, s.Maintain(t.Context(), lease, time.Hour))
		exec(t, pg.Pool, oldDay)
		said.take()
		attempts := func() string {
			t.Helper()
			for range 6 {
				must(t, s.Maintain(t.Context(), lease, time.Hour))
			}
			return said.take()
		}
		const kept = `level=WARN msg="partition of event_outbox is older than the retention and not dropped, retrying" partition=event_outbox_d20200101 attempts=5 reason=`
		got := []string{attempts()}
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		got = append(got, attempts()) // it was published just now
		exec(t, pg.Pool, publishedLongAgo)
		open := begin(t, pg)
		exec(t, open, `SELECT count(*) FROM event_outbox_d20200101`)
		got = append(got, attempts())
		must(t, open.Rollback(t.Context()))
		got = append(got, attempts())
		want := []string{
			kept + `"the cursor is not past all of its events; see outboxrelay status"` + "\n",
			"",
			kept + `"transactions that hold locks on event_outbox, event_outbox_other or the partition took longer than the relay waits for them (1.6s); end long ones, also reports"` + "\n",
			`level=INFO msg="partition of event_outbox dropped" partition=event_outbox_d20200101` + "\n",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("it says (-want +got): %s", d)
		}
	})
}

// A partition that cannot be made, and one that cannot be dropped, keep no other from that.
func TestLogMaintainGoesOn(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		exec(t, pg.Pool, oldDay)
		exec(t, pg.Pool, strings.NewReplacer("d20200101", "d20200102", "2020-01-02", "2020-01-03", "2020-01-01", "2020-01-02").Replace(oldDay))
		exec(t, pg.Pool, `CREATE VIEW depends AS SELECT FROM event_outbox_d20200101`)
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		exec(t, pg.Pool, publishedLongAgo)
		days := ask[[]string](t, pg.Pool, `SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relname ~ '^event_outbox_d2[0-9]{7}$' AND relname > 'event_outbox_d2021'`)
		owner := pg.Connect(t.Context())
		for _, day := range days[3:5] {
			exec(t, owner, `DROP TABLE `+day)
		}
		exec(t, owner, `CREATE TYPE `+days[3]+` AS ENUM ()`) // its name is taken
		err = s.Maintain(t.Context(), lease, time.Hour)
		for _, want := range []string{days[3], "event_outbox_d20200101"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("it says %v; want why %s is not made or dropped", err, want)
			}
		}
		left := ask[[]string](t, pg.Pool, `SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relname ~ '^event_outbox_d2[0-9]{7}$' AND relkind = 'r'`)
		if d := cmp.Diff(append([]string{"event_outbox_d20200101"}, slices.Delete(slices.Clone(days), 3, 4)...), left); d != "" {
			t.Errorf("partitions (-want +got): %s", d)
		}
	})
}

// A partition that is locked all the time keeps no other from being dropped.
func TestLogALockedPartitionKeepsNoOther(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		exec(t, pg.Pool, oldDay)
		exec(t, pg.Pool, strings.NewReplacer("d20200101", "d20200102", "2020-01-02", "2020-01-03", "2020-01-01", "2020-01-02").Replace(oldDay))
		settle(t, s, lease, backlog(t, s, snapshot(t, s), wide))
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		exec(t, pg.Pool, publishedLongAgo)
		open := begin(t, pg)
		exec(t, open, `SELECT count(*) FROM event_outbox_d20200101`)
		for range 2 {
			must(t, s.Maintain(t.Context(), lease, time.Hour))
		}
		left := ask[[]string](t, pg.Pool, `SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relname ~ '^event_outbox_d2020[0-9]{4}$' AND relkind = 'r'`)
		if d := cmp.Diff([]string{"event_outbox_d20200101"}, left); d != "" {
			t.Errorf("partitions (-want +got): %s", d)
		}
	})
}

// Days get no partition because of rows of them. Each day is logged once, although there are more days
// with such rows each time.
func TestLogSaysOnceWhichDaysHaveNoPartition(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		var said lockedLines
		s := newLog(t, pg, func(c *pgstore.Config) { c.Logger = slog.New(slog.NewTextHandler(&said, nil)) })
		lease := lead(t, s)
		days := ask[[]string](t, pg.Pool, `SELECT array_agg(relname::text ORDER BY relname) FROM pg_class WHERE relname ~ '^event_outbox_d2[0-9]{7}$' AND relkind = 'r'`)
		owner := pg.Connect(t.Context())
		for _, day := range days[3:6] {
			exec(t, owner, `DROP TABLE `+day)
			exec(t, pg.Pool, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
				VALUES (event_outbox_id_at((right($1, 8)::date + time '12:00') AT TIME ZONE 'UTC'), 'a', 'order', 'order.paid.v1', 'orders', '{}')`, day)
			must(t, s.Maintain(t.Context(), lease, time.Hour))
			must(t, s.Maintain(t.Context(), lease, time.Hour))
			if text := said.take(); strings.Count(text, "days get no partition") != 1 || !strings.Contains(text, "partitions="+day+" ") {
				t.Errorf("after a row of %s was inserted it says %s", day, text)
			}
		}
	})
}

// An attempt that got its locks, and then had more to do or found that it may not do it, begins the wait
// for locks anew. One that asked for none says nothing about it.
func TestLogWaitForLocksBeginsAnew(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		last := ask[string](t, pg.Pool, `SELECT max(relname)::text FROM pg_class WHERE relname ~ '^event_outbox_d[0-9]{8}$'`)
		owner := pg.Connect(t.Context())
		exec(t, owner, `DROP TABLE `+last)
		open := begin(t, pg)
		exec(t, open, `SELECT count(*) FROM event_outbox_other`)
		maintain := func(want time.Duration) {
			t.Helper()
			must(t, s.Maintain(t.Context(), lease, time.Hour))
			if wait := s.WaitForLocks(); wait != want {
				t.Errorf("the next attempt waits %s, want %s", wait, want)
			}
		}
		maintain(200 * time.Millisecond)
		maintain(400 * time.Millisecond)
		must(t, open.Rollback(t.Context()))
		// A constraint that is left over is dropped, which takes a lock, and there is nothing to make.
		exec(t, pg.Pool, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data)
			VALUES (event_outbox_id_at((right($1, 8)::date + time '12:00') AT TIME ZONE 'UTC'), 'a', 'order', 'order.paid.v1', 'orders', '{}')`, last)
		maintain(400 * time.Millisecond)
		exec(t, owner, `ALTER TABLE event_outbox_other ADD CONSTRAINT none_of_20200101 CHECK (id IS NOT NULL)`)
		maintain(100 * time.Millisecond)
	})
}

// lockedLines collects what a logger writes.
type lockedLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedLines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := l.text.String()
	l.text.Reset()
	return text
}

// awaySink is a Kafka that is not available.
type awaySink struct{}

func (awaySink) Open(context.Context) (relay.Producer, error) { return nil, errors.New("away") }
func (awaySink) Partition([]byte, int) int32                  { return 0 }

// A relay with a backlog that it cannot send makes the partitions of the next days.
func TestLogMakesPartitionsBesideABacklog(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		owner := pg.Connect(t.Context())
		for _, day := range ask[[]string](t, pg.Pool, `SELECT array_agg(relname::text) FROM pg_class WHERE relname ~ '^event_outbox_d2[0-9]{7}$' AND relkind = 'r'`) {
			exec(t, owner, `DROP TABLE `+pgx.Identifier{day}.Sanitize())
		}
		for range 50 {
			insert(t, pg.Pool, "k")
		}
		r, err := relay.New(relay.Config{
			Store: newLog(t, pg), Sink: awaySink{}, Term: time.Second, BufferRows: 10, UnsettledRows: 10, PageRows: 5, SettleRows: 5,
			OutageMin: 5 * time.Millisecond, OutageMax: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		})
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		waitFor(t, pg.Pool, `SELECT count(*) = 7 FROM pg_inherits WHERE inhparent = 'event_outbox'::regclass AND inhrelid::regclass::text ~ '_d[0-9]{8}$'`)
		cancel()
		must(t, <-done)
	})
}

// A replay says from when on nothing is missing: after the last event that was deleted, whichever
// partition it was in.
func TestLogReachAfterDeleting(t *testing.T) {
	eachLog(t, func(t *testing.T, pg *services.PG) {
		s := newLog(t, pg)
		lease := lead(t, s)
		insert(t, pg.Pool, "k") // it stays
		first := snapshot(t, s)
		settle(t, s, lease, backlog(t, s, first, wide))
		_, err := s.Tidy(t.Context(), lease, 0)
		must(t, err)
		exec(t, pg.Pool, oldDay)
		// An event with an id of another kind.
		swept := ask[time.Time](t, pg.Pool, `INSERT INTO event_outbox (id, aggregate_id, aggregate_type, event_type, topic, event_data, created_at)
			VALUES ('ffffffff-0000-4000-8000-000000000000', 'b', 'order', 'order.paid.v1', 'orders', '{}', now() - interval '4 hours') RETURNING created_at`)
		exec(t, pg.Pool, `UPDATE event_outbox_d20200101 SET created_at = created_at - interval '3 hours'`)
		created := ask[time.Time](t, pg.Pool, `SELECT created_at FROM event_outbox_d20200101`)
		next := snapshot(t, s)
		settle(t, s, lease, tick(t, s, first, next, wide))
		_, err = s.Tidy(t.Context(), lease, 0)
		must(t, err)
		exec(t, pg.Pool, publishedLongAgo)
		published := ask[time.Time](t, pg.Pool, `SELECT max(published_at) FROM event_outbox_tick`)
		h, err := pgstore.NewHistory(t.Context(), pg.Connect(t.Context()))
		must(t, err)
		back := func() time.Time {
			t.Helper()
			reach, err := h.Reach(t.Context(), "")
			must(t, err)
			if reach.Empty {
				t.Error("the history is empty")
			}
			return reach.Back
		}
		midnight := ask[time.Time](t, pg.Pool, `SELECT (now() AT TIME ZONE 'UTC')::date::timestamp AT TIME ZONE 'UTC'`)
		exec(t, pg.Pool, `ALTER TABLE event_outbox DETACH PARTITION event_outbox_d20200101`)
		if got := back(); !got.Equal(midnight) {
			t.Errorf("before anything is deleted it reaches back to %s, want the first day, %s", got, midnight)
		}
		exec(t, pg.Pool, `DO $$ BEGIN
			EXECUTE format('ALTER TABLE event_outbox ATTACH PARTITION event_outbox_d20200101 FOR VALUES FROM (%L) TO (%L)',
				event_outbox_id_at('2020-01-01 00:00Z'), event_outbox_id_at('2020-01-02 00:00Z'));
			END $$`)
		// A sweep leaves rows that may be younger than a transaction that is open anywhere in the cluster.
		for n := 0; n == 0; {
			insert(t, pg.Pool, "k")
			later := snapshot(t, s)
			settle(t, s, lease, tick(t, s, next, later, wide))
			_, err := s.Tidy(t.Context(), lease, 0)
			must(t, err)
			next = later
			exec(t, pg.Pool, publishedLongAgo)
			n, err = s.Sweep(t.Context(), lease, time.Hour, 100)
			must(t, err)
		}
		if got := back(); got.Before(swept) || got.After(latest(swept, midnight)) {
			t.Errorf("it reaches back to %s after an event of %s was swept", got, swept)
		}
		must(t, s.Maintain(t.Context(), lease, time.Hour))
		if got := back(); got.Before(created) || got.After(published) {
			t.Errorf("it reaches back to %s after the partition was dropped with an event of %s that was published by %s", got, created, published)
		}
	})
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
