package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// minVersion is the first Postgres with xid8 and pg_visible_in_snapshot.
const minVersion = 130000

// Statements in remedies.
const (
	createRemedy  = "apply what `outboxgen migration` prints"
	upgradeRemedy = "apply what `outboxgen migration --upgrade` prints"
	primaryRemedy = "point the relay at the primary, for instance with target_session_attrs=read-write in the connection string"
	serverRemedy  = "the outbox needs Postgres 13 or later, or a service that runs it; " +
		"CockroachDB and YugabyteDB speak its protocol but have no snapshots of transaction ids, by which the relay reads"
)

// The tables that the store uses.
const (
	outboxTable  = "event_outbox"
	delayedTable = "event_outbox_delayed"
	leaseTable   = "event_outbox_lease"
	auditTable   = "event_outbox_audit"
)

// checked is what the checks of one outbox have found.
type checked struct {
	server pgdb.DescribeServerRow
	tables pgdb.FindTablesRow
	marked bool // the lease has a low-water mark
	ofLog  pgdb.FindLogTablesRow
}

// role returns the role for GRANT statements in remedies.
func (c *checked) role() string { return pgx.Identifier{c.server.RoleName}.Sanitize() }

// checkLimit limits one check, which takes about sixty round trips.
const checkLimit = time.Minute

// Check checks the server and the tables, and tries the calls that the relay will make.
// A problem that needs an operator is a *relay.SetupError.
//
// On a slow network a check takes longer than a take-over may. It continues when ctx
// ends: calls in the meantime wait for its result. If no call waits, the next call
// within ten seconds gets it.
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

// check runs one check. It ends with the store.
func (s *Store) check() error {
	ctx, cancel := context.WithTimeout(s.ctx, checkLimit)
	defer cancel()
	err := s.server.with(ctx, func(r *serverRun) error {
		if err := r.surroundings.check(ctx); err != nil {
			return err
		}
		// A server that no longer answers must not delay the check of the next one.
		ctx, cancel := r.during(ctx)
		defer cancel()
		err := s.watchOn(ctx, r, func(se *session) error { return s.checkAll(ctx, se.unprepared()) })
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	})
	return asSetup(err)
}

// asSetup returns the SetupError of an error that only an operator can end, or the error.
func asSetup(err error) error {
	switch _, known := errors.AsType[*relay.SetupError](err); {
	case known:
	case pgdial.PoolerSays(err):
		err = poolerError(err)
	case unsupported(err):
		err = &relay.SetupError{Problem: "the server lacks something that the relay calls", Remedy: serverRemedy, Err: err}
	}
	return err
}

// checkStep is one step of a check.
type checkStep func(context.Context, *session, *checked) error

// tableChecks returns the steps, in groups: those of a group do not need each other.
func (s *Store) tableChecks() [][]checkStep {
	return [][]checkStep{
		{s.checkServer}, {s.checkSchema}, {s.checkTables},
		{s.checkColumns, s.checkIndexes, s.checkPrivileges},
		{s.checkWrites, s.checkIdentity, s.checkLog},
	}
}

// checkAll checks the server and the tables with one session.
func (s *Store) checkAll(ctx context.Context, se *session) error {
	server, err := se.q.DescribeServer(ctx)
	if err != nil {
		return err
	}
	c := &checked{server: server}
	for _, check := range slices.Concat(s.checks...) {
		if err := check(ctx, se, c); err != nil {
			return err
		}
	}
	s.warnDurability(ctx, server)
	return nil
}

// foreignServers are products that look like Postgres to a client but have other
// transactions, with a part of their version().
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
	forbidden, err := se.q.ForbiddenFunctions(ctx, s.shape.partitioned)
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

// checkLog comes last because it writes a message to the log.
func (s *Store) checkLog(ctx context.Context, se *session, _ *checked) error {
	return s.probeLog(ctx, se)
}

// relation returns the name of a table as SQL.
func (s *Store) relation(table string) string { return s.names.table(table) }

// warnOnce logs a warning that later checks do not repeat.
func (s *Store) warnOnce(ctx context.Context, text string, attrs ...any) {
	if _, again := s.warned.LoadOrStore(text+fmt.Sprint(attrs...), true); !again {
		s.cfg.Logger.WarnContext(ctx, text, append([]any{slog.String("store", s.where)}, attrs...)...)
	}
}

// warnDurability warns of server settings that weaken the guarantees.
func (s *Store) warnDurability(ctx context.Context, server pgdb.DescribeServerRow) {
	if server.SynchronousCommit == "off" {
		s.warnOnce(ctx, "synchronous_commit is off by default on the server: a crash can forget a commit "+
			"that its writer was told of", "remedy", "turn it on for the sessions that insert events, such as ALTER ROLE … SET synchronous_commit = on")
	}
	if server.Fsync == "off" {
		s.warnOnce(ctx, "fsync is off on the server: a crash of the machine can forget or corrupt anything",
			"remedy", "unless the server is only for tests: ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf(); then write to disk what the machine still buffers: sync")
	}
}
