package kafkasink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// dialTimeout bounds the dialling of one address of a broker, TLS included, unless
	// kgo.DialTimeout says something else than clientDialTimeout, the client's default.
	dialTimeout       = 2 * time.Second
	clientDialTimeout = 10 * time.Second
	// firstAnswer bounds the wait for the first bytes of a broker on a new connection.
	// They answer a request that costs a broker nothing; one that keeps silent is hung,
	// or a host that takes connections for it. What a broker that has answered may take
	// for a request is bounded by the client, and not here.
	firstAnswer = 2 * time.Second
	// quietFor is how long an address is passed over at which somebody kept silent, so
	// that the clients of a sink, and their retries, do not each wait for it.
	quietFor = 3 * time.Second
)

// dialer dials brokers. A name may have several addresses: they are tried in turn,
// beginning behind the last one that failed; those that kept silent lately are left
// out.
type dialer struct {
	tls     *tls.Config // nil: none
	lookup  func(ctx context.Context, host string) ([]string, error)
	timeout time.Duration

	mu    sync.Mutex
	start map[string]int       // by host and port: which address comes first
	quiet map[string]time.Time // by address and port: when it kept silent
}

func newDialer(config *tls.Config) *dialer {
	return &dialer{tls: config, lookup: net.DefaultResolver.LookupHost, timeout: dialTimeout, start: map[string]int{}, quiet: map[string]time.Time{}}
}

func (d *dialer) dial(ctx context.Context, network, hostport string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, fmt.Errorf("kafkasink: the broker's address %q: %w", hostport, err)
	}
	lookCtx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	addresses, err := d.lookup(lookCtx, host)
	if err != nil {
		return nil, err
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("kafkasink: the broker's name %q has no address", host)
	}
	first := d.first(hostport)
	var errs []error
	for i := range addresses {
		at := (first + i) % len(addresses)
		address := net.JoinHostPort(addresses[at], port)
		if d.isQuiet(address) {
			errs = append(errs, fmt.Errorf("kafkasink: %s kept silent less than %s ago", address, quietFor))
			continue
		}
		failed := func(err error) {
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
				d.silent(address)
			}
			d.next(hostport, at)
		}
		conn, err := d.dialOne(ctx, network, address, host)
		if err == nil {
			return &watched{Conn: conn, failed: failed}, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
		failed(err)
	}
	return nil, errors.Join(errs...)
}

func (d *dialer) dialOne(ctx context.Context, network, address, host string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	plain := &net.Dialer{}
	if d.tls == nil {
		return plain.DialContext(ctx, network, address)
	}
	config := d.tls.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	return (&tls.Dialer{NetDialer: plain, Config: config}).DialContext(ctx, network, address)
}

func (d *dialer) first(hostport string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.start[hostport]
}

// next has the next dialling of a broker begin behind an address.
func (d *dialer) next(hostport string, at int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.start[hostport] = at + 1
}

func (d *dialer) silent(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.quiet[address] = time.Now()
}

func (d *dialer) isQuiet(address string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	since, ok := d.quiet[address]
	if ok && time.Since(since) >= quietFor {
		delete(d.quiet, address)
		ok = false
	}
	return ok
}

// watched is a connection. Until its other side has said something, reading ends
// after firstAnswer at the latest.
type watched struct {
	net.Conn
	failed func(error)

	mu       sync.Mutex
	answered bool
}

// SetReadDeadline caps the deadline of the first read.
func (c *watched) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if limit := time.Now().Add(firstAnswer); !c.answered && (t.IsZero() || t.After(limit)) {
		t = limit
	}
	return c.Conn.SetReadDeadline(t)
}

// Read notes the first answer, and silence.
func (c *watched) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answered = c.answered || n > 0
	switch timeout := errors.Is(err, os.ErrDeadlineExceeded); {
	case err == nil:
	case !c.answered && timeout:
		c.failed(err)
		err = fmt.Errorf("kafkasink: %s took the connection and has not answered within %s: %w", c.RemoteAddr(), firstAnswer, err)
	case !c.answered || timeout:
		c.failed(err)
	}
	return n, err
}
