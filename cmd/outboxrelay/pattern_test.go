package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

// While the database of one outbox is down, operators can look at the others and decide about
// them, also if the schemas of the first one are not known.
func TestAPatternWhoseDatabaseIsDown(t *testing.T) {
	_, env := newOutbox(t)
	file := filepath.Join(t.TempDir(), "outboxrelay.yaml")
	if err := os.WriteFile(file, []byte(`
outboxes:
  - {name: tenants, database_url: "postgres://u@127.0.0.1:1/d?sslmode=disable", schema: "tenant_*"}
  - {name: mails, database_url: "`+env["DATABASE_URL"]+`"}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	env = map[string]string{"OUTBOXRELAY_CONFIG": file}
	for _, c := range []struct {
		args    []string
		code    int
		stdout  string // a part
		unnamed bool   // the outbox that is down is in stderr
	}{
		{[]string{"pause", "orders", "--reason", "x", "--outbox", "mails"}, exitcode.OK, "paused topic orders;", false},
		{[]string{"dead", "--outbox", "mails"}, exitcode.OK, "no dead rows\n", false},
		{[]string{"dead", "--outbox", "tenants/tenant_1"}, exitcode.Failed, "", true},
		{[]string{"status"}, exitcode.Failed, "outbox   mails\n", true},
		{[]string{"doctor", "--outbox", "mails", "--sink", "stdout", "--watch", "0"}, exitcode.OK, "outbox mails: 0 problems", false},
		{[]string{"doctor", "--sink", "stdout", "--watch", "0"}, exitcode.Failed, "outbox mails: 0 problems", true},
	} {
		got := call(env, c.args...)
		if got.Code != c.code || !strings.Contains(got.Stdout, c.stdout) || strings.Contains(got.Stderr, "outbox tenants: ") != c.unnamed {
			t.Errorf("%v: exit %d\n%s\n%s", c.args, got.Code, got.Stdout, got.Stderr)
		}
	}
	got := call(env, "discard", "--outbox", "nothing", "--all", "--reason", "x", "--yes")
	if diff := cmp.Diff([]any{exitcode.Failed, true}, []any{got.Code, strings.Contains(got.Stderr, "outbox tenants: ")}); diff != "" {
		t.Errorf("an outbox that may be one of those that are not known: %+v", got)
	}
}
