package pgstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
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

// ConnectLogged is Connect with a log. If two servers of the addresses accept writes, the log
// gets a warning that names the one to fence. A nil log is [slog.Default]. A panic of its
// handler is recovered.
func ConnectLogged(ctx context.Context, config *pgx.ConnConfig, log *slog.Logger) (*pgx.Conn, error) {
	log = safelog.New(cmp.Or(log, slog.Default()))
	targets, err := pgdial.Targets(ctx, config)
	preferWritable(targets)
	errs := []error{err}
	for i, at := range targets {
		conn, err := pgdial.ConnectTo(ctx, at)
		if err == nil {
			if conn, err = promotedLast(ctx, conn, at, targets[i+1:], log); err == nil {
				return conn, nil
			}
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
// is no other, that is an error.
func promotedLast(ctx context.Context, conn *pgx.Conn, at pgdial.Target, others []pgdial.Target, log *slog.Logger) (*pgx.Conn, error) {
	if len(others) == 0 {
		return conn, nil
	}
	probing, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	asking, cancel := context.WithTimeout(ctx, pgdial.Timeout(at.Config))
	defer cancel()
	type probed struct {
		conn *pgx.Conn
		at   pgdial.Target
	}
	answers := make(chan probed, len(others))
	for _, other := range others {
		go func() {
			found, _ := pgdial.ConnectTo(probing, other) // an address that cannot be probed is left out
			answers <- probed{found, other}
		}()
	}
	used := probed{conn, at}
	mine, err := readStanding(asking, conn, at)
	for range others {
		other := <-answers
		if other.conn == nil {
			continue
		}
		theirs, problem := timedStanding(ctx, other.conn, other.at)
		left := other
		two := mine.acceptsWritesBeside(theirs)
		if problem == nil && (err != nil || mine.timeline > 0 && theirs.timeline > mine.timeline) {
			used, left = other, used
			mine, theirs, err = theirs, mine, nil
		}
		if two {
			warnOfTwo(ctx, log, used.at, left.at, mine.timeline, theirs.timeline)
		}
		closeSoon(left.conn)
	}
	if err != nil {
		closeSoon(used.conn)
		return nil, err
	}
	return used.conn, nil
}

// standing is what a server says about itself. The zero value is one that says nothing.
type standing struct {
	timeline int64
	started  string
	accepts  bool // writes
}

// acceptsWritesBeside reports whether both are servers that accept writes. Two addresses may
// lead to one server, which was started once.
func (s standing) acceptsWritesBeside(other standing) bool {
	return s.accepts && other.accepts && s.started != other.started
}

// readStanding asks the server of a connection once: a second question to one that is slow
// could lose it. An error means that it gave no answer. A server that has no such functions
// says nothing.
func readStanding(ctx context.Context, conn *pgx.Conn, at pgdial.Target) (s standing, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &pgdial.PanicError{Where: "the tracer of the database connections", Value: value, Stack: debug.Stack()}
		}
	}()
	const query = `SELECT coalesce(CASE WHEN NOT pg_is_in_recovery() THEN ` + timelineInHex + ` END, ''),
pg_postmaster_start_time()::text, NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::bool`
	var hex string
	if err := conn.QueryRow(ctx, query, pgx.QueryExecModeExec).Scan(&hex, &s.started, &s.accepts); err != nil {
		if conn.IsClosed() {
			return standing{}, fmt.Errorf("%s opened a session and then gave no answer: %w", at.Address, err)
		}
		return standing{}, nil
	}
	s.timeline = parseTimeline(hex)
	return s, nil
}

// timedStanding is readStanding with the time limit of a probe.
func timedStanding(ctx context.Context, conn *pgx.Conn, at pgdial.Target) (standing, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return readStanding(ctx, conn, at)
}

func closeSoon(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is not used
}
