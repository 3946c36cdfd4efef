package page

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

const (
	// mostSessions limits the sessions with one server. One is for the samples and for the
	// pages that everybody may see. The other is for people who may see dead rows.
	mostSessions = 2
	// idleLasts is how long a session is kept for the next request.
	idleLasts = 30 * time.Second
	// statementLasts limits a statement, so that nothing that a page asks for runs on.
	statementLasts = "15s"
	// lockLasts limits what a statement waits for a lock. It is shorter than lookLimit, so that
	// the page can say who holds the lock, and the session can be used again.
	lockLasts = "2s"
	// answerLasts limits what a page waits for a database, and lookLimit what it waits for
	// the state of an outbox. A browser asks for the parts of a page that change by
	// themselves, and gives up after eight seconds: see htmx-config.
	answerLasts = 6 * time.Second
	lookLimit   = 2500 * time.Millisecond
	// planLasts limits what a decision reads. Nobody else waits for it.
	planLasts = 40 * time.Second
	// failureLasts is how long the failure of a server explains why others wait for it.
	failureLasts = 30 * time.Second
)

// sessions are the page's sessions with databases. They are few, shared by the outboxes
// of a server, opened when somebody needs one, and closed when nobody does.
type sessions struct {
	mu     sync.Mutex
	closed bool
	idle   map[string][]idleSession
	slots  map[string]slots
	failed map[string]failure
}

// errBusy says nothing about the database: others use the page's sessions with it.
var errBusy = errors.New("the page's sessions with this database are in use: try again")

// noSession is why no statement was sent: there was no session.
type noSession struct{ error }

func (n noSession) Unwrap() error { return n.error }

// tooSlow reports whether a statement took too long. That there was no session in time says
// nothing about the statement.
func tooSlow(err error) bool {
	if errors.Is(err, errBusy) || errors.As(err, new(noSession)) {
		return false
	}
	return isCancelled(err) || errors.Is(err, context.DeadlineExceeded)
}

// slots limit the sessions with a server.
type slots struct{ everybody, operators chan struct{} }

// failure is why a server could not be used, and when.
type failure struct {
	err error
	at  time.Time
}

type idleSession struct {
	conn   *pgx.Conn
	schema string // of its search_path
	since  time.Time
}

func newSessions() *sessions {
	return &sessions{idle: map[string][]idleSession{}, slots: map[string]slots{}, failed: map[string]failure{}}
}

// with runs f in a session whose search_path has the outbox's tables. It is for what only
// people may do who may see dead rows: nobody else can take their session away.
func (s *sessions) with(ctx context.Context, d Database, f func(*pgx.Conn) error) error {
	of := s.slotsOf(d.Server)
	select {
	case of.operators <- struct{}{}:
		defer func() { <-of.operators }()
	default:
		select {
		case of.operators <- struct{}{}:
			defer func() { <-of.operators }()
		case of.everybody <- struct{}{}:
			defer func() { <-of.everybody }()
		case <-ctx.Done():
			return s.inUse(ctx, d.Server)
		}
	}
	return s.run(ctx, d, func(conn *pgx.Conn) error { return lockedOut(ctx, conn, f(conn)) })
}

// withShared is with for the samples and for what everybody may see.
func (s *sessions) withShared(ctx context.Context, d Database, f func(*pgx.Conn) error) error {
	of := s.slotsOf(d.Server)
	select {
	case of.everybody <- struct{}{}:
		defer func() { <-of.everybody }()
	case <-ctx.Done():
		return s.inUse(ctx, d.Server)
	}
	return s.run(ctx, d, f)
}

func (s *sessions) run(ctx context.Context, d Database, f func(*pgx.Conn) error) error {
	session, err := s.open(ctx, d)
	if err != nil {
		err = noSession{err}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed[d.Server] = failure{err, time.Now()}
		return err
	}
	done := false
	defer func() { // also after a panic
		if !done {
			drop(session.conn)
		}
	}()
	err = f(session.conn)
	if err != nil && !isLocked(err) || session.conn.IsClosed() || session.conn.PgConn().TxStatus() != 'I' {
		return err
	}
	done = true
	s.keep(d.Server, session)
	return err
}

