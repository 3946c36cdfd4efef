//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestPauseWithoutALeader(t *testing.T) {
	conn, env := newOutbox(t)
	steps := []struct {
		args []string
		want answer
	}{
		{[]string{"pause"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: name the topics to pause, or add --all\n"}},
		{[]string{"pause", "--all", "orders", "--reason", "x"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --all is for all topics: remove it, or the topics\n"}},
		{[]string{"pause", "orders"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --reason is missing: others need to know why the rows wait\n"}},
		{[]string{"pause", ""}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: a topic is empty: give it a name; --all is for all topics\n"}},
		{[]string{"resume", "orders"}, answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: " +
			"nothing was changed: topic orders is not paused by an operator; outboxrelay status shows why its rows wait\n"}},
		{[]string{"pause", "orders", "--actor", "ann", "--reason", "restore\x1b[2J"}, answer{Stdout: "paused topic orders; no relay leads now; the next leader acts on it before it sends anything\n"}},
		{[]string{"pause", "orders", "--actor", "ben", "--reason", "y"}, answer{Stdout: "topic orders is paused by ann since TIME: restore\\x1b[2J; nothing was changed; no relay leads now; the next leader acts on it before it sends anything\n"}},
		{[]string{"pause", "orders", "--reason", "y", "--json"}, answer{Stdout: `{"outbox":"event_outbox","topic":"orders","paused":true,"recorded":false,"confirmed":false,"used":true,` +
			`"note":"no relay leads now; the next leader acts on it before it sends anything"}` + "\n"}},
		{[]string{"resume", "orders", "others"}, answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: " +
			"nothing was changed: topic others is not paused by an operator; outboxrelay status shows why its rows wait\n"}},
		{[]string{"pause", "--all", "--actor", "ben", "--reason", "move", "--json"}, answer{Stdout: `{"outbox":"event_outbox","topic":"","paused":true,"recorded":true,"confirmed":false,"used":null,` +
			`"note":"no relay leads now; the next leader acts on it before it sends anything"}` + "\n"}},
		{[]string{"pause", "oders", "--reason", "x"}, answer{Stdout: "paused topic oders; no relay leads now; the next leader acts on it before it sends anything; " +
			"none of the rows that were looked at has this topic: check its name\n"}},
		{[]string{"resume", "oders"}, answer{Stdout: "resumed topic oders; no relay leads now; the next leader will send the rows\n"}},
		{[]string{"pause", "my orders", "--reason", "x"}, answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: there can be no topic \"my orders\": " +
			"Kafka allows 1 to 249 characters of a-z A-Z 0-9 . _ - and neither \".\" nor \"..\"\n"}},
		{[]string{"resume", "orders"}, answer{Stdout: "resumed topic orders; no relay leads now; the next leader will send the rows\n"}},
		{[]string{"resume", "orders"}, answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: " +
			"nothing was changed: topic orders is not paused by itself, but all topics are paused by ben since TIME: move; to end that: outboxrelay resume --all\n"}},
		{[]string{"status"}, answer{Stdout: `outbox   event_outbox
leader   none: no relay has run on this outbox yet
pending  3, the oldest for AGE: seq 1, event EVENT, order.placed, topic orders, key "k1"
retrying 0
dead     0
delayed  0
paused   all topics are paused by ben since TIME: move
why      no leader: all topics are paused; read the reason of the pause before you start a relay, which would send nothing
         1 pause by operators: see outboxrelay resume
see      https://github.com/outboxgen/outboxgen/blob/main/docs/runbook.md#relay-frozen
`}},
		{[]string{"resume", "--all"}, answer{Stdout: "resumed all topics; no relay leads now; the next leader will send the rows\n"}},
		{[]string{"resume", "--all"}, answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: no topic is paused by an operator; outboxrelay status shows why rows wait\n"}},
	}
	for _, step := range steps {
		got := steady(call(env, step.args...))
		got.Stderr = steady(answer{Stdout: got.Stderr}).Stdout
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", step.args, diff)
		}
	}
	var audit int
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM event_outbox_audit WHERE action IN ('pause', 'resume')`).Scan(&audit); err != nil || audit != 6 {
		t.Errorf("%d entries in the audit (%v), want 6", audit, err)
	}
	// The topics of rows of an older writer are in their data, which pause does not read.
	if _, err := conn.Exec(t.Context(), `ALTER TABLE event_outbox ALTER topic DROP NOT NULL; UPDATE event_outbox SET topic = NULL, event_data = '{"topic": "refunds"}' WHERE seq = 1`); err != nil {
		t.Fatal(err)
	}
	unread := answer{Stdout: "paused topic refunds; no relay leads now; the next leader acts on it before it sends anything; " +
		"whether a row has this topic is not known: some have theirs in event_data, which was not read\n"}
	if diff := cmp.Diff(unread, call(env, "pause", "refunds", "--reason", "x")); diff != "" {
		t.Errorf("with an older writer (-want +got):\n%s", diff)
	}
	if got := call(env, "resume", "refunds"); got.Code != exitcode.OK {
		t.Errorf("%+v", got)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET topic = 'orders' WHERE seq = 1`); err != nil {
		t.Fatal(err)
	}
	// A relay of a version from before pauses renews its lease, and does not obey.
	_, err := conn.Exec(t.Context(), `INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (1, gen_random_uuid(), '{"led": {"host": "old-1", "pid": 7}}')`)
	if err != nil {
		t.Fatal(err)
	}
	// The exit code says that it failed, and JSON that the pause is in force.
	got := call(env, "pause", "orders", "--reason", "x", "--wait", "2s", "--json")
	want := answer{Code: exitcode.Failed, Stdout: `{"outbox":"event_outbox","topic":"orders","paused":true,"recorded":true,"confirmed":false,"used":true,"note":"the leader has not confirmed it yet"}` + "\n",
		Stderr: "outboxrelay: outbox event_outbox: it is recorded, but the leader on old-1, pid 7, has not confirmed it within 2s: its version may be from before pauses, " +
			"or it is stuck; see outboxrelay status, and its log\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("an old leader (-want +got):\n%s", diff)
	}
	// An earlier pause of the topic confirms nothing.
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox_lease SET state =
		'{"led": {"host": "new-1", "pid": 8}, "operator_pause_count": 1, "operator_pauses": [{"topic": "orders", "since": "2026-01-31T12:00:00Z"}]}'`); err != nil {
		t.Fatal(err)
	}
	if got := call(env, "pause", "orders", "--reason", "x", "--wait", "2s"); got.Code != exitcode.Failed || !strings.Contains(got.Stderr, "on new-1, pid 8, has not confirmed it") {
		t.Errorf("the state of an earlier pause: %+v", got)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox_lease SET state = '{"leader": true, "led": {"host": "old-1", "pid": 7}}'`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox_audit SET at = at - interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	if got := call(env, "status"); !strings.Contains(got.Stdout, "the leader on old-1, pid 7, obeys 0 of 1 pause: its version may be from before pauses; upgrade it") {
		t.Errorf("status says:\n%s", got.Stdout)
	}
}

// A topic that an operator has paused is no problem, however long its rows wait. Rows of
// another topic that wait are one.
func TestAPauseIsNoProblem(t *testing.T) {
	conn, env := newOutbox(t)
	k := services.KFake(t)
	topic, other := k.NewTopic(t, "orders", 1), k.NewTopic(t, "others", 1)
	env["KAFKA_BROKERS"] = k.Brokers[0]
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET topic = '`+topic+`', created_at = now() - interval '2 hours'`); err != nil {
		t.Fatal(err)
	}
	if got := call(env, "pause", topic, "--actor", "ann", "--reason", "restore"); got.Code != exitcode.OK {
		t.Fatalf("%+v", got)
	}
	led := func(reason string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), `INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (1, gen_random_uuid(), $1)
			ON CONFLICT (name) DO UPDATE SET state = $1, updated_at = now()`,
			`{"leader": true, "operator_pause_count": 1, "operator_pauses": [{"topic": "`+topic+`"}]`+reason+`}`)
		if err != nil {
			t.Fatal(err)
		}
	}
	waits := "topic " + topic + " is paused by an operator, ann: restore"
	for _, state := range []string{`, "by_operator": true, "reason": "` + waits + `"`, ""} {
		led(state)
		got, found := examined(t, env)
		if bad := worse(found); got.Code != exitcode.OK || bad != nil {
			t.Errorf("doctor with %q: exit %d, findings %q", state, got.Code, bad)
		}
		got = call(env, "status")
		if strings.Contains(got.Stdout, "although a relay leads") || strings.Contains(got.Stdout, waits) != (state != "") ||
			!strings.Contains(got.Stdout, "1 pause by operators: see outboxrelay resume") {
			t.Errorf("status with %q:\n%s", state, got.Stdout)
		}
	}
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET topic = '`+other+`' WHERE seq = 1`); err != nil {
		t.Fatal(err)
	}
	got, found := examined(t, env)
	if bad := worse(found); got.Code != exitcode.Failed || len(bad) != 1 || !strings.Contains(bad[0], "problem rows: rows have waited for 2h") {
		t.Errorf("another topic waits: exit %d, findings %q", got.Code, bad)
	}
}

