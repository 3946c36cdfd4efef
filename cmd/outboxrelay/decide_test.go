package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// converse runs a command on a terminal, with the input of a user.
func converse(env map[string]string, typed io.Reader, args ...string) answer {
	var stdout, stderr bytes.Buffer
	code := execute(args, environment{getenv: func(k string) string { return env[k] },
		stdin: typed, stdout: &stdout, stderr: &stderr, interactive: true})
	return answer{code, stdout.String(), stderr.String()}
}

func countDead(t *testing.T, conn *pgx.Conn) (n int) {
	t.Helper()
	if err := conn.QueryRow(t.Context(), "SELECT count(dead_at) FROM event_outbox").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const letter1 = "EVENT  order.placed  topic orders  key k1  order/1  dead since TIME  after 10 attempts: too large\n"

func TestDecisionsShowWhatTheyWouldChange(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now(), retry_count = 10, last_error = 'too large' WHERE seq < 2")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"replay", "discard"} {
		want := answer{Stdout: letter1 + "would " + verb + " 1 dead row; nothing was changed\n"}
		if diff := cmp.Diff(want, steady(call(env, verb, "--all", "--dry-run"))); diff != "" {
			t.Errorf("%s --dry-run (-want +got):\n%s", verb, diff)
		}
		if got := call(env, verb, "--all", "--dry-run", "--json"); got.Code != 0 || !strings.Contains(got.Stdout, `"topic":"orders"`) {
			t.Errorf("%s --dry-run --json = %+v", verb, got)
		}
	}
	if n := countDead(t, conn); n != 1 {
		t.Errorf("after dry runs %d rows are dead, want 1", n)
	}
}

func TestDiscardAsksOnATerminal(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now(), retry_count = 10, last_error = 'too large' WHERE seq < 2")
	if err != nil {
		t.Fatal(err)
	}
	const question = letter1 + "This deletes 1 dead row permanently. Type the number to continue: "
	discard := []string{"discard", "--all", "--actor", "ann", "--reason", "sent by hand"}
	for _, typed := range []string{"", "\n", "y\n", "2\n", "11\n"} {
		want := answer{Code: exitcode.Failed, Stdout: question, Stderr: "outboxrelay: outbox event_outbox: not confirmed: nothing was changed\n"}
		if diff := cmp.Diff(want, steady(converse(env, strings.NewReader(typed), discard...))); diff != "" {
			t.Errorf("after typing %q (-want +got):\n%s", typed, diff)
		}
	}
	if n := countDead(t, conn); n != 1 {
		t.Fatalf("without a confirmation %d rows are dead, want 1", n)
	}
	want := answer{Stdout: question + "discarded 1 dead row\n"}
	if diff := cmp.Diff(want, steady(converse(env, strings.NewReader("1\n"), discard...))); diff != "" {
		t.Errorf("after the confirmation (-want +got):\n%s", diff)
	}
	var audit string
	if err := conn.QueryRow(t.Context(), "SELECT actor || ': ' || reason FROM event_outbox_audit").Scan(&audit); err != nil {
		t.Fatal(err)
	}
	if audit != "ann: sent by hand" {
		t.Errorf("the audit says %q", audit)
	}
}

// typing calls first when it is asked for input, and then returns its text.
type typing struct {
	text  string
	first func()
}

func (t *typing) Read(p []byte) (int, error) {
	if t.first != nil {
		t.first()
		t.first = nil
	}
	n := copy(p, t.text)
	t.text = t.text[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// A decision says if it was about fewer rows than were listed.
func TestADecisionAboutSomeOfTheRows(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now()"); err != nil {
		t.Fatal(err)
	}
	got := converse(env, &typing{text: "3\n", first: func() {
		if _, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = NULL WHERE seq = 2"); err != nil {
			t.Error(err)
		}
	}}, "discard", "--all", "--reason", "test data")
	if want := "discarded 2 of 3 dead rows: somebody else has decided about the others\n"; got.Code != 0 || !strings.HasSuffix(got.Stdout, want) {
		t.Errorf("%+v, want %q", got, want)
	}
}

