package pgstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// Store is one outbox in Postgres. It connects when it is first used, and is
// safe for concurrent use.
type Store struct {
	cfg   Config
	where string // for messages

	watching sync.Mutex // held while watcher is in use
	watcher  *session   // looks at the lease between terms; nil: not connected
	closed   bool

	mu   sync.Mutex
	term *term // the current or latest one; nil: none yet

	rowBytes   atomic.Int64 // what a row has had on average lately
	warned     sync.Map     // warnings of Check that were written
	withoutLog atomic.Bool  // the server does not tell positions of its write-ahead log
	sweep      sweepState
}

var _ relay.Store = (*Store)(nil)

// New returns a store; it does not connect yet. The error names the field of
// the configuration that cannot be used.
func New(cfg Config) (*Store, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.Conn = cfg.Conn.Copy()
	where := fmt.Sprintf("database %s at %s", cfg.Conn.Database, cfg.Conn.Host)
	if cfg.Schema != "" {
		where = fmt.Sprintf("schema %s of %s", cfg.Schema, where)
	}
	return &Store{cfg: cfg, where: where}, nil
}

// Close closes the sessions, and waits for the calls that use them. It does not
// release a lease: a term that was not released runs out.
func (s *Store) Close() {
	s.swapTerm(nil, errors.New("pgstore: the store is closed"))
	s.watching.Lock()
	defer s.watching.Unlock()
	s.closed = true
	if s.watcher != nil {
		s.watcher.close()
		s.watcher = nil
	}
}

// swapTerm puts a term in the place of the former, which it shuts.
func (s *Store) swapTerm(t *term, reason error) {
	s.mu.Lock()
	former := s.term
	s.term = t
	s.mu.Unlock()
	if former != nil {
		former.shut(reason)
	}
}

func (s *Store) currentTerm() *term {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term
}

// watch runs fn with the session that is there between terms. That session may
// have died while nobody used it: then fn runs once more with a new one, so fn
// must bear being repeated after an unknown outcome.
func (s *Store) watch(ctx context.Context, fn func(*session) error) error {
	s.watching.Lock()
	defer s.watching.Unlock()
	for {
		if s.closed {
			return errors.New("the store is closed")
		}
		fresh := s.watcher == nil
		if fresh {
			opened, err := s.connect(ctx, s.cfg.LockTimeout)
			if err != nil {
				return err
			}
			s.watcher = opened
		}
		err := fn(s.watcher)
		if refusesWrites(err) {
			// The primary is elsewhere: the next call looks where the address leads by
			// then, instead of staying with this server.
			s.watcher.close()
			s.watcher = nil
			return writesError(err)
		}
		if !s.watcher.conn.IsClosed() {
			return err
		}
		s.watcher = nil
		if fresh || ctx.Err() != nil {
			return err
		}
	}
}

// refusesWrites reports whether an error says that the server takes no writes.
func refusesWrites(err error) bool {
	if setup, ok := errors.AsType[*relay.SetupError](err); ok {
		return setup.Transient
	}
	const readOnlyTransaction = "25006"
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == readOnlyTransaction
}

// writesError is such an error with its remedy. It is transient: in a switchover
// the address may lead to the former primary for a while.
func writesError(err error) error {
	if setup, ok := errors.AsType[*relay.SetupError](err); ok {
		return setup
	}
	return &relay.SetupError{Problem: "the server takes no writes", Remedy: primaryRemedy, Transient: true, Err: err}
}

// inTerm runs fn with a session of the current term.
func (s *Store) inTerm(ctx context.Context, what string, fn func(*term, *session) error) error {
	t := s.currentTerm()
	if t == nil {
		return s.wrap(what, fmt.Errorf("no term has begun: %w", relay.ErrLeaseLost))
	}
	return s.wrap(what, t.use(ctx, s, func(se *session) error { return fn(t, se) }))
}

// underLease is inTerm for a statement that counts the lease rows it found:
// none means that l is no longer current.
func (s *Store) underLease(ctx context.Context, what string, l relay.Lease, fn func(*term, *session) (int64, error)) error {
	t := s.currentTerm()
	if t == nil || t.lease.Epoch != l.Epoch || t.lease.Holder != l.Holder {
		return s.wrap(what, relay.ErrLeaseLost)
	}
	return s.wrap(what, t.use(ctx, s, func(se *session) error {
		leases, err := fn(t, se)
		if err == nil && leases == 0 {
			err = relay.ErrLeaseLost
		}
		return err
	}))
}

// anywhere runs fn with a session of the term, or without one with the
// watcher's: for what anybody may look at.
func (s *Store) anywhere(ctx context.Context, what string, fn func(*session) error) error {
	if t := s.currentTerm(); t != nil && t.reason() == nil {
		return s.wrap(what, t.use(ctx, s, fn))
	}
	return s.wrap(what, s.watch(ctx, fn))
}

func (s *Store) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pgstore: %s in %s: %w", what, s.where, asRefused(err))
}