// A leader that has not renewed its lease yet has confirmed nothing.
func TestResumeIsNotConfirmedBeforeTheFirstRenewal(t *testing.T) {
	conn, env := newOutbox(t)
	if got := call(env, "pause", "orders", "--reason", "restore"); got.Code != exitcode.OK {
		t.Fatal(got.Stderr)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox_lease (epoch, holder) VALUES (1, gen_random_uuid())`); err != nil {
		t.Fatal(err)
	}
	want := answer{
		Code: exitcode.Failed, Stdout: "resumed topic orders; the leader has not confirmed it yet\n",
		Stderr: "outboxrelay: outbox event_outbox: it is recorded, but the leader has not confirmed it within 1s: its version may be from before pauses, " +
			"or it is stuck; see outboxrelay status, and its log\n",
	}
	if diff := cmp.Diff(want, call(env, "resume", "orders", "--wait", "1s")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An operator's pause stops one topic and no other. It survives a leader that is killed,
// and when it ends, each key's rows come in their order.
func TestAPauseSurvivesFailOver(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		pg := services.Postgres(t)
		if err := migrations.Up(t.Context(), pg.Connect(t.Context())); err != nil {
			t.Fatal(err)
		}
		env := map[string]string{"DATABASE_URL": pg.URL}
		orders := &handedOver{pool: pg.Pool, kafka: k, topic: k.NewTopic(t, "orders", 1)}
		others := &handedOver{pool: pg.Pool, kafka: k, topic: k.NewTopic(t, "others", 1)}
		waiting := func() map[string]int {
			t.Helper()
			rows, err := pg.Pool.Query(t.Context(), `SELECT topic, count(*) FROM event_outbox WHERE published_at IS NULL GROUP BY 1`)
			if err != nil {
				t.Fatal(err)
			}
			out := map[string]int{}
			var topic string
			var n int
			if _, err := pgx.ForEachRow(rows, []any{&topic, &n}, func() error { out[topic] = n; return nil }); err != nil {
				t.Fatal(err)
			}
			return out
		}
		done := func(want answer, args ...string) {
			t.Helper()
			if diff := cmp.Diff(want, call(env, args...)); diff != "" {
				t.Fatalf("%v (-want +got):\n%s", args, diff)
			}
		}
		leader := startProcess(t, pg.URL, k)
		until(t, "it leads", func() bool { return leader.leads(t) })
		orders.insert(t, 100)
		until(t, "all is published", func() bool { return len(waiting()) == 0 })

		done(answer{Stdout: "paused topic " + orders.topic + "; the leader has confirmed it\n"}, "pause", orders.topic, "--reason", "consumer is down")
		orders.insert(t, 100)
		others.insert(t, 50)
		until(t, "the other topic is published", func() bool { return cmp.Equal(map[string]int{orders.topic: 100}, waiting()) })
		if _, body := leader.get(t, "/metrics"); !strings.Contains(string(body), `outbox_operator_pauses{outbox="event_outbox"} 1`) {
			t.Error("the metrics do not show the pause")
		}

		leader.signal(t, syscall.SIGKILL)
		<-leader.ended
		next := startProcess(t, pg.URL, k)
		until(t, "the next leads", func() bool { return next.leads(t) })
		orders.insert(t, 100)
		others.insert(t, 50)
		until(t, "the other topic is published again", func() bool { return cmp.Equal(map[string]int{orders.topic: 200}, waiting()) })
		if got := call(env, "status"); !strings.Contains(got.Stdout, "topic "+orders.topic+" is paused by ") {
			t.Errorf("status says:\n%s", got.Stdout)
		}
		if _, err := pg.Pool.Exec(t.Context(), `UPDATE event_outbox SET created_at = now() - interval '1 hour' WHERE published_at IS NULL`); err != nil {
			t.Fatal(err)
		}
		until(t, "the leader says why", func() bool { return strings.Contains(call(env, "status").Stdout, "is paused by an operator, ") })
		if got := call(env, "doctor", "--brokers", strings.Join(k.Brokers, ",")); got.Code != exitcode.OK {
			t.Errorf("doctor during a pause: %+v", got)
		}

		done(answer{Stdout: "resumed topic " + orders.topic + "; the leader has confirmed it\n"}, "resume", orders.topic)
		orders.insert(t, 100)
		until(t, "all is published in the end", func() bool { return len(waiting()) == 0 })
		for _, h := range []*handedOver{orders, others} {
			want := make([]int, h.n)
			for i := range want {
				want[i] = i
			}
			if diff := cmp.Diff(want, h.first(t)); diff != "" {
				t.Errorf("first deliveries (-want +got):\n%s", diff)
			}
		}
	})
}

// A pause does not stop replay --from, which says so.
func TestReplayTellsOfPauses(t *testing.T) {
	conn, env := newOutbox(t)
	env["KAFKA_BROKERS"] = "127.0.0.1:1"
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET published_at = now()`); err != nil {
		t.Fatal(err)
	}
	if got := call(env, "pause", "orders", "--actor", "ann", "--reason", "restore"); got.Code != exitcode.OK {
		t.Fatalf("%+v", got)
	}
	for _, tt := range []struct {
		to   string
		told bool
	}{{"", true}, {"elsewhere", false}, {"orders", true}} {
		args := []string{"replay", "--from", "24h", "--dry-run"}
		if tt.to != "" {
			args = append(args, "--to-topic", tt.to)
		}
		got := call(env, args...)
		told := strings.Contains(got.Stderr, "outboxrelay: topic orders is paused by ann since ") && strings.Contains(got.Stderr, ": restore; replay --from sends its events nevertheless\n")
		if got.Code != exitcode.OK || told != tt.told {
			t.Errorf("--to-topic %q: %+v", tt.to, got)
		}
	}
}
