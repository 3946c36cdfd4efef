package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// asCommand makes the test binary act as the command, for tests that kill and freeze
// relay processes.
const asCommand = "OUTBOXRELAY_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	goleak.VerifyTestMain(services.Wrap(m),
		// rueidis checks the topology again a second after a failure. It sleeps until
		// then even if the client is closed.
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// answer is what a command did.
type answer struct {
	Code           int
	Stdout, Stderr string
}

func call(env map[string]string, args ...string) answer {
	var stdout, stderr bytes.Buffer
	code := execute(args, environment{
		getenv: func(k string) string { return env[k] }, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr})
	return answer{code, stdout.String(), stderr.String()}
}

// steady replaces the texts that differ between runs.
func steady(a answer) answer {
	for _, r := range []struct{ pattern, to string }{
		{`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`, "EVENT"},
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "TIME"},
		{`TIME, in [0-9hms]+`, "TIME, in AGE"},
		{`TIME, [0-9hms]+ ago`, "TIME, AGE ago"},
		{`for [0-9]+h[0-9]+m[0-9]+s`, "for AGE"},
		{`\d+(\.\d+)?m?s ago`, "AGO"},
		{`for \d+s`, "for AGE"},
	} {
		a.Stdout = regexp.MustCompile(r.pattern).ReplaceAllString(a.Stdout, r.to)
	}
	return a
}

// A command asks the hosts of an address as fast as the relay does: four that do not
// answer take eight seconds, not forty.
func TestACommandGetsPastSilentHosts(t *testing.T) {
	conn, env := newOutbox(t)
	at := conn.Config()
	hosts, ports := "", ""
	for range 4 {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = silent.Close() })
		_, port, err := net.SplitHostPort(silent.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		hosts, ports = hosts+"127.0.0.1,", ports+port+","
	}
	env["DATABASE_URL"] = fmt.Sprintf("host=%s%s port=%s%d user=%s password='%s' dbname=%s sslmode=prefer",
		hosts, at.Host, ports, at.Port, at.User, at.Password, at.Database)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out bytes.Buffer
	code := executeUntil(ctx, []string{"status"}, environment{getenv: func(k string) string { return env[k] }, stdout: &out, stderr: &out})
	if code != 0 || !strings.Contains(out.String(), "pending") {
		t.Errorf("status ends with %d:\n%s", code, &out)
	}
}

