package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(jobVariable); text != "" { // a scenario starts this binary
		os.Exit(doJob(text))
	}
	goleak.VerifyTestMain(services.Wrap(m))
}

func TestOptions(t *testing.T) {
	t.Parallel()
	defaults := options{rows: 100_000, rounds: 5, headers: true, effort: usual}
	with := func(change func(*options)) options {
		o := defaults
		change(&o)
		return o
	}
	for _, test := range []struct {
		args string
		want options
		err  string
	}{
		{args: "", want: defaults},
		{args: "-scenario drain-mark,write", want: with(func(o *options) { o.scenarios = []string{"drain-mark", "write"} })},
		{args: "-rows 7 -rounds 1 -headers=false", want: with(func(o *options) { o.rows, o.rounds, o.headers = 7, 1, false })},
		{args: "-list -json -v -cpuprofile cpu.pprof -out results", want: with(func(o *options) {
			o.list, o.json, o.verbose, o.cpuprofile, o.out = true, true, true, "cpu.pprof", "results"
		})},
		{args: "-steady 10m", want: with(func(o *options) { o.effort.steady = 10 * time.Minute })},
		{args: "-steady 0s", err: "-steady must be more than 0"},
		{args: "-rows 0", err: "-rows and -rounds must be at least 1"},
		{args: "-rounds 0", err: "-rows and -rounds must be at least 1"},
		{args: "-scenario write,sleep", err: `unknown scenario "sleep"; -list lists them`},
		{args: "write", err: `unexpected argument "write"; see outboxbench -help`},
		{args: "-rows many", err: `invalid value "many" for flag -rows: parse error`},
		{args: "-help", err: flag.ErrHelp.Error()},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			got, err := parse(strings.Fields(test.args), io.Discard)
			if test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Errorf("got the error %v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(options{}, effort{})); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExitCodesAndList(t *testing.T) {
	t.Parallel()
	type answer struct {
		Code           int
		Stdout, Stderr string
	}
	ask := func(args ...string) answer {
		var stdout, stderr strings.Builder
		code := run(args, &stdout, &stderr)
		return answer{code, stdout.String(), stderr.String()}
	}
	want := map[string]answer{
		"list": {exitcode.OK, `generate       1,000 event schemas
drain-mark     rows wait; settle by UPDATE
drain-delete   rows wait; settle by DELETE
drain-log      rows wait in a log; settle by a cursor
kafka-mark     as drain-mark, on a real Kafka
kafka-delete   as drain-delete, on a real Kafka
history-mark   as drain-mark, behind history
history-delete as drain-delete, behind history
repeats        a draining relay is killed
steady         5,000 events/s for a long time
write          business transactions on 8 connections, with an event
insert-1       as write, on 1 connection, fsync off
insert-8       as write, fsync off
insert-1-fsync as write, on 1 connection, fsync on
insert-8-fsync as write, fsync on
bulk           1,000 events in a transaction
latency-200    commit to consumer at 200 transactions/s
latency-1000   commit to consumer at 1,000 transactions/s
handover       the leader ends, and another relay goes on
peers          rows wait; other outboxes
idle           nothing to do; a second, for each outbox, and sessions in all
`, ""},
		"misused": {exitcode.Misuse, "", "outboxbench: -rows and -rounds must be at least 1\n"},
	}
	got := map[string]answer{"list": ask("-list"), "misused": ask("-rows", "-1")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// Each scenario runs to its end, with its own checks, and prints its table. The numbers
// vary.
func TestEveryScenario(t *testing.T) {
	pg := services.Postgres(t)
	services.Redis(t)
	t.Setenv("DATABASE_URL", pg.URL) // not one more server
	profile := filepath.Join(t.TempDir(), "cpu.pprof")
	o := options{
		rows: 300, rounds: 1, headers: true, cpuprofile: profile, out: t.TempDir(),
		effort: effort{
			writing: 20 * time.Millisecond, bulk: 2, bulkBatch: 10, latency: 50 * time.Millisecond, warmUp: 10 * time.Millisecond,
			steady: 100 * time.Millisecond, steadyRate: 1_000, published: 300, schemas: 3,
			outboxes: 2, idle: time.Second, idleRest: time.Millisecond, kills: 1, handover: 20 * time.Millisecond,
		},
	}
	var stdout strings.Builder
	if err := measure(t.Context(), o, &stdout, io.Discard); err != nil {
		t.Fatal(err)
	}
	head, tables, _ := strings.Cut(stdout.String(), "\n")
	shape := regexp.MustCompile(`^\d+ CPUs, go\S+, Postgres \d.* by (a Unix socket|TCP) \(fsync (on|off), synchronous_commit \w+\), kfake, Redis$`)
	if !shape.MatchString(head) {
		t.Errorf("the first line is %q; want the form %s", head, shape)
	}
	golden(t, "tables.txt", masked(tables))
	if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
		t.Errorf("the CPU profile: %v, %v", info, err)
	}
	var files, want []string
	entries, err := os.ReadDir(o.out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		files = append(files, e.Name())
	}
	for _, s := range scenarios() {
		if !strings.HasSuffix(s.name, "-fsync") { // the tests' server has fsync off
			want = append(want, s.name+".svg")
		}
	}
	want = append(want, "report.md", resultsFile)
	slices.Sort(want)
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

var updateGolden = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateGolden {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

var (
	title   = regexp.MustCompile(`^[a-z0-9-]+: `)
	spaces  = regexp.MustCompile(` {2,}`)
	numbers = regexp.MustCompile(`(^| |-)\d[\d,]*(\.\d\d)?\b`)
)

// masked returns a report without its numbers and without the spaces that align them.
// Titles are unchanged. Debezium is left out, because it need not be on the machine.
func masked(tables string) string {
	var lines []string
	for line := range strings.Lines(tables) {
		line = strings.TrimSuffix(line, "\n")
		if !title.MatchString(line) {
			line = numbers.ReplaceAllString(strings.TrimSpace(spaces.ReplaceAllString(line, " ")), "${1}N")
		}
		if !strings.HasPrefix(line, "Debezium") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestAServerThatIsNotThere(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1")
	var stderr strings.Builder
	if code := run([]string{"-scenario", "write"}, io.Discard, &stderr); code != exitcode.Failed {
		t.Errorf("the exit code is %d, want %d", code, exitcode.Failed)
	}
	if !strings.HasPrefix(stderr.String(), "outboxbench: ") || !strings.Contains(stderr.String(), "DATABASE_URL") {
		t.Errorf("the message names no DATABASE_URL: %s", stderr.String())
	}
}
