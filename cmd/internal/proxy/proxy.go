// Package proxy stands between a client and its server and simulates a bad network.
//
// A Proxy accepts connections on a Unix socket or a TCP address and opens one to
// another address for each. It can delay bytes or hold them back, in one direction or
// both, cut connections, and refuse or ignore new ones. It never changes or reorders
// bytes. Bytes that were held back are passed on later, or the connection is cut.
package proxy

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Weather is what a proxy does to the connections through it. The zero value is
// fair: everything passes immediately.
type Weather struct {
	// Delay is added to what is passed on, in each direction.
	Delay time.Duration
	// HoldRequests and HoldAnswers hold back what one side sends, so that the
	// connection is half-open.
	HoldRequests, HoldAnswers bool
	// Refuse closes new connections immediately.
	Refuse bool
	// Reset ends new connections immediately with a reset, where the proxy listens on
	// TCP.
	Reset bool
}

// Greeting talks to a client before its bytes are passed on, in any weather. For
// example, it removes TLS. It returns the connection to use from then on.
type Greeting func(client net.Conn) (net.Conn, error)

// Proxy is a listener with weather. It is safe for concurrent use.
type Proxy struct {
	listening address

	mu       sync.Mutex
	listener net.Listener // nil: not listening
	deaf     io.Closer    // occupies the address so that it does not respond; nil: it is not occupied
	greeting Greeting     // nil: none
	server   address
	weather  Weather
	changed  chan struct{} // closed when the weather changes
	links    map[*link]struct{}
	held     int64 // how often bytes were held back
	serving  sync.WaitGroup
}

// address is the address of a listener. The network is "unix" or "tcp".
type address struct{ network, name string }

// link is one connection through the proxy.
type link struct {
	raw            net.Conn // to the client, as accepted
	client, server net.Conn
	gone           chan struct{}
	once           sync.Once
}

func (l *link) cut() { l.end(false) }

func (l *link) end(reset bool) {
	l.once.Do(func() {
		close(l.gone)
		if reset {
			endByReset(l.raw)
		}
		_ = l.client.Close() // those who use it get an error
		_ = l.server.Close()
	})
}

// endByReset closes a connection so that the other side gets a reset, if the network is
// TCP.
func endByReset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it may be closed
	}
	_ = c.Close() // the same
}

// Listen starts a proxy for a server, at its own address. The networks are "unix" or
// "tcp".
func Listen(network, name, serverNetwork, serverName string) (*Proxy, error) {
	p := &Proxy{
		listening: address{network, name}, server: address{serverNetwork, serverName},
		changed: make(chan struct{}), links: map[*link]struct{}{},
	}
	if err := p.Up(); err != nil {
		return nil, err
	}
	p.listening.name = p.listener.Addr().String() // the port may have been 0
	return p, nil
}

// Address returns where the proxy listens.
func (p *Proxy) Address() string { return p.listening.name }

// Greet sets the greeting for new connections.
func (p *Proxy) Greet(g Greeting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.greeting = g
}

// Down stops listening, so the system refuses new connections. Open ones stay.
func (p *Proxy) Down() error {
	p.mu.Lock()
	listener, deaf := p.listener, p.deaf
	p.listener, p.deaf = nil, nil
	p.mu.Unlock()
	var errs []error
	if listener != nil {
		errs = append(errs, listener.Close())
	}
	if deaf != nil {
		errs = append(errs, deaf.Close())
	}
	return errors.Join(errs...)
}

// Up listens again after Down or Unreachable. It does nothing if the proxy listens.
func (p *Proxy) Up() error {
	p.mu.Lock()
	listening := p.listener != nil
	p.mu.Unlock()
	if listening {
		return nil
	}
	if err := p.Down(); err != nil { // after Unreachable
		return err
	}
	listener, err := net.Listen(p.listening.network, p.listening.name)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener = listener
	p.serving.Go(func() { p.accept(listener) })
	return nil
}

// Unreachable makes new connections get no answer, not even a refusal, as from a
// machine that is switched off. Open ones stay. It needs TCP and Linux.
func (p *Proxy) Unreachable() error {
	if err := p.Down(); err != nil {
		return err
	}
	deaf, err := occupy(p.listening.name)
	if err != nil {
		return fmt.Errorf("proxy: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = deaf
	return nil
}

// Set changes the weather.
func (p *Proxy) Set(w Weather) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.weather = w
	close(p.changed)
	p.changed = make(chan struct{})
}

// Point makes the proxy connect to another server, and cuts the connections to the
// former one.
func (p *Proxy) Point(network, name string) {
	p.mu.Lock()
	p.server = address{network, name}
	p.mu.Unlock()
	p.Cut()
}

// Held returns how often bytes were held back.
func (p *Proxy) Held() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// Cut ends all connections immediately.
func (p *Proxy) Cut() { p.endAll(false) }

// Abort ends all connections immediately with a reset, where the proxy listens on TCP.
func (p *Proxy) Abort() { p.endAll(true) }

func (p *Proxy) endAll(reset bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.end(reset)
	}
}

// Close ends the proxy and all connections.
func (p *Proxy) Close() error {
	err := p.Down()
	p.Cut()
	p.serving.Wait()
	return err
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client, listener) })
	}
}

// serve serves a connection that a listener has accepted.
func (p *Proxy) serve(raw net.Conn, from net.Listener) {
	p.mu.Lock()
	w, to, greeting := p.weather, p.server, p.greeting
	p.mu.Unlock()
	switch {
	case w.Reset:
		endByReset(raw)
		return
	case w.Refuse:
		_ = raw.Close() // refused
		return
	}
	client := raw
	if greeting != nil {
		var err error
		if client, err = greeting(raw); err != nil {
			_ = raw.Close() // the client sees it
			return
		}
	}
	server, err := net.Dial(to.network, to.name)
	if err != nil {
		_ = client.Close() // the server does not run, and the client sees it
		return
	}
	l := &link{raw: raw, client: client, server: server, gone: make(chan struct{})}
	p.mu.Lock()
	if p.listener != from { // it was closed meanwhile, and Cut may be over
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

// pass moves bytes in one direction until one end is closed.
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

// wait returns true when bytes may pass, and false if the link was cut.
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
	if held(w) {
		p.mu.Lock()
		p.held++
		p.mu.Unlock()
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
