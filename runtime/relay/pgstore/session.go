package pgstore

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// closeTimeout limits closing a connection.
const closeTimeout = time.Second

// session is one connection with the store's settings. A store uses a view of it, in
// which the tables have the store's schema.
type session struct {
	conn *pgx.Conn
	db   pgdb.DBTX // conn, with qualified table names
	q    *pgdb.Queries
	// reported by the server
	backend       backend
	serverStarted string
	timeline      int64 // how often it was promoted; 0: not reported
	// notified gets the notifications that arrive during any call.
	notified func(*pgconn.Notification)

	freed time.Time // when it was last returned
}

// backend is one entry of event_outbox_lease.backends.
type backend struct {
	PID   int32  `json:"pid"`
	Start string `json:"start"`
}

// preparedStatements is how many statements a session keeps prepared.
const preparedStatements = 512

// openSession connects to one address and sets up the session.
func openSession(ctx context.Context, config *pgx.ConnConfig, cfg ServerConfig, lockTimeout time.Duration) (_ *session, err error) {
	opened := &session{}
	config = config.Copy()
	// Pages are read in binary format, and are not planned again each time. Sessions
	// are the server's own, so prepared statements work.
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = preparedStatements, preparedStatements
	config.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if opened.notified != nil {
			opened.notified(n)
		}
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	opened.conn, opened.db, opened.q = conn, conn, pgdb.New(conn)
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	noticeSilence(conn.PgConn().Conn())
	q := opened.unprepared().q
	names, values := cfg.settings(lockTimeout)
	if err := q.SetUpSession(ctx, pgdb.SetUpSessionParams{Names: names, Values: values}); err != nil {
		return nil, fmt.Errorf("set up the session: %w", err)
	}
	d, err := q.DescribeSession(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the session in pg_stat_activity: %w", err)
	}
	if d.Started == "" {
		return nil, &relay.SetupError{
			Problem: fmt.Sprintf("role %s, which %s becomes when it logs in, may not see its own session", d.RoleName, d.Login),
			Remedy: fmt.Sprintf("GRANT pg_read_all_stats, pg_signal_backend TO %s, or ALTER ROLE %s RESET role",
				pgx.Identifier{d.RoleName}.Sanitize(), pgx.Identifier{d.Login}.Sanitize()),
		}
	}
	opened.backend = backend{PID: d.Pid, Start: d.Started}
	opened.serverStarted = d.ServerStarted
	opened.timeline = readTimeline(ctx, conn)
	if opened.lost() {
		return nil, fmt.Errorf("ask for the timeline: %w", context.Cause(ctx))
	}
	return opened, nil
}

// readTimeline returns how often the server, or its ancestors, were promoted; 0: not
// reported.
func readTimeline(ctx context.Context, conn *pgx.Conn) int64 {
	var hex string
	if err := conn.QueryRow(ctx, "SELECT "+timelineInHex, pgx.QueryExecModeExec).Scan(&hex); err != nil {
		return 0
	}
	return parseTimeline(hex)
}

// timelineInHex is an expression for the timeline of a server that accepts writes. A standby
// rejects it.
const timelineInHex = "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)"

// parseTimeline returns 0 for a text that is no timeline.
func parseTimeline(hex string) int64 {
	n, err := strconv.ParseInt(hex, 16, 64)
	if err != nil {
		return 0
	}
	return n
}

// seen returns the session for a store with these table names.
func (s *session) seen(names *tableNames) *session {
	view := *s
	view.db = names.qualify(s.conn)
	view.q = pgdb.New(view.db)
	return &view
}

// unprepared returns the session for statements that run once, because preparing one
// costs a round trip.
func (s *session) unprepared() *session {
	view := *s
	view.db = unpreparedDB{s.db}
	view.q = pgdb.New(view.db)
	return &view
}

// unpreparedDB sends statements without preparing them.
type unpreparedDB struct{ db pgdb.DBTX }

func (u unpreparedDB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return u.db.Exec(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
}

func (u unpreparedDB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return u.db.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
}

func (u unpreparedDB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return u.db.QueryRow(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
}

func (s *session) lost() bool { return s.conn.IsClosed() }

func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = s.conn.Close(ctx) // the socket is closed in any case
}

// How soon the kernel gives up on a peer that vanished, in a session that waits for an
// answer.
const (
	keepAliveIdle     = 10 * time.Second
	keepAliveInterval = 5 * time.Second
	keepAliveProbes   = 3
	sentUnanswered    = 15 * time.Second
)

// noticeSilence makes the kernel notice that the other end is gone. Every call has its
// own time limit; this is for calls that may take long.
func noticeSilence(conn net.Conn) {
	for {
		wrapped, ok := conn.(interface{ NetConn() net.Conn }) // TLS, patience
		if !ok {
			break
		}
		conn = wrapped.NetConn()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	// A system that does not know these keeps its own.
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable: true, Idle: keepAliveIdle, Interval: keepAliveInterval, Count: keepAliveProbes,
	})
	limitUnanswered(tcp, sentUnanswered)
}

func marshalBackends(backends []backend) []byte {
	text, err := json.Marshal(backends)
	if err != nil {
		panic(err) // strings and integers always marshal
	}
	return text
}
