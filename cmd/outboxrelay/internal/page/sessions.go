package page

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// mostSessions limits the sessions with one server.
	mostSessions = 2
	// idleLasts is how long a session is kept for the next request.
	idleLasts = 30 * time.Second
	// statementLasts limits a statement, so that nothing that a page asks for runs on.
	statementLasts = "15s"
	// answerLasts limits what a page waits for a database.
	answerLasts = 10 * time.Second
)

// sessions are the page's sessions with databases. They are few, shared by the outboxes
// of a server, opened when somebody needs one, and closed when nobody does.
type sessions struct {
	mu     sync.Mutex
	closed bool
	idle   map[string][]idleSession
	slots  map[string]chan struct{}
}

type idleSession struct {
	conn   *pgx.Conn
	schema string // of its search_path
	since  time.Time
}

func newSessions() *sessions {
	return &sessions{idle: map[string][]idleSession{}, slots: map[string]chan struct{}{}}
}

// with runs f in a session whose search_path has the outbox's tables.
func (s *sessions) with(ctx context.Context, d Database, f func(*pgx.Conn) error) error {
	slot := s.slot(d.Server)
	select {
	case slot <- struct{}{}:
		defer func() { <-slot }()
	case <-ctx.Done():
		return fmt.Errorf("the page's %d sessions with this database are in use: %w", mostSessions, context.Cause(ctx))
	}
	session, err := s.open(ctx, d)
	if err != nil {
		return err
	}
	if err = f(session.conn); err != nil || session.conn.IsClosed() || session.conn.PgConn().TxStatus() != 'I' {
		drop(session.conn)
		return err
	}
	s.keep(d.Server, session)
	return nil
}

func (s *sessions) slot(server string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slots[server] == nil {
		s.slots[server] = make(chan struct{}, mostSessions)
	}
	return s.slots[server]
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
	const settings = `SELECT set_config('search_path', $1, false), set_config('statement_timeout', $2, false)`
	if _, err := conn.Exec(ctx, settings, pgx.Identifier{schema}.Sanitize(), statementLasts); err != nil {
		return fmt.Errorf("the first query: %w", err)
	}
	return nil
}

func (s *sessions) keep(server string, session idleSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
