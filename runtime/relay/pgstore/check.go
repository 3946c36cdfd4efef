package pgstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
)

// Check looks at server and tables; what only a person can mend is a
// *relay.SetupError.
func (s *Store) Check(ctx context.Context) error {
	err := s.watch(ctx, func(se *session) error {
		server, err := se.q.DescribeServer(ctx)
		if err != nil {
			return err
		}
		checks := []func(context.Context, *session, pgdb.DescribeServerRow) error{
			s.checkServer, s.checkSessions, s.checkTables, s.checkColumns, s.checkIndexes, s.checkPrivileges, s.checkIdentity,
		}
		for _, check := range checks {
			if err := check(ctx, se, server); err != nil {
				return err
			}
		}
		s.warnDurability(ctx, server)
		return nil
	})
	if poolerSays(err) {
		err = poolerError(err)
	}
	return s.wrap("check the outbox", err)
}

func (s *Store) checkServer(ctx context.Context, se *session, server pgdb.DescribeServerRow) error {
	switch {
	case server.Version < minVersion:
		return &relay.SetupError{
			Problem: fmt.Sprintf("the server is Postgres %d", server.Version/10000),
			Remedy:  "the outbox needs Postgres 13 or later",
		}
	case server.Standby:
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
			Problem: fmt.Sprintf("role %s may not call %s, by which the relay knows what is on disk", server.RoleName, functions),
			Remedy:  fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s", functions, pgx.Identifier{server.RoleName}.Sanitize()),
		}
	}
	return nil
}

func (s *Store) checkTables(ctx context.Context, se *session, server pgdb.DescribeServerRow) error {
	place := "the search_path " + server.SearchPath
	if server.Outbox == 0 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("there is no table event_outbox in %s (role %s)", place, server.RoleName),
			Remedy:  createRemedy + ", or name the schema that the tables are in",
		}
	}
	columns, err := se.q.DescribeColumns(ctx, server.Outbox)
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range addedColumns {
		if !slices.ContainsFunc(columns, func(c pgdb.DescribeColumnsRow) bool { return c.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("event_outbox in %s is of the older shape: it lacks %s", place, strings.Join(missing, ", ")),
			Remedy:  upgradeRemedy,
		}
	}
	if server.Lease == 0 || server.Audit == 0 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("there is an event_outbox in %s, but event_outbox_lease or event_outbox_audit is missing", place),
			Remedy:  upgradeRemedy,
		}
	}
	if err := s.checkBeside(ctx, se, "event_outbox_lease", server.Lease, leaseColumns); err != nil {
		return err
	}
	if err := s.checkBeside(ctx, se, "event_outbox_audit", server.Audit, auditColumns); err != nil {
		return err
	}
	table, err := se.q.DescribeTable(ctx, server.Outbox)
	if err != nil {
		return err
	}
	switch {
	case table.Kind != "r":
		return &relay.SetupError{
			Problem: fmt.Sprintf("event_outbox in %s is not a plain table (relkind %q)", place, table.Kind),
			Remedy:  createRemedy + " in a schema of its own",
		}
	case table.Persistence != "p":
		return &relay.SetupError{
			Problem: fmt.Sprintf("event_outbox in %s is an unlogged or temporary table: a crash empties it", place),
			Remedy:  "ALTER TABLE event_outbox SET LOGGED",
		}
	case table.RowSecurity:
		return &relay.SetupError{
			Problem: fmt.Sprintf("row security hides rows of event_outbox from role %s, and a hidden row is never delivered", server.RoleName),
			Remedy: fmt.Sprintf("ALTER ROLE %s BYPASSRLS, or ALTER TABLE event_outbox DISABLE ROW LEVEL SECURITY",
				pgx.Identifier{server.RoleName}.Sanitize()),
		}
	}
	return nil
}

// leaseColumns and auditColumns are those that the store's statements name.
var (
	leaseColumns = []string{
		"name", "epoch", "beat", "holder", "backends", "suspect_seq", "unclean_ends", "state", "updated_at",
	}
	auditColumns = []string{"id", "action", "seq", "event_type", "topic", "event_key", "applied_at"}
)

