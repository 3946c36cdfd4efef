package wake_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// silentHost accepts connections and never answers.
func silentHost(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { _, _ = io.Copy(io.Discard, conn); _ = conn.Close() })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); serving.Wait() })
	return listener.Addr().String()
}

// behindASilentHost returns the address of a database whose first host never answers.
func behindASilentHost(t *testing.T, pg *services.PG) string {
	t.Helper()
	config, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	query := url.Values{"sslmode": {"disable"}, "target_session_attrs": {"read-write"}}
	return (&url.URL{
		Scheme: "postgres", User: url.UserPassword(config.User, config.Password), Path: "/" + config.Database,
		Host: silentHost(t) + "," + newGate(t, network, address).addr, RawQuery: query.Encode(),
	}).String()
}

// Wake-ups work although the first host of the database never answers, for waker and
// source, without a timeout in the address.
func TestPostgresGetsPastASilentHost(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	source := postgresSource(t, behindASilentHost(t, pg))
	connected(t, source)
	waker := postgresWaker(t, behindASilentHost(t, pg), 0)
	woken := waitAsync(testContext(t), source)
	for {
		ctx, cancel := context.WithTimeout(testContext(t), 250*time.Millisecond) // as Outbox does
		err := waker.Wake(ctx)
		cancel()
		if err == nil {
			break
		}
		if !errors.Is(err, context.DeadlineExceeded) || testContext(t).Err() != nil {
			t.Fatal(err)
		}
	}
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
}

// A waker is closed while it connects.
func TestPostgresWakerIsClosedWhileItConnects(t *testing.T) {
	t.Parallel()
	waker := postgresWaker(t, "postgres://u@"+silentHost(t)+"/d?sslmode=disable", 0)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := waker.Wake(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Wake: %v", err)
	}
	if err := waker.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
