//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// manyTenants is how many schemas share a database in the test.
const manyTenants = 200

func createTenants(t *testing.T, pg *services.PG, from, to int) {
	t.Helper()
	conn := pg.Connect(t.Context())
	for i := from; i < to; i++ {
		schema := fmt.Sprintf("tenant_%03d", i)
		if _, err := conn.Exec(t.Context(), "CREATE SCHEMA "+schema+"; SET search_path TO "+schema); err != nil {
			t.Fatal(err)
		}
		if err := migrations.Up(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
}

// leading counts the tenants that the process leads.
func (p *process) leading(t *testing.T) int {
	t.Helper()
	status, body := p.get(t, "/status")
	if status != http.StatusOK {
		return 0
	}
	var states map[string]relay.Status
	if err := json.Unmarshal(body, &states); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	n := 0
	for name, s := range states {
		if s.Leader && strings.HasPrefix(name, "shop/tenant_") {
			n++
		}
	}
	return n
}

func number(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) int {
	t.Helper()
	var n int
	if err := pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// One pattern serves 200 schemas with two processes and at most 20 sessions. Each
// tenant's rows are published, and a tenant that comes or goes needs no restart.
func TestManyTenants(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	createTenants(t, pg, 0, manyTenants)
	k := services.KFake(t)
	topic := k.NewTopic(t, "orders", 3)
	// With a long term no lease expires, also on a slow machine.
	args := []string{"--schema", "tenant_*", "--name", "shop", "--term", "2m"}
	leader := startProcess(t, pg.URL, k, args...)
	until(t, "every tenant has a leader", func() bool { return leader.leading(t) == manyTenants })
	standby := startProcess(t, pg.URL, k, args...)
	until(t, "the other process stands by", func() bool { return standby.ready(t) })

	createTenants(t, pg, manyTenants, manyTenants+1)
	insert := func(schema string) {
		_, err := pg.Pool.Exec(t.Context(), fmt.Sprintf(`INSERT INTO %s.event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			SELECT 'a', 'order', 'order.paid.v1', $1, 'k', '{}' FROM generate_series(1, 10)`, pgx.Identifier{schema}.Sanitize()), topic)
		if err != nil {
			t.Fatal(err)
		}
	}
	unpublished := func(schema string) bool {
		return number(t, pg.Pool, fmt.Sprintf(`SELECT count(*) FROM %s.event_outbox WHERE published_at IS NULL`, schema)) > 0
	}
	for _, schema := range []string{"tenant_000", "tenant_100", "tenant_200"} {
		insert(schema)
		until(t, "the rows of "+schema+" are published", func() bool { return !unpublished(schema) })
	}
	if n := number(t, pg.Pool, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'outboxrelay'`); n > 20 {
		t.Errorf("%d sessions for %d schemas and two processes, want 20 at most", n, manyTenants)
	}

	if _, err := pg.Pool.Exec(t.Context(), `DROP SCHEMA tenant_100 CASCADE`); err != nil {
		t.Fatal(err)
	}
	until(t, "the relay of the schema that is gone stops", func() bool {
		_, body := leader.get(t, "/status")
		return len(body) > 0 && !strings.Contains(string(body), "tenant_100")
	})
	insert("tenant_101")
	until(t, "the others go on", func() bool { return !unpublished("tenant_101") })
}
