package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

var sampleTable = []setting{
	{name: "listen", kind: anyText, def: ":9464", process: true},
	{name: "database-url", kind: secretText, alias: "DATABASE_URL"},
	{name: "brokers", kind: list, def: "localhost:9092"},
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSettingsLayers(t *testing.T) {
	t.Parallel()
	f, err := readFile(writeFile(t, `
listen: :1
database_url: from-file
brokers: [a:1, b:2]
`), sampleTable)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		flags values
		env   map[string]string
		want  values
	}{
		{
			name: "the file beats the default",
			want: values{"listen": ":1", "database-url": "from-file", "brokers": "a:1,b:2"},
		},
		{
			name: "the environment beats the file, our variable the alias",
			env:  map[string]string{"DATABASE_URL": "alias", "OUTBOXRELAY_BROKERS": "env"},
			want: values{"listen": ":1", "database-url": "alias", "brokers": "env"},
		},
		{
			name:  "a flag beats all",
			flags: values{"database-url": "flag"},
			env:   map[string]string{"DATABASE_URL": "alias", "OUTBOXRELAY_DATABASE_URL": "env"},
			want:  values{"listen": ":1", "database-url": "flag", "brokers": "a:1,b:2"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := layers{flags: tt.flags, getenv: func(k string) string { return tt.env[k] }, file: f}
			got, err := l.outboxes(sampleTable)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]values{tt.want}, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSeveralOutboxesInheritFromTheTop(t *testing.T) {
	t.Parallel()
	f, err := readFile(writeFile(t, `
brokers: shared
outboxes:
  - {database_url: one}
  - {database_url: two, brokers: own}
`), sampleTable)
	if err != nil {
		t.Fatal(err)
	}
	// DATABASE_URL is set in many environments. It must not make several outboxes use
	// one database.
	l := layers{getenv: func(k string) string { return map[string]string{"DATABASE_URL": "env"}[k] }, file: f}
	want := []values{
		{"listen": ":9464", "database-url": "one", "brokers": "shared"},
		{"listen": ":9464", "database-url": "two", "brokers": "own"},
	}
	got, err := l.outboxes(sampleTable)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	l.flags = values{"brokers": "flag"}
	if _, err := l.outboxes(sampleTable); err == nil || !strings.Contains(err.Error(), "--brokers would override") {
		t.Errorf("a flag over an outbox's own setting: %v", err)
	}
}

func TestFileProblemsAreAllToldWithTheirPlaces(t *testing.T) {
	t.Parallel()
	path := writeFile(t, "databse_url: x\nbrokers: {a: b}\noutboxes:\n  - listen: :2\n")
	_, err := readFile(path, sampleTable)
	want := path + ":1:1: databse_url is not a setting (see outboxrelay config)\n" +
		path + ":2:10: brokers must be text, a number or a list of texts\n" +
		path + ":4:13: listen is a setting of the process, not of one outbox: move it to the top level of the file"
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

// A relay does not start with an address that asks for a read-only server, for a fixed
// schema and for a pattern.
func TestAnAddressOfServersWithoutWrites(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{"", "tenant_*"} {
		got := call(nil, "run", "--listen", "", "--sink", "stdout", "--name", "shop", "--schema", schema,
			"--database-url", "postgres://127.0.0.1:1/d?target_session_attrs=standby")
		want := answer{Code: exitcode.Misuse, Stderr: "outboxrelay: outbox shop: setting database-url: " +
			"target_session_attrs is standby (in the address, or in PGTARGETSESSIONATTRS): this selects a server that accepts no writes, " +
			"but the relay writes its lease and the outcome of each row: write target_session_attrs=read-write\n"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("schema %q: %s", schema, diff)
		}
	}
}
