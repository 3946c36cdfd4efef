package main

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"weak"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
)

// Each command shows the settings that it reads, with their types and defaults.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "run", "status", "doctor", "dead", "dead list", "dead show", "dead replay", "dead discard", "replay", "discard", "delayed", "cancel", "send-now", "pause", "resume", "tail", "purge", "store", "store migrate", "store adopt", "redrive", "config", "version"} {
		got := call(nil, append(strings.Fields(command), "--help")...)
		file := filepath.Join("testdata", "help", "outboxrelay_"+strings.ReplaceAll(command, " ", "_")+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got.Stdout), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(answer{Stdout: string(want)}, got); diff != "" {
			t.Errorf("outboxrelay %s --help (-want +got), go test -update rewrites it:\n%s", command, diff)
		}
	}
}

// anOutbox has settings of one outbox with which the reader reads every setting.
var anOutbox = values{
	"database-url": "postgres://127.0.0.1:1/d", "sink": "kafka", "tls": "true", "sasl": "plain", "sasl-user": "u", "sasl-password": "p",
	"redis-url": "redis://127.0.0.1:1", "wake": "redis", "service": "s",
	"schema-id": "prefix", "registry-url": "http://127.0.0.1:1",
}

// A command reads all settings that it declares, and no others. Reading a setting that
// is not declared panics.
func TestCommandsReadWhatTheyDeclare(t *testing.T) {
	t.Parallel()
	theirs := slices.DeleteFunc(slices.Clone(table), func(s setting) bool { return s.process })
	for name, c := range map[string]struct {
		declared []setting
		read     func(*reader) outbox
	}{
		"run":           {theirs, readOutbox},
		"for operators": {place, readPlace},
		"redrive":       {kafkaPlace, readKafkaPlace},
		"doctor":        {doctorSettings, readOutbox},
		"replay":        {replayPlace, readReplayPlace},
		"purge":         {purgePlace, readPurgePlace},
	} {
		for _, undeclared := range append(c.declared, setting{}) {
			v := values{}
			for _, s := range c.declared {
				v[s.name] = s.def
			}
			maps.Copy(v, anOutbox)
			maps.DeleteFunc(v, func(name string, _ string) bool {
				return name == undeclared.name || !slices.ContainsFunc(c.declared, func(s setting) bool { return s.name == name })
			})
			want := any(nil)
			if undeclared.name != "" {
				want = "setting " + undeclared.name + " is read by a command that does not declare it"
			}
			func() {
				defer func() {
					if diff := cmp.Diff(want, recover()); diff != "" {
						t.Errorf("%s (-want +got):\n%s", name, diff)
					}
				}()
				r := &reader{values: v, secrets: &secret.Redactor{}}
				c.read(r)
				if r.problems != nil {
					t.Error(r.problems)
				}
			}()
		}
	}
}

func TestDefaultsAreValues(t *testing.T) {
	t.Parallel()
	for _, s := range table {
		if !s.takes(s.def) {
			t.Errorf("%s does not take its default %q", s.name, s.def)
		}
	}
}

// A boolean flag has no value, or has it after an equals sign. A list may be given in
// parts.
func TestFlagsHaveTypes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, want string
	}{
		{"--tls --json", `"tls":"true"`},
		{"--tls=false --json", `"tls":"false"`},
		{"--json --brokers a:1 --brokers b:2,c:3", `"brokers":"a:1,b:2,c:3"`},
		{"--json --name a --name b", `"name":"b"`},
	} {
		if got := call(nil, append([]string{"config"}, strings.Fields(tt.args)...)...); !strings.Contains(got.Stdout, tt.want) {
			t.Errorf("config %s prints no %s: %+v", tt.args, tt.want, got)
		}
	}
	for setting, text := range map[string]string{
		"tls": "maybe", "retention": "7", "buffer-mib": "0", "max-sessions": "1", "settle": "drop", "log-level": "loud", "log-format": "xml",
	} {
		want := "setting " + setting + `: invalid value "` + text + `": use ` + only(setting)[0].kind.instead
		member := only(setting)[0].member()
		file := writeFile(t, member+": "+text)
		for _, got := range []answer{
			call(nil, "run", "--database-url", unreachable, "--"+setting+"="+text),
			call(map[string]string{"DATABASE_URL": unreachable, only(setting)[0].env(): text}, "run"),
			call(map[string]string{"DATABASE_URL": unreachable}, "run", "--config", file),
		} {
			if diff := cmp.Diff(answer{Code: exitcode.Misuse, Stderr: "outboxrelay: " + want + "\n"}, got); diff != "" {
				t.Errorf("%s is %s (-want +got):\n%s", setting, text, diff)
			}
		}
	}
}

func TestTheShellCompletesValues(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "outboxes: [{name: one, database_url: 'postgres://h/a'}, {name: two, database_url: 'postgres://h/b'}]")
	for typed, want := range map[string]string{
		"run --settle ":                              "mark\ndelete\n:4\n",
		"run --log-level ":                           "debug\ninfo\nwarn\nerror\n:4\n",
		"run --tls-ca ":                              "pem\ncrt\ncer\nkey\n:8\n",
		"status --config ":                           "yaml\nyml\n:8\n",
		"run --retention ":                           ":4\n",
		"dead --topic ":                              ":4\n",
		"dead --config " + file + " --outbox ":       "one\ntwo\n:4\n",
		"discard --all --reason ":                    ":4\n",
		"replay --config no-such-file.yml --outbox ": ":4\n",
	} {
		args := append([]string{"__complete"}, strings.Split(typed, " ")...)
		if diff := cmp.Diff(want, call(nil, args...).Stdout); diff != "" {
			t.Errorf("%s<TAB> (-want +got):\n%s", typed, diff)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]int{
		"version": exitcode.OK, "--help": exitcode.OK, "config": exitcode.OK,
		"status --database-url " + unreachable: exitcode.Failed,
		"status":                               exitcode.Misuse,
		"status --json --tls":                  exitcode.Misuse,
		"status --timeout 0s --database-url " + unreachable: exitcode.Misuse,
		"nonsense":                   exitcode.Misuse,
		"config --config no-file":    exitcode.Misuse,
		"replay --event-id nonsense": exitcode.Misuse,
	} {
		if got := call(nil, strings.Fields(args)...); got.Code != want {
			t.Errorf("outboxrelay %s exits with %d, want %d: %s", args, got.Code, want, got.Stderr)
		}
	}
}

// A command is not kept in memory after it has ended, although cobra keeps completions.
func TestEndedCommandsAreFreed(t *testing.T) {
	t.Parallel()
	root := weak.Make(rootCommand(environment{getenv: os.Getenv, stdout: io.Discard, stderr: io.Discard}))
	runtime.GC()
	if root.Value() != nil {
		t.Error("the commands are still in memory")
	}
}
