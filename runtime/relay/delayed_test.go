package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// delayRows writes n delayed events of k keys in one transaction, every 10 ms one of them
// due, the first one now. Those that are due later are inserted first. Their data has
// their number and their time in microseconds.
func delayRows(t testing.TB, pg *services.PG, topic string, n, k int) {
	t.Helper()
	_, err := pg.Pool.Exec(t.Context(), `
		INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, topic, event_key, event_data, deliver_at)
		SELECT gen_random_uuid(), 'a', 'order', 'order.paid.v1', $1, 'k' || i % $3::int,
		       json_build_object('n', i, 'at', (extract(epoch FROM at) * 1000000)::bigint), at
		FROM (SELECT i, now() + i * interval '10 milliseconds' AS at FROM generate_series(1, $2::int) AS i) AS due
		ORDER BY i DESC`, topic, n, k)
	if err != nil {
		t.Fatal(err)
	}
}

// delayedRecord is a record of delayRows.
type delayedRecord struct {
	N  int   `json:"n"`
	At int64 `json:"at"`
}

func readDelayed(t testing.TB, rec *kgo.Record) delayedRecord {
	t.Helper()
	var d delayedRecord
	if err := json.Unmarshal(rec.Value, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// freezingDelayer is a freezer with delayed events: a leader that is frozen in MoveDue
// makes that call when it is thawed, long after its term.
type freezingDelayer struct {
	*freezer
	delayer relay.Delayer
}

func (f freezingDelayer) MoveDue(ctx context.Context, limit int) (relay.Moved, error) {
	f.wait()
	return f.delayer.MoveDue(context.WithoutCancel(ctx), limit)
}

// No event is published before its time, none is lost, and each key has the order of the
// times: with two relays, of which the leading one is frozen in the middle and thawed.
func TestDelayedEventsAreNeverEarly(t *testing.T) {
	t.Parallel()
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		migrated(t, pg)
		k := services.KFake(t)
		topic := k.NewTopic(t, "t", 3)
		store := postgresStore(t, pg, pgstore.Mark)
		frozen := &freezer{Store: store}
		first := start(t, relay.Config{Store: freezingDelayer{frozen, store}, Sink: kafkaSink(t, k.Brokers)})
		first.w.leads(t)

		const events, keys = 800, 8
		delayRows(t, pg, topic, events, keys)
		first.w.publishes(t, 50)
		frozen.freeze()
		second := start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: kafkaSink(t, k.Brokers)})
		second.w.leads(t)
		frozen.thaw()
		first.w.until(t, "stands by", func(w *watcher) bool { return !w.status.Leader })

		last, seen := map[string]int{}, map[int]bool{}
		missing := func(records []*kgo.Record) int { return events - len(firsts(records)) }
		for _, rec := range consumeUntil(t, k.Brokers, missing, topic) {
			d := readDelayed(t, rec)
			if at := time.UnixMicro(d.At).Truncate(time.Millisecond); rec.Timestamp.Before(at) {
				t.Errorf("event %d was sent at %s, before its time %s", d.N, rec.Timestamp, at)
			}
			if seen[d.N] {
				continue
			}
			seen[d.N] = true
			if d.N <= last[string(rec.Key)] {
				t.Fatalf("key %s: %d after %d", rec.Key, d.N, last[string(rec.Key)])
			}
			last[string(rec.Key)] = d.N
		}
		var early, left int
		err := pg.Pool.QueryRow(t.Context(), `
			SELECT (SELECT count(*) FROM event_outbox WHERE extract(epoch FROM created_at) * 1000000 < (event_data ->> 'at')::bigint),
			       (SELECT count(*) FROM event_outbox_delayed)`).Scan(&early, &left)
		if err != nil {
			t.Fatal(err)
		}
		if early > 0 || left > 0 {
			t.Errorf("%d events were moved early, %d are left", early, left)
		}
	})
}

// An idle leader notices an event that is inserted while it waits for one that is due
// much later, without a wake-up.
func TestDelayedEventBeforeADistantOne(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrated(t, pg)
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 1)
	r := start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: kafkaSink(t, k.Brokers)})
	r.w.leads(t)
	if _, err := pg.Pool.Exec(t.Context(), `
		INSERT INTO event_outbox_delayed (id, aggregate_id, aggregate_type, event_type, topic, event_data, deliver_at)
		VALUES (gen_random_uuid(), 'a', 'order', 'order.paid.v1', $1, '{}', now() + interval '1 year')`, topic); err != nil {
		t.Fatal(err)
	}
	delayRows(t, pg, topic, 1, 1)
	r.w.publishes(t, 1)
	delayRows(t, pg, topic, 1, 1)
	r.w.publishes(t, 2)
}

// stubDelayer is a store whose MoveDue answers as a test says.
type stubDelayer struct {
	relay.Store
	mu     sync.Mutex
	answer func(limit int) (relay.Moved, error)
	limits []int
	called chan struct{}
}

func (s *stubDelayer) MoveDue(_ context.Context, limit int) (relay.Moved, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = append(s.limits, limit)
	select {
	case s.called <- struct{}{}:
	default:
	}
	return s.answer(limit)
}

// What is too much for one call is tried in smaller parts, and failures are logged.
func TestMoveDueThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log logged
		dropped := uuid.New()
		s := &stubDelayer{Store: relay.NewMemStore(), called: make(chan struct{}, 3), answer: func(limit int) (relay.Moved, error) {
			if limit > 600 {
				return relay.Moved{}, errors.New("too much")
			}
			return relay.Moved{Rows: 1, Known: []uuid.UUID{dropped}}, nil
		}}
		start(t, relay.Config{Store: s, Clock: newFakeTime(), Sink: relay.NewStdoutSink(nil), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for range 3 {
			<-s.called
		}
		s.mu.Lock()
		limits := append([]int(nil), s.limits[:3]...)
		s.mu.Unlock()
		if diff := cmp.Diff([]int{2000, 1000, 500}, limits); diff != "" {
			t.Errorf("limits (-want +got):\n%s", diff)
		}
		deadline := time.After(patience)
		for !strings.Contains(log.String(), dropped.String()) {
			select {
			case <-deadline:
				t.Fatalf("the dropped event is not logged:\n%s", log.String())
			case <-time.After(time.Millisecond):
			}
		}
		if n := strings.Count(log.String(), "delayed events not moved, retrying"); n != 2 {
			t.Errorf("%d warnings, want 2:\n%s", n, log.String())
		}
	})
}
