package wake_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// A server that has no connections left is not asked for one at each wake-up, and
// wake-ups work again when it has.
func TestPostgresWakerLeavesAFullServerAlone(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	if _, err := pg.Pool.Exec(t.Context(), `create role crowded login password 'pw' connection limit 0`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := pg.Pool.Exec(context.WithoutCancel(t.Context()), `drop role crowded`); err != nil {
			t.Error(err)
		}
	})
	config, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	g := newGate(t, network, address)
	waker := postgresWaker(t, (&url.URL{
		Scheme: "postgres", User: url.UserPassword("crowded", "pw"), Host: g.addr, Path: "/" + config.Database, RawQuery: "sslmode=disable",
	}).String(), 5*time.Millisecond)
	ctx := testContext(t)

	// In 500 wake-ups, however long they take, the pauses double: 100 ms to 10 s.
	for i := range 500 {
		err := waker.Wake(ctx)
		if err == nil || !strings.Contains(err.Error(), "53300") {
			t.Fatalf("wake-up %d: %v", i+1, err)
		}
	}
	g.mu.Lock()
	attempts := len(g.conns) / 2
	g.mu.Unlock()
	if attempts > 50 {
		t.Errorf("%d attempts to connect for 500 wake-ups", attempts)
	}

	if _, err := pg.Pool.Exec(t.Context(), `alter role crowded connection limit -1`); err != nil {
		t.Fatal(err)
	}
	for {
		err := waker.Wake(ctx)
		if err == nil {
			break
		}
		if !strings.Contains(err.Error(), "53300") || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