// checkBeside looks for the columns of a table beside event_outbox.
func (s *Store) checkBeside(ctx context.Context, se *session, table string, oid uint32, want []string) error {
	columns, err := se.q.DescribeColumns(ctx, oid)
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range want {
		if !slices.ContainsFunc(columns, func(c pgdb.DescribeColumnsRow) bool { return c.Name == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &relay.SetupError{
		Problem: fmt.Sprintf("%s lacks %s", table, strings.Join(missing, ", ")),
		Remedy:  "compare the table with `outboxgen migration --format sql`, and add the columns",
	}
}

// addedColumns are those that an outbox of the older shape lacks.
var addedColumns = []string{"tx", "seq", "topic", "headers", "next_attempt_at", "dead_at"}

// columnTypes are the types that the store's statements count on; a varchar may
// be a text.
var columnTypes = map[string]string{
	"id": "uuid", "aggregate_id": "character varying", "aggregate_type": "character varying",
	"event_type": "character varying", "event_data": "json", "event_key": "character varying",
	"created_at": "timestamp with time zone", "published_at": "timestamp with time zone",
	"retry_count": "integer", "last_error": "text", "tx": "xid8", "seq": "bigint",
	"topic": "character varying", "headers": "json",
	"next_attempt_at": "timestamp with time zone", "dead_at": "timestamp with time zone",
}

func (s *Store) checkColumns(ctx context.Context, se *session, server pgdb.DescribeServerRow) error {
	columns, err := se.q.DescribeColumns(ctx, server.Outbox)
	if err != nil {
		return err
	}
	found := map[string]pgdb.DescribeColumnsRow{}
	for _, c := range columns {
		found[c.Name] = c
	}
	var wrong []string
	for name, want := range columnTypes {
		c, ok := found[name]
		switch {
		case !ok:
			wrong = append(wrong, name+" is missing")
		case c.Type != want && !(want == "character varying" && c.Type == "text"):
			wrong = append(wrong, fmt.Sprintf("%s is %s, not %s", name, c.Type, want))
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return &relay.SetupError{
			Problem: "the columns of event_outbox are not those of an outbox: " + strings.Join(wrong, "; "),
			Remedy:  "compare the table with `outboxgen migration --format sql`, and change the columns",
		}
	}
	if !strings.Contains(found["tx"].DefaultExpression, "pg_current_xact_id()") {
		return &relay.SetupError{
			Problem: "event_outbox.tx does not default to pg_current_xact_id(), so that the relay would not see new rows",
			Remedy:  "ALTER TABLE event_outbox ALTER tx SET DEFAULT pg_current_xact_id()",
		}
	}
	if found["seq"].Identity != "a" {
		return &relay.SetupError{
			Problem: "event_outbox.seq is not GENERATED ALWAYS AS IDENTITY, so that a writer could choose its own place in the order",
			Remedy:  "ALTER TABLE event_outbox ALTER seq SET GENERATED ALWAYS (or ADD GENERATED ALWAYS AS IDENTITY)",
		}
	}
	return nil
}

// neededIndexes are those that the store's statements walk.
var neededIndexes = []struct{ column, predicate, definition string }{
	{
		"seq", "((published_at IS NULL) AND (dead_at IS NULL))",
		"CREATE INDEX ix_event_outbox_unpublished ON event_outbox (seq) WHERE published_at IS NULL AND dead_at IS NULL",
	},
	{"tx", "", "CREATE INDEX ix_event_outbox_tx ON event_outbox (tx)"},
	{
		"seq", "(((next_attempt_at IS NOT NULL) OR (dead_at IS NOT NULL)) AND (published_at IS NULL))",
		"CREATE INDEX ix_event_outbox_held ON event_outbox (seq) " +
			"WHERE (next_attempt_at IS NOT NULL OR dead_at IS NOT NULL) AND published_at IS NULL",
	},
}

func (s *Store) checkIndexes(ctx context.Context, se *session, server pgdb.DescribeServerRow) error {
	indexes, err := se.q.DescribeIndexes(ctx, server.Outbox)
	if err != nil {
		return err
	}
	var missing []string
	for _, need := range neededIndexes {
		if !slices.ContainsFunc(indexes, func(i pgdb.DescribeIndexesRow) bool {
			return i.Valid && i.LeadingColumn == need.column && i.Predicate == need.predicate
		}) {
			missing = append(missing, need.definition)
		}
	}
	if len(missing) > 0 {
		return &relay.SetupError{
			Problem: "event_outbox lacks an index that the relay reads by, or has it with another condition or invalid",
			Remedy:  "drop the one of that name if there is one, then: " + strings.Join(missing, "; "),
		}
	}
	return nil
}

func (s *Store) checkPrivileges(ctx context.Context, se *session, server pgdb.DescribeServerRow) error {
	wanted := []struct{ relation, privileges string }{
		{"event_outbox", "SELECT, UPDATE, DELETE"},
		{"event_outbox_lease", "SELECT, INSERT, UPDATE"},
		{"event_outbox_audit", "SELECT, UPDATE"},
	}
	var p pgdb.MissingPrivilegesParams
	for _, w := range wanted {
		for privilege := range strings.SplitSeq(w.privileges, ", ") {
			p.Relations = append(p.Relations, w.relation)
			p.Privileges = append(p.Privileges, privilege)
		}
	}
	missing, err := se.q.MissingPrivileges(ctx, p)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	var lacks, grants []string
	role := pgx.Identifier{server.RoleName}.Sanitize()
	for _, m := range missing {
		lacks = append(lacks, m.Privilege+" on "+m.Relation)
	}
	for _, w := range wanted {
		if slices.ContainsFunc(missing, func(m pgdb.MissingPrivilegesRow) bool { return m.Relation == w.relation }) {
			grants = append(grants, fmt.Sprintf("GRANT %s ON %s TO %s", w.privileges, w.relation, role))
		}
	}
	return &relay.SetupError{
		Problem: fmt.Sprintf("role %s lacks %s", server.RoleName, strings.Join(lacks, ", ")),
		Remedy:  strings.Join(grants, "; "),
	}
}

func (s *Store) checkIdentity(ctx context.Context, se *session, server pgdb.DescribeServerRow) error {
	// First the rows, then the sequence: the other way round an insert in between
	// would look like a sequence that was set back.
	highest, err := se.q.HighestSeq(ctx)
	if err != nil {
		return err
	}
	id, err := se.q.DescribeIdentity(ctx)
	if err != nil {
		return err
	}
	switch {
	case id.Cache != 1:
		return &relay.SetupError{
			Problem: fmt.Sprintf("the sequence %s of event_outbox.seq hands out %d numbers at a time to a session, "+
				"so that they are not in the order of the inserts", id.SequenceName, id.Cache),
			Remedy: "ALTER TABLE event_outbox ALTER seq SET CACHE 1",
		}
	case id.Cycles, id.Increment < 1:
		return &relay.SetupError{
			Problem: fmt.Sprintf("the sequence %s of event_outbox.seq may start over or counts down", id.SequenceName),
			Remedy:  "ALTER TABLE event_outbox ALTER seq SET NO CYCLE SET INCREMENT 1",
		}
	case !id.MaySee:
		return &relay.SetupError{
			Problem: fmt.Sprintf("role %s may not look at the sequence %s", server.RoleName, id.SequenceName),
			Remedy:  fmt.Sprintf("GRANT SELECT ON SEQUENCE %s TO %s", id.SequenceName, pgx.Identifier{server.RoleName}.Sanitize()),
		}
	}
	if id.LastValue < highest {
		return &relay.SetupError{
			Problem: fmt.Sprintf("the sequence %s stands at %d, below the highest seq in event_outbox (%d): "+
				"new events would be delivered before older ones", id.SequenceName, id.LastValue, highest),
			Remedy: fmt.Sprintf("stop the writers, then SELECT setval('%s', (SELECT max(seq) FROM event_outbox))",
				strings.ReplaceAll(id.SequenceName, "'", "''")),
		}
	}
	return nil
}

// warnDurability says what the server's settings take from the promise.
func (s *Store) warnDurability(ctx context.Context, server pgdb.DescribeServerRow) {
	if server.SynchronousCommit == "off" {
		s.cfg.Logger.WarnContext(ctx, "synchronous_commit is off by default on the server: a crash can forget a commit "+
			"that its writer was told of; turn it on for the sessions that insert events", "store", s.where)
	}
	if server.Fsync == "off" {
		s.cfg.Logger.WarnContext(ctx, "fsync is off on the server: a crash of the machine can forget or corrupt anything", "store", s.where)
	}
}
