package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		args       []string
		want       int
		wantOutput string
		wantError  string
	}{
		{name: "no command", args: []string{"redis"}, want: exitMisuse, wantError: usage},
		{name: "no service", args: []string{"--", "true"}, want: exitMisuse, wantError: usage},
		{name: "unknown service", args: []string{"mysql", "--", "true"}, want: exitMisuse, wantError: `no service is called "mysql"`},
		{name: "the command's own code", args: []string{"redis", "--", "sh", "-c", "exit 7"}, want: 7},
		{name: "no such command", args: []string{"redis", "--", "/no/such/command"}, want: exitFailed, wantError: "/no/such/command"},
		{name: "success", args: []string{"redis", "--", "sh", "-c", "echo got $INPUT"}, want: 0, wantOutput: "got it\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			got := run(tt.args, []string{"PATH=/usr/bin:/bin", "INPUT=it"}, strings.NewReader(""), &stdout, &stderr)
			if got != tt.want || stdout.String() != tt.wantOutput || !strings.Contains(stderr.String(), tt.wantError) {
				t.Errorf("exit code %d, output %q, errors %q; want %d, %q, and %q among the errors",
					got, stdout.String(), stderr.String(), tt.want, tt.wantOutput, tt.wantError)
			}
		})
	}
}

func TestADemandedServiceThatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("REDIS_URL", "")
	for require, want := range map[string]int{"": 0, "kafka,redis": exitFailed} {
		var stdout, stderr bytes.Buffer
		got := run([]string{"redis", "--", "/bin/sh", "-c", "exit 0"}, []string{"OUTBOXGEN_REQUIRE=" + require}, strings.NewReader(""), &stdout, &stderr)
		if got != want || !strings.Contains(stderr.String(), "no redis-server on PATH") {
			t.Errorf("OUTBOXGEN_REQUIRE=%q: exit code %d, want %d; errors %q", require, got, want, stderr.String())
		}
	}
}
