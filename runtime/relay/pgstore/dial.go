package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// DefaultConnectTimeout is how long one address of a database may go without an answer
// while a session is opened, if the configuration has no connect_timeout. A host that
// accepts connections and never answers costs this time once; then the next address is
// tried. A host that answers may take five times as long in total, because on a slow
// network each of a dozen round trips takes its time.
const DefaultConnectTimeout = 2 * time.Second

const (
	// longestAttempt is the limit for opening a session on an address that answers, in
	// multiples of DefaultConnectTimeout.
	longestAttempt = 5
	// Pauses between two rounds over all addresses. A server that is full or refuses
	// the role will do so for a while, and frequent tries disturb other clients.
	minDialPause  = 100 * time.Millisecond
	maxDialPause  = 2 * time.Second
	maxRefusPause = 10 * time.Second
	// suspectFor is how long an address that did not answer is tried last.
	suspectFor = time.Minute
)

// target is one address of the database.
type target struct {
	config  *pgx.ConnConfig // for this address only
	address string          // for messages, and to identify the address
}

// dialer opens sessions, one address after the other.
type dialer struct {
	cfg ServerConfig

	mu       sync.Mutex
	suspects map[string]time.Time // addresses that did not answer, and when
	failures int                  // rounds in a row
	next     time.Time            // no round before
	last     error                // of the latest round
}

func newDialer(cfg ServerConfig) *dialer {
	return &dialer{cfg: cfg, suspects: map[string]time.Time{}}
}

// any opens a session on the first address that accepts one. It waits for the pause
// after earlier failures.
func (d *dialer) any(ctx context.Context) (*session, target, error) {
	d.mu.Lock()
	wait := time.Until(d.next)
	d.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return nil, target{}, context.Cause(ctx)
		}
	}
	opened, at, err := d.round(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.failures, d.last = 0, nil
		return opened, at, nil
	}
	d.last = err
	d.failures++
	d.next = time.Now().Add(pauseAfter(err, d.failures))
	return nil, target{}, err
}

// pauseAfter returns the pause after a failed round. It grows, with jitter so that relays
// that were refused together do not come back together.
func pauseAfter(err error, failures int) time.Duration {
	limit := maxDialPause
	if refused(err) {
		limit = maxRefusPause
	}
	return backoff.Jittered(minDialPause, limit, failures)
}

// full reports whether the server has no free session.
func full(err error) bool { return strings.HasPrefix(sqlState(err), "53") }

// refused reports whether the server answered and refused the session: it is full, or
// the credentials are wrong.
func refused(err error) bool {
	code := sqlState(err)
	return strings.HasPrefix(code, "53") || strings.HasPrefix(code, "28") || code == "3D000" || code == "42501"
}

// why adds the last failure to connect to the error that ended a wait for a connection.
func (d *dialer) why(cause error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == nil {
		return cause
	}
	return fmt.Errorf("%w (the last attempt: %w)", cause, d.last)
}

