package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// ofOneKey kills rows 1 to 3 and gives all rows the key k.
const ofOneKey = `
	INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
	SELECT ('00000000-0000-7000-8000-00000000000' || i)::uuid, 'order', i, 'order.placed', 'orders', 'k', '{}' FROM generate_series(4, 5) AS i;
	UPDATE event_outbox SET event_key = 'k';
	UPDATE event_outbox SET dead_at = now(), retry_count = 10, last_error = 'too large' WHERE seq < 4;
	UPDATE event_outbox SET event_type = 'order.changed' WHERE seq IN (2, 3)`

const eventNumber = "00000000-0000-7000-8000-00000000000"

func TestDeadShowPrintsEverythingAboutARow(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), ofOneKey+`;
		UPDATE event_outbox SET event_data = '{"text": "a\"b\u0000", "n": [1, 2.50]}', headers = '{"trace_id":"t"}', partition = 3 WHERE seq = 2;
		INSERT INTO event_outbox_audit (actor, action, seq, event_id, event_type, reason, applied_at)
		VALUES ('ann', 'replay', 2, '`+eventNumber+`2', 'order.changed', 'limit raised', now()), ('ben', 'replay', 2, '`+eventNumber+`2', 'order.changed', NULL, NULL);
		INSERT INTO event_outbox_lease (epoch, holder, state)
		VALUES (1, gen_random_uuid(), '{"led": {"settings": {"on_dead": "park", "on_dead of order.changed": "block"}}}')`)
	if err != nil {
		t.Fatal(err)
	}
	want := answer{Stdout: `event      EVENT, seq 2
state      dead since TIME, after 10 attempts
type       order.changed
topic      orders
key        k  partition 3
aggregate  order/2
created    TIME, by transaction TX
attempts   10
error      too large
headers    {
             "trace_id": "t"
           }
data       {
             "text": "a\"b\u0000",
             "n": [
               1,
               2.50
             ]
           }
same key   dead: seq 1, event EVENT, order.placed, since TIME: too large
           dead: seq 3, event EVENT, order.changed, since TIME: too large
behind     2 pending rows of its topic and key come after it; they wait until it is replayed or discarded (on_dead is block)
           seq 4, event EVENT, order.placed, created TIME
           seq 5, event EVENT, order.placed, created TIME
newer      no newer row of its topic and key was published, of those that the outbox still has
audit      TIME: replay by ann: limit raised, the leader acted on it at TIME
           TIME: replay by ben: -
next       fix the cause of the error, then: outboxrelay dead replay --event-id EVENT --reason '…'
`}
	for _, name := range []string{"2", eventNumber + "2"} {
		got := steady(call(env, "dead", "show", name))
		before, rest, _ := strings.Cut(got.Stdout, "by transaction ")
		_, after, _ := strings.Cut(rest, "\n")
		got.Stdout = before + "by transaction TX\n" + after
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dead show %s (-want +got):\n%s", name, diff)
		}
	}
	var event admin.Event
	if err := json.Unmarshal([]byte(call(env, "dead", "show", "2", "--json").Stdout), &event); err != nil {
		t.Fatal(err)
	}
	if got := string(event.Data); got != `{"text":"a\"b\u0000","n":[1,2.50]}` || event.Behind != 2 || len(event.DeadOfKey) != 2 || len(event.Audit) != 2 {
		t.Errorf("as JSON: data %s, %d behind, %d dead of the key, %d entries of the audit", got, event.Behind, len(event.DeadOfKey), len(event.Audit))
	}
}

