package admin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// delay adds delayed events 1 to n of event type "t1" or "t2" in turn, with key k<i>, each
// due an hour before the one with the number before; the last one is due in an hour and
// a half.
func delay(t *testing.T, conn *pgx.Conn, n int) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `
		INSERT INTO event_outbox_delayed (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, deliver_at)
		SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'a', i, 't' || (2 - i % 2), 'topic', 'k' || i, '{}',
		       now() + ($1::int - i + 1.5) * interval '1 hour'
		FROM generate_series(1, $1::int) AS i`, n)
	if err != nil {
		t.Fatal(err)
	}
}

// undecided is what remains of delayed events: those that wait, in the order in which they
// will be sent, those that are due, and the audit.
type undecided struct {
	Waiting, Due []string
	Audit        []string
}

func lookAtDelayed(t *testing.T, conn *pgx.Conn) undecided {
	t.Helper()
	var u undecided
	err := conn.QueryRow(t.Context(), `SELECT
		(SELECT array_agg(aggregate_id ORDER BY deliver_at, seq) FROM event_outbox_delayed WHERE deliver_at > now()),
		(SELECT array_agg(aggregate_id ORDER BY deliver_at, seq) FROM event_outbox_delayed WHERE deliver_at <= now()),
		(SELECT array_agg(format('%s %s %s: %s', actor, action, event_key, reason) ORDER BY id) FROM event_outbox_audit WHERE applied_at IS NOT NULL)`,
	).Scan(&u.Waiting, &u.Due, &u.Audit)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDelayedEvents(t *testing.T) {
	owner, conn := newOutbox(t)
	delay(t, owner, 3)
	state, err := admin.Inspect(t.Context(), conn, "")
	if err != nil {
		t.Fatal(err)
	}
	key := func(n int) *string { k := fmt.Sprint("k", n); return &k }
	event := func(n int) admin.DelayedEvent {
		return admin.DelayedEvent{Seq: int64(n), EventID: id(n), AggregateType: "a", AggregateID: fmt.Sprint(n),
			EventType: fmt.Sprint("t", 2-n%2), Topic: "topic", Key: key(n), DueIn: time.Duration(2*(3-n)+3) * 30 * time.Minute}
	}
	moving := cmp.Options{
		cmpopts.IgnoreFields(admin.DelayedEvent{}, "CreatedAt", "DeliverAt"), cmpopts.IgnoreFields(admin.State{}, "Now"),
		cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() < 5*time.Minute }),
	}
	third := event(3)
	if diff := cmp.Diff(admin.State{Delayed: 3, NextDelayed: &third, Pauses: []relay.OperatorPause{}, RetryingRows: []admin.Row{}}, state, moving); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	list := func(f admin.Filter, after admin.DelayedEvent) []admin.DelayedEvent {
		t.Helper()
		events, err := admin.DelayedEvents(t.Context(), conn, f, after)
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	all := list(admin.Filter{}, admin.DelayedEvent{})
	if diff := cmp.Diff([]admin.DelayedEvent{event(3), event(2), event(1)}, all, moving); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	for _, e := range all {
		if e.CreatedAt.IsZero() || e.DeliverAt.Sub(e.CreatedAt) < time.Hour {
			t.Errorf("event %s was created at %s and is due at %s", e.EventID, e.CreatedAt, e.DeliverAt)
		}
	}
	if diff := cmp.Diff(all[1:], list(admin.Filter{}, all[0]), moving); diff != "" {
		t.Errorf("after the first one (-want +got):\n%s", diff)
	}
	for _, f := range []admin.Filter{{EventType: "t2"}, {Key: key(2)}, {EventIDs: []uuid.UUID{id(2)}, Topic: "topic"}} {
		if diff := cmp.Diff([]admin.DelayedEvent{event(2)}, list(f, admin.DelayedEvent{}), moving); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", f, diff)
		}
	}
	if got := list(admin.Filter{Topic: "other"}, admin.DelayedEvent{}); got != nil {
		t.Errorf("of another topic: %+v", got)
	}
}

