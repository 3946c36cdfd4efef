//go:build unix

package main

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// Two processes serve outboxes in eight databases of a server with few connections.
// Every outbox gets a leader, and the services still get connections.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	const databases = 8
	pg := services.Postgres(t, services.Private())
	admin := pg.Connect(t.Context())
	if _, err := admin.Exec(t.Context(), `ALTER SYSTEM SET max_connections = 30`); err != nil {
		t.Fatal(err)
	}
	_ = admin.Close(t.Context()) // the server restarts
	if err := pg.Restart(t.Context(), services.Fast); err != nil {
		t.Fatal(err)
	}
	k := services.KFake(t)
	topic := k.NewTopic(t, "orders", 3)
	config := "brokers: [" + k.Brokers[0] + "]\noutboxes:\n"
	var addresses []string
	for i := range databases {
		name := fmt.Sprintf("service_%d", i)
		conn := pg.Connect(t.Context())
		if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close(t.Context())
		address, err := url.Parse(pg.URL)
		if err != nil {
			t.Fatal(err)
		}
		address.Path = "/" + name
		addresses = append(addresses, address.String())
		own, err := pgx.Connect(t.Context(), address.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := migrations.Up(t.Context(), own); err != nil {
			t.Fatal(err)
		}
		_ = own.Close(t.Context())
		config += fmt.Sprintf("  - {name: %s, database_url: %q}\n", name, address)
	}
	pg.Pool.Close() // the test holds no connection of its own
	file := writeFile(t, config)
	one := startProcess(t, pg.URL, k, "--config", file)
	two := startProcess(t, pg.URL, k, "--config", file)
	until(t, "both processes are ready", func() bool { return one.ready(t) && two.ready(t) })

	// A service connects, places an order, and leaves, in every database.
	for _, address := range addresses {
		conn, err := pgx.Connect(t.Context(), address)
		if err != nil {
			t.Fatalf("the service cannot connect: %v", err)
		}
		_, err = conn.Exec(t.Context(), `INSERT INTO event_outbox (aggregate_id, aggregate_type, event_type, topic, event_key, event_data)
			SELECT 'a', 'order', 'order.paid.v1', $1, 'k', '{}' FROM generate_series(1, 10)`, topic)
		if err != nil {
			t.Fatal(err)
		}
		until(t, "the rows are published", func() bool {
			var left bool
			if err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM event_outbox WHERE published_at IS NULL)`).Scan(&left); err != nil {
				t.Fatal(err)
			}
			return !left
		})
		_ = conn.Close(t.Context())
	}
}
