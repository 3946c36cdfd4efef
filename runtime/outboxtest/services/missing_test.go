package services

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorder is a testing.TB that remembers how a test ended.
type recorder struct {
	testing.TB
	outcome string
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Skipf(format string, args ...any) {
	r.end("skip", format, args)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.end("fail", format, args)
}

func (r *recorder) end(how, format string, args []any) {
	message, _, _ := strings.Cut(fmt.Sprintf(format, args...), ";") // the remedies follow
	message, _, _ = strings.Cut(message, " (found:")
	r.outcome = how + ": " + message
	runtime.Goexit()
}

// outcome runs a test function, and returns how it ends.
func outcome(t *testing.T, do func(testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t, outcome: "runs"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(r)
	}()
	select {
	case <-done:
	case <-time.After(startLimit):
		t.Fatal("the test did not end")
	}
	return r.outcome
}

func TestAMissingServiceSkipsUnlessItIsDemanded(t *testing.T) {
	if testing.Short() {
		t.Skip("with -short every test that needs a service is skipped")
	}
	// Given a machine without servers
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	t.Setenv("JAVA_HOME", "")
	t.Setenv("OUTBOXGEN_SERVICES", empty)
	t.Setenv("OUTBOXGEN_KAFKA", "")
	for _, name := range []string{"DATABASE_URL", "KAFKA_BROKERS", "REDIS_URL"} {
		t.Setenv(name, "")
	}
	uses := map[string]func(testing.TB){
		"postgres":   func(t testing.TB) { Postgres(t, Version(99)) },
		"redis":      func(t testing.TB) { Redis(t) },
		"kafka":      func(t testing.TB) { Kafka(t) },
		"real kafka": func(t testing.TB) { RealKafka(t) },
		"own kafka":  func(t testing.TB) { PrivateKafka(t) },
		"kfake":      func(t testing.TB) { KFake(t) },
		"psql":       func(t testing.TB) { Program(t, "postgres", "psql") },
	}
	noRedis := "service not found: no redis-server on PATH"
	noPostgres := fmt.Sprintf("service not found: no Postgres 99 server binaries on PATH, under /usr/lib/postgresql or in the services folder %q", empty)
	noPsql := `service not found: its program psql does not run from here (exec: "psql": executable file not found in $PATH)`
	noKafka := "service not found: no Kafka: " + empty + "/kafka/lib does not hold its jars"
	noKFake := "service not found: no kfake: there is no go on PATH to build it with"
	for require, want := range map[string]map[string]string{
		"": {
			"postgres":   "skip: services: skipped without postgres: " + noPostgres,
			"redis":      "skip: services: skipped without redis: " + noRedis,
			"kafka":      "skip: services: skipped without kfake: " + noKFake,
			"real kafka": "skip: services: skipped without kafka: " + noKafka,
			"own kafka":  "skip: services: skipped without kafka: " + noKafka,
			"kfake":      "skip: services: skipped without kfake: " + noKFake,
			"psql":       "skip: services: skipped without postgres: " + noPsql,
		},
		"postgres, redis": {
			"postgres":   "fail: services: OUTBOXGEN_REQUIRE demands postgres: " + noPostgres,
			"redis":      "fail: services: OUTBOXGEN_REQUIRE demands redis: " + noRedis,
			"kafka":      "skip: services: skipped without kfake: " + noKFake,
			"real kafka": "skip: services: skipped without kafka: " + noKafka,
			"own kafka":  "skip: services: skipped without kafka: " + noKafka,
			"kfake":      "skip: services: skipped without kfake: " + noKFake,
			"psql":       "fail: services: OUTBOXGEN_REQUIRE demands postgres: " + noPsql,
		},
		"postgres99": {
			"postgres":   "fail: services: OUTBOXGEN_REQUIRE demands postgres: " + noPostgres,
			"redis":      "skip: services: skipped without redis: " + noRedis,
			"kafka":      "skip: services: skipped without kfake: " + noKFake,
			"real kafka": "skip: services: skipped without kafka: " + noKafka,
			"own kafka":  "skip: services: skipped without kafka: " + noKafka,
			"kfake":      "skip: services: skipped without kfake: " + noKFake,
			"psql":       "fail: services: OUTBOXGEN_REQUIRE demands postgres: " + noPsql,
		},
		"kafka,postgres,redis": {
			"postgres":   "fail: services: OUTBOXGEN_REQUIRE demands postgres: " + noPostgres,
			"redis":      "fail: services: OUTBOXGEN_REQUIRE demands redis: " + noRedis,
			"kafka":      "fail: services: OUTBOXGEN_REQUIRE demands kafka: " + noKafka,
			"real kafka": "fail: services: OUTBOXGEN_REQUIRE demands kafka: " + noKafka,
			"own kafka":  "fail: services: OUTBOXGEN_REQUIRE demands kafka: " + noKafka,
			"kfake":      "skip: services: skipped without kfake: " + noKFake,
			"psql":       "fail: services: OUTBOXGEN_REQUIRE demands postgres: " + noPsql,
		},
	} {
		t.Run("OUTBOXGEN_REQUIRE="+require, func(t *testing.T) {
			t.Setenv("OUTBOXGEN_REQUIRE", require)
			got := map[string]string{}
			for name, use := range uses {
				got[name] = outcome(t, use)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("how tests end (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAServiceThatDoesNotStartFails(t *testing.T) {
	t.Parallel()
	got := outcome(t, func(tb testing.TB) { giveUp(tb, "redis", errors.New("port taken")) })
	if want := "fail: services: redis does not start: port taken"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
