package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
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
		conn.ConnectTimeout = patience
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

// A service that gives out passwords or certificates and does not answer is an error, so that
// the log says what the relay waits for.
func TestCredentialsThatDoNotCome(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*pgstore.ServerConfig){
		"get the password of the database": func(c *pgstore.ServerConfig) {
			c.Password = func(ctx context.Context) (string, error) {
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
		},
		"get the certificates for the database": func(c *pgstore.ServerConfig) {
			c.TLS = func(ctx context.Context, _ *pgx.ConnConfig) error {
				<-ctx.Done()
				return context.Cause(ctx)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) { // half a minute of waiting takes no time
			conn, err := pgx.ParseConfig("postgres://127.0.0.1:1/d")
			must(t, err)
			conn.ConnectTimeout = 10 * time.Millisecond
			cfg := pgstore.ServerConfig{Conn: conn}
			set(&cfg)
			server, err := pgstore.NewServer(cfg)
			must(t, err)
			defer server.Close()
			store, err := pgstore.New(pgstore.Config{Server: server})
			must(t, err)
			defer store.Close()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := store.Check(ctx); err == nil || !strings.Contains(err.Error(), name+": "+context.DeadlineExceeded.Error()) || ctx.Err() != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}

// The password of the server changes, and later the one that the function returns. Each call
// uses the new one then, on a server whose sessions were all lost: none uses the password or
// the certificates of Conn, which are as they were at the start.
func TestEveryConnectionUsesTheNewestCredentials(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t, services.Private())
	migrate(t, pg)
	admin := pg.Connect(t.Context())
	rules := ask[string](t, admin, "SHOW hba_file")
	before, err := os.ReadFile(rules)
	must(t, err)
	must(t, os.WriteFile(rules, fmt.Appendf(nil, "local all rotated scram-sha-256\n%s", before), 0o600))
	exec(t, admin, "CREATE ROLE rotated SUPERUSER LOGIN PASSWORD 'at the start'")
	exec(t, admin, "SELECT pg_reload_conf()")

	var password atomic.Value
	password.Store("at the start")
	var dials, passwords, certificates atomic.Int64
	conn, err := pgx.ParseConfig(pg.URL)
	must(t, err)
	conn.User, conn.Password, conn.ConnectTimeout = "rotated", "at the start", patience
	dial := conn.DialFunc
	conn.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, address)
	}
	server, err := pgstore.NewServer(pgstore.ServerConfig{
		Conn: conn,
		Password: func(context.Context) (string, error) {
			passwords.Add(1)
			return password.Load().(string), nil
		},
		TLS: func(context.Context, *pgx.ConnConfig) error {
			certificates.Add(1)
			return nil
		},
	})
	must(t, err)
	t.Cleanup(server.Close)
	store, err := pgstore.New(pgstore.Config{Server: server})
	must(t, err)
	t.Cleanup(store.Close)
	must(t, store.Check(t.Context()))

	var lease relay.Lease
	rounds := 0
	for _, call := range []struct {
		name string
		make func(context.Context) error
	}{
		{"Check", store.Check},
		{"Examine", func(ctx context.Context) error {
			problems, err := store.Examine(ctx)
			if len(problems) > 0 {
				return fmt.Errorf("problems: %v", problems)
			}
			return err
		}},
		{"Observe", func(ctx context.Context) error {
			_, err := store.Observe(ctx)
			return err
		}},
		{"Schemas", func(ctx context.Context) error {
			_, err := server.Schemas(ctx, "public")
			return err
		}},
		{"TakeOver and reading", func(ctx context.Context) error {
			seen, err := store.Observe(ctx)
			if err != nil {
				return err
			}
			if lease, err = store.TakeOver(ctx, seen, uuid.New()); err != nil {
				return err
			}
			_, err = store.Snapshot(ctx)
			return err
		}},
		{"Release", func(ctx context.Context) error { return store.Release(ctx, lease) }},
	} {
		rounds++
		next := fmt.Sprintf("password %d", rounds)
		exec(t, admin, "ALTER ROLE rotated PASSWORD '"+next+"'")
		exec(t, admin, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rotated'")
		waitFor(t, admin, "SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'rotated'")
		for range 3 {
			err := call.make(t.Context())
			const invalidPassword = "28P01"
			if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == invalidPassword {
				break
			}
			if err == nil {
				t.Fatalf("%s works with the former password", call.name)
			}
		}
		password.Store(next)
		if err := call.make(t.Context()); err != nil {
			t.Errorf("%s with the new password: %v", call.name, err)
		}
	}
	if diff := cmp.Diff([]int64{dials.Load(), dials.Load()}, []int64{passwords.Load(), certificates.Load()}); diff != "" {
		t.Errorf("calls for passwords and certificates, one for each of the connections (-want +got):\n%s", diff)
	}
}
