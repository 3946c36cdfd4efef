package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

func pausesOf(t *testing.T, db admin.DB) []string {
	t.Helper()
	pauses, err := admin.Pauses(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range pauses {
		if since := time.Since(p.Since); since < -time.Minute || since > time.Minute {
			t.Errorf("%s is paused since %s", p.Topic, p.Since)
		}
		out = append(out, p.Topic+" by "+p.Actor+": "+p.Reason)
	}
	return out
}

// Writers from before an upgrade put the topic into event_data only. That a name is misspelt is
// then not known.
func TestUsesTopic(t *testing.T) {
	owner, conn := newOutbox(t)
	insert(t, owner, 3, `ALTER TABLE event_outbox ALTER topic DROP NOT NULL; UPDATE event_outbox SET topic = NULL, event_data = '{"topic": "orders"}' WHERE seq = 2`)
	type answer struct{ Used, Known bool }
	look := func() map[string]answer {
		t.Helper()
		got := map[string]answer{}
		for _, topic := range []string{"topic", "orders", "oders"} {
			used, known, err := admin.UsesTopic(t.Context(), conn, topic)
			if err != nil {
				t.Fatal(err)
			}
			got[topic] = answer{used, known}
		}
		return got
	}
	if diff := cmp.Diff(map[string]answer{"topic": {true, true}, "orders": {}, "oders": {}}, look()); diff != "" {
		t.Errorf("with an older writer (-want +got):\n%s", diff)
	}
	if _, err := owner.Exec(t.Context(), `UPDATE event_outbox SET topic = 'orders' WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]answer{"topic": {true, true}, "orders": {true, true}, "oders": {false, true}}, look()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPauseAndResume(t *testing.T) {
	owner, conn := newOutbox(t)
	ann := admin.Decision{Actor: "ann", Reason: "consumer is down"}
	for _, step := range []struct {
		name  string
		do    func() error
		fails error
		want  []string
	}{
		{"nothing is paused", func() error { return admin.Resume(t.Context(), conn, "orders", ann) }, admin.ErrNotPaused, nil},
		{"nothing at all", func() error { return admin.Resume(t.Context(), conn, admin.AllTopics, ann) }, admin.ErrNotPaused, nil},
		{"pause", func() error { return admin.Pause(t.Context(), conn, "orders", ann) }, nil, []string{"orders by ann: consumer is down"}},
		{"pause twice", func() error { return admin.Pause(t.Context(), conn, "orders", ann) }, admin.ErrPaused, []string{"orders by ann: consumer is down"}},
		{"pause all", func() error {
			return admin.Pause(t.Context(), conn, admin.AllTopics, admin.Decision{Actor: "ben", Reason: "move"})
		}, nil,
			[]string{"orders by ann: consumer is down", " by ben: move"}},
		{"resume one", func() error { return admin.Resume(t.Context(), conn, "orders", admin.Decision{Actor: "ann"}) }, nil, []string{" by ben: move"}},
		{"a topic that is only paused with all", func() error { return admin.Resume(t.Context(), conn, "orders", ann) }, admin.ErrNotPaused, []string{" by ben: move"}},
		{"pause again", func() error { return admin.Pause(t.Context(), conn, "orders", ann) }, nil, []string{" by ben: move", "orders by ann: consumer is down"}},
		{"resume all", func() error { return admin.Resume(t.Context(), conn, admin.AllTopics, ann) }, nil, nil},
		{"pause after that", func() error { return admin.Pause(t.Context(), conn, "orders", ann) }, nil, []string{"orders by ann: consumer is down"}},
	} {
		if err := step.do(); !errors.Is(err, step.fails) {
			t.Errorf("%s: %v, want %v", step.name, err, step.fails)
		}
		if diff := cmp.Diff(step.want, pausesOf(t, conn)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
	state, err := admin.Inspect(t.Context(), conn, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []relay.OperatorPause{{Topic: "orders", Actor: "ann", Reason: "consumer is down"}}
	if diff := cmp.Diff(want, state.Pauses, cmpopts.IgnoreFields(relay.OperatorPause{}, "Since")); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	var unapplied int
	if err := owner.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox_audit WHERE applied_at IS NULL`).Scan(&unapplied); err != nil || unapplied > 0 {
		t.Errorf("%d entries look like decisions that the leader has to act on (%v)", unapplied, err)
	}
}

func TestPausesThatAreRefused(t *testing.T) {
	_, conn := newOutbox(t)
	for _, d := range []admin.Decision{{Actor: "ann"}, {Actor: "ann", Reason: " "}, {Reason: "x"}, {Actor: "ann", Reason: strings.Repeat("ä", 1001)}, {Actor: strings.Repeat("a", 256), Reason: "x"}} {
		if err := admin.Pause(t.Context(), conn, "orders", d); err == nil {
			t.Errorf("no error for %+v", d)
		}
	}
	for _, topic := range []string{strings.Repeat("a", 250), "my orders", "orders*", ".."} {
		if err := admin.Pause(t.Context(), conn, topic, admin.Decision{Actor: "ann", Reason: "x"}); err == nil {
			t.Errorf("no error for the topic %q", topic)
		}
	}
	if err := admin.Resume(t.Context(), conn, "orders", admin.Decision{}); err == nil {
		t.Error("no error without an actor")
	}
	if got := pausesOf(t, conn); got != nil {
		t.Errorf("paused: %v", got)
	}
}

func TestAPauseThatIsSwallowed(t *testing.T) {
	owner, conn := newOutbox(t)
	ann := admin.Decision{Actor: "ann", Reason: "x"}
	if err := admin.Pause(t.Context(), conn, "a", ann); err != nil {
		t.Fatal(err)
	}
	spoil(t, owner, `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
		CREATE TRIGGER t BEFORE INSERT ON event_outbox_audit FOR EACH ROW EXECUTE FUNCTION swallow()`)
	for what, err := range map[string]error{"pause": admin.Pause(t.Context(), conn, "b", ann), "resume": admin.Resume(t.Context(), conn, "a", ann)} {
		if err == nil || !strings.Contains(err.Error(), "look for a trigger on event_outbox_audit") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Of two operators who pause a topic at the same time, one is told that it is paused.
func TestPauseAtTheSameTime(t *testing.T) {
	owner, conn := newOutbox(t)
	second, err := pgx.ConnectConfig(t.Context(), conn.Config().Copy())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // the test is over
	other := make(chan error, 1)
	b := &between{Conn: conn, before: "-- name: AddEntry", do: func() {
		go func() { other <- admin.Pause(t.Context(), second, "orders", admin.Decision{Actor: "ben", Reason: "y"}) }()
		for waits := false; !waits && len(other) == 0; {
			if err := owner.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid = $1)`, second.PgConn().PID()).Scan(&waits); err != nil {
				t.Error(err)
				return
			}
		}
	}}
	if err := admin.Pause(t.Context(), b, "orders", admin.Decision{Actor: "ann", Reason: "x"}); err != nil {
		t.Error(err)
	}
	if err := <-other; !errors.Is(err, admin.ErrPaused) {
		t.Errorf("the other one: %v, want ErrPaused", err)
	}
	if diff := cmp.Diff([]string{"orders by ann: x"}, pausesOf(t, conn)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An outbox from before pauses refuses them, and says what to do.
func TestPauseInAnOlderOutbox(t *testing.T) {
	owner, conn := newOutbox(t)
	spoil(t, owner, `ALTER TABLE event_outbox_audit DROP CONSTRAINT event_outbox_audit_action_check;
		ALTER TABLE event_outbox_audit ADD CONSTRAINT event_outbox_audit_action_check CHECK (action IN ('replay', 'discard', 'cancel', 'send-now'));
		DROP INDEX ix_event_outbox_audit_open, ix_event_outbox_audit_pauses`)
	if err := admin.Pause(t.Context(), conn, "orders", admin.Decision{Actor: "ann", Reason: "x"}); !errors.Is(err, admin.ErrNoPauses) {
		t.Errorf("%v, want ErrNoPauses", err)
	}
	if _, err := admin.Inspect(t.Context(), conn, ""); err != nil {
		t.Error(err)
	}
}

func spoil(t *testing.T, owner *pgx.Conn, statements string) {
	t.Helper()
	if _, err := owner.Exec(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
}

// Millions of rows of a paused topic may come before a row of another one. Inspect looks at the
// first of them and at the last, and says if that was not all.
func TestInspectBehindAPausedTopic(t *testing.T) {
	owner, conn := newOutbox(t)
	insert := func(topic string, rows int) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data)
			SELECT 'a', i, 't', $1, '{}' FROM generate_series(1, $2::int) AS i`, topic, rows); err != nil {
			t.Fatal(err)
		}
	}
	type seen struct {
		Topic  string
		NotAll bool
	}
	oldest := func() seen {
		t.Helper()
		state, err := admin.Inspect(t.Context(), conn, "")
		if err != nil {
			t.Fatal(err)
		}
		if state.OldestUnpaused == nil {
			return seen{"", state.NotAllSeen}
		}
		return seen{state.OldestUnpaused.Topic, state.NotAllSeen}
	}
	if _, err := owner.Exec(t.Context(), `DELETE FROM event_outbox`); err != nil {
		t.Fatal(err)
	}
	if err := admin.Pause(t.Context(), conn, "orders", admin.Decision{Actor: "ann", Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	insert("orders", admin.PendingCap-1)
	insert("mails", 1)
	if got := oldest(); got != (seen{"mails", false}) {
		t.Errorf("the last one of the first rows: %+v", got)
	}
	spoil(t, owner, `DELETE FROM event_outbox WHERE topic = 'mails'`)
	insert("orders", 1)
	if got := oldest(); got != (seen{"", true}) {
		t.Errorf("more rows of the paused topic than are counted: %+v", got)
	}
	insert("mails", 1)
	if got := oldest(); got != (seen{"mails", false}) {
		t.Errorf("the last row of all: %+v", got)
	}
	// All of them are below the low-water mark, and wait in the index.
	spoil(t, owner, `UPDATE event_outbox SET next_attempt_at = now();
		INSERT INTO event_outbox_lease (low_water, low_water_file) SELECT max(seq), pg_relation_filenode('event_outbox_seq_seq'::regclass)::bigint FROM event_outbox`)
	if got := oldest(); got != (seen{"mails", false}) {
		t.Errorf("the last row below the low-water mark: %+v", got)
	}
	insert("orders", admin.PendingCap-1)
	spoil(t, owner, `DELETE FROM event_outbox_lease; UPDATE event_outbox SET next_attempt_at = NULL`)
	insert("orders", 1)
	if got := oldest(); got != (seen{"", true}) {
		t.Errorf("a row between those that are looked at: %+v", got)
	}
}
