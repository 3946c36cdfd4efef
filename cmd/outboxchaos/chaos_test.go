package main

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/chaos"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/command"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// roleVariable makes the test binary a child of the harness.
const roleVariable = "OUTBOXCHAOS_ROLE"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(command.Main([]string{role}, os.Stdin, os.Stdout, os.Stderr))
	}
	services.Main(m)
}

// self runs the test binary itself in a role.
func self(role string) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	return cmd, nil
}

// options returns the options of a run on its own servers.
func options(t *testing.T, seed uint64) chaos.Options {
	t.Helper()
	return chaos.Options{
		Seed: seed, Dir: t.TempDir(), Command: self, Say: t.Logf,
		Servers: lab.Servers{
			Postgres: services.Postgres(t, services.Private()).PostgresServer,
			Kafka:    services.PrivateKafka(t, lab.KafkaSettings()...),
			Redis:    services.PrivateRedis(t),
		},
	}
}

// seed is the seed of the run in the tests. It is fixed, so that a failure can be
// repeated. OUTBOXGEN_CHAOS_SEED sets another one. "make chaos" uses random ones.
func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("OUTBOXGEN_CHAOS_SEED")
	if text == "" {
		return 4
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("OUTBOXGEN_CHAOS_SEED: %v", err)
	}
	return n
}

// The short form of "make chaos".
func TestNothingIsLostOrReordered(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes three minutes")
	}
	t.Parallel()
	for _, run := range []struct {
		store string
		lasts time.Duration
	}{{"table", 2 * time.Minute}, {"log", time.Minute}} {
		t.Run(run.store, func(t *testing.T) {
			o := options(t, seed(t))
			o.Duration, o.Log = run.lasts, run.store == "log"
			result, err := chaos.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(result.Line())
			if !result.OK() {
				t.Errorf("the promise was broken; to try again: go run ./cmd/outboxchaos -duration %s -seed %d -store %s", o.Duration, o.Seed, run.store)
			}
			if result.Faults == 0 || result.Committed == 0 {
				t.Error("nothing happened")
			}
		})
	}
}

// If a rule of the protocol is switched off, the harness finds the violation that the
// rule prevents. Each rule needs its own run of about a minute, so they run only if
// OUTBOXGEN_CHAOS_NEGATIVE is set. The rule about waves also needs the tag
// outboxfailpoints.
func TestFindsWhatARuleIsFor(t *testing.T) {
	if os.Getenv("OUTBOXGEN_CHAOS_NEGATIVE") == "" {
		t.Skip("set OUTBOXGEN_CHAOS_NEGATIVE=1 to run it")
	}
	tests := []struct {
		rule  string
		only  []string
		found func(*chaos.Result) int64
	}{
		{instance.RuleReadBySnapshots, []string{"end the leader in order"},
			func(r *chaos.Result) int64 { return r.Reordered + r.Lost }},
		{instance.RuleSettleUnderLease, []string{"stop the leader at settle:before", "stop the leader at send:after"},
			func(r *chaos.Result) int64 { return r.Unexplained + r.Lost }},
		{instance.RuleBoundedWaves, []string{"kill Kafka", "stop Kafka", "all ways to Kafka", "the leader's way to Kafka"},
			func(r *chaos.Result) int64 { return r.Reordered }},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			o := options(t, 1)
			o.Duration, o.Patience, o.NoPoison = time.Minute, 20*time.Second, true
			o.Only, o.RulesOff = tt.only, []string{tt.rule}
			result, err := chaos.Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(result.Line())
			if tt.found(result) == 0 {
				t.Errorf("without the rule %s nothing was found", tt.rule)
			}
		})
	}
}

func TestMisuseIsSaid(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	if code := command.Main([]string{"-duration", "1s", "surplus"}, strings.NewReader(""), io.Discard, &said); code != 2 {
		t.Errorf("exit code %d", code)
	}
	if got, want := said.String(), "outboxchaos: unexpected argument \"surplus\"\n"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}
