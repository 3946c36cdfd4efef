// Package proxy stands between a client and its server and plays a bad network.
//
// A Proxy accepts on a Unix socket or a TCP address and connects to another for
// each connection. It passes bytes on, late, or not at all in one direction or
// both, and cuts connections. It never changes or reorders bytes: after a silence
// they flow on, or the connection is cut.
package proxy

import (
	"fmt"
	"net"
	"sync"
	"time"
)

// Weather is what a proxy does to the connections through it. The zero value is
// fair: everything passes at once.
type Weather struct {
	// Delay is added to what is passed on, in each direction.
	Delay time.Duration
	// HoldRequests and HoldAnswers keep what one side sends from the other: the
	// connection is half-open.
	HoldRequests, HoldAnswers bool
	// Refuse closes new connections at once.
	Refuse bool
}

// Proxy is a listener with weather. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener

	mu      sync.Mutex
	network string // of the server
	address string
	weather Weather
	changed chan struct{} // closed when the weather changes
	links   map[*link]struct{}
	closed  bool
	serving sync.WaitGroup
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	gone           chan struct{}
	once           sync.Once
}

func (l *link) cut() {
	l.once.Do(func() {
		close(l.gone)
		_ = l.client.Close() // whoever waits on it is told
		_ = l.server.Close()
	})
}

// Listen starts a proxy at an address of its own for a server. Networks are "unix"
// or "tcp".
func Listen(network, address, serverNetwork, serverAddress string) (*Proxy, error) {
	listener, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	p := &Proxy{
		listener: listener, network: serverNetwork, address: serverAddress,
		changed: make(chan struct{}), links: map[*link]struct{}{},
	}
	p.serving.Go(p.accept)
	return p, nil
}

// Address is where the proxy listens.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Set changes the weather.
func (p *Proxy) Set(w Weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.changed)
	p.changed = make(chan struct{})
}

// Point makes the proxy connect to another server from now on, and cuts what goes
// to the former.
func (p *Proxy) Point(network, address string) {
	p.mu.Lock()
	p.network, p.address = network, address
	p.mu.Unlock()
	p.Cut()
}

func (p *Proxy) server() (network, address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.network, p.address
}

// Cut ends all connections at once.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.cut()
	}
}

// Close ends the proxy and all connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.serving.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	if w, _ := p.look(); w.Refuse {
		_ = client.Close() // refused
		return
	}
	server, err := net.Dial(p.server())
	if err != nil {
		_ = client.Close() // the server is away, and the client sees it
		return
	}
	l := &link{client: client, server: server, gone: make(chan struct{})}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		l.cut()
		return
	}
	p.links[l] = struct{}{}
	p.mu.Unlock()
	var answers sync.WaitGroup
	answers.Go(func() { p.pass(l, client, server, func(w Weather) bool { return w.HoldAnswers }) })
	p.pass(l, server, client, func(w Weather) bool { return w.HoldRequests })
	answers.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) look() (Weather, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.weather, p.changed
}

// pass moves bytes in one direction until either end is gone.
func (p *Proxy) pass(l *link, to, from net.Conn, held func(Weather) bool) {
	defer l.cut()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !p.wait(l, held) {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			// The end of a connection passes as slowly as its bytes.
			p.wait(l, held)
			return
		}
	}
}

// wait returns when bytes may pass; false: the link was cut.
func (p *Proxy) wait(l *link, held func(Weather) bool) bool {
	w, changed := p.look()
	if w.Delay > 0 {
		delay := time.NewTimer(w.Delay)
		defer delay.Stop()
		select {
		case <-delay.C:
		case <-l.gone:
			return false
		}
	}
	for held(w) {
		select {
		case <-changed:
		case <-l.gone:
			return false
		}
		w, changed = p.look()
	}
	return true
}