// lockedError is why a statement did not run: another session holds a lock.
type lockedError struct {
	error

	found []admin.Blocker
}

func (e *lockedError) Error() string {
	return "another session holds a lock on a table of the outbox; " + admin.WaitedFor(e.found) + " (" + e.error.Error() + ")"
}

func (e *lockedError) Unwrap() error { return e.error }

// isLocked reports whether the server has ended a statement because it waited for a lock.
func isLocked(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "55P03"
}

// lockedOut adds to an error who holds the lock, if it is about one. It is for people who may see
// dead rows: it names sessions and their statements.
func lockedOut(ctx context.Context, conn *pgx.Conn, err error) error {
	if !isLocked(err) || conn.IsClosed() {
		return err
	}
	found, _ := admin.Blockers(ctx, conn, time.Second) // the lock is the error
	return &lockedError{err, found}
}

func (s *sessions) slotsOf(server string) slots {
	s.mu.Lock()
	defer s.mu.Unlock()
	of, ok := s.slots[server]
	if !ok {
		of = slots{make(chan struct{}, mostSessions/2), make(chan struct{}, mostSessions/2)}
		s.slots[server] = of
	}
	return of
}

// inUse says why there is no session: most likely the server does not answer.
func (s *sessions) inUse(ctx context.Context, server string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.failed[server]; last.err != nil && time.Since(last.at) < failureLasts {
		return last.err
	}
	return fmt.Errorf("%w: %w", errBusy, context.Cause(ctx))
}

func (s *sessions) take(server string) (idleSession, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.idle[server]
	if len(kept) == 0 {
		return idleSession{}, false
	}
	last := kept[len(kept)-1]
	s.idle[server] = kept[:len(kept)-1]
	return last, true
}

// open returns a session for a database: a kept one, or a new one.
func (s *sessions) open(ctx context.Context, d Database) (idleSession, error) {
	session, kept := s.take(d.Server)
	if kept {
		if session.schema == d.Schema && time.Since(session.since) < time.Second {
			return session, nil
		}
		if err := prepare(ctx, session.conn, d.Schema); err == nil {
			session.schema = d.Schema
			return session, nil
		}
		drop(session.conn) // the server has ended it meanwhile
	}
	conn, err := d.Connect(ctx)
	if err != nil {
		return idleSession{}, err
	}
	if err := prepare(ctx, conn, d.Schema); err != nil {
		drop(conn)
		return idleSession{}, err
	}
	return idleSession{conn: conn, schema: d.Schema}, nil
}

// prepare sets what the statements of a page need. It also shows whether the server still
// answers.
func prepare(ctx context.Context, conn *pgx.Conn, schema string) error {
	const settings = `SELECT set_config('search_path', $1, false), set_config('statement_timeout', $2, false), set_config('lock_timeout', $3, false)`
	if _, err := conn.Exec(ctx, settings, pgx.Identifier{schema}.Sanitize(), statementLasts, lockLasts); err != nil {
		return fmt.Errorf("the first query: %w", err)
	}
	return nil
}

func (s *sessions) keep(server string, session idleSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.failed, server) // it answers
	if s.closed {
		drop(session.conn)
		return
	}
	session.since = time.Now()
	s.idle[server] = append(s.idle[server], session)
}

// tidy closes the sessions that nobody has needed for a while.
func (s *sessions) tidy(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for server, kept := range s.idle {
		var still []idleSession
		for _, session := range kept {
			if s.closed || now.Sub(session.since) >= idleLasts {
				drop(session.conn)
			} else {
				still = append(still, session)
			}
		}
		if s.idle[server] = still; still == nil {
			delete(s.idle, server)
		}
	}
}

func (s *sessions) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.tidy(time.Now())
}

// drop closes a session without waiting for long.
func drop(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing is at stake on a session that is done
}
