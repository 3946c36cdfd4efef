package pgstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// closeTimeout bounds the polite goodbye to the server.
const closeTimeout = time.Second

// session is one connection with the store's settings.
type session struct {
	conn *pgx.Conn
	q    *pgdb.Queries
	// what the server says about it
	backend       backend
	serverStarted string
}

// backend is one entry of event_outbox_lease.backends.
type backend struct {
	PID   int32  `json:"pid"`
	Start string `json:"start"`
}

func (s *Store) connect(ctx context.Context, lockTimeout time.Duration) (_ *session, err error) {
	conn, err := pgx.ConnectConfig(ctx, s.cfg.Conn)
	if err != nil {
		return nil, err
	}
	opened := &session{conn: conn, q: pgdb.New(conn)}
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	names, values := s.cfg.settings(lockTimeout)
	if err := opened.q.SetUpSession(ctx, pgdb.SetUpSessionParams{Names: names, Values: values}); err != nil {
		return nil, fmt.Errorf("set up the session: %w", err)
	}
	d, err := opened.q.DescribeSession(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the session in pg_stat_activity: %w", err)
	}
	if d.Started == "" {
		return nil, &relay.SetupError{
			Problem: fmt.Sprintf("role %s, which %s becomes when it logs in, may not look at the session that it has itself", d.RoleName, d.Login),
			Remedy: fmt.Sprintf("GRANT pg_read_all_stats, pg_signal_backend TO %s, or ALTER ROLE %s RESET role",
				pgx.Identifier{d.RoleName}.Sanitize(), pgx.Identifier{d.Login}.Sanitize()),
		}
	}
	opened.backend = backend{PID: d.Pid, Start: d.Started}
	opened.serverStarted = d.ServerStarted
	return opened, nil
}

func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.conn.Close(ctx) // the socket is closed whatever it says
}

// openTerm opens the sessions of a term, all or none: first the one for the
// lease, then the workers.
func (s *Store) openTerm(ctx context.Context) ([]*session, error) {
	type result struct {
		i      int
		opened *session
		err    error
	}
	const n = 1 + workers
	results := make(chan result)
	for i := range n {
		lockTimeout := time.Duration(0)
		if i == 0 {
			lockTimeout = s.cfg.LockTimeout
		}
		go func() {
			opened, err := s.connect(ctx, lockTimeout)
			results <- result{i, opened, err}
		}()
	}
	sessions := make([]*session, n)
	var errs []error
	for range n {
		r := <-results
		sessions[r.i] = r.opened
		errs = append(errs, r.err)
	}
	if err := errors.Join(errs...); err != nil {
		for _, opened := range sessions {
			if opened != nil {
				opened.close()
			}
		}
		return nil, err
	}
	return sessions, nil
}

func marshalBackends(backends []backend) []byte {
	text, err := json.Marshal(backends)
	if err != nil {
		panic(err) // strings and integers always marshal
	}
	return text
}
