package pgstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Store is one outbox in Postgres. It connects when it is first used. It is safe for
// concurrent use.
type Store struct {
	cfg    Config
	server *Server
	owns   bool // the server belongs to this store alone
	names  *tableNames
	where  string // for messages

	mu       sync.Mutex
	term     *term // the current or last one; nil: none yet
	closed   bool
	released chan struct{} // holds a token when another relay released the lease
	hearing  *serverRun    // where the store listens for that; nil: nowhere yet
	unhear   func()

	ctx      context.Context // ends with Close; a check continues after the call that asked for it
	cancel   context.CancelFunc
	checking errand

	rowBytes   atomic.Int64 // recent average size of a row
	warned     sync.Map     // warnings of Check that were logged
	withoutLog atomic.Bool  // the server does not report positions of its write-ahead log
	sweep      sweepState
	held       heldRows
	tidyRows   int32 // see the constants
	lookSeqs   int64
	delayed    delayedState

	// A log has its own.
	checks [][]checkStep
	shape  *tableShape
	unread func(ctx context.Context, se *session, read pgSnapshot) (snapshot string, unread bool, err error)
}

var (
	_ relay.Store        = (*Store)(nil)
	_ relay.Delayer      = (*Store)(nil)
	_ relay.Idler        = (*Store)(nil)
	_ relay.Tidier       = (*Store)(nil)
	_ relay.Pauser       = (*Store)(nil)
	_ relay.ReleaseHints = (*Store)(nil)
)

// New returns a store. It does not connect. The error names the invalid field of the
// configuration.
func New(cfg Config) (*Store, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Logger = safelog.New(cfg.Logger)
	server, owns := cfg.Server, false
	if server == nil {
		var err error
		server, err = NewServer(ServerConfig{
			Conn: cfg.Conn, MaxSessions: cfg.MaxSessions, StatementTimeout: cfg.StatementTimeout,
			ApplicationName: cfg.ApplicationName, Logger: cfg.Logger,
		})
		if err != nil {
			return nil, err
		}
		owns = true
	}
	if err := server.CheckAddress(); err != nil {
		if owns {
			server.Close()
		}
		return nil, fmt.Errorf("pgstore: %w", err)
	}
	where := fmt.Sprintf("database %s at %s", server.cfg.Conn.Database, server.cfg.Conn.Host)
	if cfg.Schema != "" {
		where = fmt.Sprintf("schema %s of %s", cfg.Schema, where)
	}
	server.join(1)
	s := &Store{
		cfg: cfg, server: server, owns: owns, names: &tableNames{schema: cfg.Schema}, where: where,
		released: make(chan struct{}, 1), tidyRows: tidyRows, lookSeqs: lookSeqs,
	}
	s.ctx, s.cancel = context.WithCancel(server.ctx)
	s.checks, s.shape, s.unread = s.tableChecks(), &plainShape, tableUnread
	return s, nil
}

// Close ends the store's work. If it has its own [Server], Close closes the sessions
// and waits for the calls that use them. It does not release a lease; a lease that was
// not released expires.
func (s *Store) Close() {
	s.swapTerm(nil, errClosed)
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	if s.unhear != nil {
		s.unhear()
		s.unhear = nil
	}
	s.mu.Unlock()
	if closed {
		return
	}
	s.cancel()
	s.server.join(-1)
	if s.owns {
		s.server.Close()
	}
}

// swapTerm replaces the current term by t, and ends the old one.
func (s *Store) swapTerm(t *term, reason error) {
	s.mu.Lock()
	former := s.term
	s.term = t
	s.mu.Unlock()
	if former != nil {
		former.end(reason)
	}
}

func (s *Store) currentTerm() *term {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term
}

// ofLease returns the current term if it belongs to the lease.
func (s *Store) ofLease(l relay.Lease) (*term, error) {
	t := s.currentTerm()
	if !t.is(l) {
		return nil, relay.ErrLeaseLost
	}
	return t, t.reason()
}

// inTerm runs fn with a session of the current term.
func (s *Store) inTerm(ctx context.Context, what string, fn func(*term, *session) error) error {
	t := s.currentTerm()
	if t == nil {
		return s.wrap(what, fmt.Errorf("no term has begun: %w", relay.ErrLeaseLost))
	}
	if err := t.reason(); err != nil {
		return s.wrap(what, err)
	}
	return s.wrap(what, t.judge(t.run.work(ctx, useForReading, s.names, func(se *session) error { return fn(t, se) })))
}

// underLease is inTerm for a statement that locks the lease row. fn returns how many
// lease rows it found; none means that l is no longer current.
func (s *Store) underLease(ctx context.Context, what string, use use, l relay.Lease, fn func(*term, *session) (int64, error)) error {
	t, err := s.ofLease(l)
	if err != nil {
		return s.wrap(what, err)
	}
	return s.wrap(what, t.judge(t.run.work(ctx, use, s.names, func(se *session) error {
		if err := t.register(ctx, s, se); err != nil {
			return err
		}
		leases, err := fn(t, se)
		return lostUnless(leases > 0, err)
	})))
}

// anywhere runs fn with any session, for reads that need no lease.
func (s *Store) anywhere(ctx context.Context, what string, fn func(*session) error) error {
	return s.wrap(what, s.watch(ctx, fn))
}

// watch runs fn with a session that needs no term, and again if that session was lost.
func (s *Store) watch(ctx context.Context, fn func(*session) error) error {
	if err := s.open(); err != nil {
		return err
	}
	return s.server.with(ctx, func(r *serverRun) error { return s.watchOn(ctx, r, fn) })
}

// watchOn is watch on one run of the server.
func (s *Store) watchOn(ctx context.Context, r *serverRun, fn func(*session) error) error {
	lost := false
	again := func(se *session) error {
		err := fn(se)
		lost = se.lost()
		return err
	}
	err := r.work(ctx, useForKeeping, s.names, again)
	if lost && r.reason() == nil && ctx.Err() == nil {
		err = r.work(ctx, useForKeeping, s.names, again)
	}
	return err
}

func (s *Store) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	return nil
}

func (s *Store) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pgstore: %s in %s: %w", what, s.where, asRefused(err))
}
