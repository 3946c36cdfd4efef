package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestMain(m *testing.M) {
	if os.Getenv(drainerURL) != "" { // scenario repeats starts this binary
		main()
	}
	goleak.VerifyTestMain(services.Wrap(m))
}

func TestOptions(t *testing.T) {
	t.Parallel()
	defaults := options{rows: 100_000, rounds: 3, headers: true, effort: usual}
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
		{args: "-list -json -v -cpuprofile cpu.pprof", want: with(func(o *options) {
			o.list, o.json, o.verbose, o.cpuprofile = true, true, true, "cpu.pprof"
		})},
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
drain-held     as drain-mark, behind dead rows, a transaction held open
repeats        a draining relay is killed
write          business transactions on 8 connections, with an event
insert-1       as write, on 1 connection, fsync off
insert-8       as write, fsync off
insert-1-fsync as write, on 1 connection, fsync on
insert-8-fsync as write, fsync on
bulk           1,000 events in a transaction
latency        commit to consumer at 200 transactions/s
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
		rows: 300, rounds: 2, headers: true, cpuprofile: profile,
		effort: effort{writing: 20 * time.Millisecond, bulk: 2, bulkBatch: 10, latency: 10, warmUp: 2, schemas: 3,
			outboxes: 2, idle: time.Second, idleRest: time.Millisecond, kills: 1},
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
	const want = `
generate: 1,000 event schemas
s CPU s peak MB ratio min-max
go vet of the output N N N
outboxgen generate, no output yet N N N N N-N
outboxgen generate, nothing changed N N N N N-N

drain-mark: rows wait; settle by UPDATE
events/s ratio min-max
bare loop N
relay N N N-N

drain-delete: rows wait; settle by DELETE
events/s ratio min-max
bare loop N
relay N N N-N

drain-held: as drain-mark, behind dead rows, a transaction held open
events/s ratio min-max
bare loop N
relay N N N-N

repeats: a draining relay is killed
events/s repeated ratio min-max
bare loop, not killed N N
unsettled-rows N N N N N-N
unsettled-rows N N N N N-N
unsettled-rows N N N N N-N
unsettled-rows N N N N N-N
unsettled-rows N N N N N-N
unsettled-rows N N N N N-N

write: business transactions on 8 connections, with an event
transactions/s ratio min-max
no event N
event sent with COMMIT N N N-N
event in the update's batch N N N-N
event as a round trip N N N-N
the same, pg_notify inside N N N-N

insert-1: as write, on 1 connection, fsync off
transactions/s of barest server µs WAL bytes client µs allocs ratio min-max
no event N N N N N N
barest code, with COMMIT N N N N N N N N-N
the same, BEGIN in a batch too N N N N N N N N-N
event sent with COMMIT N N N N N N N N-N
event in the update's batch N N N N N N N N-N
event as a round trip N N N N N N N N-N

insert-8: as write, fsync off
transactions/s of barest server µs WAL bytes client µs allocs ratio min-max
no event N N N N N N
barest code, with COMMIT N N N N N N N N-N
the same, BEGIN in a batch too N N N N N N N N-N
event sent with COMMIT N N N N N N N N-N
event in the update's batch N N N N N N N N-N
event as a round trip N N N N N N N N-N

insert-1-fsync: as write, on 1 connection, fsync on
transactions/s of barest server µs WAL bytes client µs allocs ratio min-max
no event N N N N N N
barest code, with COMMIT N N N N N N N N-N
the same, BEGIN in a batch too N N N N N N N N-N
event sent with COMMIT N N N N N N N N-N
event in the update's batch N N N N N N N N-N
event as a round trip N N N N N N N N-N

insert-8-fsync: as write, fsync on
transactions/s of barest server µs WAL bytes client µs allocs ratio min-max
no event N N N N N N
barest code, with COMMIT N N N N N N N N-N
the same, BEGIN in a batch too N N N N N N N N-N
event sent with COMMIT N N N N N N N N-N
event in the update's batch N N N N N N N N-N
event as a round trip N N N N N N N N-N

bulk: 1,000 events in a transaction
events/s ratio min-max
COPY of ready rows N
Insert, one by one N N N-N
Queue on a pgx.Batch N N N-N
InsertAll (unnest) N N N-N

latency: commit to consumer at 200 transactions/s
p50 ms p99 ms ratio min-max
bare loop, NOTIFY N N
relay, woken by Postgres N N N N-N
relay, polling N N N N-N
relay, woken by Redis N N N N-N

idle: nothing to do; a second, for each outbox, and sessions in all
statements leader's standby's transactions leader's sessions standby's ratio min-max
bare loop, polling N N N N N N
N outbox, polling N N N N N N N N-N
N outbox, woken by Postgres N N N N N N N N-N
N outboxes, polling N N N N N N N N-N
N outboxes, woken by Postgres N N N N N N N N-N
`
	if diff := cmp.Diff(want, masked(tables)); diff != "" {
		t.Errorf("tables (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
		t.Errorf("the CPU profile: %v, %v", info, err)
	}
}

var (
	spaces  = regexp.MustCompile(` {2,}`)
	numbers = regexp.MustCompile(`(^| )\d[\d,]*(\.\d\d)?\b`)
	span    = regexp.MustCompile(` N-\d[\d,]*\.\d\d$`)
)

// masked returns a report without its numbers and without the spaces that align them.
// Titles are unchanged.
func masked(tables string) string {
	lines := strings.Split(tables, "\n")
	for i, line := range lines {
		if strings.Contains(line, ": ") {
			continue
		}
		line = strings.TrimSpace(spaces.ReplaceAllString(line, " "))
		lines[i] = span.ReplaceAllString(numbers.ReplaceAllString(line, "${1}N"), " N-N")
	}
	return strings.Join(lines, "\n")
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

func TestAVoidMeasurementIsAnError(t *testing.T) {
	t.Parallel()
	failed := errors.New("it broke")
	s := scenario{name: "x", columns: []string{"ms"}, prepare: fixed(variant{name: "bare", measure: gives(failed)})}
	_, err := s.run(t.Context(), nil, 1, func(string) {})
	if !errors.Is(err, failed) || err.Error() != "bare: it broke" {
		t.Errorf("got %v", err)
	}
}
