package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
)

// ErrTLS is matched by an error of Connect if the server and the address do not agree about TLS
// or about certificates; the server itself runs.
var ErrTLS = pgdial.ErrTLS

// ErrNoRole is matched by an error of Connect if the server has no such role, or if it may not
// log in.
var ErrNoRole = pgdial.ErrNoRole

// ErrPooler is matched by an error of Connect or of Check if a pooler in front of the server
// refuses a parameter of the session, or does not keep the session.
var ErrPooler = pgdial.ErrPooler

// Connect opens a connection for a tool next to the relay, to the server that a relay uses.
// If the configuration has several addresses, it connects to one that accepts writes, unless
// target_session_attrs is set; of several such servers, to the one that was promoted last. It
// has the time limits of a [Server] for addresses that are slow or do not answer. A panic of
// code in config, such as a tracer, is returned as an error.
func Connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	return ConnectLogged(ctx, config, slog.New(slog.DiscardHandler))
}

// ConnectLogged is Connect with a log. It gets a warning if two servers of the addresses accept
// writes.
func ConnectLogged(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger) (*pgx.Conn, error) {
	targets, err := pgdial.Targets(ctx, config)
	preferWritable(targets)
	errs := []error{err}
	for i, at := range targets {
		conn, err := pgdial.ConnectTo(ctx, at)
		if err == nil {
			if conn = promotedLast(ctx, conn, at, targets[i+1:], log); !conn.IsClosed() {
				return conn, nil
			}
			err = fmt.Errorf("%s opened a session and then gave no answer", at.Address)
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// preferWritable makes each of several addresses refuse a server that accepts no writes,
// unless the configuration says something else.
func preferWritable(targets []pgdial.Target) {
	if len(targets) < 2 {
		return
	}
	for _, at := range targets {
		if at.Config.ValidateConnect == nil {
			at.Config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		}
	}
}

// promotedLast returns conn, which leads to the address at, or a connection to one of the other
// addresses if that server was promoted later: after a fail-over the former primary may come
// back without knowing about it, and then the log gets a warning. It closes the ones that it
// does not return. A server that opens a session and then gives no answer is left out; if there
// is no other, the result is closed.
func promotedLast(ctx context.Context, conn *pgx.Conn, at pgdial.Target, others []pgdial.Target, log *slog.Logger) *pgx.Conn {
	if len(others) == 0 {
		return conn
	}
	probing, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	asking, cancel := context.WithTimeout(ctx, pgdial.Timeout(at.Config))
	defer cancel()
	type answer struct {
		conn *pgx.Conn
		at   pgdial.Target
	}
	answers := make(chan answer)
	for _, other := range others {
		go func() {
			found, _ := pgdial.ConnectTo(probing, other) // an address that cannot be probed is left out
			answers <- answer{found, other}
		}()
	}
	latest, timeline := conn, readTimeline(asking, conn)
	for range others {
		found := <-answers
		if found.conn == nil {
			continue
		}
		drop, left := found.conn, found.at
		theirs := timelineOf(ctx, found.conn)
		two := bothAcceptWrites(ctx, latest, found.conn)
		leftTimeline := theirs
		if !found.conn.IsClosed() && (latest.IsClosed() || timeline > 0 && theirs > timeline) {
			drop, left, leftTimeline = latest, at, timeline
			latest, at, timeline = found.conn, found.at, theirs
		}
		if two {
			warnOfTwo(ctx, log, at, left, timeline, leftTimeline)
		}
		closeSoon(drop)
	}
	return latest
}

// bothAcceptWrites reports whether the connections lead to two servers that accept writes. Two
// addresses may lead to one server.
func bothAcceptWrites(ctx context.Context, a, b *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	const query = `SELECT pg_postmaster_start_time()::text, pg_is_in_recovery() OR current_setting('transaction_read_only')::bool`
	var started [2]string
	for i, conn := range []*pgx.Conn{a, b} {
		var refuses bool
		if conn.IsClosed() {
			return false
		}
		if err := conn.QueryRow(ctx, query, pgx.QueryExecModeExec).Scan(&started[i], &refuses); err != nil || refuses {
			return false
		}
	}
	return started[0] != started[1]
}

// timelineOf is readTimeline with the time limit of a probe.
func timelineOf(ctx context.Context, conn *pgx.Conn) int64 {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return readTimeline(ctx, conn)
}

func closeSoon(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is not used
}
