package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// minVersion is the first Postgres with xid8 and pg_visible_in_snapshot.
const minVersion = 130000

// What a remedy tells people to run.
const (
	createRemedy  = "apply what `outboxgen migration` prints"
	upgradeRemedy = "apply what `outboxgen migration --upgrade` prints"
	primaryRemedy = "point the relay at the primary, for instance with target_session_attrs=read-write in the connection string"
	serverRemedy  = "the outbox needs Postgres 13 or later, or a service that runs it; " +
		"CockroachDB and YugabyteDB speak its protocol but have no snapshots of transaction ids, by which the relay reads"
)

// The tables that the store uses.
const (
	outboxTable = "event_outbox"
	leaseTable  = "event_outbox_lease"
	auditTable  = "event_outbox_audit"
)

// checked is what the checks of one outbox have found.
type checked struct {
	server pgdb.DescribeServerRow
	tables pgdb.FindTablesRow
}

// role is the role that a remedy grants something to.
func (c *checked) role() string { return pgx.Identifier{c.server.RoleName}.Sanitize() }

// checkLimit bounds one check, which takes some sixty round trips.
const checkLimit = time.Minute

// Check looks at the server and the tables, and calls what the relay will call.
// What needs an operator is a *relay.SetupError.
//
// On a slow network a check takes longer than a take-over may. It goes on when ctx ends
// first: calls that come meanwhile wait for its answer, and when nobody waited for it,
// the next call of the next ten seconds gets it.
func (s *Store) Check(ctx context.Context) error {
	err := s.open()
	if err == nil {
		err = s.checking.run(ctx, &s.server.work, s.check)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("still checking: %w", s.server.dial.why(err))
		}
	}
	return s.wrap("check the outbox", err)
}

// check is one check. It ends with the store.
func (s *Store) check() error {
	ctx, cancel := context.WithTimeout(s.ctx, checkLimit)
	defer cancel()
	err := s.server.with(ctx, func(r *serverRun) error {
		if err := r.surroundings.check(ctx); err != nil {
			return err
		}
		// A server that has fallen silent must not hold up the check of the next one.
		ctx, cancel := r.during(ctx)
		defer cancel()
		err := s.watchOn(ctx, r, func(se *session) error { return s.checkAll(ctx, se.unprepared()) })
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	})
	switch _, known := errors.AsType[*relay.SetupError](err); {
	case known:
	case poolerSays(err):
		err = poolerError(err)
	case unsupported(err):
		err = &relay.SetupError{Problem: "the server lacks something that the relay calls", Remedy: serverRemedy, Err: err}
	}
	return err
}

// checkAll looks at the server and the tables with one session.
func (s *Store) checkAll(ctx context.Context, se *session) error {
	server, err := se.q.DescribeServer(ctx)
	if err != nil {
		return err
	}
	c := &checked{server: server}
	checks := []func(context.Context, *session, *checked) error{
		s.checkServer, s.checkSchema, s.checkTables, s.checkColumns, s.checkIndexes, s.checkPrivileges,
		s.checkWrites, s.checkIdentity, s.checkLog,
	}
	for _, check := range checks {
		if err := check(ctx, se, c); err != nil {
			return err
		}
	}
	s.warnDurability(ctx, server)
	return nil
}

// foreignServers are products that look like Postgres to a client and have other
// transactions, with what their version() contains.
var foreignServers = []struct{ name, version string }{
	{"CockroachDB", "CockroachDB"},
	{"YugabyteDB", "-YB-"},
	{"Amazon Redshift", "Redshift"},
	{"Greenplum", "Greenplum"},
}

func (s *Store) checkServer(ctx context.Context, se *session, c *checked) error {
	for _, foreign := range foreignServers {
		if strings.Contains(c.server.Product, foreign.version) {
			return &relay.SetupError{Problem: fmt.Sprintf("the server is %s (%s)", foreign.name, c.server.Product), Remedy: serverRemedy}
		}
	}
	switch {
	case c.server.Version < minVersion:
		return &relay.SetupError{
			Problem: fmt.Sprintf("the server is Postgres %d", c.server.Version/10000),
			Remedy:  "the outbox needs Postgres 13 or later",
		}
	case c.server.Standby:
		return &relay.SetupError{
			Problem:   "the server is a standby, which can neither settle rows nor tell what is on disk",
			Remedy:    primaryRemedy,
			Transient: true,
		}
	}
	forbidden, err := se.q.ForbiddenFunctions(ctx)
	if err != nil {
		return err
	}
	if len(forbidden) > 0 {
		functions := strings.Join(forbidden, ", ")
		return &relay.SetupError{
			Problem: fmt.Sprintf("role %s may not call %s", c.server.RoleName, functions),
			Remedy:  fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s", functions, c.role()),
		}
	}
	return nil
}

// checkLog comes last: it writes a message to the log.
func (s *Store) checkLog(ctx context.Context, se *session, _ *checked) error {
	return s.probeLog(ctx, se)
}

// relation is the name of a table as SQL has it.
func (s *Store) relation(table string) string { return s.names.table(table) }

// warnOnce writes a warning that a later check need not repeat.
func (s *Store) warnOnce(ctx context.Context, text string, attrs ...any) {
	if _, again := s.warned.LoadOrStore(text+fmt.Sprint(attrs...), true); !again {
		s.cfg.Logger.WarnContext(ctx, text, append([]any{slog.String("store", s.where)}, attrs...)...)
	}
}

// warnDurability says what the server's settings take from the promise.
func (s *Store) warnDurability(ctx context.Context, server pgdb.DescribeServerRow) {
	if server.SynchronousCommit == "off" {
		s.warnOnce(ctx, "synchronous_commit is off by default on the server: a crash can forget a commit "+
			"that its writer was told of; turn it on for the sessions that insert events")
	}
	if server.Fsync == "off" {
		s.warnOnce(ctx, "fsync is off on the server: a crash of the machine can forget or corrupt anything")
	}
}
