package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// runRelay runs a relay in this process until the function returned is called.
func runRelay(t *testing.T, url string, k *services.KafkaCluster, cfg relay.Config) (end func()) {
	t.Helper()
	conn, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	if cfg.Store, err = pgstore.New(pgstore.Config{Conn: conn, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	if cfg.Sink, err = kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}}); err != nil {
		t.Fatal(err)
	}
	cfg.Logger = quiet
	r, err := relay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	result := make(chan error, 1)
	go func() { result <- r.Run(ctx) }()
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		if err := <-result; err != nil {
			t.Errorf("the relay ended with %v", err)
		}
	}
	t.Cleanup(end)
	return end
}

func migrated(t *testing.T) *services.PG {
	t.Helper()
	pg := services.Postgres(t)
	if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
		t.Fatal(err)
	}
	return pg
}

// unreadable are headers that cannot be parsed.
const unreadable = `{"a": [1]}`

// One bad record among 100,000 holds its own key and no other.
func TestOneBadRecordHoldsUpNoOtherKey(t *testing.T) {
	t.Parallel()
	pg, k := migrated(t), services.KFake(t)
	k.CreateTopic(t, "t", 6)
	_, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
		SELECT 'a', 'a', 'e.v1', 't', 'k' || i % 1000, '{}', CASE WHEN i = 500 THEN $1::json END FROM generate_series(1, 100000) AS i`, unreadable)
	if err != nil {
		t.Fatal(err)
	}
	// Its key waits longer than the test.
	runRelay(t, pg.URL, k, relay.Config{RetryMin: time.Hour, RetryMax: time.Hour})
	eventually(t, pg.Pool, `SELECT count(*) = 99900 FROM event_outbox WHERE published_at IS NOT NULL`)
	var keys, counted int
	err = pg.Pool.QueryRow(t.Context(), `SELECT count(DISTINCT event_key), count(*) FILTER (WHERE retry_count > 0) FROM event_outbox WHERE published_at IS NULL`).
		Scan(&keys, &counted)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{1, 1}, []int{keys, counted}); diff != "" {
		t.Errorf("keys that wait, rows with failures (-want +got):\n%s", diff)
	}
}

// A dead row parks or blocks its key, depending on its event type. A held key stays
// held under the next leader. A row that is fixed and replayed frees it, in order.
func TestParkAndBlockOverAChangeOfLeader(t *testing.T) {
	t.Parallel()
	pg, k := migrated(t), services.KFake(t)
	k.CreateTopic(t, "t", 1)
	add := func(typ, key, headers string) {
		t.Helper()
		if _, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
			VALUES ('a', 'a', $1, 't', $2, '{}', $3)`, typ, key, headers); err != nil {
			t.Fatal(err)
		}
	}
	for key, typ := range map[string]string{"parked": "park.v1", "blocked": "block.v1"} {
		add(typ, key, unreadable)
		add(typ, key, `{}`)
		add(typ, key, `{}`)
	}
	cfg := relay.Config{
		MaxAttempts: 2, RetryMin: 10 * time.Millisecond, OnDead: relay.Park,
		OnDeadByType: map[string]relay.Policy{"block.v1": relay.Block},
	}
	first := runRelay(t, pg.URL, k, cfg)
	eventually(t, pg.Pool, `SELECT count(dead_at) = 2 AND count(published_at) = 2 FROM event_outbox`)
	first()

	add("other.v1", "other", `{}`)
	add("block.v1", "blocked", `{}`)
	runRelay(t, pg.URL, k, cfg)
	eventually(t, pg.Pool, `SELECT count(published_at) = 3 FROM event_outbox`)
	state := func() (out [][2]any) {
		t.Helper()
		rows, err := pg.Pool.Query(t.Context(), `SELECT event_key, count(*) FROM event_outbox WHERE published_at IS NULL GROUP BY 1 ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r [2]any, err error) { return r, row.Scan(&r[0], &r[1]) })
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if diff := cmp.Diff([][2]any{{"blocked", int64(4)}, {"parked", int64(1)}}, state()); diff != "" {
		t.Errorf("what waits under the second leader (-want +got):\n%s", diff)
	}

	if _, err := pg.Pool.Exec(t.Context(), `UPDATE event_outbox SET headers = NULL WHERE dead_at IS NOT NULL`); err != nil {
		t.Fatal(err)
	}
	n, err := admin.Replay(t.Context(), pg.Pool, admin.Filter{}, admin.Decision{Actor: "test", Reason: "fixed"})
	if err != nil || n != 2 {
		t.Fatalf("%d rows replayed, %v", n, err)
	}
	eventually(t, pg.Pool, `SELECT count(*) = count(published_at) FROM event_outbox`)
	want := seqs(t, pg, "blocked")
	if diff := cmp.Diff(want, offsets(t, pg, k, "blocked")); diff != "" {
		t.Errorf("order of the blocked key (-want +got):\n%s", diff)
	}
}

func seqs(t *testing.T, pg *services.PG, key string) []string {
	t.Helper()
	rows, err := pg.Pool.Query(t.Context(), `SELECT id::text FROM event_outbox WHERE event_key = $1 ORDER BY seq`, key)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// offsets returns the events of a key in the order of their first records.
func offsets(t *testing.T, pg *services.PG, k *services.KafkaCluster, key string) []string {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	want := len(seqs(t, pg, key))
	var ids []string
	seen := map[string]bool{}
	for len(ids) < want && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			for _, h := range r.Headers {
				if id := string(h.Value); h.Key == "event_id" && string(r.Key) == key && !seen[id] {
					seen[id] = true
					ids = append(ids, id)
				}
			}
		})
	}
	return ids
}
