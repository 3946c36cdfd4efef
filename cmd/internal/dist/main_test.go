package main

import (
	"bytes"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

var update = flag.Bool("update", false, "write testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMisuse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a system":   {[]string{"-only", "linux/amd64,plan9/arm"}, "dist: unknown system \"plan9/arm\": use some of darwin/amd64, darwin/arm64, linux/amd64, linux/arm64, windows/amd64, windows/arm64\n"},
		"a leftover": {[]string{"v1.2.3"}, "dist: unexpected argument \"v1.2.3\"\n"},
	} {
		var stdout, stderr bytes.Buffer
		code := execute(c.args, &stdout, &stderr)
		if code != exitcode.Misuse || stdout.Len() > 0 {
			t.Errorf("%s: exit code %d, output %q", name, code, &stdout)
		}
		if diff := cmp.Diff(c.want, stderr.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// compare compares a text with a file of testdata, or writes it.
func compare(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
