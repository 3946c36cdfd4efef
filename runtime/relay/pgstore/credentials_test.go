package pgstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// The functions for passwords and certificates that change are called for each attempt. If
// one fails or panics, no session is opened, and the error names it.
func TestCredentialsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	migrate(t, pg)
	var fail func() error
	for name, set := range map[string]func(*pgstore.ServerConfig){
		"get the password of the database": func(c *pgstore.ServerConfig) {
			c.Password = func(context.Context) (string, error) { return c.Conn.Password, fail() }
		},
		"get the certificates for the database": func(c *pgstore.ServerConfig) {
			c.TLS = func(context.Context, *pgx.ConnConfig) error { return fail() }
		},
	} {
		conn, err := pgx.ParseConfig(pg.URL)
		must(t, err)
		cfg := pgstore.ServerConfig{Conn: conn}
		set(&cfg)
		server, err := pgstore.NewServer(cfg)
		must(t, err)
		t.Cleanup(server.Close)
		store, err := pgstore.New(pgstore.Config{Server: server})
		must(t, err)
		t.Cleanup(store.Close)

		fail = func() error { return errors.New("the vault is closed") }
		if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), name+": the vault is closed") {
			t.Errorf("%s: %v", name, err)
		}
		fail = func() error { panic("oh") }
		if err := store.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "panicked: oh") {
			t.Errorf("%s: %v", name, err)
		}
		fail = func() error { return nil }
		must(t, store.Check(t.Context()))
	}
}
