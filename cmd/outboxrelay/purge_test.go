package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

func TestPurge(t *testing.T) {
	conn, env := newOutbox(t)
	if _, err := conn.Exec(t.Context(), `UPDATE event_outbox SET published_at = now() - interval '2 days' WHERE seq < 3`); err != nil {
		t.Fatal(err)
	}
	const older = " published before TIME (retention 24h0m0s)"
	steps := []struct {
		typed string // "": no terminal
		args  []string
		want  answer
	}{
		{"", []string{"--dry-run"}, answer{Stdout: "would delete 0 rows published before TIME (retention 168h0m0s); nothing was changed\n"}},
		{"", []string{"--retention", "24h", "--dry-run"}, answer{Stdout: "would delete 2 rows" + older + "; nothing was changed\n"}},
		{"", []string{"--retention", "24h"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --reason is missing: give the reason for the audit log; a purge cannot be undone\n"}},
		{"", []string{"--retention", "24h", "--reason", "x"}, answer{Code: exitcode.Misuse,
			Stderr: "outboxrelay: nothing was deleted: purge needs a confirmation, but the input is not a terminal; review with --dry-run, then add --yes\n"}},
		{"", []string{"--retention", "0", "--reason", "x", "--yes"}, answer{Code: exitcode.Misuse,
			Stderr: "outboxrelay: the setting retention keeps rows forever: set --retention to a duration above zero, such as 168h\n"}},
		{"", []string{"--retention", "24h", "--json", "--reason", "x"}, answer{Code: exitcode.Misuse, Stderr: "outboxrelay: --json needs --dry-run or --yes: add one of them, or remove --json\n"}},
		{"no\n", []string{"--retention", "24h", "--reason", "x"}, answer{Code: exitcode.Failed,
			Stdout: "This deletes 2 rows" + older + " permanently. Type the number to continue: ",
			Stderr: "outboxrelay: outbox event_outbox: not confirmed: nothing was changed\n"}},
		{"2\n", []string{"--retention", "24h", "--reason", "table grows", "--actor", "ann"}, answer{
			Stdout: "This deletes 2 rows" + older + " permanently. Type the number to continue: deleted 2 rows" + older + "; vacuum makes their space free for new rows\n"}},
		{"2\n", []string{"--retention", "24h", "--reason", "x"}, answer{Stdout: "no rows" + older + "\n"}},
		{"", []string{"--retention", "24h", "--reason", "x", "--yes", "--json"}, answer{Stdout: `{"outbox":"event_outbox","published_before":"TIME","rows":0,"deleted":true}` + "\n"}},
	}
	for _, step := range steps {
		args := append([]string{"purge"}, step.args...)
		got := call(env, args...)
		if step.typed != "" {
			got = converse(env, strings.NewReader(step.typed), args...)
		}
		if diff := cmp.Diff(step.want, steady(got)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", step.args, diff)
		}
	}
	var left, audited int
	if err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM event_outbox), (SELECT count(*) FROM event_outbox_audit WHERE action = 'purge')`).Scan(&left, &audited); err != nil {
		t.Fatal(err)
	}
	if left != 1 || audited != 2 {
		t.Errorf("%d rows and %d entries in the audit, want 1 and 2", left, audited)
	}
}
