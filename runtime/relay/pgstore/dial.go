package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
)

// DefaultConnectTimeout is how long one address of a database may go without an answer
// while a session is opened, if the configuration has no connect_timeout. A host that
// accepts connections and never answers costs this time once; then the next address is
// tried. A host that answers may take five times as long in total, because on a slow
// network each of a dozen round trips takes its time.
const DefaultConnectTimeout = pgdial.DefaultTimeout

// suspectFor is how long an address that did not answer is tried last.
const suspectFor = time.Minute

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
func (d *dialer) any(ctx context.Context) (*session, pgdial.Target, error) {
	d.mu.Lock()
	wait := time.Until(d.next)
	d.mu.Unlock()
	if wait > 0 && !backoff.Sleep(ctx, wait) {
		return nil, pgdial.Target{}, context.Cause(ctx)
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
	if p, ok := errors.AsType[*pgdial.PanicError](err); ok && d.failures == 1 {
		d.cfg.Logger.ErrorContext(ctx, "code in the configuration of the database connections panicked, retrying",
			slog.Any("error", p), slog.String("stack", string(p.Stack)))
	}
	d.next = time.Now().Add(pgdial.PauseAfter(err, d.failures))
	return nil, pgdial.Target{}, err
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

func (d *dialer) round(ctx context.Context) (*session, pgdial.Target, error) {
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
	return nil, pgdial.Target{}, errors.Join(errs...)
}

// probeTimeout is how long each of the other hosts may take to answer a probe.
const probeTimeout = time.Second

// newest returns the session on the server that was promoted last, of those that accept
// writes: after a fail-over the former primary may come back without knowing about it.
// Hosts that lately did not answer are not asked.
func (d *dialer) newest(ctx context.Context, opened *session, at pgdial.Target, others []pgdial.Target) (*session, pgdial.Target) {
	type found struct {
		session *session
		target  pgdial.Target
	}
	answers := make(chan found)
	asked := 0
	for _, other := range others {
		if d.suspected(other) || other.Address == at.Address {
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
		left := f.target // not used
		if same || mine == 0 || theirs <= mine {
			f.session.close()
		} else {
			opened.close()
			opened, at, left, mine, theirs = f.session, f.target, at, theirs, mine
		}
		if !same {
			warnOfTwo(ctx, d.cfg.Logger, at, left, mine, theirs)
		}
	}
	return opened, at
}

// warnOfTwo says that two servers accept writes, and which of them to fence.
func warnOfTwo(ctx context.Context, log *slog.Logger, used, left pgdial.Target, timeline, leftTimeline int64) {
	if timeline == 0 || leftTimeline == 0 || timeline == leftTimeline {
		log.WarnContext(ctx, "two servers accept writes, and it is not known which was promoted last",
			"used", used.Address, "other", left.Address,
			"remedy", "fence the former primary (stop it, or cut it off the network); of these two, the first one in the address of the database is used")
		return
	}
	log.WarnContext(ctx, "two servers accept writes, using the one that was promoted last",
		"used", used.Address, "timeline", timeline, "former_primary", left.Address, "its_timeline", leftTimeline,
		"remedy", "fence the former primary, "+left.Address+": stop it, or cut it off the network")
}

// superseded reports whether another host accepts writes and was promoted later than
// the current one.
func (d *dialer) superseded(ctx context.Context, at pgdial.Target, timeline int64) (string, bool) {
	targets, _ := d.targets(ctx) // a name that cannot be resolved now is left out
	if len(targets) < 2 || timeline == 0 {
		return "", false
	}
	for _, other := range targets {
		if other.Address == at.Address || d.suspected(other) {
			continue
		}
		s, err := d.probe(ctx, other)
		if err != nil {
			continue
		}
		s.close()
		if s.timeline > timeline {
			return other.Address, true
		}
	}
	return "", false
}

// suspected reports whether an address did not answer lately.
func (d *dialer) suspected(t pgdial.Target) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.suspects[t.Address]
	return ok && time.Since(at) < suspectFor
}

// open opens a session on one address. A lockTimeout of 0 means none.
func (d *dialer) open(ctx context.Context, at pgdial.Target, lockTimeout time.Duration) (*session, error) {
	opened, err := d.try(ctx, at, pgdial.Timeout(d.cfg.Conn), lockTimeout)
	if err == nil || ctx.Err() == nil { // otherwise the caller had no more time
		d.judge(at, err)
	}
	return opened, err
}

// probe opens a session on one of the other addresses. A short silence does not make it
// suspected.
func (d *dialer) probe(ctx context.Context, at pgdial.Target) (*session, error) {
	opened, err := d.try(ctx, at, min(probeTimeout, pgdial.Timeout(d.cfg.Conn)), leaseLockTimeout)
	if _, silent := errors.AsType[*pgdial.SilentError](err); !silent && ctx.Err() == nil {
		d.judge(at, err)
	}
	return opened, err
}

func (d *dialer) try(ctx context.Context, at pgdial.Target, silence, lockTimeout time.Duration) (opened *session, err error) {
	err = d.reach(ctx, at, silence, func(ctx context.Context, config *pgx.ConnConfig) error {
		opened, err = openSession(ctx, config, d.cfg, lockTimeout)
		return err
	})
	return opened, err
}

// reach runs attempt, which connects to an address, with the password and the certificates
// that are valid now. Every connection of a server is opened by it: those of the
// configuration may be the former ones.
func (d *dialer) reach(ctx context.Context, at pgdial.Target, silence time.Duration, attempt func(context.Context, *pgx.ConnConfig) error) error {
	at.Config = at.Config.Copy()
	if err := d.renew(ctx, at.Config); err != nil {
		return err
	}
	return pgdial.Patiently(ctx, at, silence, pgdial.Longest(d.cfg.Conn), attempt)
}

// connect opens a connection without the settings of a session.
func (d *dialer) connect(ctx context.Context, at pgdial.Target) (conn *pgx.Conn, err error) {
	err = d.reach(ctx, at, pgdial.Timeout(d.cfg.Conn), func(ctx context.Context, config *pgx.ConnConfig) error {
		conn, err = pgx.ConnectConfig(ctx, config)
		return err
	})
	return conn, err
}

// credentialsLast limits the functions that get the password and the certificates.
// connect_timeout does not: it is about addresses, and a token of a cloud provider can take
// longer.
const credentialsLast = 30 * time.Second

// renew sets the password and the certificates for a new session, if the configuration has
// functions for them. Their context ends: a service that does not answer is an error, which
// is logged and retried.
func (d *dialer) renew(ctx context.Context, config *pgx.ConnConfig) error {
	ctx, cancel := context.WithTimeout(ctx, max(credentialsLast, pgdial.Longest(d.cfg.Conn)))
	defer cancel()
	if d.cfg.Password != nil {
		err := renewed("ServerConfig.Password", "get the password of the database", func() (err error) {
			config.Password, err = d.cfg.Password(ctx)
			return err
		})
		if err != nil {
			return err
		}
	}
	if d.cfg.TLS == nil {
		return nil
	}
	return renewed("ServerConfig.TLS", "get the certificates for the database", func() error { return d.cfg.TLS(ctx, config) })
}

// renewed calls a function of the configuration.
func renewed(name, what string, call func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &pgdial.PanicError{Where: name, Value: value, Stack: debug.Stack()}
		}
	}()
	if err := call(); err != nil {
		return &credentialsError{what, err}
	}
	return nil
}

// credentialsError says that the function for the password or the certificates failed, so
// no address was asked.
type credentialsError struct {
	what string
	err  error
}

func (e *credentialsError) Error() string { return e.what + ": " + e.err.Error() }

func (e *credentialsError) Unwrap() error { return e.err }

// judge records whether an address answered. A refusal is an answer.
func (d *dialer) judge(at pgdial.Target, err error) {
	if _, unasked := errors.AsType[*credentialsError](err); unasked {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if pgdial.Unanswered(err) {
		d.suspects[at.Address] = time.Now()
		return
	}
	delete(d.suspects, at.Address)
}

// targets returns the addresses in the order in which to try them: the order of the
// configuration, with those that lately did not answer at the end. err has the names
// that could not be resolved.
func (d *dialer) targets(ctx context.Context) ([]pgdial.Target, error) {
	found, err := pgdial.Targets(ctx, d.cfg.Conn)
	preferWritable(found)
	last := func(t pgdial.Target) int {
		if d.suspected(t) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(found, func(a, b pgdial.Target) int { return last(a) - last(b) })
	return found, err
}

// sqlState returns the code of a server's error, or "".
func sqlState(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code
	}
	return ""
}