// A row that becomes dead between the list and the confirmation is left alone, because
// the operator has not seen it.
func TestDiscardDeletesOnlyWhatWasListed(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now() WHERE seq = 1"); err != nil {
		t.Fatal(err)
	}
	got := converse(env, &typing{text: "1\n", first: func() {
		if _, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now() WHERE seq = 2"); err != nil {
			t.Error(err)
		}
	}}, "discard", "--all", "--reason", "test data")
	if got.Code != 0 || !strings.HasSuffix(got.Stdout, "discarded 1 dead row\n") {
		t.Errorf("%+v", got)
	}
	if n := countDead(t, conn); n != 1 {
		t.Errorf("%d rows are dead, want the one that died later", n)
	}
}

// The order of a key is checked by the replay itself: an earlier row may be dead again by the
// time of the confirmation.
func TestReplayChecksTheOrderWhenItReplays(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), ofOneKey); err != nil {
		t.Fatal(err)
	}
	if got := call(env, "replay", "--event-id", eventNumber+"1"); got.Code != exitcode.OK {
		t.Fatalf("%+v", got)
	}
	got := converse(env, &typing{text: "1\n", first: func() { // the relay has tried it again
		if _, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now() WHERE seq = 1"); err != nil {
			t.Error(err)
		}
	}}, "dead", "replay", "--event-id", eventNumber+"2")
	want := "outboxrelay: outbox event_outbox: 1 earlier dead row of the same key would stay dead; the selected rows would be sent before it: " +
		"seq 1, event " + eventNumber + "1, topic orders, key k; add --with-earlier to select them too, discard them, or add --out-of-order\n"
	if got.Code != exitcode.Failed || got.Stderr != want {
		t.Errorf("%+v, want %s", got, want)
	}
	if n := countDead(t, conn); n != 3 {
		t.Errorf("%d rows are dead, want 3: the transaction changes nothing", n)
	}
}

