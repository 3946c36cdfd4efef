package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// unreachable is an address at which no server answers.
const unreachable = "postgres://127.0.0.1:1/d"

// An outbox that needs operator action is retried. Until the retry has succeeded,
// nothing reports that the outbox works.
func TestARetryThatHasNotSucceededChangesNothing(t *testing.T) {
	t.Parallel()
	log := &watched{written: make(chan struct{}, 1)}
	f, err := newFleet(readOutboxes(t, fmt.Sprintf(`{sink: stdout, name: broken, database_url: %q}`, unreachable)),
		slog.New(slog.NewJSONHandler(log, nil)), io.Discard, &secret.Redactor{})
	if err != nil {
		t.Fatal(err)
	}
	m := f.members[0]
	f.stopped(m, errors.New("a column is missing"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.runOnce(ctx, m) }()
	until(t, "the retry is under way", func() bool { return strings.Contains(log.String(), "outbox not reached, retrying") })

	r := &runningFleet{fleet: f}
	code, ready := r.readyz(t)
	got := []any{code, ready, metricLine(r.get(t, "/metrics"), "outbox_relay_needs_operator"), f.all()[0].status.Reason}
	want := []any{
		http.StatusServiceUnavailable, "not ready: broken (needs operator action): cannot use the database; see /status\n",
		`outbox_relay_needs_operator{outbox="broken"} 1`, "needs operator action: a column is missing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, s := range f.servers {
		s.Close()
	}
}

// A schema that matches a pattern is broken, and is retried. Every answer meanwhile is
// the same. After the repair the next answer says that the schema works.
func TestABrokenSchemaIsToldAllTheTime(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	createTenants(t, pg, 0, 2)
	mustExec(t, pg.URL, `ALTER TABLE tenant_001.event_outbox RENAME COLUMN headers TO hidden`)
	f := startFleet(t, fmt.Sprintf(`{sink: stdout, name: shop, schema: "tenant_*", database_url: %q}`, pg.URL))
	type told struct {
		Code  int
		Ready string
		Gauge string
	}
	ask := func() told {
		code, ready := f.readyz(t)
		return told{code, ready, metricLine(f.get(t, "/metrics"), `outbox_relay_needs_operator{outbox="shop/tenant_001"}`)}
	}
	broken := told{
		http.StatusOK, "ok\nnot served: shop/tenant_001 (needs operator action); see /status\n",
		`outbox_relay_needs_operator{outbox="shop/tenant_001"} 1`,
	}
	until(t, "the broken schema is told", func() bool { return ask() == broken })
	retries := func() int { return strings.Count(f.log.String(), "retrying later") }
	for first := retries(); retries() < first+5; {
		if diff := cmp.Diff(broken, ask()); diff != "" {
			t.Fatal(diff)
		}
	}

	mustExec(t, pg.URL, `ALTER TABLE tenant_001.event_outbox RENAME COLUMN hidden TO headers`)
	fine := told{http.StatusOK, "ok\n", `outbox_relay_needs_operator{outbox="shop/tenant_001"} 0`}
	until(t, "it is served", func() bool {
		now := ask()
		if now.Ready != broken.Ready && now.Ready != fine.Ready {
			t.Fatalf("/readyz says meanwhile: %s", now.Ready)
		}
		return now == fine
	})
}

// metricLine returns the line of a metric.
func metricLine(metrics, name string) string {
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, name) {
			return strings.TrimSuffix(line, "\n")
		}
	}
	return ""
}
