package relay_test

import (
	"strings"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// The keys of a hand-written outbox may be longer than those of the audit, which cuts them. A
// replayed row is sent all the same.
func TestAReplayedRowWhoseKeyIsTooLongForTheAudit(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrated(t, pg)
	long := strings.Repeat("ä", 300)
	_, err := pg.Pool.Exec(t.Context(), `ALTER TABLE event_outbox ALTER event_key TYPE text;
		INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data, headers)
		VALUES ('a', 'order', 'order.paid.v1', 'orders', repeat('ä', 300), '{}', '[]')`)
	if err != nil {
		t.Fatal(err)
	}
	out := &lines{}
	r := start(t, relay.Config{Store: postgresStore(t, pg, pgstore.Mark), Sink: relay.NewStdoutSink(out), MaxAttempts: 1})
	r.w.until(t, "the row is dead", func(w *watcher) bool { return w.settled.Dead == 1 })
	if _, err := pg.Pool.Exec(t.Context(), `UPDATE event_outbox SET headers = '{}'`); err != nil {
		t.Fatal(err)
	}
	n, err := admin.Replay(t.Context(), pg.Pool, admin.Filter{}, admin.Decision{Actor: "ann"})
	if n != 1 || err != nil {
		t.Fatalf("replayed %d, %v; want 1", n, err)
	}
	r.w.publishes(t, 1)
	r.stop()
	if sent := out.b.String(); strings.Count(sent, `"key":"`+long+`"`) != 1 {
		t.Errorf("sent %s", sent)
	}
}
