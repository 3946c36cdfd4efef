package broker

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// gate holds the listeners of a fake cluster. While it is shut nothing listens at
// their addresses, and all connections are gone.
type gate struct {
	mu        sync.Mutex
	listeners []*gateListener
}

// listen returns a kfake.ListenFn. It picks the ports, so that they stay free while
// the gate is shut.
func (g *gate) listen(network, _ string) (net.Listener, error) {
	const tries = 5 // another process may take the port first
	var err error
	for range tries {
		var port int
		if port, err = freePort(); err != nil {
			break
		}
		l := &gateListener{network: network, address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), conns: map[net.Conn]struct{}{}}
		l.changed = sync.NewCond(&l.mu)
		if err = l.open(); err == nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.listeners = append(g.listeners, l)
			return l, nil
		}
	}
	return nil, err
}

func (g *gate) open() error { return g.each((*gateListener).open) }

func (g *gate) shut() error { return g.each((*gateListener).shut) }

func (g *gate) each(do func(*gateListener) error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var errs []error
	for _, l := range g.listeners {
		errs = append(errs, do(l))
	}
	return errors.Join(errs...)
}

// gateListener is a listener that can be closed and opened again.
type gateListener struct {
	network, address string

	mu      sync.Mutex
	changed *sync.Cond
	inner   net.Listener // nil while shut
	closed  bool
	conns   map[net.Conn]struct{}
}

func (l *gateListener) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner != nil || l.closed {
		return nil
	}
	inner, err := net.Listen(l.network, l.address)
	if err != nil {
		return err
	}
	l.inner = inner
	l.changed.Broadcast()
	return nil
}

func (l *gateListener) shut() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		return nil
	}
	err := l.inner.Close()
	l.inner = nil
	for conn := range l.conns {
		_ = conn.Close() // an error means that it was closed already
	}
	clear(l.conns)
	return err
}

// Accept waits while the gate is shut.
func (l *gateListener) Accept() (net.Conn, error) {
	for {
		inner, err := l.wait()
		if err != nil {
			return nil, err
		}
		conn, err := inner.Accept()
		if err != nil {
			if l.gone(inner) {
				continue
			}
			return nil, err
		}
		if l.admit(inner, conn) {
			return &gateConn{Conn: conn, listener: l}, nil
		}
	}
}

// wait returns the open listener.
func (l *gateListener) wait() (net.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.inner == nil && !l.closed {
		l.changed.Wait()
	}
	if l.closed {
		return nil, net.ErrClosed
	}
	return l.inner, nil
}

// gone reports whether the listener is no longer the open one.
func (l *gateListener) gone(inner net.Listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inner != inner
}

// admit registers the connection, unless the gate was shut in the meantime.
func (l *gateListener) admit(inner net.Listener, conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner != inner {
		_ = conn.Close()
		return false
	}
	l.conns[conn] = struct{}{}
	return true
}

// Close closes the listener for good.
func (l *gateListener) Close() error {
	err := l.shut()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.changed.Broadcast()
	return err
}

// Addr returns the address of the listener, also while it is shut.
func (l *gateListener) Addr() net.Addr {
	addr, err := net.ResolveTCPAddr(l.network, l.address)
	if err != nil {
		return &net.TCPAddr{}
	}
	return addr
}

// gateConn forgets itself when it is closed.
type gateConn struct {
	net.Conn
	listener *gateListener
}

func (c *gateConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c.Conn)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// freePort picks a port on the loopback interface that is free. It
// lies below the range that the system hands out to outgoing connections, so
// that no other process gets it while the gate is shut.
func freePort() (int, error) {
	const lowest, highest, tries = 20000, 32000, 50
	var err error
	for range tries {
		port := lowest + rand.IntN(highest-lowest)
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return port, listener.Close()
		}
	}
	return 0, fmt.Errorf("fakekafka: no free port from %d to %d after %d tries: %w", lowest, highest, tries, err)
}
