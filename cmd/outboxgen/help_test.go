package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

// Each command shows the flags that it reads, with their types and defaults.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "init", "generate", "explain", "check", "compat", "register", "migration", "export", "export jsonschema", "export asyncapi", "export debezium", "docs", "version"} {
		var out bytes.Buffer
		code := run(append(strings.Fields(command), "--help"), streams{Out: &out, Err: &out, Env: func(string) string { return "" }})
		file := filepath.Join("testdata", "help", "outboxgen_"+strings.ReplaceAll(command, " ", "_")+".txt")
		if *update {
			if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" || code != exitcode.OK {
			t.Errorf("outboxgen %s --help exits with %d (-want +got), go test -update rewrites it:\n%s", command, code, diff)
		}
	}
}
