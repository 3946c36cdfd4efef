package pgstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// poolerRounds is how often lookForPooler tries to detect a pooler.
const poolerRounds = 5

// lookForPooler detects a pooler that runs a session's statements on any free server
// session. One client sets a value in its session. A second client opens a transaction
// and keeps it open, which occupies a server session. Then the first client checks
// whether it is still in its old session. Other clients of the pooler may hide the
// switch in one round, but hardly in all of them.
//
// A query that fails proves nothing: the server may be restarting, or somebody ended
// the session. Such an error is returned unchanged, so that Check runs again.
func (d *dialer) lookForPooler(ctx context.Context, at pgdial.Target) error {
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
		// In one message, because the server may end a session that is idle in a
		// transaction.
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
	server string // its start time: with several hosts, two servers may have given out the same pid
}

// whereabouts returns the place of a session and its mark. It prepares no statement: a
// pooler may not support them, and that is not the question here.
func whereabouts(ctx context.Context, q interface {
	QueryRow(context.Context, string, ...any) pgx.Row
}, mark string) (p place, err error) {
	err = q.QueryRow(ctx, "SELECT "+mark+", pg_backend_pid(), pg_postmaster_start_time()::text", pgx.QueryExecModeExec).
		Scan(&p.mark, &p.pid, &p.server)
	return p, err
}

func poolerError(cause error) error {
	return &relay.SetupError{
		Problem: "the connection does not keep one server session: a pooler in transaction or statement mode is in between",
		Remedy:  "give the relay the server's own address, or a pool in session mode; it needs only a handful of sessions",
		Err:     pgdial.FromPooler(cause),
	}
}
