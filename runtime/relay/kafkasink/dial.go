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
	tls     func() (*tls.Config, error) // nil: no TLS
	lookup  func(ctx context.Context, host string) ([]string, error)
	timeout time.Duration
	chosen  bool // the caller's options set the timeout, which limits the TLS handshake too

	mu        sync.Mutex
	brokers   map[string]broker    // by host and port
	addresses map[string]condition // by address and port
}

// broker is what is known about a broker.
type broker struct {
	addresses []string // with the port; nil: not looked up yet
	start     int      // index of the first one to try
}

// condition is what is known about an address. A time is zero if the address has answered
// since.
type condition struct {
	failed time.Time // when it last failed
	quiet  time.Time // when it last did not answer
	slow   bool      // it did not answer in time
	why    error     // of the last failure; nil: it has answered since
}

func newDialer(config *tls.Config, seeds ...string) *dialer {
	d := &dialer{
		lookup: net.DefaultResolver.LookupHost, timeout: dialTimeout,
		brokers: map[string]broker{}, addresses: map[string]condition{},
	}
	if config != nil {
		d.tls = func() (*tls.Config, error) { return config, nil }
	}
	for _, seed := range seeds {
		d.brokers[seed] = broker{}
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
	hosts, err := d.lookup(lookCtx, host)
	if err != nil {
		return nil, err
	}
	if len(hosts) == 0 {
		return nil, fmt.Errorf("kafkasink: the broker's name %q has no address", host)
	}
	addresses := make([]string, len(hosts))
	for i, h := range hosts {
		addresses[i] = net.JoinHostPort(h, port)
	}
	first := d.learn(hostport, addresses)
	passOver := d.anyAnswers()
	var errs []error
	for i := range addresses {
		at := (first + i) % len(addresses)
		address := addresses[at]
		known := d.condition(address)
		if passOver && time.Since(known.quiet) < quietFor {
			errs = append(errs, fmt.Errorf("kafkasink: %s kept silent less than %s ago", address, quietFor))
			continue
		}
		failed := func(err error) {
			silent := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
			d.failed(address, silent, err)
			d.next(hostport, at)
		}
		limit, began := firstAnswer, time.Now()
		if known.slow {
			limit = slowAnswer
		}
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
	config, err := d.tls()
	if err != nil {
		_ = conn.Close() // it was not used
		return nil, fmt.Errorf("kafkasink: TLS for %s: %w", address, err)
	}
	config = config.Clone()
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
func (d *dialer) learn(hostport string, addresses []string) (first int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	first = d.brokers[hostport].start
	d.brokers[hostport] = broker{addresses, first}
	return first
}

// anyAnswers reports whether there is a broker with unknown addresses, or an address
// that has not failed lately.
func (d *dialer) anyAnswers() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.brokers {
		if len(b.addresses) == 0 {
			return true
		}
		for _, a := range b.addresses {
			if time.Since(d.addresses[a].failed) >= quietFor {
				return true
			}
		}
	}
	return false
}

func (d *dialer) condition(address string) condition {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addresses[address]
}

// answered records how long an address took to answer.
func (d *dialer) answered(address string, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addresses[address] = condition{slow: d.addresses[address].slow && took >= firstAnswer/2}
}

// next makes the next dial of a broker start after the address.
func (d *dialer) next(hostport string, at int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.brokers[hostport] = broker{d.brokers[hostport].addresses, at + 1}
}

// lately is how old the failure of a connection may be that explains a missing answer.
const lately = 10 * time.Second

// trouble returns the last failure of a connection, as the end of a message: the client's own
// errors only say that there was no answer in time. It returns "" if there was none lately.
func (d *dialer) trouble() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var last condition
	for _, c := range d.addresses {
		if c.why != nil && time.Since(c.failed) < lately && c.failed.After(last.failed) {
			last = c
		}
	}
	if last.why == nil {
		return ""
	}
	return fmt.Sprintf(" (the last connection: %v)", last.why)
}

func (d *dialer) failed(address string, silent bool, why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.addresses[address]
	known.failed, known.why = time.Now(), why
	if silent {
		known.quiet, known.slow = known.failed, true
	}
	d.addresses[address] = known
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
