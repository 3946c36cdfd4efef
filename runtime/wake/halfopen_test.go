package wake_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// gate passes connections on to a server until they are frozen. Then they stay open and
// pass nothing, as when a host or a firewall disappears. New ones work.
type gate struct {
	addr   string
	frozen chan struct{} // closed: frozen

	mu    sync.Mutex
	conns []net.Conn
}

func newGate(t *testing.T, network, server string) *gate {
	t.Helper()
	return newHoldingGate(t, network, server, func([]byte) {})
}

// newHoldingGate returns a gate that passes on what a client sends when hold has
// returned, even if the client is gone by then.
func newHoldingGate(t *testing.T, network, server string, hold func([]byte)) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{addr: listener.Addr().String(), frozen: make(chan struct{})}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial(network, server)
			if err != nil {
				_ = client.Close()
				continue
			}
			g.mu.Lock()
			g.conns = append(g.conns, client, upstream)
			frozen := g.frozen
			g.mu.Unlock()
			serving.Go(func() { pass(upstream, client, hold, frozen) })
			serving.Go(func() { pass(client, upstream, func([]byte) {}, frozen) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		g.mu.Lock()
		for _, c := range g.conns {
			_ = c.Close()
		}
		g.mu.Unlock()
		serving.Wait()
	})
	return g
}

// freeze freezes the open connections.
func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.frozen)
	g.frozen = make(chan struct{})
}

// pass copies until the connection is frozen. From then on it drops everything.
func pass(to, from net.Conn, hold func([]byte), frozen <-chan struct{}) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		hold(buffer[:n])
		select {
		case <-frozen:
			_, _ = io.Copy(io.Discard, from)
			return
		default:
		}
		if err != nil {
			_ = to.Close()
			return
		}
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// The relay's connection is half open: nothing arrives, and there is no error. The
// source detects it, makes a new connection, which is a wake-up, and is woken by it.
func TestRedisHalfOpen(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	g := newGate(t, "tcp", redis.Addr)
	waker := wake.Redis(redisClient(t, redis.Addr), t.Name())
	source := redisSource(t, g.addr, t.Name())
	connected(t, source)

	woken := waitAsync(testContext(t), source)
	waitForBlocked(t, redis.Addr)
	g.freeze()
	began := time.Now()
	if err := <-woken; err != nil {
		t.Fatalf("the half-open connection was not noticed: %v", err)
	}
	t.Logf("noticed after %v", time.Since(began))
	wakesTwice(t, waker, source)
}

// wakesTwice checks that wake-ups arrive.
func wakesTwice(t *testing.T, waker outbox.Waker, source waiter) {
	t.Helper()
	for range 2 {
		woken := waitAsync(testContext(t), source)
		if err := waker.Wake(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if err := <-woken; err != nil {
			t.Fatalf("not woken by the new connection: %v", err)
		}
	}
}

// gated returns a source whose connections pass through a gate.
func gated(t *testing.T, pg *services.PG) (*wake.PostgresWaitSource, *gate) {
	t.Helper()
	config, err := pgx.ParseConfig(pg.URL)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	g := newGate(t, network, address)
	host, port, err := net.SplitHostPort(g.addr)
	if err != nil {
		t.Fatal(err)
	}
	return postgresSource(t, fmt.Sprintf("host=%s port=%s user=%s password='%s' dbname='%s' sslmode=disable",
		host, port, config.User, config.Password, config.Database)), g
}

// The connection is half open when the first Wait uses what Check has opened.
func TestPostgresHalfOpenAfterCheck(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	source, g := gated(t, pg)
	if err := source.Check(testContext(t)); err != nil {
		t.Fatal(err)
	}
	g.freeze()
	connected(t, source)
	wakesTwice(t, postgresWaker(t, pg.URL, 0), source)
}

// A quiet listening connection is checked. One that works is kept, and a half-open one
// is detected.
func TestPostgresHalfOpen(t *testing.T) {
	t.Parallel()
	pg := services.Postgres(t)
	source, g := gated(t, pg)
	source.SetKeepAlive(20 * time.Millisecond)
	waker := postgresWaker(t, pg.URL, 0)
	connected(t, source)
	requireSilent(t, source) // it was checked ten times, and is the same connection
	wakesTwice(t, waker, source)

	woken := waitAsync(testContext(t), source)
	g.freeze()
	if err := <-woken; err != nil {
		t.Fatalf("the half-open connection was not noticed: %v", err)
	}
	wakesTwice(t, waker, source)
}
