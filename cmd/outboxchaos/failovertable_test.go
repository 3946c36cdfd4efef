package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/command"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/failover"
)

// A relay with default settings and no timeout in its address finds the promoted
// server, in whatever way the primary's machine failed. What it publishes then is
// complete and in order. These are the rows of "outboxchaos failover" that failed once.
// The test logs the time and has no limit for it; the command has one.
func TestRelaysFindThePromotedServer(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	t.Parallel()
	for _, tt := range []struct {
		mode string
		rows []string
	}{
		{failover.Asynchronous, []string{"killed", "silent: ", "silent after", "one name", "zombie: "}},
		{failover.Synchronous, []string{"silent: "}},
	} {
		t.Run(tt.mode, func(t *testing.T) {
			const patience = 90 * time.Second
			results, err := failover.Run(t.Context(), failover.Options{
				Rows: tt.rows, Modes: []string{tt.mode}, Limit: patience, Dir: t.TempDir(), Say: t.Logf,
				Named: func() (*exec.Cmd, error) { return self(command.RoleNamed) },
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if !r.OK(patience) {
					t.Errorf("%s: %s", r.Row, r)
				}
			}
			if len(results) != len(tt.rows) {
				t.Errorf("%d rows were measured, want %d", len(results), len(tt.rows))
			}
		})
	}
}

func TestFailOverTable(t *testing.T) {
	t.Parallel()
	results := []failover.Result{
		{Row: "killed", Mode: failover.Asynchronous, Took: 1234 * time.Millisecond},
		{Row: "killed", Mode: failover.Synchronous, Took: 15 * time.Second},
		{Row: "zombie", Mode: failover.Asynchronous, Took: time.Second, HasAgain: true, Again: 2 * time.Second},
		{Row: "zombie", Mode: failover.Synchronous, Limit: time.Minute, Problems: []string{"lost"}},
	}
	var b strings.Builder
	if err := failover.Print(&b, results); err != nil {
		t.Fatal(err)
	}
	const want = `| what happens to the primary | asynchronous | synchronous |
| --- | --- | --- |
| killed | 1.2 s | 15.0 s |
| zombie | 1.0 s, then 2.0 s | none in 1m0s; lost |
`
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for i, want := range []bool{true, true, true, false} {
		if got := results[i].OK(failover.Promised); got != want {
			t.Errorf("OK of result %d is %t", i, got)
		}
	}
}
