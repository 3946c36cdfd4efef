package main

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/workload"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// newLab returns a lab on shared servers, for tests that only kill and stop processes.
func newLab(t *testing.T, maxAttempts int) *lab.Lab {
	t.Helper()
	l, err := lab.New(t.Context(), lab.Config{
		Servers: lab.Servers{
			Postgres: services.Postgres(t).PostgresServer, Redis: services.Redis(t),
			Kafka: services.KFake(t, services.FakeBrokers(1)), // the proxies of the instances lead to one broker
		},
		Command: self, Dir: t.TempDir(), ClockRates: [lab.Relays]float64{1, 1, 1}, MaxAttempts: maxAttempts,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, r := range l.Relays {
		if err := r.Start(); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

const patience = time.Minute

// leader waits for a leader other than the given one.
func leader(t *testing.T, l *lab.Lab, other *lab.Relay) *lab.Relay {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var found *lab.Relay
	if !l.Until(ctx, func() bool { found = l.Leader(); return found != nil && found != other }) {
		t.Fatal("no relay leads")
	}
	return found
}

func insert(t *testing.T, l *lab.Lab, eventType, topic, key string, n int) {
	t.Helper()
	_, err := l.Pool.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
		SELECT $3, 'chaos', $1, $2, $3, json_build_object('n', i) FROM generate_series(1, $4::int) AS i`, eventType, topic, key, n)
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until the query returns true.
func eventually(t *testing.T, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, query string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var holds bool
		if err := db.QueryRow(ctx, query, args...).Scan(&holds); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		if holds {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", query)
		case <-tick.C:
		}
	}
}

// A leader that is killed or frozen is replaced when its lease expires, and one that
// ends cleanly is replaced sooner. The time is measured from the fault to the publication of
// a row that was inserted right after it. The shortest of three rounds counts: a busy machine
// makes a round longer, and never shorter.
func TestHandOver(t *testing.T) {
	l := newLab(t, 0)
	tests := []struct {
		name  string
		fault func(*lab.Relay)
	}{
		{"killed", func(r *lab.Relay) { r.Signal(syscall.SIGKILL) }},
		{"frozen", func(r *lab.Relay) { r.Signal(syscall.SIGSTOP) }},
		{"ended in order", func(r *lab.Relay) { r.Tell("end") }},
	}
	shortest := map[string]time.Duration{}
	for round := range 3 {
		for _, tt := range tests {
			first := leader(t, l, nil)
			insert(t, l, "chaos.hot.changed.v1", workload.TopicHot, "warm", 1)
			eventually(t, l.Pool, `SELECT count(*) = 0 FROM event_outbox WHERE published_at IS NULL`)

			began := time.Now()
			tt.fault(first)
			insert(t, l, "chaos.hot.changed.v1", workload.TopicHot, "next", 1)
			eventually(t, l.Pool, `SELECT count(*) = 0 FROM event_outbox WHERE published_at IS NULL`)
			took := time.Since(began)
			t.Logf("round %d: a leader that was %s was replaced after %s", round+1, tt.name, took.Round(time.Millisecond))
			if round == 0 || took < shortest[tt.name] {
				shortest[tt.name] = took
			}
			first.Kill()
			if err := first.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, l.Pool, `SELECT count(*) >= 3 FROM pg_stat_activity WHERE application_name = 'outboxrelay' AND datname = current_database()`)
		}
	}
	if shortest["ended in order"] > min(shortest["killed"], shortest["frozen"]) {
		t.Errorf("a leader that ended in order was replaced no sooner than one that vanished: %v", shortest)
	}
}

// A row that kills the relay that sends it is found and becomes a dead row. The rows
// around it are published.
func TestARecordThatCrashesTheRelay(t *testing.T) {
	if testing.Short() {
		t.Skip("each death costs a term")
	}
	t.Parallel()
	l := newLab(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	supervised := make(chan struct{})
	go func() { // a relay that dies is started again, as an init system does
		defer close(supervised)
		for {
			if !l.Until(ctx, func() bool { return !l.Relays[0].Running() || !l.Relays[1].Running() || !l.Relays[2].Running() }) {
				return
			}
			for _, r := range l.Relays {
				if err := r.Start(); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-supervised })
	leader(t, l, nil)
	var statements []string
	for i := range 60 {
		typ := "chaos.hot.changed.v1"
		if i == 30 {
			typ = instance.CrashType
		}
		statements = append(statements, fmt.Sprintf(`INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			VALUES ('a', 'chaos', '%s', '%s', 'k%d', '{}')`, typ, workload.TopicHot, i%3))
	}
	if _, err := l.Pool.Exec(ctx, strings.Join(statements, ";")); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, l.Pool, `SELECT count(*) FILTER (WHERE published_at IS NOT NULL) = 59 AND
		count(*) FILTER (WHERE dead_at IS NOT NULL AND event_type = $1) = 1 FROM event_outbox`, instance.CrashType)
	t.Logf("dead after %s", time.Since(began).Round(100*time.Millisecond))
}
