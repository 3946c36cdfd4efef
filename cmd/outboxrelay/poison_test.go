//go:build unix

package main

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// A row that cannot be sent is dead after its attempts. Its event type decides about
// its key: with park the key continues, with block it waits. A blocked key still waits
// under the next leader, after the first one was killed, until the row is discarded.
func TestHeldKeysSurviveAKilledLeader(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		pg := services.Postgres(t)
		if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
			t.Fatal(err)
		}
		topic := k.NewTopic(t, "orders", 3)
		insert := func(eventType, key, headers string, n int) {
			t.Helper()
			_, err := pg.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
				SELECT 'a', 'order', $1, $2, $3, '{}', $4::json FROM generate_series(1, $5::int)`, eventType, topic, key, headers, n)
			if err != nil {
				t.Fatal(err)
			}
		}
		waiting := func() map[string]int {
			t.Helper()
			rows, err := pg.Pool.Query(t.Context(), `SELECT event_key, count(*) FROM event_outbox WHERE published_at IS NULL GROUP BY 1`)
			if err != nil {
				t.Fatal(err)
			}
			out := map[string]int{}
			var key string
			var n int
			if _, err := pgx.ForEachRow(rows, []any{&key, &n}, func() error { out[key] = n; return nil }); err != nil {
				t.Fatal(err)
			}
			return out
		}
		const unreadable = `{"trace_id": [1]}`
		for eventType, key := range map[string]string{"order.paid.v1": "parked", "order.moved.v1": "blocked"} {
			insert(eventType, key, unreadable, 1)
			insert(eventType, key, `{}`, 5)
		}
		insert("order.paid.v1", "healthy", `{}`, 500)

		args := []string{"--block-types", "order.moved.v1", "--max-attempts", "2"}
		leader := startProcess(t, pg.URL, k, args...)
		until(t, "both are dead and the others published", func() bool {
			return cmp.Equal(map[string]int{"parked": 1, "blocked": 6}, waiting()) && dead(t, pg) == 2
		})
		leader.signal(t, syscall.SIGKILL)
		<-leader.ended
		insert("order.moved.v1", "blocked", `{}`, 5)
		insert("order.paid.v1", "parked", `{}`, 5)
		insert("order.paid.v1", "healthy", `{}`, 500)
		next := startProcess(t, pg.URL, k, args...)
		until(t, "the next leader publishes", func() bool {
			return cmp.Equal(map[string]int{"parked": 1, "blocked": 11}, waiting())
		})
		answer := call(map[string]string{"DATABASE_URL": pg.URL}, "discard", "--key", "blocked", "--actor", "ann", "--reason", "unreadable headers", "--yes")
		if answer.Code != exitcode.OK {
			t.Fatal(answer.Stderr)
		}
		until(t, "the key is free", func() bool { return waiting()["blocked"] == 0 })
		if !next.leads(t) {
			t.Error("the second relay does not lead")
		}
		var counted int
		err := pg.Pool.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox WHERE published_at IS NOT NULL AND retry_count > 0`).Scan(&counted)
		if err != nil || counted != 0 {
			t.Errorf("%d healthy rows were counted against (%v)", counted, err)
		}
	})
}

func dead(t *testing.T, pg *services.PG) (n int) {
	t.Helper()
	if err := pg.Pool.QueryRow(t.Context(), `SELECT count(dead_at) FROM event_outbox`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