func TestDeadShowOfOtherRows(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET published_at = now() WHERE seq = 1`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		want string // in standard output or standard error
		code int
	}{
		{eventNumber + "1", "state      published at ", exitcode.OK},
		{"1", "event_outbox has no such row: seq 1 is not pending and not dead", exitcode.Failed},
		{"2", "state      pending\n", exitcode.OK},
		{eventNumber + "9", "event_outbox has no such row: event " + eventNumber + "9", exitcode.Failed},
		{"0", "dead show needs an event id, which is a UUID, or a seq", exitcode.Misuse},
		{"secret", "dead show needs an event id, which is a UUID, or a seq", exitcode.Misuse},
	} {
		got := call(env, "dead", "show", c.name)
		if got.Code != c.code || !strings.Contains(got.Stdout+got.Stderr, c.want) {
			t.Errorf("dead show %s = %+v, want %d and %q", c.name, got, c.code, c.want)
		}
	}
}

// A later row of a key does not pass an earlier one that is dead too.
func TestReplayKeepsTheOrderOfAKey(t *testing.T) {
	for _, command := range [][]string{{"replay"}, {"dead", "replay"}} {
		t.Run(strings.Join(command, " "), func(t *testing.T) {
			conn, env := newOutbox(t)
			if _, err := conn.Exec(t.Context(), ofOneKey); err != nil {
				t.Fatal(err)
			}
			args := func(more ...string) []string { return append(append([]string{}, command...), more...) }
			refused := answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: nothing was changed: " +
				"1 earlier dead row of the same key would stay dead; the selected rows would be sent before it: seq 1, event " + eventNumber + "1, topic orders, key k; " +
				"add --with-earlier to select them too, discard them, or add --out-of-order\n"}
			for _, more := range [][]string{{"--type", "order.changed"}, {"--type", "order.changed", "--dry-run"}} {
				if diff := cmp.Diff(refused, call(env, args(more...)...)); diff != "" {
					t.Errorf("%v (-want +got):\n%s", more, diff)
				}
			}
			if n := countDead(t, conn); n != 3 {
				t.Fatalf("%d rows are dead, want 3", n)
			}
			if diff := cmp.Diff(answer{Stdout: "replayed 1 dead row; no relay leads now, so nothing is sent yet\n"}, call(env, args("--event-id", eventNumber+"1")...)); diff != "" {
				t.Errorf("the first row of the key (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(answer{Stdout: "replayed 2 dead rows; no relay leads now, so nothing is sent yet\n"}, call(env, args("--event-id", eventNumber+"3", "--with-earlier")...)); diff != "" {
				t.Errorf("with earlier ones (-want +got):\n%s", diff)
			}
			if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET dead_at = now() WHERE seq < 4`); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(answer{Stdout: "replayed 1 dead row; no relay leads now, so nothing is sent yet\n"}, call(env, args("--event-id", eventNumber+"3", "--out-of-order")...)); diff != "" {
				t.Errorf("out of order (-want +got):\n%s", diff)
			}
			// Rows without a key have no order, and topics have none between them.
			_, err := conn.Exec(t.Context(), `UPDATE event_outbox SET dead_at = now();
				UPDATE event_outbox SET event_key = NULL WHERE seq IN (1, 4); UPDATE event_outbox SET topic = 'others' WHERE seq = 2`)
			if err != nil {
				t.Fatal(err)
			}
			for _, seq := range []string{"4", "3"} {
				if diff := cmp.Diff(answer{Stdout: "replayed 1 dead row; no relay leads now, so nothing is sent yet\n"}, call(env, args("--event-id", eventNumber+seq)...)); diff != "" {
					t.Errorf("row %s (-want +got):\n%s", seq, diff)
				}
			}
		})
	}
}

