package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// runningFleet is a fleet that runs in the test, with short pauses.
type runningFleet struct {
	*fleet
	log  *watched
	stop func()
	done chan struct{} // closed when the run has ended
	err  error         // the result of the run
}

// configured returns the configuration of a command that reads every setting, from a
// file.
func configured(t *testing.T, file string) *configuration {
	t.Helper()
	env := environment{getenv: func(string) string { return "" }, secrets: &secret.Redactor{}}
	c := env.declare(&cobra.Command{}, table)
	c.path = writeFile(t, file)
	return c
}

// readOutboxes reads a configuration file.
func readOutboxes(t *testing.T, config string) []outbox {
	t.Helper()
	outboxes, err := configured(t, config).outboxes(readOutbox)
	if err != nil {
		t.Fatal(err)
	}
	return outboxes
}

func startFleet(t *testing.T, config string) *runningFleet {
	t.Helper()
	r := &runningFleet{log: &watched{written: make(chan struct{}, 1)}, done: make(chan struct{})}
	var err error
	r.fleet, err = newFleet(readOutboxes(t, config), slog.New(slog.NewJSONHandler(r.log, nil)), io.Discard, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	r.look, r.retry = 50*time.Millisecond, 50*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	r.stop = cancel
	go func() {
		defer close(r.done)
		r.err = r.run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
		if t.Failed() {
			t.Log(r.log)
		}
	})
	return r
}

// leads reports whether the fleet leads an outbox and can publish its rows.
func (r *runningFleet) leads(name string) bool {
	return slices.ContainsFunc(r.all(), func(m memberState) bool { return m.name == name && m.status.Leader && m.ready })
}

// readyz returns the answer of /readyz.
func (r *runningFleet) readyz(t *testing.T) (int, string) {
	t.Helper()
	answer := r.ask(t, "/readyz")
	return answer.Code, answer.Body.String()
}

// get returns the body of another page.
func (r *runningFleet) get(t *testing.T, path string) string {
	t.Helper()
	return r.ask(t, path).Body.String()
}

func (r *runningFleet) ask(t *testing.T, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	handler(r.fleet).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return answer
}