func TestCancelAndSendNow(t *testing.T) {
	ann := admin.Decision{Actor: "ann", Reason: "asked"}
	key := "k3"
	type action func(context.Context, admin.Beginner, admin.Filter, admin.Decision) (int, error)
	tests := []struct {
		name   string
		act    action
		filter admin.Filter
		count  int
		want   undecided
	}{
		{"cancel one", admin.CancelDelayed, admin.Filter{EventIDs: []uuid.UUID{id(2)}}, 1,
			undecided{Waiting: []string{"4", "3", "1"}, Audit: []string{"ann cancel k2: asked"}}},
		{"cancel a type", admin.CancelDelayed, admin.Filter{EventType: "t1"}, 2,
			undecided{Waiting: []string{"4", "2"}, Audit: []string{"ann cancel k1: asked", "ann cancel k3: asked"}}},
		{"an empty list of ids chooses none", admin.CancelDelayed, admin.Filter{EventIDs: []uuid.UUID{}}, 0,
			undecided{Waiting: []string{"4", "3", "2", "1"}}},
		{"send a key", admin.SendNow, admin.Filter{Key: &key}, 1,
			undecided{Waiting: []string{"4", "2", "1"}, Due: []string{"3"}, Audit: []string{"ann send-now k3: asked"}}},
		{"send all", admin.SendNow, admin.Filter{}, 4, undecided{Due: []string{"4", "3", "2", "1"}, Audit: []string{
			"ann send-now k1: asked", "ann send-now k2: asked", "ann send-now k3: asked", "ann send-now k4: asked"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			owner, conn := newOutbox(t)
			delay(t, owner, 4)
			count, err := tt.act(t.Context(), conn, tt.filter, ann)
			if err != nil {
				t.Fatal(err)
			}
			if count != tt.count {
				t.Errorf("it acted on %d events, want %d", count, tt.count)
			}
			if diff := cmp.Diff(tt.want, lookAtDelayed(t, owner)); diff != "" {
				t.Errorf("what is left (-want +got):\n%s", diff)
			}
			if again, err := tt.act(t.Context(), conn, tt.filter, ann); err != nil || again != 0 {
				t.Errorf("a second time it acted on %d events, with error %v", again, err)
			}
		})
	}
}

func TestMoreThanOnePageOfDelayedEvents(t *testing.T) {
	owner, conn := newOutbox(t)
	delay(t, owner, 1234)
	ann := admin.Decision{Actor: "ann", Reason: "test"}
	if n, err := admin.SendNow(t.Context(), conn, admin.Filter{}, ann); n != 1234 || err != nil {
		t.Errorf("sent %d events, want 1234; error %v", n, err)
	}
	if n, err := admin.CancelDelayed(t.Context(), conn, admin.Filter{}, ann); n != 1234 || err != nil {
		t.Errorf("cancelled %d events, want 1234; error %v", n, err)
	}
}

// A decision about delayed events needs what the audit asks for, and is not done halfway.
func TestADecisionAboutDelayedEventsThatFails(t *testing.T) {
	const swallow = `CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; `
	ann := admin.Decision{Actor: "ann", Reason: "asked"}
	for _, c := range []struct {
		name, spoil string
		by          admin.Decision
		want        string
		onlyCancel  bool
	}{
		{"no actor", ``, admin.Decision{Reason: "asked"}, "Decision.Actor is empty", false},
		{"no reason", ``, admin.Decision{Actor: "ann", Reason: " "}, "Decision.Reason is empty", true},
		{"no audit", swallow + `CREATE TRIGGER t BEFORE INSERT ON event_outbox_audit FOR EACH ROW EXECUTE FUNCTION swallow()`, ann,
			"event_outbox_audit took 0 of 2 entries", false},
		{"no change", swallow + `CREATE TRIGGER t BEFORE UPDATE OR DELETE ON event_outbox_delayed FOR EACH ROW EXECUTE FUNCTION swallow()`, ann,
			"2 of 2 events are still delayed", false},
		{"hidden", `ALTER TABLE event_outbox_delayed ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON event_outbox_delayed USING (seq > 1)`, ann,
			"row security hides rows of event_outbox_delayed from this role", false},
		{"no table", `ALTER TABLE event_outbox_delayed RENAME TO gone`, ann, "see outboxgen migration", false},
	} {
		for verb, act := range map[string]func(context.Context, admin.Beginner, admin.Filter, admin.Decision) (int, error){
			"cancel": admin.CancelDelayed, "send-now": admin.SendNow,
		} {
			if c.onlyCancel && verb != "cancel" {
				continue
			}
			t.Run(c.name+" "+verb, func(t *testing.T) {
				owner, conn := newOutbox(t)
				delay(t, owner, 2)
				if _, err := owner.Exec(t.Context(), c.spoil); err != nil {
					t.Fatal(err)
				}
				count, err := act(t.Context(), conn, admin.Filter{}, c.by)
				if err == nil || !strings.Contains(err.Error(), c.want) || count != 0 {
					t.Errorf("%d events and error %v, want 0 and %q", count, err, c.want)
				}
				if strings.Contains(c.spoil, "RENAME") {
					return
				}
				if diff := cmp.Diff(undecided{Waiting: []string{"2", "1"}}, lookAtDelayed(t, owner)); diff != "" {
					t.Errorf("what is left (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// A time that was written by hand may be any that Postgres has. It is listed, also page by
// page, and has a text in JSON.
func TestDelayedEventsAtAnyTime(t *testing.T) {
	owner, conn := newOutbox(t)
	times := []string{
		"-infinity", "4713-01-01 00:00:00Z BC", "0044-03-15 12:00:00.000001Z BC", "0001-12-31 00:00:00Z BC", "9999-12-31 23:59:59.999999Z",
		"10000-01-01 00:00:00Z", "294247-01-10 04:00:54.775808Z", "294276-12-31 23:59:59.999998Z", "infinity", "infinity",
	}
	_, err := owner.Exec(t.Context(), `ALTER TABLE event_outbox_delayed DROP CONSTRAINT event_outbox_delayed_deliver_at_check`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = owner.Exec(t.Context(), `
		INSERT INTO event_outbox_delayed (id, aggregate_type, aggregate_id, event_type, topic, event_data, deliver_at)
		SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'a', i, 't', 'topic', '{}', at::timestamptz
		FROM unnest($1::text[]) WITH ORDINALITY AS x (at, i)`, times)
	if err != nil {
		t.Fatal(err)
	}
	const last, first = "+294276-12-31T23:59:59.999999Z", "-4712-01-01T00:00:00Z"
	want := []string{
		first, first, "-0043-03-15T12:00:00.000001Z", "0000-12-31T00:00:00Z", "9999-12-31T23:59:59.999999Z",
		"+10000-01-01T00:00:00Z", "+294247-01-10T04:00:54.775808Z", "+294276-12-31T23:59:59.999998Z", last, last,
	}
	for _, mode := range []string{"cache_statement", "simple_protocol"} {
		t.Run(mode, func(t *testing.T) {
			config := conn.Config()
			if config.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement; mode == "simple_protocol" {
				config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
			}
			conn, err := pgx.ConnectConfig(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
			texts := func(after admin.DelayedEvent) (list []string, events []admin.DelayedEvent) {
				events, err := admin.DelayedEvents(t.Context(), conn, admin.Filter{}, after)
				if err != nil {
					t.Fatal(err)
				}
				for i := range events {
					events[i].DeliverAt = events[i].DeliverAt.UTC()
					text, err := json.Marshal(events[i])
					if err != nil {
						t.Fatal(err)
					}
					var shown struct {
						At  string `json:"deliver_at"`
						Seq int64  `json:"seq"`
					}
					if err := json.Unmarshal(text, &shown); err != nil || shown.Seq != events[i].Seq {
						t.Errorf("%s: %v", text, err)
					}
					list = append(list, shown.At)
				}
				return list, events
			}
			got, events := texts(admin.DelayedEvent{})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("times (-want +got):\n%s", diff)
			}
			for i, e := range events {
				rest, _ := texts(e)
				if diff := cmp.Diff(want[i+1:], rest, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("after %s (-want +got):\n%s", times[i], diff)
				}
			}
		})
	}
	if _, err := admin.Inspect(t.Context(), conn, ""); err != nil {
		t.Error(err)
	}
	n, err := admin.CancelDelayed(t.Context(), conn, admin.Filter{}, admin.Decision{Actor: "ann", Reason: "asked"})
	if err != nil || n != len(times) {
		t.Errorf("cancelled %d, %v", n, err)
	}
}

// An event that the relay takes at the same time is left out, also if the database has
// another isolation level by default.
func TestDecisionsBesideTheRelay(t *testing.T) {
	for name, act := range map[string]func(context.Context, admin.Beginner, admin.Filter, admin.Decision) (int, error){
		"cancel": admin.CancelDelayed, "send-now": admin.SendNow,
	} {
		for _, level := range []string{"repeatable read", "serializable"} {
			t.Run(name+" "+level, func(t *testing.T) {
				owner, conn := newOutbox(t)
				delay(t, owner, 2)
				for _, c := range []*pgx.Conn{owner, conn} {
					if _, err := c.Exec(t.Context(), `SET default_transaction_isolation = `+pgx.Identifier{level}.Sanitize()); err != nil {
						t.Fatal(err)
					}
				}
				relay, err := owner.Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if _, err := relay.Exec(t.Context(), `DELETE FROM event_outbox_delayed WHERE id = $1`, id(1)); err != nil {
					t.Fatal(err)
				}
				type result struct {
					n   int
					err error
				}
				done := make(chan result, 1)
				pid := conn.PgConn().PID()
				go func() {
					n, err := act(t.Context(), conn, admin.Filter{}, admin.Decision{Actor: "ann", Reason: "asked"})
					done <- result{n, err}
				}()
				for waits := false; !waits; {
					err := relay.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)`, pid).Scan(&waits)
					if err != nil {
						t.Fatal(err)
					}
				}
				if err := relay.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := <-done; got.n != 1 || got.err != nil {
					t.Errorf("decided about %d, %v; want 1", got.n, got.err)
				}
			})
		}
	}
}
