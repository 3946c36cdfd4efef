package main

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// A relay that has just taken over has said nothing about itself, or about why rows wait.
func TestANewLeaderHasSaidNothing(t *testing.T) {
	t.Parallel()
	waits := &admin.Row{Age: time.Minute}
	state := admin.State{
		Leader: admin.Leader{Known: true, Holder: uuid.New(), Epoch: 2}, Pending: 1, Oldest: waits, OldestUnpaused: waits,
		Now: time.Now(), Pauses: []relay.OperatorPause{{Topic: "orders", Since: time.Now().Add(-time.Hour)}},
	}
	want := []reason{{kind: reasonPause, text: "1 pause by operators", command: "outboxrelay resume"}}
	if diff := cmp.Diff(want, reasons(state), cmp.AllowUnexported(reason{})); diff != "" {
		t.Errorf("before its first renewal (-want +got):\n%s", diff)
	}
	state.Leader.State.Leader = true
	if got := len(reasons(state)); got != 3 {
		t.Errorf("after its first renewal there are %d reasons, want 3", got)
	}
}

// A leader that has ended without a word is not of an old version because it knows no later pause.
func TestASilentLeaderIsNotOld(t *testing.T) {
	t.Parallel()
	state := admin.State{Now: time.Now(), Pending: 1, Pauses: []relay.OperatorPause{{Topic: "orders", Since: time.Now().Add(-time.Minute)}}}
	state.Leader = admin.Leader{Known: true, Holder: uuid.New(), Silent: time.Hour, State: relay.Status{Leader: true}}
	var got []string
	for _, r := range reasons(state) {
		got = append(got, r.text)
	}
	want := []string{"the leader's last heartbeat was 1h0m0s ago and no other relay took over: check the logs of the relays, or start one", "1 pause by operators"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// ledWith makes a relay lead that writes this state into its lease.
func ledWith(t *testing.T, conn *pgx.Conn, state string) {
	t.Helper()
	_, err := conn.Exec(t.Context(), `INSERT INTO event_outbox_lease (epoch, holder, state, updated_at) VALUES (1, gen_random_uuid(), '{"leader": true}'::jsonb || $1::jsonb, now() + interval '1 hour')
		ON CONFLICT (name) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at`, state)
	if err != nil {
		t.Fatal(err)
	}
}

// An operator's pause of one topic hides neither a partition without a leader nor rows of
// other topics that wait.
func TestAPauseHidesNoFault(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET topic = CASE WHEN seq = 1 THEN 'orders' ELSE 'mails' END, created_at = now() - (5 - seq) * interval '1 hour', dead_at = CASE WHEN seq = 3 THEN now() END`); err != nil {
		t.Fatal(err)
	}
	if got := call(env, "pause", "orders", "--actor", "ann", "--reason", "restore"); got.Code != exitcode.OK {
		t.Fatal(got.Stderr)
	}
	ledWith(t, conn, `{"led": {"host": "h-1", "pid": 7}, "operator_pause_count": 1, "operator_pauses": [{"topic": "orders"}], "by_operator": true,
		"reason": "topic orders is paused by an operator, ann: restore", "set_aside_count": 1, "set_aside": [{"topic": "mails", "partition": 3, "reason": "no leader"}],
		"held": [{"topic": "mails", "key": "k\u001b9", "seq": 9, "blocked": true}]}`)
	got := steady(call(env, "status"))
	for _, want := range []string{
		"leader   term 1 on h-1, pid 7, renewed AGO\n",
		"aside    partition 3 of mails: no leader\n",
		`held     key k\x1b9 of mails, by the dead row 9: outboxrelay dead show 9` + "\n",
		"why      topic orders is paused by an operator, ann: restore\n",
		"         1 partition cannot be written, such as 3 of mails: no leader\n",
	} {
		if !strings.Contains(got.Stdout, want) {
			t.Errorf("status lacks %q:\n%s", want, got.Stdout)
		}
	}
	ledWith(t, conn, `{"operator_pause_count": 1, "operator_pauses": [{"topic": "orders"}]}`)
	if got := steady(call(env, "status")); !strings.Contains(got.Stdout, "rows have waited for AGE although a relay leads") {
		t.Errorf("rows of another topic wait:\n%s", got.Stdout)
	}
}

// Relays crash before a row is suspected.
func TestCrashesWithoutASuspect(t *testing.T) {
	t.Parallel()
	got := []string{crashes(admin.Leader{UncleanEnds: 3}), crashes(admin.Leader{UncleanEnds: 4, Suspect: 17})}
	want := []string{"3 relays in a row crashed without progress; no row is suspected yet", "4 relays in a row crashed without progress; row 17 is suspected"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What the leader wrote about dead rows is left out when the table has none any longer: it
// learns of a replay at its next renewal.
func TestStatusAfterAReplay(t *testing.T) {
	conn, env := newOutbox(t)
	ledWith(t, conn, `{"reason": "1 key is held by a failed row", "reason_kind": "held", "held_keys": 1, "held": [{"topic": "orders", "key": "k1", "seq": 1, "blocked": true}],
		"led": {"host": "h-1", "pid": 7, "settings": {"on_dead": "block", "on_dead of order.placed": "park"}}}`)
	lines := func() (got []string) {
		for line := range strings.Lines(steady(call(env, "status")).Stdout) {
			if label, _, _ := strings.Cut(line, " "); label != "outbox" && label != "leader" && label != "pending" && label != "delayed" {
				got = append(got, strings.TrimSuffix(line, "\n"))
			}
		}
		return got
	}
	for _, step := range []struct {
		sql  string
		want []string
	}{
		{`UPDATE event_outbox SET dead_at = now() WHERE seq = 1`, []string{
			"retrying 0", "dead     1", "on_dead  block: later rows of the key of a dead row wait; park for order.placed",
			"held     key k1 of orders, by the dead row 1: outboxrelay dead show 1", "why      1 key is held by a failed row",
			"         1 row dead-lettered: see outboxrelay dead list, then dead replay or dead discard", "see      " + runbook.PoisonRecord.URL(),
		}},
		{`UPDATE event_outbox SET dead_at = NULL`, []string{"retrying 0", "dead     0"}},
	} {
		if _, err := conn.Exec(t.Context(), step.sql); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, lines()); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", step.sql, diff)
		}
	}
}

// A relay that publishes a large backlog gives no reason why rows wait. It is not stuck.
func TestABusyRelayIsNotStuck(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data)
		SELECT 'a', i, 't', 'orders', '{}' FROM generate_series(1, 20000) AS i; UPDATE event_outbox SET created_at = now() - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	ledWith(t, conn, `{"queued": 10}`)
	if got := steady(call(env, "status")); !strings.Contains(got.Stdout, "why      rows have waited for AGE although a relay leads") {
		t.Errorf("nothing moves:\n%s", got.Stdout)
	}
	publisher, err := pgx.ConnectConfig(t.Context(), conn.Config())
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	over := make(chan struct{})
	group.Go(func() {
		defer publisher.Close(t.Context()) //nolint:errcheck // the test is over
		for n := 1; ; n++ {
			if _, err := publisher.Exec(t.Context(), `UPDATE event_outbox SET published_at = now() WHERE seq = $1`, n); err != nil {
				t.Error(err)
				return
			}
			select {
			case <-over:
				return
			default:
			}
		}
	})
	got := steady(call(env, "status"))
	close(over)
	group.Wait()
	if strings.Contains(got.Stdout, "why") || !strings.Contains(got.Stdout, "; rows are being published\n") {
		t.Errorf("rows are being published:\n%s", got.Stdout)
	}
}

// Scripts find each member in every state: an empty list is [].
func TestStatusAsJSONHasEveryMember(t *testing.T) {
	conn, env := newOutbox(t)
	members := func() (lists map[string]int, why []map[string]string) {
		t.Helper()
		var got map[string]json.RawMessage
		if err := json.Unmarshal([]byte(call(env, "status", "--json").Stdout), &got); err != nil {
			t.Fatal(err)
		}
		lists = map[string]int{}
		for _, name := range []string{"why", "held", "operator_pauses"} {
			var list []json.RawMessage
			if err := json.Unmarshal(got[name], &list); err != nil || list == nil {
				t.Errorf("%s is %s: %v", name, got[name], err)
			}
			lists[name] = len(list)
		}
		for _, name := range []string{"held_rows", "oldest", "oldest_unpaused", "next_delayed", "moving", "dead", "pending", "delayed", "leader"} {
			if _, ok := got[name]; !ok {
				t.Errorf("%s is missing", name)
			}
		}
		if err := json.Unmarshal(got["why"], &why); err != nil {
			t.Error(err)
		}
		return lists, why
	}
	shown := call(env, "dead", "show", eventNumber+"1", "--json").Stdout
	for _, empty := range []string{`"behind_first":[]`, `"dead_of_key":[]`, `"audit":[]`} {
		if !strings.Contains(shown, empty) {
			t.Errorf("dead show lacks %s: %s", empty, shown)
		}
	}
	_, why := members()
	if diff := cmp.Diff([]map[string]string{{"kind": "fault", "text": "no leader: start a relay (outboxrelay run)"}}, why); diff != "" {
		t.Errorf("why (-want +got):\n%s", diff)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET published_at = now()`); err != nil {
		t.Fatal(err)
	}
	if lists, _ := members(); !cmp.Equal(map[string]int{"why": 0, "held": 0, "operator_pauses": 0}, lists) {
		t.Errorf("of an empty outbox: %v", lists)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET published_at = NULL, dead_at = now() WHERE seq = 1`); err != nil {
		t.Fatal(err)
	}
	if _, why = members(); len(why) != 1 || why[0]["kind"] != "dead" {
		t.Errorf("with a dead row: %v", why)
	}
}

// All topics that cannot be written are named, up to a number, those with the same problem together.
func TestReasonsNameTheTopics(t *testing.T) {
	t.Parallel()
	s := admin.State{Leader: admin.Leader{Known: true, Holder: uuid.New(), State: relay.Status{
		Leader: true, Reason: "topic a is paused: gone", ReasonKind: relay.ReasonTopic, PausedTopicCount: 14,
		PausedTopics: []relay.Paused{{Topic: "a", Reason: "gone"}, {Topic: "b", Reason: "not allowed"}, {Topic: "c", Reason: "gone"}},
	}}}
	want := []reason{{kind: reasonFault, text: "14 topics cannot be written: a, c: gone; b: not allowed; and 11 more", see: runbook.TopicMissing}}
	if diff := cmp.Diff(want, reasons(s), cmp.AllowUnexported(reason{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
