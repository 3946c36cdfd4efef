package admin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/internal/pgroles"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// logOutbox is an outbox that is a log, and its leader.
type logOutbox struct {
	owner, operator *pgx.Conn
	leader          *pgstore.LogStore
	lease           relay.Lease
	snap            relay.Snapshot
}

func newLog(t *testing.T) *logOutbox {
	t.Helper()
	t.Parallel()
	pg := services.Postgres(t)
	querymode.Use(t, pg)
	l := &logOutbox{owner: pg.Connect(t.Context())}
	ok(t, migrations.UpLog(t.Context(), l.owner))
	roles := pgroles.CreateFor(t, pg, migrations.StoreLog)
	var err error
	l.operator, err = pgx.Connect(t.Context(), roles.Operator.URL)
	ok(t, err)
	t.Cleanup(func() { _ = l.operator.Close(context.Background()) })
	conn, err := pgx.ParseConfig(roles.Relay.URL)
	ok(t, err)
	l.leader, err = pgstore.NewLogStore(pgstore.Config{Conn: conn, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ok(t, err)
	t.Cleanup(l.leader.Close)
	seen, err := l.leader.Observe(t.Context())
	ok(t, err)
	l.lease, err = l.leader.TakeOver(t.Context(), seen, uuid.New())
	ok(t, err)
	return l
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// read reads what is new.
func (l *logOutbox) read(t *testing.T) {
	t.Helper()
	next, err := l.leader.Snapshot(t.Context())
	ok(t, err)
	limit := relay.Limit{Rows: 1000, Bytes: 1 << 20}
	if l.snap == "" {
		_, err = l.leader.ReadBacklog(t.Context(), next, 0, limit)
	} else {
		_, err = l.leader.ReadTick(t.Context(), l.snap, next, 0, limit)
	}
	ok(t, err)
	l.snap = next
}

func (l *logOutbox) settle(t *testing.T, s relay.Settlement) {
	t.Helper()
	ok(t, l.leader.Settle(t.Context(), l.lease, s))
}

// noteTick makes the leader write the last tick into the history.
func (l *logOutbox) noteTick(t *testing.T) {
	t.Helper()
	_, err := l.leader.Tidy(t.Context(), l.lease, 0)
	ok(t, err)
}

// some has six events: 1 and 5 are published, 3 failed, 4 is dead, 2 and 6 wait.
func some(t *testing.T) *logOutbox {
	l := newLog(t)
	insert(t, l.owner, 6, `UPDATE event_outbox_lease SET state = '{"leader": true, "reason": "Kafka is away"}'`)
	l.read(t)
	l.settle(t, relay.Settlement{
		Published: []int64{1, 5},
		Failed: []relay.Failure{
			{Seq: 3, Err: "too large", RetryCount: 1, RetryIn: time.Hour},
			{Seq: 4, Err: "invalid", RetryCount: 1, Dead: true},
		},
	})
	return l
}

// states describes the states of events.
func states(t *testing.T, conn *pgx.Conn, ids ...int) []string {
	t.Helper()
	var out []string
	for _, n := range ids {
		e, err := admin.FindEvent(t.Context(), conn, id(n))
		ok(t, err)
		out = append(out, fmt.Sprintf("%d %s", e.Seq, e.State))
	}
	return out
}

func TestInspectALog(t *testing.T) {
	l := some(t)
	got, err := admin.Inspect(t.Context(), l.operator, "")
	ok(t, err)
	if got.Leader.State.Reason != "Kafka is away" || got.Leader.Epoch != 1 {
		t.Errorf("leader %+v", got.Leader)
	}
	got.Leader = admin.Leader{}
	key2, key3 := "k2", "k3"
	oldest := &admin.Row{Seq: 2, EventID: id(2), EventType: "t2", Topic: "topic", Key: &key2}
	want := admin.State{
		Pending: 3, Retrying: 1, Dead: 1, Oldest: oldest, OldestUnpaused: oldest, Pauses: []relay.OperatorPause{},
		RetryingRows: []admin.Row{{Seq: 3, EventID: id(3), EventType: "t1", Topic: "topic", Key: &key3, RetryCount: 1, LastError: "too large"}},
	}
	moving := cmp.Options{cmpopts.IgnoreFields(admin.Row{}, "Age", "NextAttempt"), cmpopts.IgnoreFields(admin.State{}, "Now")}
	if diff := cmp.Diff(want, got, moving); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	f, err := admin.Examine(t.Context(), l.operator)
	ok(t, err)
	if len(f.Topics) != 1 || f.Topics[0].Topic != "topic" || f.Topics[0].Waiting != 4 || f.Topics[0].Largest == 0 {
		t.Errorf("topics %+v", f.Topics)
	}
	var tables []string
	for _, table := range f.Tables {
		if table.Bytes > 0 {
			tables = append(tables, table.Name)
		}
	}
	wantTables := []string{
		"event_outbox", "event_outbox_audit", "event_outbox_cursor", "event_outbox_delayed", "event_outbox_deleted", "event_outbox_failed", "event_outbox_late",
		"event_outbox_lease", "event_outbox_tick",
	}
	if diff := cmp.Diff(wantTables, tables); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	for topic, want := range map[string]bool{"topic": true, "tpoic": false} {
		used, known, err := admin.UsesTopic(t.Context(), l.operator, topic)
		ok(t, err)
		if used != want || !known {
			t.Errorf("topic %s is used: %v, known: %v", topic, used, known)
		}
	}
}

func TestDeadLettersOfALog(t *testing.T) {
	l := some(t)
	if diff := cmp.Diff([]string{"1 published", "2 pending", "3 retrying", "4 dead", "5 published", "6 pending"}, states(t, l.operator, 1, 2, 3, 4, 5, 6)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	_, err := l.owner.Exec(t.Context(), `
		INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data) VALUES ('a', '7', 't1', 'topic', 'k4', '{}')`)
	ok(t, err)
	letters, err := admin.DeadLetters(t.Context(), l.operator, admin.Filter{Topic: "topic", Error: "INVALID"}, 0)
	ok(t, err)
	if len(letters) != 1 || letters[0].Seq != 4 || letters[0].LastError != "invalid" || letters[0].EventID != id(4) {
		t.Fatalf("dead letters %+v", letters)
	}
	e, err := admin.FindEvent(t.Context(), l.operator, id(4))
	ok(t, err)
	if e.Behind != 1 || len(e.BehindFirst) != 1 || e.BehindFirst[0].Seq != 7 || string(e.Data) != "{}" {
		t.Errorf("the dead event is %+v", e)
	}
	found, err := admin.FindSeq(t.Context(), l.operator, 6)
	ok(t, err)
	if found != id(6) {
		t.Errorf("seq 6 is event %s", found)
	}

	by := admin.Decision{Actor: "ann", Reason: "fixed"}
	if n, err := admin.Replay(t.Context(), l.operator, admin.Filter{}, by); err != nil || n != 1 {
		t.Fatalf("%d rows were replayed: %v", n, err)
	}
	if diff := cmp.Diff([]string{"4 pending"}, states(t, l.operator, 4)); diff != "" {
		t.Errorf("after the replay (-want +got):\n%s", diff)
	}
	decisions, err := l.leader.Decisions(t.Context(), l.lease, nil)
	ok(t, err)
	if len(decisions) != 1 || decisions[0].Seq != 4 || decisions[0].Discarded {
		t.Fatalf("the leader sees the decisions %+v", decisions)
	}
	l.settle(t, relay.Settlement{
		Failed: []relay.Failure{{Seq: 4, Err: "again", RetryCount: 1, Dead: true}}, Decided: []int64{decisions[0].ID},
	})
	if n, err := admin.Discard(t.Context(), l.operator, admin.Filter{Topic: "topic"}, by); err != nil || n != 1 {
		t.Fatalf("%d rows were discarded: %v", n, err)
	}
	l.settle(t, relay.Settlement{Published: []int64{2, 3, 6}})
	l.noteTick(t)
	if diff := cmp.Diff([]string{"3 published", "4 discarded", "6 published"}, states(t, l.operator, 3, 4, 6)); diff != "" {
		t.Errorf("after the discard (-want +got):\n%s", diff)
	}
	var history string
	ok(t, l.operator.QueryRow(t.Context(), `SELECT string_agg(seq || ' ' || state || CASE WHEN published_at IS NULL THEN '' ELSE ' at' END, ', ' ORDER BY seq) FROM event_outbox_history`).Scan(&history))
	if want := "1 published at, 2 published at, 3 published at, 4 discarded, 5 published at, 6 published at, 7 waiting"; history != want {
		t.Errorf("the view has %s\nwant %s", history, want)
	}
}

func TestPurgeRefusesALog(t *testing.T) {
	l := some(t)
	c := admin.PurgeConfig{Before: time.Now()}
	_, err := admin.CountPurgeable(t.Context(), l.operator, c)
	_, purged := admin.Purge(t.Context(), l.operator, c, admin.Decision{Actor: "ann", Reason: "space"})
	for _, err := range []error{err, purged} {
		if err == nil || !strings.Contains(err.Error(), "set a shorter retention") {
			t.Errorf("a purge says %v", err)
		}
	}
}

func TestTailOfALog(t *testing.T) {
	l := some(t)
	tail, err := admin.NewTail(l.operator, admin.TailConfig{Latest: 10})
	ok(t, err)
	look4(t, "before a tick was finished", tail)
	l.settle(t, relay.Settlement{Published: []int64{2, 3, 6}})
	l.noteTick(t)
	look4(t, "after a tick", tail, "1 t1 topic k1", "2 t2 topic k2", "3 t1 topic k3", "5 t1 topic k5", "6 t2 topic k6")
	insert7 := `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data) VALUES ('a', '7', 't1', 'topic', 'k7', '{}')`
	_, err = l.owner.Exec(t.Context(), insert7)
	ok(t, err)
	look4(t, "while an event waits", tail)
	l.read(t)
	l.settle(t, relay.Settlement{Published: []int64{7}})
	l.noteTick(t)
	look4(t, "after it was published", tail, "7 t1 topic k7")
	latest, err := admin.NewTail(l.operator, admin.TailConfig{Latest: 2})
	ok(t, err)
	if got := seen(t, latest); len(got) != 2 || got[1] != "7 t1 topic k7" {
		t.Errorf("the latest events are %q", got)
	}
}

// The partition of a failed and of a dead event was dropped. Their copies wait, and are published.
func TestTailOfALogWithoutThePartition(t *testing.T) {
	l := some(t)
	_, err := l.owner.Exec(t.Context(), `DELETE FROM event_outbox WHERE seq IN (3, 4)`)
	ok(t, err)
	tail, err := admin.NewTail(l.operator, admin.TailConfig{})
	ok(t, err)
	look4(t, "at first", tail)
	_, err = admin.Replay(t.Context(), l.operator, admin.Filter{}, admin.Decision{Actor: "ann", Reason: "fixed"})
	ok(t, err)
	look4(t, "while the copies wait", tail)
	l.settle(t, relay.Settlement{Published: []int64{3, 4}})
	look4(t, "when they are published", tail, "3 t1 topic k3", "4 t2 topic k4")
	look4(t, "afterwards", tail)
}

// An operator discards an event.
func TestTailOfALogWithADiscardedEvent(t *testing.T) {
	l := some(t)
	tail, err := admin.NewTail(l.operator, admin.TailConfig{})
	ok(t, err)
	look4(t, "at first", tail)
	_, err = admin.Discard(t.Context(), l.operator, admin.Filter{}, admin.Decision{Actor: "ann", Reason: "test data"})
	ok(t, err)
	look4(t, "after the discard", tail, "4 t2 topic k4 deleted")
	look4(t, "afterwards", tail)
}

// The sequence was set back, and an event has the id and the number of an earlier one, which was
// discarded. The entry of that one, with another tx, says nothing about it.
func TestAnEntryOfAnEarlierEventWithTheSameNumber(t *testing.T) {
	l := some(t)
	tail, err := admin.NewTail(l.operator, admin.TailConfig{})
	ok(t, err)
	look4(t, "at first", tail)
	_, err = l.owner.Exec(t.Context(), `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key, published_at, discarded)
		SELECT id, '3', seq, topic, event_key, now(), true FROM event_outbox WHERE seq IN (1, 2)`)
	ok(t, err)
	look4(t, "with entries of earlier events", tail)
	if diff := cmp.Diff([]string{"1 published", "2 pending"}, states(t, l.operator, 1, 2)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
}

// Without its cursor nobody knows what is published.
func TestInspectALogWithoutACursor(t *testing.T) {
	l := some(t)
	_, err := l.owner.Exec(t.Context(), `DELETE FROM event_outbox_cursor`)
	ok(t, err)
	if _, err := admin.Inspect(t.Context(), l.operator, ""); err == nil || !strings.Contains(err.Error(), "event_outbox_cursor has no row") {
		t.Errorf("Inspect says %v", err)
	}
}

// The partition of a dead event was dropped. When the event is replayed, its copy waits; when that
// is gone, the event is published.
func TestReplayWithoutThePartition(t *testing.T) {
	l := some(t)
	_, err := l.owner.Exec(t.Context(), `DELETE FROM event_outbox WHERE seq = 4`)
	ok(t, err)
	got := states(t, l.operator, 4)
	_, err = admin.Replay(t.Context(), l.operator, admin.Filter{}, admin.Decision{Actor: "ann", Reason: "fixed"})
	ok(t, err)
	got = append(got, states(t, l.operator, 4)...)
	b := &between{Conn: l.operator, before: "-- name: PassedInLog", do: func() {
		_, err := l.owner.Exec(t.Context(), `DELETE FROM event_outbox_failed WHERE seq = 4`) // as when it is published
		ok(t, err)
	}}
	tx, err := b.Begin(t.Context())
	ok(t, err)
	e, err := admin.FindEvent(t.Context(), tx, id(4))
	ok(t, err)
	ok(t, tx.Rollback(t.Context()))
	got = append(got, fmt.Sprintf("%d %s", e.Seq, e.State))
	if diff := cmp.Diff([]string{"4 dead", "4 pending", "4 published"}, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if _, err := admin.FindEvent(t.Context(), l.operator, id(4)); !errors.Is(err, admin.ErrNoEvent) {
		t.Errorf("after its copy is gone: %v", err)
	}
}

// The row of a dead event is gone, and its id was inserted again. The new event waits, whatever an
// operator decides about the dead one.
func TestDecisionsAboutAnIDThatWasInsertedAgain(t *testing.T) {
	l := some(t)
	_, err := l.owner.Exec(t.Context(), `DELETE FROM event_outbox WHERE seq = 4;
		INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
		VALUES ('00000000-0000-7000-8000-000000000004', 'a', '4', 't1', 'topic', 'k4', '{}')`)
	ok(t, err)
	l.read(t)
	l.settle(t, relay.Settlement{Published: []int64{2, 3, 6}})
	_, err = l.owner.Exec(t.Context(), `INSERT INTO event_outbox_late (id, tx, seq, topic, event_key) SELECT id, tx, seq, topic, event_key FROM event_outbox WHERE seq = 7`)
	ok(t, err)
	if n, err := admin.Discard(t.Context(), l.operator, admin.Filter{}, admin.Decision{Actor: "ann", Reason: "old"}); err != nil || n != 1 {
		t.Fatalf("%d rows were discarded: %v", n, err)
	}
	var late string
	ok(t, l.owner.QueryRow(t.Context(), `SELECT string_agg(format('%s %s %s', seq, published_at IS NOT NULL, discarded), ', ' ORDER BY seq)
		FROM event_outbox_late WHERE id = '00000000-0000-7000-8000-000000000004'`).Scan(&late))
	if want := "4 t t, 7 f f"; late != want {
		t.Errorf("the entries are %q, want %q", late, want)
	}
	var history string
	ok(t, l.owner.QueryRow(t.Context(), `SELECT seq || ' ' || state FROM event_outbox_history WHERE id = '00000000-0000-7000-8000-000000000004'`).Scan(&history))
	if want := "7 waiting"; history != want {
		t.Errorf("the view has %q, want %q", history, want)
	}
	if diff := cmp.Diff([]string{"7 pending"}, states(t, l.operator, 4)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	got, err := admin.Inspect(t.Context(), l.operator, "")
	ok(t, err)
	if got.Oldest == nil || got.Oldest.Seq != 7 {
		t.Errorf("the oldest event is %+v, want 7", got.Oldest)
	}
}