// Each part of a large replay looks at all dead rows before it.
func TestALargeReplayChecksTheOrderOfEachPart(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET event_key = 'k' WHERE seq = 1;
		INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, dead_at)
		SELECT 'a', i, 't', 'orders', CASE WHEN i = 1001 THEN 'k' ELSE 'j' END, '{}', now() FROM generate_series(1, 1001) AS i`); err != nil {
		t.Fatal(err)
	}
	got := converse(env, &typing{text: "1001\n", first: func() { // a row that is not selected dies meanwhile
		if _, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now() WHERE seq = 1"); err != nil {
			t.Error(err)
		}
	}}, "dead", "replay", "--type", "t")
	want := answer{Code: exitcode.Failed, Stderr: "outboxrelay: outbox event_outbox: replayed 1000 of 1001 dead rows, then: 1 earlier dead row of the same key would stay dead; " +
		"the selected rows would be sent before it: seq 1, event " + eventNumber + "1, topic orders, key k; add --with-earlier to select them too, discard them, or add --out-of-order\n"}
	if got.Stdout = ""; got != want {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
	if n := countDead(t, conn); n != 2 {
		t.Errorf("%d rows are dead, want 2", n)
	}
}

// hostile are texts that a terminal would interpret.
var hostile = []string{
	"\x1b[2J\x1b]0;title\x07", "bell\x07", "new\nline", "carriage\rreturn", "\x7f", "back\x08space",
	"\u009b2J", "\u0085next line", // C1 controls
	"\u202egnp.exe", "\u2066isolate\u2069", "\u200fright", // marks of direction
	"zero\u200bwidth", "\u2028line separator", "\U000e0041tag",
}

// harmless checks that a terminal would show a text as it is.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s prints %U at byte %d of:\n%q", what, r, i, text)
			return
		}
	}
}

// No command writes data to the terminal in a form that the terminal would interpret,
// neither as text nor as JSON.
func TestDataIsEscaped(t *testing.T) {
	conn, env := newOutbox(t)
	for i, text := range hostile {
		// Each of these texts is in each column that is printed, in one row after the
		// other.
		_, err := conn.Exec(t.Context(), `
			INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, last_error, dead_at, next_attempt_at, retry_count)
			SELECT t, t, t, t, t, json_build_object('data', t), t, d, now(), 1 FROM (SELECT $1::text) AS hostile (t), (VALUES (now()), (NULL)) AS died (d)`, text)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	_, err := conn.Exec(t.Context(), `INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (1, gen_random_uuid(),
		json_build_object('name', $1::text, 'reason', $1::text, 'paused_topics', json_build_array(json_build_object('topic', $1::text, 'reason', $1::text))))`,
		strings.Join(hostile, ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"dead"}, {"dead", "--json"}, {"dead", "show", "4"}, {"dead", "show", "4", "--json"}, {"dead", "show", "\x1b[2J"}, {"dead", "\u202e"}, {"status"}, {"status", "--json"}, {"replay", "--all", "--dry-run"}, {"replay", "--all", "--dry-run", "--json"},
		{"discard", "--all", "--dry-run"}, {"discard", "--all", "--reason", "x"}, {"dead", "--topic", "\x1b[2J"},
		{"config", "--name", "\x1b[2J"}, {"config", "--json", "--name", "\u202e"}, {"dead", "--outbox", "\x1b[2J"}, {"dead", "--event-id", "\u009b"},
		{"run", "--sink", "\x1b[2J"},
	} {
		got := converse(env, strings.NewReader("no\n"), args...)
		harmless(t, fmt.Sprint(args), got.Stdout)
		harmless(t, fmt.Sprint(args), got.Stderr)
	}
	if got := call(env, "dead"); strings.Count(got.Stdout, "\n") != 1+len(hostile) {
		t.Errorf("dead prints %d lines for a header and %d rows:\n%s", strings.Count(got.Stdout, "\n"), len(hostile), got.Stdout)
	}
	// Nor does an error that names a key have lines of the data: each of these rows has an earlier
	// dead one of its key.
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_type, aggregate_id, event_type, topic, event_key, event_data, dead_at)
		SELECT 'a', 'later', 'later', topic, event_key, '{}', now() FROM event_outbox WHERE dead_at IS NOT NULL`); err != nil {
		t.Fatal(err)
	}
	later, err := admin.DeadLetters(t.Context(), conn, admin.Filter{EventType: "later"}, 0)
	if err != nil || len(later) != len(hostile) {
		t.Fatalf("%d rows, %v", len(later), err)
	}
	for _, l := range later {
		got := call(env, "dead", "replay", "--event-id", l.EventID.String(), "--yes")
		harmless(t, "an earlier row of the key", got.Stderr)
		if strings.Count(got.Stderr, "\n") != 1 || !strings.Contains(got.Stderr, "1 earlier dead row of the same key ") {
			t.Errorf("%q", got.Stderr)
		}
	}
	const revive = `DELETE FROM event_outbox_lease; UPDATE event_outbox SET published_at = NULL,
		dead_at = NULL, next_attempt_at = NULL, topic = 'orders', headers = json_build_object('h', event_key)`
	for _, format := range []string{"json", "text"} {
		if _, err := conn.Exec(t.Context(), revive); err != nil {
			t.Fatal(err)
		}
		got := call(env, "run", "--sink", "stdout", "--drain", "--listen", "", "--log-level", "debug", "--log-format", format, "--name", "a\u202e")
		if got.Code != 0 || !strings.Contains(got.Stdout, `\u202e`) {
			t.Errorf("exit %d:\n%s", got.Code, got.Stdout)
		}
		harmless(t, "run", got.Stdout)
		harmless(t, "run", got.Stderr)
	}
}
