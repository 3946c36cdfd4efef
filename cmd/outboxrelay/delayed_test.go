package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

const delayed1 = "EVENT  order.late  topic orders  key k1  order/1  due at TIME, in AGE\n"

func TestDelayedEventsAreListedCancelledAndSent(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), `
		INSERT INTO event_outbox_delayed (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, deliver_at)
		SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'order', i, 'order.late', 'orders', nullif('k' || i, 'k3'), '{}',
		       now() + i * interval '10 minutes'
		FROM generate_series(1, 3) AS i`)
	if err != nil {
		t.Fatal(err)
	}
	second := strings.NewReplacer("k1", "k2", "order/1", "order/2").Replace(delayed1)
	row := func(number, key, due string) string {
		return "EVENT  order.late  orders  " + key + "  order/" + number + "  TIME  " + due + "\n"
	}
	const delayedHeader = "EVENT  TYPE  TOPIC  KEY  AGGREGATE  DUE AT  DUE\n"
	const first = "00000000-0000-7000-8000-000000000001"
	steps := []struct {
		args []string
		want answer
	}{
		{[]string{"delayed"}, answer{Stdout: delayedHeader + row("1", "k1", "in AGE") + row("2", "k2", "in AGE") + row("3", "-", "in AGE")}},
		{[]string{"delayed", "--key", "k2"}, answer{Stdout: delayedHeader + row("2", "k2", "in AGE")}},
		{[]string{"delayed", "--aggregate", "order/3"}, answer{Stdout: delayedHeader + row("3", "-", "in AGE")}},
		{[]string{"cancel"}, answer{Code: 2,
			Stderr: "outboxrelay: no delayed events selected: use --event-id, --event-type, --topic, --key, --aggregate or --all\n"}},
		{[]string{"cancel", "--all", "--yes"}, answer{Code: 2,
			Stderr: "outboxrelay: --reason is missing: give the reason for the audit log; a cancel cannot be undone\n"}},
		{[]string{"cancel", "--all", "--reason", "test"}, answer{Code: 2,
			Stderr: "outboxrelay: nothing was changed: cancel needs a confirmation, but the input is not a terminal; review with --dry-run, then add --yes\n"}},
		{[]string{"cancel", "--key", "k2", "--dry-run"}, answer{Stdout: second + "would cancel 1 delayed event; nothing was changed\n"}},
		{[]string{"cancel", "--key", "k2", "--reason", "test", "--yes"}, answer{Stdout: "cancelled 1 delayed event\n"}},
		{[]string{"send-now", "--event-id", first, "--dry-run"}, answer{Stdout: delayed1 + "would send-now 1 delayed event; nothing was changed\n"}},
		{[]string{"send-now", "--all", "--actor", "ann"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --reason is missing: give the reason for the audit log; a send-now cannot be undone\n"}},
		{[]string{"send-now", "--all", "--reason", "x"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: nothing was changed: send-now needs a confirmation, " +
			"but the input is not a terminal; review with --dry-run, then add --yes\n"}},
		{[]string{"send-now", "--all", "--event-id", first, "--reason", "x", "--yes"}, answer{Code: exitcode.Misuse,
			Stderr: "outboxrelay: --all selects all delayed events: remove it, or the flags that select some of them\n"}},
		{[]string{"send-now", "--event-id", first, "--reason", "x", "--json"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --json needs --dry-run or --yes: add one of them, or remove --json\n"}},
		{[]string{"send-now", "--event-id", first, "--actor", "ann", "--reason", "x", "--yes", "--json"}, answer{
			Stdout: `{"outbox":"event_outbox","action":"send-now","selected":1,"changed":1,"note":"no relay leads now, so nothing is sent yet"}` + "\n"}},
		{[]string{"delayed"}, answer{Stdout: delayedHeader + row("1", "k1", "AGO") + row("3", "-", "in AGE")}},
		{[]string{"cancel", "--all", "--reason", "test", "--yes"}, answer{Stdout: "cancelled 2 delayed events\n"}},
		{[]string{"cancel", "--all", "--reason", "test", "--yes"}, answer{Code: exitcode.Failed,
			Stderr: "outboxrelay: outbox event_outbox: no delayed events match: see outboxrelay delayed\n"}},
		{[]string{"delayed"}, answer{Stdout: "no delayed events\n"}},
	}
	for _, step := range steps {
		got := steady(call(env, step.args...))
		if step.args[0] == "delayed" {
			got = narrow(got)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", step.args, diff)
		}
	}
	var audit []string
	if err := conn.QueryRow(t.Context(), `SELECT array_agg(action || ' ' || coalesce(event_key, '-') ORDER BY id) FROM event_outbox_audit`).Scan(&audit); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"cancel k2", "send-now k1", "cancel k1", "cancel -"}, audit); diff != "" {
		t.Errorf("audit (-want +got):\n%s", diff)
	}
}

func TestCancelAsksOnATerminal(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), `
		INSERT INTO event_outbox_delayed (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, deliver_at)
		VALUES ('00000000-0000-7000-8000-000000000001', 'order', '1', 'order.late', 'orders', 'k1', '{}', now() + interval '1 hour')`)
	if err != nil {
		t.Fatal(err)
	}
	const question = delayed1 + "This deletes 1 delayed event permanently. Type the number to continue: "
	cancel := []string{"cancel", "--all", "--reason", "test"}
	want := answer{Code: exitcode.Failed, Stdout: question, Stderr: "outboxrelay: outbox event_outbox: not confirmed: nothing was changed\n"}
	if diff := cmp.Diff(want, steady(converse(env, strings.NewReader("no\n"), cancel...))); diff != "" {
		t.Errorf("without a confirmation (-want +got):\n%s", diff)
	}
	const sends = delayed1 + "This publishes 1 delayed event now. Type the number to continue: "
	want = answer{Code: exitcode.Failed, Stdout: sends, Stderr: "outboxrelay: outbox event_outbox: not confirmed: nothing was changed\n"}
	if diff := cmp.Diff(want, steady(converse(env, strings.NewReader("no\n"), "send-now", "--all", "--reason", "test"))); diff != "" {
		t.Errorf("send-now without a confirmation (-want +got):\n%s", diff)
	}
	want = answer{Stdout: question + "cancelled 1 delayed event\n"}
	if diff := cmp.Diff(want, steady(converse(env, strings.NewReader("1\n"), cancel...))); diff != "" {
		t.Errorf("after the confirmation (-want +got):\n%s", diff)
	}
}