// A list ends at its limit, which a terminal has without asking.
func TestListsAreLimited(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data)
		SELECT 'a', i, 't', 'orders', '{}' FROM generate_series(4, 101) AS i; UPDATE event_outbox SET dead_at = now()`); err != nil {
		t.Fatal(err)
	}
	const more = "… and more: select fewer, or set --limit\n"
	for _, c := range []struct {
		terminal bool
		args     []string
		lines    int
		more     bool
	}{
		{false, nil, 102, false}, {true, nil, 102, true}, {true, []string{"--limit", "0"}, 102, false}, {true, []string{"--limit", "101"}, 102, false},
		{false, []string{"--limit", "2"}, 4, true}, {true, []string{"--json"}, 101, false}, {false, []string{"--json", "--limit", "3"}, 3, false},
	} {
		args := append([]string{"dead", "list"}, c.args...)
		got := call(env, args...)
		if c.terminal {
			got = converse(env, strings.NewReader(""), args...)
		}
		if lines := strings.Count(got.Stdout, "\n"); got.Code != exitcode.OK || lines != c.lines || strings.HasSuffix(got.Stdout, more) != c.more {
			t.Errorf("%v on a terminal: %v: %d lines, exit %d\n%s%s", args, c.terminal, lines, got.Code, got.Stdout[max(0, len(got.Stdout)-100):], got.Stderr)
		}
	}
}

// The first question about dead rows is what died, and why.
func TestDeadRowsAreCounted(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET dead_at = '2026-01-31T12:00:00Z'::timestamptz + seq * interval '1 hour', last_error = E'too\x1b large';
		UPDATE event_outbox SET event_type = 'order.paid', last_error = 'no topic' WHERE seq = 2`); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want answer
	}{
		{[]string{"--by", "error"}, answer{Stdout: "ROWS  FIRST                 LAST                  ERROR\n" +
			"2     2026-01-31T13:00:00Z  2026-01-31T15:00:00Z  too\\x1b large\n1     2026-01-31T14:00:00Z  2026-01-31T14:00:00Z  no topic\n"}},
		{[]string{"--by", "type", "--error", "no topic"}, answer{Stdout: "ROWS  FIRST                 LAST                  TYPE\n1     2026-01-31T14:00:00Z  2026-01-31T14:00:00Z  order.paid\n"}},
		{[]string{"--by", "topic", "--json"}, answer{Stdout: `{"value":"orders","rows":3,"first":"2026-01-31T13:00:00Z","last":"2026-01-31T15:00:00Z"}` + "\n"}},
		{[]string{"--by", "topic", "--key", "other"}, answer{Stdout: "no dead rows\n"}},
		{[]string{"--by", "key"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --by must be type, topic or error\n"}},
		{[]string{"--by", ""}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --by must be type, topic or error\n"}},
		{[]string{"--by", "topic", "--limit", "5"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --limit limits a list, and --by counts: remove one of them\n"}},
	} {
		if diff := cmp.Diff(c.want, call(env, append([]string{"dead", "list"}, c.args...)...)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.args, diff)
		}
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, dead_at, last_error)
		SELECT 'a', i, 't', 'orders', '{}', now(), 'error ' || i FROM generate_series(1, 98) AS i`); err != nil {
		t.Fatal(err)
	}
	if got := call(env, "dead", "list", "--by", "error", "--json"); strings.Count(got.Stdout, "\n") != admin.MostDeadGroups || got.Stderr != "" {
		t.Errorf("of 100 groups: %+v", got)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, dead_at, last_error)
		VALUES ('a', 'b', 't', 'orders', '{}', now(), 'error 99')`); err != nil {
		t.Fatal(err)
	}
	got := call(env, "dead", "list", "--by", "error", "--json")
	if want := "outboxrelay: only the 100 largest groups of the first 100001 rows are shown; select fewer rows\n"; strings.Count(got.Stdout, "\n") != admin.MostDeadGroups || got.Stderr != want {
		t.Errorf("of 101 groups: %+v, want %q", got, want)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_data, dead_at)
		SELECT 'a', i, 't', 'orders', '{}', now() FROM generate_series(1, 100000) AS i`); err != nil {
		t.Fatal(err)
	}
	got = call(env, "dead", "list", "--by", "topic", "--json")
	if want := "outboxrelay: only the first 100001 of the rows are counted\n"; !strings.HasPrefix(got.Stdout, `{"value":"orders","rows":100001,`) || got.Stderr != want {
		t.Errorf("of 100102 rows: %+v, want %q", got, want)
	}
}

// A replay of many rows of the same keys takes no statement that lasts for long.
func TestReplayOfManyRows(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, dead_at)
		SELECT 'a', i, 't', 'mails', 'k' || i % 1000, '{}', now() FROM generate_series(1, 30000) AS i`); err != nil {
		t.Fatal(err)
	}
	env["DATABASE_URL"] += map[bool]string{true: "&", false: "?"}[strings.Contains(env["DATABASE_URL"], "?")] + "statement_timeout=10s"
	began := time.Now()
	got := call(env, "dead", "replay", "--topic", "mails", "--yes", "--json")
	t.Logf("it took %s", time.Since(began))
	want := answer{Stdout: `{"outbox":"event_outbox","action":"replay","selected":30000,"changed":30000,"note":"no relay leads now, so nothing is sent yet"}` + "\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// On a terminal, a replay asks. A script is not asked.
func TestReplayAsksOnATerminal(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), ofOneKey); err != nil {
		t.Fatal(err)
	}
	got := converse(env, strings.NewReader("no\n"), "dead", "replay", "--all")
	if want := "This publishes 3 dead rows again. Type the number to continue: "; got.Code != exitcode.Failed || !strings.HasSuffix(got.Stdout, want) {
		t.Errorf("%+v, want a question that ends with %q", got, want)
	}
	if n := countDead(t, conn); n != 3 {
		t.Fatalf("%d rows are dead without a confirmation, want 3", n)
	}
	if got := converse(env, strings.NewReader("3\n"), "dead", "replay", "--all"); got.Code != exitcode.OK || !strings.HasSuffix(got.Stdout, "replayed 3 dead rows; no relay leads now, so nothing is sent yet\n") {
		t.Errorf("%+v", got)
	}
}

func TestSelectionsThatSelectNothing(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": "postgres://127.0.0.1:1/d"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"dead", "list", "--older-than", "2h", "--newer-than", "1h"}, "--newer-than 1h0m0s and --older-than 2h0m0s select nothing: make the first one longer"},
		{[]string{"dead", "list", "--older-than", "-1h"}, "--older-than must be a duration above zero, such as 90m or 24h"},
		{[]string{"dead", "list", "--aggregate", "order/"}, "--aggregate must be a type, or a type and an id: order or order/17"},
		{[]string{"dead", "replay", "--event-type", ""}, "--event-type is empty: give it a value, or remove it"},
		{[]string{"dead", "discard", "--error", "", "--reason", "x", "--yes"}, "--error is empty: give it a value, or remove it"},
		{[]string{"dead", "replay", "--all", "--with-earlier", "--out-of-order"}, "--with-earlier and --out-of-order exclude each other: remove one of them"},
		{[]string{"dead", "replay", "--from", "24h"}, "unknown flag: --from: see outboxrelay dead replay --help"},
		{[]string{"dead", "replay", "--all", "--reason", strings.Repeat("x", 1001)}, "--actor or --reason: Decision.Reason is longer than 1000 characters"},
		{[]string{"pause", "a", "--reason", "\xff"}, "--actor or --reason: Decision.Actor or Decision.Reason is not valid UTF-8, or has a NUL: Postgres cannot store it"},
		{[]string{"dead", "lst"}, "unknown command of dead: use list, show, replay or discard"},
		{[]string{"dead", "show"}, "dead show needs the event id or the seq of one row, as outboxrelay dead lists them"},
	} {
		if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: " + c.want + "\n"}, call(env, c.args...)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.args, diff)
		}
	}
}