// The connect_timeout of an address counts instead.
func TestHowLongAnAddressMayTake(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]time.Duration{
		"host=h user=u dbname=d": pgstore.DefaultConnectTimeout, "host=h user=u dbname=d connect_timeout=7": 7 * time.Second,
		"postgres://u@h,i/d?connect_timeout=3": 3 * time.Second, "postgres://u@h,i/d?connect_timeout=0": pgstore.DefaultConnectTimeout,
	} {
		database, err := pgx.ParseConfig(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := addressTimeout(outbox{database: database}); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// newOutbox returns a database with three pending rows, and the environment to reach it.
func newOutbox(t *testing.T) (*pgx.Conn, map[string]string) {
	t.Helper()
	t.Parallel()
	pg := services.Postgres(t)
	conn := pg.Connect(t.Context())
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Exec(t.Context(), `
		INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
		SELECT ('00000000-0000-7000-8000-00000000000' || i)::uuid, 'order', i, 'order.placed', 'orders', 'k' || i, json_build_object('n', i)
		FROM generate_series(1, 3) AS i`)
	if err != nil {
		t.Fatal(err)
	}
	return conn, map[string]string{"DATABASE_URL": pg.URL}
}

func TestRunDrainsToStandardOutput(t *testing.T) {
	conn, env := newOutbox(t)
	got := call(env, "run", "--sink", "stdout", "--drain", "--listen", "", "--log-level", "error")
	if got.Code != 0 {
		t.Fatalf("exit %d:\n%s", got.Code, got.Stderr)
	}
	var values []string
	for line := range strings.Lines(got.Stdout) {
		var record struct{ Value json.RawMessage }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		values = append(values, string(record.Value))
	}
	want := []string{`{"n" : 1}`, `{"n" : 2}`, `{"n" : 3}`} // the stored text
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	var pending int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM event_outbox WHERE published_at IS NULL").Scan(&pending); err != nil {
		t.Fatal(err)
	}
	if pending != 0 {
		t.Errorf("%d rows are still pending", pending)
	}
}

// A relay works and ends normally while Redis refuses, resets or never answers.
func TestRunDrainsWithoutRedis(t *testing.T) {
	_, env := newOutbox(t)
	silent := tellTale(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	resets := tellTale(t, func(net.Conn) {})
	for _, address := range []string{"127.0.0.1:1", silent, resets} {
		env["REDIS_URL"] = "redis://" + address
		got := call(env, "run", "--sink", "stdout", "--drain", "--listen", "", "--service", "s", "--log-level", "error")
		if got.Code != exitcode.OK {
			t.Errorf("with Redis at %s: exit %d:\n%s", address, got.Code, got.Stderr)
		}
	}
}

func TestStatusSaysWhyNothingMoves(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), `
		UPDATE event_outbox SET dead_at = now(), last_error = 'too large' WHERE seq = 1;
		UPDATE event_outbox SET next_attempt_at = now(), retry_count = 2, last_error = 'too large' WHERE seq = 3;
		INSERT INTO event_outbox_lease (epoch, holder, state) VALUES (4, '00000000-0000-7000-8000-0000000000aa',
			'{"name": "shop", "paused_topics": [{"topic": "orders", "reason": "it does not exist", "retry_in_ns": 14000000000}], "reason": "every topic with rows is paused"}')`)
	if err != nil {
		t.Fatal(err)
	}
	want := answer{Stdout: `outbox   shop
leader   term 4, holder EVENT, renewed AGO
pending  2, the oldest for AGE: seq 2, event EVENT, order.placed, topic orders, key "k2"
retrying 1
         seq 3, event EVENT, order.placed, topic orders, key "k3": failed 2 times, next attempt TIME: too large
dead     1
delayed  0
paused   orders: it does not exist (next check in 14s)
why      every topic with rows is paused
         1 row failed and will be retried; later rows of the same key wait for it
         1 row dead-lettered: see outboxrelay dead list, then dead replay or dead discard
see      https://github.com/outboxgen/outboxgen/blob/main/docs/runbook.md#poison-record
         https://github.com/outboxgen/outboxgen/blob/main/docs/runbook.md#topic-missing
`}
	if diff := cmp.Diff(want, steady(call(env, "status"))); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestStatusOfAnOutboxThatNobodyServes(t *testing.T) {
	_, env := newOutbox(t)
	want := answer{Stdout: `outbox   event_outbox
leader   none: no relay has run on this outbox yet
pending  3, the oldest for AGE: seq 1, event EVENT, order.placed, topic orders, key "k1"
retrying 0
dead     0
delayed  0
why      no leader: start a relay (outboxrelay run)
see      https://github.com/outboxgen/outboxgen/blob/main/docs/runbook.md#relay-frozen
`}
	if diff := cmp.Diff(want, steady(call(env, "status"))); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestDeadLettersAreListedReplayedAndDiscarded(t *testing.T) {
	conn, env := newOutbox(t)
	_, err := conn.Exec(t.Context(), "UPDATE event_outbox SET dead_at = now(), retry_count = 10, last_error = 'too large' WHERE seq < 3")
	if err != nil {
		t.Fatal(err)
	}
	const first = "00000000-0000-7000-8000-000000000001"
	steps := []struct {
		args []string
		want answer
	}{
		{[]string{"dead"}, answer{Stdout: listed +
			"1  EVENT  order.placed  orders  k1  order/1  TIME  10  too large\n" +
			"2  EVENT  order.placed  orders  k2  order/2  TIME  10  too large\n"}},
		{[]string{"dead", "list", "--aggregate", "order/2", "--error", "TOO", "--newer-than", "1h"}, answer{Stdout: listed +
			"2  EVENT  order.placed  orders  k2  order/2  TIME  10  too large\n"}},
		{[]string{"dead", "list", "--older-than", "1h"}, answer{Stdout: "no dead rows\n"}},
		{[]string{"replay"}, answer{Code: 2, Stderr: "outboxrelay: no dead rows selected: use --event-id, --event-type, --topic, --key, " +
			"--aggregate, --error, --older-than, --newer-than or --all\n"}},
		{[]string{"replay", "--event-id", "1"}, answer{Code: 2, Stderr: "outboxrelay: --event-id \"1\" is not a UUID\n"}},
		{[]string{"replay", "--event-id", first, "--actor", "ann"}, answer{Stdout: "replayed 1 dead row; no relay leads now, so nothing is sent yet\n"}},
		{[]string{"discard", "--all", "--actor", "ann", "--reason", "test", "--yes"}, answer{Stdout: "discarded 1 dead row\n"}},
		{[]string{"discard", "--all", "--reason", "test", "--yes"}, answer{Code: 1, Stderr: "outboxrelay: outbox event_outbox: no dead rows match: see outboxrelay dead\n"}},
		{[]string{"dead"}, answer{Stdout: "no dead rows\n"}},
	}
	for _, step := range steps {
		if diff := cmp.Diff(step.want, narrow(steady(call(env, step.args...)))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", step.args, diff)
		}
	}
}

// listed is the header of a list of dead rows.
const listed = "SEQ  EVENT  TYPE  TOPIC  KEY  AGGREGATE  DEAD SINCE  ATTEMPTS  ERROR\n"

// narrow returns the answer with columns that are not aligned.
func narrow(a answer) answer {
	a.Stdout = regexp.MustCompile(` {2,}`).ReplaceAllString(a.Stdout, "  ")
	a.Stdout = regexp.MustCompile(`TIME  in [0-9hms]+`).ReplaceAllString(a.Stdout, "TIME  in AGE")
	return a
}

func TestMisuseIsToldAtOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown command", []string{"rnu"}, "unknown command \"rnu\": did you mean run?"},
		{"unknown command that may be a part of a password", []string{"run", "--sasl-password", "pa", "ss"},
			"outboxrelay run takes no arguments; quote a value that contains spaces, and write --flag=false for a boolean flag"},
		{"TLS settings without tls", []string{"run", "--database-url", "postgres://h/d", "--tls-ca", "ca.pem", "--tls-key", "key.pem", "--sasl", "plain",
			"--sasl-user", "u", "--sasl-password", "p"},
			"setting tls-ca: it is set but tls is not, so it would have no effect: set tls to true, or remove tls-ca\n" +
				"setting tls-key: it is set but tls is not, so it would have no effect: set tls to true, or remove tls-key\n" +
				"setting sasl: it is plain but tls is not set, so the password would be sent in clear text: " +
				"set tls to true, or set sasl-without-tls to true if the network is trusted"},
		{"discard without a reason", []string{"discard", "--all", "--yes"},
			"--reason is missing: give the reason for the audit log; a discard cannot be undone"},
		{"discard without a terminal", []string{"discard", "--all", "--reason", "test data"},
			"nothing was changed: discard needs a confirmation, but the input is not a terminal; review with --dry-run, then add --yes"},
		{"unknown flag", []string{"run", "--brokres", "x"}, "unknown flag: --brokres: see outboxrelay run --help"},
		{"several settings", []string{"run", "--settle", "drop", "--retention", "7", "--wake", "redis", "--max-attempts", "0"},
			"setting settle: invalid value \"drop\": use mark or delete\n" +
				"setting retention: invalid value \"7\": use a duration such as 500ms, 10s or 168h\n" +
				"setting max-attempts: invalid value \"0\": use a whole number, at least 1\n" +
				"the database address is missing: set --database-url, OUTBOXRELAY_DATABASE_URL, DATABASE_URL, or database_url in the settings file (--config)\n" +
				"the address of Redis (wake is redis) is missing: set --redis-url, OUTBOXRELAY_REDIS_URL, REDIS_URL, or redis_url in the settings file (--config)\n" +
				"the service's name, which identifies its wake-ups (wake is redis), is missing: set --service, OUTBOXRELAY_SERVICE, or service in the settings file (--config)"},
		{"values that go together", []string{"run", "--database-url", "postgres://h/d", "--tls", "--tls-key", "key.pem", "--sasl", "plain", "--brokers", ""},
			"the user for SASL (sasl is plain) is missing: set --sasl-user, OUTBOXRELAY_SASL_USER, or sasl_user in the settings file (--config)\n" +
				"the password for SASL (sasl is plain) is missing: set --sasl-password, OUTBOXRELAY_SASL_PASSWORD, or sasl_password in the settings file (--config)\n" +
				"the address of a Kafka broker, host:port, is missing: set --brokers, OUTBOXRELAY_BROKERS, KAFKA_BROKERS, or brokers in the settings file (--config)\n" +
				"the client certificate (tls-key is set) is missing: set --tls-cert, OUTBOXRELAY_TLS_CERT, or tls_cert in the settings file (--config)"},
		{"an operator's command has no Kafka settings", []string{"status", "--brokers", "h:1"}, "unknown flag: --brokers: see outboxrelay status --help"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := answer{Code: 2, Stderr: "outboxrelay: " + tt.want + "\n"}
			if diff := cmp.Diff(want, call(nil, tt.args...)); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}
