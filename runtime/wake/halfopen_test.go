package wake_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// gate passes connections on to a server, until it freezes those that there are:
// they stay open, and nothing goes through them any more, as when a host or a
// firewall between vanishes without a word. New ones work.
type gate struct {
	addr   string
	frozen chan struct{} // closed: frozen

	mu    sync.Mutex
	conns []net.Conn
}

func newGate(t *testing.T, server string) *gate {
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
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			g.mu.Lock()
			g.conns = append(g.conns, client, upstream)
			frozen := g.frozen
			g.mu.Unlock()
			serving.Go(func() { pass(upstream, client, frozen) })
			serving.Go(func() { pass(client, upstream, frozen) })
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

// freeze freezes the connections that there are.
func (g *gate) freeze() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.frozen)
	g.frozen = make(chan struct{})
}

// pass copies until frozen; from then on it swallows.
func pass(to, from net.Conn, frozen <-chan struct{}) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
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

// The relay's connection is half open: nothing comes, and nothing says so. The
// source finds out by itself, makes a new connection, which is a wake-up, and is
// woken by that one.
func TestRedisHalfOpen(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	g := newGate(t, redis.Addr)
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
	for range 2 { // what the frozen connection took is lost, no more than that
		woken = waitAsync(testContext(t), source)
		if err := waker.Wake(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if err := <-woken; err != nil {
			t.Fatalf("not woken by the new connection: %v", err)
		}
	}
}