func TestStatusOfDelayedEvents(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), `
		DELETE FROM event_outbox;
		INSERT INTO event_outbox_delayed (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, deliver_at)
		SELECT ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'order', i, 'order.late', 'orders', 'k' || i, '{}', now() + (i - 2) * interval '1 hour'
		FROM generate_series(1, 3) AS i`)
	if err != nil {
		t.Fatal(err)
	}
	overdue := strings.Replace(strings.TrimSpace(delayed1), "in AGE", "AGE ago", 1)
	want := `outbox   event_outbox
leader   none: no relay has run on this outbox yet
pending  0
retrying 0
dead     0
delayed  3, the next: ` + overdue + `
why      no leader: start a relay (outboxrelay run)
see      https://github.com/outboxgen/outboxgen/blob/main/docs/runbook.md#relay-frozen
`
	if diff := cmp.Diff(answer{Stdout: want}, steady(call(env, "status"))); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if _, err := conn.Exec(t.Context(), `INSERT INTO event_outbox_lease (epoch, holder) VALUES (4, '00000000-0000-7000-8000-0000000000aa')`); err != nil {
		t.Fatal(err)
	}
	const why = `why      delayed events have been due for AGE although a relay leads: look in its log for "delayed events not moved"` + "\n"
	if got := steady(call(env, "status")); !strings.HasSuffix(got.Stdout, why) {
		t.Errorf("status of a leader:\n%s", got.Stdout)
	}
}

// A time that was set by hand may be one that RFC 3339 does not have.
func TestDelayedEventsBeyondTheYear9999(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), `
		INSERT INTO event_outbox_delayed (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data, created_at, deliver_at)
		VALUES ('00000000-0000-7000-8000-000000000001', 'order', '1', 'order.late', 'orders', 'k1', '{}', '2026-01-31Z', '12000-01-31Z')`)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		DeliverAt string `json:"deliver_at"`
		DueIn     int64  `json:"due_in_ns"`
	}
	listed := call(env, "delayed", "--json")
	if err := json.Unmarshal([]byte(listed.Stdout), &got); err != nil || got.DeliverAt != "+12000-01-31T00:00:00Z" || got.DueIn <= 0 {
		t.Errorf("%+v: %v", listed, err)
	}
	if state := call(env, "status", "--json"); state.Code != 0 || !strings.Contains(state.Stdout, `"deliver_at":"+12000-01-31T00:00:00Z"`) {
		t.Errorf("status: %+v", state)
	}
}
