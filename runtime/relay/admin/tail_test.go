package admin_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// seen looks once and describes what was published.
func seen(t *testing.T, tail *admin.Tail) []string {
	t.Helper()
	events, err := tail.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		text := fmt.Sprintf("%d %s %s", e.Seq, e.EventType, e.Topic)
		if e.Key != nil {
			text += " " + *e.Key
		}
		if e.Deleted {
			text += " deleted"
		}
		if e.Data != nil {
			text += " " + string(e.Data)
		}
		if e.PublishedAt.IsZero() != e.Deleted {
			text += fmt.Sprintf(" at %s", e.PublishedAt)
		}
		out = append(out, text)
	}
	return out
}

func look4(t *testing.T, what string, tail *admin.Tail, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, seen(t, tail)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTail(t *testing.T) {
	owner, conn := newOutbox(t)
	do := func(sql string, args ...any) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	const add = `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data) VALUES ('a', '1', 't1', 'topic', $1, '{"n": 1}')`
	const publish = `UPDATE event_outbox SET published_at = clock_timestamp() WHERE seq = $1`
	insert(t, owner, 4, `UPDATE event_outbox SET published_at = now() - seq * interval '1 minute' WHERE seq < 4; UPDATE event_outbox SET dead_at = now() WHERE seq = 4`)

	tail, err := admin.NewTail(conn, admin.TailConfig{Latest: 2})
	if err != nil {
		t.Fatal(err)
	}
	look4(t, "the latest", tail, "2 t2 topic k2", "1 t1 topic k1")
	look4(t, "nothing new", tail)

	do(add, "k5")
	look4(t, "a row that waits", tail)
	do(publish, 5)
	look4(t, "it is published", tail, "5 t1 topic k5")
	look4(t, "each is seen once", tail)

	do(add, "k6")
	do(publish, 6)
	look4(t, "published before the next look", tail, "6 t1 topic k6")

	do(`UPDATE event_outbox SET dead_at = NULL WHERE seq = 4`)
	look4(t, "a dead row is replayed", tail)
	do(publish, 4)
	look4(t, "and published", tail, "4 t2 topic k4")

	// A transaction that began before a look and commits after it.
	tx, err := owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), add, "k7"); err != nil {
		t.Fatal(err)
	}
	other, err := pgx.ConnectConfig(t.Context(), owner.Config().Copy())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(t.Context()) //nolint:errcheck // the test is over
	if _, err := other.Exec(t.Context(), add, "k8"); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(t.Context(), publish, 8); err != nil {
		t.Fatal(err)
	}
	look4(t, "a later transaction", tail, "8 t1 topic k8")
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(publish, 7)
	look4(t, "the earlier one", tail, "7 t1 topic k7")

	// With settle: delete, a row that waited is gone.
	do(add, "k9")
	look4(t, "a row that waits", tail)
	do(`DELETE FROM event_outbox WHERE seq = 9`)
	look4(t, "it is gone", tail, "9 t1 topic k9 deleted")
	if tail.Missed() {
		t.Error("it says that rows were left out")
	}
}

func TestTailSelects(t *testing.T) {
	owner, conn := newOutbox(t)
	key := "k1"
	both, err := admin.NewTail(conn, admin.TailConfig{Filter: admin.Filter{EventType: "t1", Topic: "topic", Key: &key}, Data: true})
	if err != nil {
		t.Fatal(err)
	}
	look4(t, "at first", both)
	insert(t, owner, 4, `UPDATE event_outbox SET published_at = now(); INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, headers, published_at)
		VALUES ('a', '1', 't1', 'topic', 'k1', '{}', now())`)
	look4(t, "selected", both, "1 t1 topic k1 {}", "5 t1 topic k1 null")
	if _, err := admin.NewTail(conn, admin.TailConfig{Filter: admin.Filter{Error: "x"}}); err == nil {
		t.Error("no error for a filter of dead rows")
	}
}

// More rows than a look reads are told.
func TestTailOfTooMany(t *testing.T) {
	owner, conn := newOutbox(t)
	tail, err := admin.NewTail(conn, admin.TailConfig{})
	if err != nil {
		t.Fatal(err)
	}
	look4(t, "at first", tail)
	insert(t, owner, 10_001, `UPDATE event_outbox SET published_at = now()`)
	if events, err := tail.Next(t.Context()); err != nil || len(events) != 10_000 || !tail.Missed() {
		t.Errorf("%d events, %v", len(events), err)
	}
	if tail.Missed() {
		t.Error("it is told twice")
	}
}
