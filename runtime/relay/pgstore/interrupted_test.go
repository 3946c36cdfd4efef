package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// interrupter calls a function just before the n-th statement of its connections.
type interrupter struct {
	mu     sync.Mutex
	before int // 0: never
	count  int
	do     func(*pgx.Conn)
}

func (i *interrupter) TraceQueryStart(ctx context.Context, conn *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count++
	if i.count == i.before {
		i.do(conn)
	}
	return ctx
}

// statements returns the number of statements. Work of Check may continue after it has
// returned.
func (i *interrupter) statements() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count
}

func (i *interrupter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// An interruption of Check, whatever it is, is not a problem that needs operator
// action: the relay must not end because of it.
func TestCheckTakesNoInterruptionForARefusal(t *testing.T) {
	each(t, func(t *testing.T, pg *services.PG) {
		check := func(before int, do func(cancel func(), conn *pgx.Conn)) (statements int, err error) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tracer := &interrupter{before: before, do: func(conn *pgx.Conn) { do(cancel, conn) }}
			s := newStore(t, pg, func(c *pgstore.Config) { c.Conn.Tracer = tracer })
			defer s.Close()
			err = s.Check(ctx)
			return tracer.statements(), err
		}
		statements, err := check(0, nil)
		must(t, err)
		for name, do := range map[string]func(func(), *pgx.Conn){
			"the backend is terminated": func(_ func(), conn *pgx.Conn) {
				exec(t, pg.Pool, `SELECT pg_terminate_backend($1::int)`, conn.PgConn().PID())
			},
			"the connection is cut": func(_ func(), conn *pgx.Conn) { _ = conn.PgConn().Conn().Close() },
			"the caller gives up":   func(cancel func(), _ *pgx.Conn) { cancel() },
			"the statement takes too long": func(_ func(), conn *pgx.Conn) {
				// Once with the statement's own lock, which only this session has: any
				// statement fails in an aborted transaction, as after a timeout.
				_, _ = conn.PgConn().Exec(t.Context(), "BEGIN; SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)").ReadAll()
			},
		} {
			failed := 0
			for n := 1; n <= statements; n++ {
				_, err := check(n, do)
				if setup, ok := errors.AsType[*relay.SetupError](err); ok {
					t.Errorf("%s before statement %d of %d: %v: %v", name, n, statements, setup, setup.Err)
				}
				if err != nil {
					failed++
				}
			}
			if failed == 0 {
				t.Errorf("%s: no check of %d failed, so nothing was interrupted", name, statements)
			}
		}
	})
}

// Only errors that only a pooler returns are evidence of one.
func TestWhatAPoolerSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code, message string
		want          bool
	}{
		{"57P01", "terminating connection due to administrator command", false},
		{"57P02", "terminating connection because of crash of another server process", false},
		{"57P03", "the database system is starting up", false},
		{"57014", "canceling statement due to statement timeout", false},
		{"53300", "sorry, too many clients already", false},
		{"25P02", "current transaction is aborted, commands ignored until end of transaction block", false},
		// PgBouncer's, temporary.
		{"08P01", "query_wait_timeout", false},
		{"08P01", "server login has been failing, cached error: connect failed (server_login_retry)", false},
		{"08P01", "pgbouncer cannot connect to server", false},
		{"08P01", "server conn crashed?", false},
		{"08P01", "the database system is shutting down", false},
		// PgBouncer's, about how it is used.
		{"08P01", "unsupported startup parameter: jit", true},
		{"08P01", "transaction blocks not allowed in statement pooling mode", true},
		{"08P01", "prepared statement name is already in use", true},
		// The server's, to a session that is not the former one.
		{"26000", `prepared statement "stmtcache_1" does not exist`, true},
		{"42P05", `prepared statement "stmtcache_1" already exists`, true},
	} {
		err := fmt.Errorf("set up the session: %w", &pgconn.PgError{Code: c.code, Message: c.message})
		if got := pgstore.PoolerSays(err); got != c.want {
			t.Errorf("%s (%s): %v, want %v", c.message, c.code, got, c.want)
		}
	}
	if pgstore.PoolerSays(context.Canceled) {
		t.Error("a cancelled context was taken for a pooler")
	}
}
