//go:build unix

package relay_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// A dump is restored into a new cluster, whose transaction ids are far behind those of
// the rows. The rows that waited in the dump are delivered, and so are new ones.
func TestRestoreIntoANewCluster(t *testing.T) {
	t.Parallel()
	old := newServer(t)
	migrated(t, old.PG)
	k := services.KFake(t)
	topic := k.NewTopic(t, "orders", 3)
	// A cluster that has used many transaction ids.
	if _, err := old.Pool.Exec(t.Context(), `DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`); err != nil {
		t.Fatal(err)
	}
	insertRows(t, old.PG, topic, 0, 1000, 5, 20)
	first := start(t, relay.Config{Store: postgresStore(t, old.PG, pgstore.Mark), Sink: kafkaSink(t, k.Brokers)})
	first.w.publishes(t, 1000)
	first.stop()
	insertRows(t, old.PG, topic, 1000, 1000, 5, 20)
	dump := filepath.Join(old.socket(), "outbox.dump")
	old.run(t, "pg_dump", "--format", "custom", "--file", dump, "--dbname", old.URL)

	restored := newServer(t)
	if old.owner != nil { // the new cluster's owner may be another one
		if err := os.Chmod(dump, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	restored.run(t, "pg_restore", "--exit-on-error", "--dbname", restored.URL, dump)
	var ahead bool
	err := restored.Pool.QueryRow(t.Context(), `SELECT min(tx) > pg_snapshot_xmax(pg_current_snapshot()) FROM event_outbox`).Scan(&ahead)
	if err != nil {
		t.Fatal(err)
	}
	if !ahead {
		t.Fatal("the new cluster's transaction ids are not behind the rows', so this shows nothing")
	}
	second := start(t, relay.Config{Store: postgresStore(t, restored.PG, pgstore.Mark), Sink: kafkaSink(t, k.Brokers)})
	second.w.publishes(t, 1000)
	for i := range 10 {
		insertRows(t, restored.PG, topic, 2000+i*100, 100, 5, 20)
	}
	second.w.publishes(t, 2000)
	second.stop()

	last := map[string]int{}
	seen := map[uuid.UUID]bool{}
	for _, r := range consume(t, k.Brokers, 3000, topic) {
		if id := eventID(t, r); seen[id] {
			t.Errorf("event %s was delivered twice, and nobody failed", id)
		} else {
			seen[id] = true
		}
		var n int
		if _, err := fmt.Sscanf(string(r.Value), `{"n" : %d,`, &n); err != nil {
			t.Fatal(err)
		}
		if prev, ok := last[string(r.Key)]; ok && n != prev+5 {
			t.Fatalf("key %s: %d after %d", r.Key, n, prev)
		}
		last[string(r.Key)] = n
	}
	if n := recordCount(t, k.Brokers, topic); n != 3000 {
		t.Errorf("%d records of 3000 events", n)
	}
}

// A sequence below the existing rows would give new events lower numbers than older
// ones that wait. The relay does not start, and says what to do. After that it starts.
func TestSequenceSetBack(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrated(t, pg)
	k := services.KFake(t)
	topic := k.NewTopic(t, "orders", 1)
	insertRows(t, pg, topic, 0, 100, 1, 20)
	// As after a restore of only the rows.
	const sequence = "event_outbox_seq_seq"
	if _, err := pg.Pool.Exec(t.Context(), `SELECT setval($1, 7)`, sequence); err != nil {
		t.Fatal(err)
	}
	r, err := relay.New(relay.Config{
		Store: postgresStore(t, pg, pgstore.Mark), Sink: kafkaSink(t, k.Brokers), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var refusal *relay.SetupError
	if err := r.Run(ctx); !errors.As(err, &refusal) {
		t.Fatalf("Run: %v, want a refusal", err)
	}
	want := relay.SetupError{
		Problem: "the sequence " + sequence + " stands at 7, below the highest seq in event_outbox (100): new events would be delivered before older ones",
		Remedy:  "stop the writers, then SELECT setval('" + sequence + "', (SELECT max(seq) FROM event_outbox))",
	}
	if diff := cmp.Diff(want, *refusal); diff != "" {
		t.Errorf("the refusal (-want +got):\n%s", diff)
	}
	if n := recordCount(t, k.Brokers, topic); n != 0 {
		t.Errorf("%d records were sent", n)
	}
	if _, err := pg.Pool.Exec(t.Context(), refusal.Remedy[len("stop the writers, then "):], pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatalf("the remedy: %v", err)
	}
	insertRows(t, pg, topic, 100, 100, 1, 20)
	start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: kafkaSink(t, k.Brokers)}).w.publishes(t, 200)
	for i, rec := range consume(t, k.Brokers, 200, topic) {
		var n int
		if _, err := fmt.Sscanf(string(rec.Value), `{"n" : %d,`, &n); err != nil || n != i {
			t.Fatalf("record %d is %s (%v)", i, rec.Value, err)
		}
	}
}