func (d *dialer) round(ctx context.Context) (*session, target, error) {
	targets, err := d.targets(ctx)
	errs := []error{err}
	for i, at := range targets {
		opened, err := d.open(ctx, at, leaseLockTimeout)
		if err == nil {
			opened, at = d.newest(ctx, opened, at, targets[i+1:])
			return opened, at, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, target{}, errors.Join(errs...)
}

// probeTimeout is how long each of the other hosts may take to answer a probe.
const probeTimeout = time.Second

// newest returns the session on the server that was promoted last, of those that accept
// writes: after a fail-over the former primary may come back without knowing about it.
// Hosts that lately did not answer are not asked.
func (d *dialer) newest(ctx context.Context, opened *session, at target, others []target) (*session, target) {
	type found struct {
		session *session
		target  target
	}
	answers := make(chan found)
	asked := 0
	for _, other := range others {
		if d.suspected(other) || other.address == at.address {
			continue
		}
		asked++
		go func() {
			s, _ := d.probe(ctx, other) // a host that cannot be probed is left out
			answers <- found{s, other}
		}()
	}
	for range asked {
		f := <-answers
		if f.session == nil {
			continue
		}
		mine, theirs := opened.timeline, f.session.timeline
		// Two addresses may lead to one server.
		same := f.session.serverStarted == opened.serverStarted
		if !same {
			d.cfg.Logger.WarnContext(ctx, "two servers accept writes, using the one that was promoted last; fence the other one",
				"one", at.address, "its_timeline", mine, "other", f.target.address, "other_timeline", theirs)
		}
		if same || mine == 0 || theirs <= mine {
			f.session.close()
			continue
		}
		opened.close()
		opened, at = f.session, f.target
	}
	return opened, at
}

// superseded reports whether another host accepts writes and was promoted later than
// the current one.
func (d *dialer) superseded(ctx context.Context, at target, timeline int64) (string, bool) {
	targets, _ := d.targets(ctx) // a name that cannot be resolved now is left out
	if len(targets) < 2 || timeline == 0 {
		return "", false
	}
	for _, other := range targets {
		if other.address == at.address || d.suspected(other) {
			continue
		}
		s, err := d.probe(ctx, other)
		if err != nil {
			continue
		}
		s.close()
		if s.timeline > timeline {
			return other.address, true
		}
	}
	return "", false
}

// suspected reports whether an address did not answer lately.
func (d *dialer) suspected(t target) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.suspects[t.address]
	return ok && time.Since(at) < suspectFor
}

// open opens a session on one address. A lockTimeout of 0 means none.
func (d *dialer) open(ctx context.Context, at target, lockTimeout time.Duration) (*session, error) {
	opened, err := d.try(ctx, at, d.timeout(), lockTimeout)
	if err == nil || ctx.Err() == nil { // otherwise the caller had no more time
		d.judge(at, err)
	}
	return opened, err
}

// probe opens a session on one of the other addresses. A short silence does not make it
// suspected.
func (d *dialer) probe(ctx context.Context, at target) (*session, error) {
	opened, err := d.try(ctx, at, min(probeTimeout, d.timeout()), leaseLockTimeout)
	if _, silent := errors.AsType[*silentError](err); !silent && ctx.Err() == nil {
		d.judge(at, err)
	}
	return opened, err
}

func (d *dialer) try(ctx context.Context, at target, silence, lockTimeout time.Duration) (opened *session, err error) {
	err = patiently(ctx, at, silence, d.longest(), func(ctx context.Context, config *pgx.ConnConfig) error {
		opened, err = openSession(ctx, config, d.cfg, lockTimeout)
		return err
	})
	return opened, err
}

// connect connects to one address without setting up a session.
func (d *dialer) connect(ctx context.Context, at target) (conn *pgx.Conn, err error) {
	err = patiently(ctx, at, d.timeout(), d.longest(), func(ctx context.Context, config *pgx.ConnConfig) error {
		conn, err = pgx.ConnectConfig(ctx, config)
		return err
	})
	return conn, err
}

// judge records whether an address answered. A refusal is an answer.
func (d *dialer) judge(at target, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if unanswered(err) {
		d.suspects[at.address] = time.Now()
		return
	}
	delete(d.suspects, at.address)
}

// unanswered reports whether an error came from the network or from a timeout.
func unanswered(err error) bool {
	if sqlState(err) != "" {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// targets returns the addresses in the order in which to try them: the order of the
// configuration, with those that lately did not answer at the end. err has the names
// that could not be resolved.
func (d *dialer) targets(ctx context.Context) ([]target, error) {
	conn := d.cfg.Conn
	hosts := []*pgconn.FallbackConfig{{Host: conn.Host, Port: conn.Port, TLSConfig: conn.TLSConfig}}
	hosts = append(hosts, conn.Fallbacks...)
	var found []target
	var errs []error
	for _, h := range hosts {
		for _, address := range d.addresses(ctx, h.Host, &errs) {
			at := d.target(h, address)
			// sslmode=prefer and allow list a host twice, with and without TLS. That is
			// one target, with the second as its fallback.
			if i := slices.IndexFunc(found, func(t target) bool { return t.address == at.address }); i >= 0 {
				found[i].config.Fallbacks = append(found[i].config.Fallbacks, &pgconn.FallbackConfig{Host: h.Host, Port: h.Port, TLSConfig: h.TLSConfig})
				continue
			}
			found = append(found, at)
		}
	}
	if len(found) > 1 {
		for _, at := range found {
			if at.config.ValidateConnect == nil {
				at.config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
			}
		}
	}
	last := func(t target) int {
		if d.suspected(t) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(found, func(a, b target) int { return last(a) - last(b) })
	return found, errors.Join(errs...)
}

// addresses resolves a host. The folder of a socket is its own address.
func (d *dialer) addresses(ctx context.Context, host string, errs *[]error) []string {
	if strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") || d.cfg.Conn.LookupFunc == nil {
		return []string{host}
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout())
	defer cancel()
	found, err := d.cfg.Conn.LookupFunc(ctx, host)
	if err != nil {
		*errs = append(*errs, err)
	}
	return found
}

// timeout returns how long an address may go without an answer.
func (d *dialer) timeout() time.Duration {
	if d.cfg.Conn.ConnectTimeout > 0 {
		return d.cfg.Conn.ConnectTimeout
	}
	return DefaultConnectTimeout
}

// longest returns how long opening a session on an address may take in total.
func (d *dialer) longest() time.Duration {
	if d.cfg.Conn.ConnectTimeout > 0 {
		return d.cfg.Conn.ConnectTimeout
	}
	return longestAttempt * DefaultConnectTimeout
}

func (d *dialer) target(h *pgconn.FallbackConfig, address string) target {
	config := d.cfg.Conn.Copy()
	config.Host, config.Port, config.TLSConfig, config.Fallbacks = h.Host, h.Port, h.TLSConfig, nil
	if address != h.Host {
		config.LookupFunc = func(context.Context, string) ([]string, error) { return []string{address}, nil }
	}
	name := address
	if _, _, err := net.SplitHostPort(address); err != nil {
		name = net.JoinHostPort(address, strconv.Itoa(int(h.Port)))
	}
	return target{config: config, address: name}
}

// sqlState returns the code of a server's error, or "".
func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}
