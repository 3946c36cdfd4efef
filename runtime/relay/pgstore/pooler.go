package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// poolerRounds is how often lookForPooler tries to be caught by a pooler.
const poolerRounds = 5

// lookForPooler finds a pooler that hands a session's statements to whichever
// server session is free. One client sets something for its session; another
// opens a transaction and keeps it, which takes a server session away; then the
// first looks whether it is still where it was. Other clients of the pooler may
// spoil one round of this by chance, hardly all of them.
//
// A question that fails proves nothing: the server may be restarting, or somebody
// ended the session. Such an error is returned as it is, so that Check is made
// again.
func (d *dialer) lookForPooler(ctx context.Context, at target) error {
	var pair [2]*pgx.Conn
	for i := range pair {
		conn, err := d.connect(ctx, at)
		if err != nil {
			return err
		}
		defer func() { (&session{conn: conn}).close() }()
		pair[i] = conn
	}
	for range poolerRounds {
		before, err := whereabouts(ctx, pair[0], `set_config('outboxgen.session', 'first', false)`)
		if err != nil {
			return err
		}
		// In one message: the server may end a session that is idle in a transaction.
		if _, err := pair[1].Exec(ctx, "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
			return err
		}
		const look = `coalesce(current_setting('outboxgen.session', true), '')`
		theirs, err := whereabouts(ctx, pair[1], look)
		if err != nil {
			return err
		}
		after, err := whereabouts(ctx, pair[0], look)
		if err != nil {
			return err
		}
		if _, err := pair[1].Exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
		switch {
		case after != before:
			return poolerError(fmt.Errorf("a session that set outboxgen.session in backend %d found %q in backend %d a moment later",
				before.pid, after.mark, after.pid))
		case theirs.mark != "", theirs.pid == before.pid && theirs.server == before.server:
			return poolerError(fmt.Errorf("two sessions that were open at once were both in backend %d", theirs.pid))
		}
	}
	return nil
}

// place is where a statement of a session ran.
type place struct {
	mark   string
	pid    int32
	server string // when it started: with several hosts, two servers may have given the same pid
}

// whereabouts asks for it, and for a mark. It prepares no statement: a pooler may
// not know them, and that is not what is asked here.
func whereabouts(ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, mark string) (p place, err error) {
	err = q.QueryRow(ctx, "SELECT "+mark+", pg_backend_pid(), pg_postmaster_start_time()::text", pgx.QueryExecModeExec).
		Scan(&p.mark, &p.pid, &p.server)
	return p, err
}

// poolerSays reports whether an error is one that only a pooler gives: PgBouncer's
// own complaints about how it is used (it gives its transient ones, such as
// query_wait_timeout, the same code, so the text decides), and a prepared statement
// that is gone or there already, because its session is another one. Nothing but
// the store itself prepares or forgets statements of its sessions.
func poolerSays(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	const invalidStatementName, duplicateStatement, protocolViolation = "26000", "42P05", "08P01"
	switch pgErr.Code {
	case invalidStatementName, duplicateStatement:
		return true
	case protocolViolation:
		for _, complaint := range []string{
			"unsupported startup parameter", "not allowed in statement pooling mode", "prepared statement",
		} {
			if strings.Contains(pgErr.Message, complaint) {
				return true
			}
		}
	}
	return false
}

func poolerError(cause error) error {
	return &relay.SetupError{
		Problem: "the connection does not keep one server session: a pooler in transaction or statement mode is in between",
		Remedy:  "give the relay the server's own address, or a pool in session mode; it needs only a handful of sessions",
		Err:     cause,
	}
}
