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
	// dialTimeout limits the connection to one address of a broker, unless
	// kgo.DialTimeout differs from clientDialTimeout, the client's default.
	dialTimeout       = 2 * time.Second
	clientDialTimeout = 10 * time.Second
	// firstAnswer limits the TLS handshake, and the wait for the first bytes of a
	// broker on a new connection. They answer a request that is cheap for the broker. A
	// broker that does not answer it hangs, or is overloaded, or a proxy accepted the
	// connection. So an address that did not answer gets slowAnswer from then on, until
	// it answers quickly. After the first answer, the client's own limits apply.
	firstAnswer = 2 * time.Second
	slowAnswer  = 5 * time.Second
	// quietFor is how long an address that did not answer is avoided, so that the
	// clients of a sink, and their retries, do not each wait for it. It is used if
	// there is no other.
	quietFor = 3 * time.Second
)

// dialer dials brokers. A name may have several addresses. They are tried in turn,
// starting after the last one that failed. Addresses that did not answer lately are
// left out while another one is known.
type dialer struct {
	tls     *tls.Config // nil: no TLS
	lookup  func(ctx context.Context, host string) ([]string, error)
	timeout time.Duration
	chosen  bool // the caller's options set the timeout, which limits the TLS handshake too

	mu    sync.Mutex
	start map[string]int       // by host and port: index of the first address
	known map[string][]string  // by host and port: its addresses; missing: not looked up yet
	quiet map[string]time.Time // by address and port: when it last did not answer
	fails map[string]time.Time // by address and port: when it last failed
	slow  map[string]bool      // by address and port: it did not answer in time
}

func newDialer(config *tls.Config, seeds ...string) *dialer {
	d := &dialer{
		tls: config, lookup: net.DefaultResolver.LookupHost, timeout: dialTimeout,
		start: map[string]int{}, known: map[string][]string{}, quiet: map[string]time.Time{}, fails: map[string]time.Time{}, slow: map[string]bool{},
	}
	for _, seed := range seeds {
		d.known[seed] = nil
	}
	return d
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
	first := d.learn(hostport, port, addresses)
	passOver := d.anyAnswers()
	var errs []error
	for i := range addresses {
		at := (first + i) % len(addresses)
		address := net.JoinHostPort(addresses[at], port)
		if passOver && d.isQuiet(address) {
			errs = append(errs, fmt.Errorf("kafkasink: %s kept silent less than %s ago", address, quietFor))
			continue
		}
		failed := func(err error) {
			d.failed(address, errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded))
			d.next(hostport, at)
		}
		limit, began := d.patience(address), time.Now()
		conn, err := d.dialOne(ctx, network, address, host, limit)
		if err == nil {
			shaken := time.Since(began)
			answers := func(took time.Duration) { d.answered(address, shaken+took) }
			return &watched{Conn: conn, failed: failed, limit: limit, answers: answers}, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
		failed(err)
	}
	return nil, errors.Join(errs...)
}

func (d *dialer) dialOne(ctx context.Context, network, address, host string, limit time.Duration) (net.Conn, error) {
	dialCtx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(dialCtx, network, address)
	if err != nil || d.tls == nil {
		return conn, err
	}
	config := d.tls.Clone()
	if config.ServerName == "" {
		config.ServerName = host
	}
	if d.chosen {
		limit = d.timeout
	}
	shakeCtx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(shakeCtx); err != nil {
		_ = conn.Close() // the handshake's error has the reason
		return nil, fmt.Errorf("kafkasink: TLS handshake with %s (limit %s): %w", address, limit, err)
	}
	return secured, nil
}

// learn stores a broker's addresses, and returns the index of the first one to try.
func (d *dialer) learn(hostport, port string, addresses []string) (first int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := make([]string, len(addresses))
	for i, a := range addresses {
		known[i] = net.JoinHostPort(a, port)
	}
	d.known[hostport] = known
	return d.start[hostport]
}

// anyAnswers reports whether there is a broker with unknown addresses, or an address
// that has not failed lately.
func (d *dialer) anyAnswers() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, addresses := range d.known {
		if len(addresses) == 0 {
			return true
		}
		for _, a := range addresses {
			if since, ok := d.fails[a]; !ok || time.Since(since) >= quietFor {
				return true
			}
		}
	}
	return false
}

// patience returns how long an address may take to answer.
func (d *dialer) patience(address string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.slow[address] {
		return slowAnswer
	}
	return firstAnswer
}

// answered records how long an address took to answer.
func (d *dialer) answered(address string, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.quiet, address)
	delete(d.fails, address)
	if took < firstAnswer/2 {
		delete(d.slow, address)
	}
}

// next makes the next dial of a broker start after the address.
func (d *dialer) next(hostport string, at int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.start[hostport] = at + 1
}

func (d *dialer) failed(address string, silent bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	d.fails[address] = now
	if silent {
		d.quiet[address], d.slow[address] = now, true
	}
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

// watched is a connection whose reads time out after the limit until the other side has
// answered once.
type watched struct {
	net.Conn
	limit   time.Duration
	failed  func(error)
	answers func(took time.Duration) // called for the first answer

	mu       sync.Mutex
	asked    time.Time // when the first deadline was set
	answered bool
}

// SetReadDeadline sets the deadline of the first read to the limit, unless the client's
// deadline is earlier than an answer may ever take.
func (c *watched) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked.IsZero() {
		c.asked = time.Now()
	}
	if now := time.Now(); !c.answered && (t.IsZero() || t.Sub(now) > firstAnswer) {
		t = now.Add(c.limit)
	}
	return c.Conn.SetReadDeadline(t)
}

// Read records the first answer, or that there was none in time.
func (c *watched) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 && !c.answered {
		c.answered = true
		c.answers(time.Since(c.asked))
	}
	switch timeout := errors.Is(err, os.ErrDeadlineExceeded); {
	case err == nil:
	case !c.answered && timeout:
		c.failed(err)
		err = fmt.Errorf("kafkasink: %s accepted the connection and has not answered within %s: %w", c.RemoteAddr(), c.limit, err)
	case !c.answered || timeout:
		c.failed(err)
	}
	return n, err
}