// newDatabase makes an empty database beside the one of the test.
func newDatabase(t *testing.T, pg *services.PG, name string) (address string) {
	t.Helper()
	own, err := url.Parse(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	name = strings.Trim(own.Path, "/") + "_" + name
	conn := pg.Connect(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := conn.Exec(context.WithoutCancel(t.Context()), "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		_ = conn.Close(context.WithoutCancel(t.Context()))
	})
	own.Path = "/" + name
	return own.String()
}

func migrate(t *testing.T, address string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing depends on the goodbye
	if err := migrations.Up(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
}

func mustExec(t *testing.T, address, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing depends on the goodbye
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// An outbox that needs operator action, from the start or later, does not stop the
// others of its process. /readyz names it. Once it is fixed, it is served without a
// restart.
func TestOutboxesDoNotStopEachOther(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrate(t, pg.URL)
	empty, later := newDatabase(t, pg, "empty"), newDatabase(t, pg, "later")
	migrate(t, later)
	f := startFleet(t, fmt.Sprintf(`
sink: stdout
outboxes:
  - {name: fine, database_url: %q}
  - {name: empty, database_url: %q}
  - {name: later, database_url: %q}
`, pg.URL, empty, later))
	until(t, "the outbox that is in order is led", func() bool { return f.leads("fine") && f.leads("later") })
	until(t, "/readyz names the one without tables, and only that", func() bool {
		code, body := f.readyz(t)
		return code == http.StatusServiceUnavailable && strings.Contains(body, "empty (needs operator action)") &&
			!strings.Contains(body, "fine") && !strings.Contains(body, "later")
	})
	until(t, "the log says what to do", func() bool {
		return strings.Contains(f.log.String(), `"msg":"outbox needs operator action, retrying later","outbox":"empty","problem":`)
	})

	mustExec(t, later, `ALTER TABLE event_outbox_lease RENAME TO hidden`)
	until(t, "the one that lost a table is named too", func() bool {
		_, body := f.readyz(t)
		return strings.Contains(body, "later (needs operator action)")
	})
	if !f.leads("fine") {
		t.Error("the outbox that is in order is not led any more")
	}

	mustExec(t, later, `ALTER TABLE hidden RENAME TO event_outbox_lease`)
	migrate(t, empty)
	until(t, "all are led", func() bool {
		code, _ := f.readyz(t)
		return code == http.StatusOK && f.leads("fine") && f.leads("empty") && f.leads("later")
	})
}

// A schema that matches a pattern and cannot be served is reported by /readyz, /status
// and the metrics. While others work, the process stays ready.
func TestASchemaThatCannotBeServedIsTold(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	createTenants(t, pg, 0, 2)
	mustExec(t, pg.URL, `ALTER TABLE tenant_001.event_outbox DROP COLUMN headers`)
	f := startFleet(t, fmt.Sprintf(`{sink: stdout, name: shop, schema: "tenant_*", database_url: %q}`, pg.URL))
	until(t, "the other schema is led", func() bool { return f.leads("shop/tenant_000") })
	until(t, "/readyz is ok and names the one of another shape", func() bool {
		code, body := f.readyz(t)
		return code == http.StatusOK && body == "ok\nnot served: shop/tenant_001 (needs operator action); see /status\n"
	})
	status := f.get(t, "/status")
	if !strings.Contains(status, `"shop/tenant_001"`) || !strings.Contains(status, "needs operator action: ") || !strings.Contains(status, "headers") {
		t.Errorf("/status does not say why: %s", status)
	}
	if metrics := f.get(t, "/metrics"); !strings.Contains(metrics, `outbox_relay_needs_operator{outbox="shop/tenant_001"} 1`) {
		t.Errorf("no metric says so: %s", metrics)
	}

	// In separate transactions: in one, they and the relay could wait for each other.
	mustExec(t, pg.URL, `ALTER TABLE tenant_000.event_outbox_lease RENAME TO hidden`)
	mustExec(t, pg.URL, `ALTER TABLE tenant_000.event_outbox DROP COLUMN headers`)
	until(t, "/readyz is not ok when no schema is served", func() bool {
		code, body := f.readyz(t)
		return code == http.StatusServiceUnavailable && strings.Contains(body, "shop/tenant_000") && strings.Contains(body, "shop/tenant_001")
	})
}

// If the only outbox of a process needs operator action, the process ends and says what
// to do.
func TestTheOnlyOutboxEndsTheProcess(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	f := startFleet(t, fmt.Sprintf("{sink: stdout, name: only, database_url: %q}", pg.URL))
	select {
	case <-f.done:
	case <-time.After(testPatience):
		t.Fatal("it goes on")
	}
	if _, ok := errors.AsType[*relay.SetupError](f.err); !ok {
		t.Errorf("it ended with %v", f.err)
	}
}

// A drain of several outboxes does not wait for one that needs operator action. The
// command fails because of it.
func TestDrainSaysWhatWasNotDrained(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrate(t, pg.URL)
	config := writeFile(t, fmt.Sprintf(`
sink: stdout
outboxes:
  - {name: fine, database_url: %q}
  - {name: empty, database_url: %q}
`, pg.URL, newDatabase(t, pg, "empty")))
	mustExec(t, pg.URL, `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data) VALUES ('a', 'b', 'c', 't', '{}')`)
	got := call(nil, "run", "--drain", "--listen", "", "--config", config)
	if got.Code != exitcode.Failed || !strings.Contains(got.Stderr, "\noutboxrelay: outbox empty: ") {
		t.Errorf("exit %d: %s", got.Code, got.Stderr)
	}
	if !strings.Contains(got.Stdout, `"topic":"t"`) {
		t.Errorf("the other outbox was not drained: %q", got.Stdout)
	}
}

// A schema is dropped and created again while its relay still waits for Kafka. The new
// relay starts once the old one has ended, and is listed.
func TestASchemaThatComesBackWhileItsRelayEnds(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	createTenants(t, pg, 0, 1)
	const topic = "orders"
	k, err := kfake.NewCluster(kfake.SeedTopics(1, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	sent, release := make(chan struct{}, 100), make(chan struct{})
	k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		select {
		case sent <- struct{}{}:
		default:
		}
		k.SleepControl(func() { <-release })
		return nil, nil, false
	})
	f := startFleet(t, fmt.Sprintf(`
{brokers: %q, name: shop, schema: "tenant_*", database_url: %q, wave_timeout: 40s, drain_timeout: 40s}`, k.ListenAddrs()[0], pg.URL))
	const name = "shop/tenant_000"
	until(t, "the schema is served", func() bool { return f.leads(name) })
	mustExec(t, pg.URL, fmt.Sprintf(`INSERT INTO tenant_000.event_outbox (aggregate_id, aggregate_type, event_type, topic, event_data) VALUES ('a', 'b', 'c', '%s', '{}')`, topic))
	select {
	case <-sent:
	case <-time.After(testPatience):
		t.Fatal("nothing is sent")
	}
	mustExec(t, pg.URL, `ALTER SCHEMA tenant_000 RENAME TO former`)
	until(t, "it is noticed that the schema is gone", func() bool { return strings.Contains(f.log.String(), "schema was removed") })
	createTenants(t, pg, 0, 1)
	until(t, "it is noticed that the schema is back", func() bool {
		return strings.Contains(f.log.String(), "schema is back") || strings.Contains(f.log.String(), "retrying later")
	})
	close(release)
	until(t, "the new schema is served", func() bool { return f.leads(name) })
	if strings.Contains(f.log.String(), "metrics:") {
		t.Error("two relays of one name ran at once")
	}
	if n := len(f.all()); n != 1 {
		t.Errorf("%d outboxes, want 1", n)
	}
}

// If a relay cannot be created, everything that was opened for it is closed.
func TestARelayThatCannotBeMadeLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*outbox){
		"Kafka":    func(o *outbox) { o.toStdout, o.kafka = false, kafkaSettings{} },
		"wake-ups": func(o *outbox) { o.wake, o.service = "postgres", strings.Repeat("x", 300) },
		"relay":    func(o *outbox) { o.wake, o.service, o.relay.BufferRows = "postgres", "s", -1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			outboxes := readOutboxes(t, `{sink: stdout, database_url: "postgres://127.0.0.1:1/d"}`)
			f, err := newFleet(outboxes, slog.New(slog.DiscardHandler), io.Discard, &secret.Redactor{})
			if err != nil {
				t.Fatal(err)
			}
			f.members[0].forget()
			var made outboxStore
			f.newStore = func(o outbox, c pgstore.Config) (outboxStore, error) {
				made, err = newStore(o, c)
				return made, err
			}
			o := outboxes[0]
			spoil(&o)
			if _, _, err := f.newRelay(o); err == nil {
				t.Fatal("it was made")
			}
			if _, err := made.Observe(t.Context()); err == nil || !strings.Contains(err.Error(), "the store is closed") {
				t.Errorf("the store is open: %v", err)
			}
			if _, forget, err := f.newRelay(outboxes[0]); err != nil {
				t.Errorf("its name is taken: %v", err)
			} else {
				forget()
			}
		})
	}
}
