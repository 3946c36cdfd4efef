package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// ServerConfig configures a [Server]. Conn is required; the zero value of any other
// field means its default.
type ServerConfig struct {
	// Conn says how to connect, as pgx.ParseConfig or pgxpool.ParseConfig returns it.
	// The server must be the primary, without a pooler in transaction or statement
	// mode. Of several hosts that accept writes, the one that was promoted last is
	// used. connect_timeout limits opening a session; without it, each address may go
	// without an answer for [DefaultConnectTimeout]. Settings for how pgx sends
	// statements (default_query_exec_mode, statement_cache_capacity) are ignored,
	// because the store needs its own. If its Tracer panics, the call is skipped, and
	// the log has the panic with its stack, at most once a minute; if another function
	// of it panics, such as LookupFunc, no session is opened there, and the error names
	// it.
	Conn *pgx.ConnConfig
	// Password returns the password for a new session. It is called before each attempt to
	// connect, also by several goroutines, so it should keep what takes long to get. Use it
	// for passwords that change, such as the content of a file or a token of a cloud
	// provider. It must return when its context ends, which is after 30 seconds, or after
	// connect_timeout if that is longer. Default nil: the password of Conn.
	Password func(context.Context) (string, error)
	// TLS sets the TLSConfig of config and of its Fallbacks for a new session, to those of
	// certificates that may have been renewed. config is a copy of a part of Conn, for one
	// host. It is called as Password is. Default nil: the TLSConfigs of Conn.
	TLS func(ctx context.Context, config *pgx.ConnConfig) error
	// MaxSessions limits the sessions that are open at once. At least 2. Default 4,
	// plus one for every eight stores beyond the first, at most 10. The package
	// documentation says what each session does.
	MaxSessions int
	// StatementTimeout limits one statement on the server. Default 30s.
	StatementTimeout time.Duration
	// ApplicationName is shown in pg_stat_activity. Default "outboxrelay".
	ApplicationName string
	// Logger gets log lines about connections. Default slog.Default().
	Logger *slog.Logger
}

const (
	// leastSessions are one for the leases and one for everything else.
	leastSessions = 2
	// ownSessions is the most that one outbox uses: leases, waiting for inserts,
	// reading, settling.
	ownSessions = 4
	// mostSessions is the largest default, for any number of outboxes.
	mostSessions = 10
	// storesPerSession is how many more stores add one session.
	storesPerSession = 8
)

func (c ServerConfig) withDefaults() ServerConfig {
	c.StatementTimeout = cmp.Or(c.StatementTimeout, 30*time.Second)
	c.ApplicationName = cmp.Or(c.ApplicationName, "outboxrelay")
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = safelog.New(c.Logger)
	return c
}

func (c ServerConfig) validate() error {
	switch {
	case c.Conn == nil:
		return errors.New("pgstore: Conn is nil: give it what pgx.ParseConfig returns for the database's URL")
	case c.StatementTimeout < time.Millisecond:
		return fmt.Errorf("pgstore: StatementTimeout is %v: it must be at least 1ms", c.StatementTimeout)
	case c.MaxSessions != 0 && c.MaxSessions < leastSessions:
		return fmt.Errorf("pgstore: MaxSessions is %d: at least %d are needed, one for the leases and one for everything else",
			c.MaxSessions, leastSessions)
	}
	return nil
}

// Server holds the sessions in one database that its stores share. It connects when a
// store first needs it. It is safe for concurrent use.
type Server struct {
	cfg  ServerConfig
	dial *dialer

	mu      sync.Mutex
	stores  int
	run     *serverRun // nil: not connected
	dialing *dialing   // under way; nil: none
	closed  bool

	ctx    context.Context // ends with Close; dialling continues after the call that asked for it
	cancel context.CancelFunc
	work   jobs
}

// NewServer returns a server for several stores. It does not connect. The error names
// the invalid field of the configuration.
func NewServer(cfg ServerConfig) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Conn = cfg.Conn.Copy()
	cfg.Conn.Tracer = guardTracer(cfg.Conn.Tracer, cfg.Logger)
	s := &Server{cfg: cfg, dial: newDialer(cfg)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Close closes all sessions and waits until none is in use. After that, calls of open
// stores return errors.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	run := s.run
	s.mu.Unlock()
	s.cancel()
	if run != nil {
		run.end(errClosed)
	}
	s.work.Wait()
}

var errClosed = errors.New("pgstore: the store is closed")

// maxSessions returns how many sessions may be open now.
func (s *Server) maxSessions() int {
	if s.cfg.MaxSessions > 0 {
		return s.cfg.MaxSessions
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return min(ownSessions+(max(s.stores, 1)-1+storesPerSession-1)/storesPerSession, mostSessions)
}

func (s *Server) join(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores += n
}

// dialing is one attempt to reach the server. All calls that need the server wait for
// it.
type dialing struct {
	done chan struct{}
	run  *serverRun
	err  error
}

// current returns the current run of the server, and connects if needed. Connecting
// continues when ctx ends: a call about the lease has less time than it may take to try
// hosts that do not answer, and the next call finds the connection. fresh is true if
// this call waited for a new connection.
func (s *Server) current(ctx context.Context) (run *serverRun, fresh bool, err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, false, errClosed
	}
	if s.run != nil && s.run.reason() == nil {
		defer s.mu.Unlock()
		return s.run, false, nil
	}
	d := s.dialing
	if d == nil {
		d = &dialing{done: make(chan struct{})}
		s.dialing = d
		s.work.Go(func() { s.connect(d) })
	}
	s.mu.Unlock()
	select {
	case <-d.done:
		return d.run, true, d.err
	case <-ctx.Done():
		return nil, true, fmt.Errorf("still connecting: %w", s.dial.why(context.Cause(ctx)))
	}
}

// connect starts a run, after the back-off.
func (s *Server) connect(d *dialing) {
	first, target, err := s.dial.any(s.ctx)
	if err == nil {
		d.run = newRun(s, first, target)
	}
	d.err = err
	s.mu.Lock()
	s.dialing = nil
	switch {
	case d.run == nil:
	case s.closed:
		s.mu.Unlock()
		d.run.end(errClosed)
		d.run, d.err = nil, errClosed
		close(d.done)
		return
	default:
		s.run = d.run
	}
	s.mu.Unlock()
	if d.run != nil {
		d.run.start()
	}
	close(d.done)
}

// with runs fn on the server. If the sessions have died while they were unused, fn runs
// again on new ones, so fn must be repeatable after an unknown outcome. If the server
// refuses writes, the run ends, and the next call connects again to find the primary.
func (s *Server) with(ctx context.Context, fn func(*serverRun) error) error {
	for {
		run, fresh, err := s.current(ctx)
		if err != nil {
			return err
		}
		err = fn(run)
		if refusesWrites(err) {
			run.end(err)
			return writesError(err)
		}
		if run.reason() == nil || fresh || ctx.Err() != nil {
			return err
		}
	}
}

// refusesWrites reports whether an error says that the server accepts no writes.
func refusesWrites(err error) bool {
	if setup, ok := errors.AsType[*relay.SetupError](err); ok {
		return setup.Transient
	}
	const readOnlyTransaction = "25006"
	return sqlState(err) == readOnlyTransaction
}

// writesError adds the remedy to such an error. It is transient: in a switchover the
// address may lead to the former primary for a while.
func writesError(err error) error {
	if setup, ok := errors.AsType[*relay.SetupError](err); ok {
		return setup
	}
	return &relay.SetupError{Problem: "the server accepts no writes", Remedy: primaryRemedy, Transient: true, Err: err}
}
