package pgstore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// checkSchema checks whether the role may use the schema. Otherwise the schema looks
// empty.
func (s *Store) checkSchema(ctx context.Context, se *session, c *checked) error {
	if s.cfg.Schema == "" {
		return nil
	}
	schema, err := se.q.DescribeSchema(ctx, s.cfg.Schema)
	switch {
	case err != nil:
		return err
	case !schema.There:
		return &relay.SetupError{
			Problem: fmt.Sprintf("there is no schema %s", s.cfg.Schema),
			Remedy:  "name the schema that the outbox's tables are in, or create it and " + createRemedy,
		}
	case !schema.Usable:
		return s.schemaError(c, s.cfg.Schema)
	}
	return nil
}

func (s *Store) schemaError(c *checked, schema string) error {
	return &relay.SetupError{
		Problem: fmt.Sprintf("role %s may not use schema %s", c.server.RoleName, schema),
		Remedy:  fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", pgx.Identifier{schema}.Sanitize(), c.role()),
	}
}

// place says where the tables were searched.
func (s *Store) place(c *checked) string {
	if s.cfg.Schema != "" {
		return "schema " + s.cfg.Schema
	}
	return "the search_path " + c.server.SearchPath
}

func (s *Store) checkTables(ctx context.Context, se *session, c *checked) error {
	var err error
	c.tables, err = se.q.FindTables(ctx, pgdb.FindTablesParams{
		Outbox: s.relation(outboxTable), Lease: s.relation(leaseTable), Audit: s.relation(auditTable), Delayed: s.relation(delayedTable),
	})
	if err != nil {
		return err
	}
	if c.tables.Outbox == 0 {
		return s.noOutbox(ctx, se, c)
	}
	if err := s.checkKind(ctx, se, c); err != nil {
		return err
	}
	columns, err := se.q.DescribeColumns(ctx, c.tables.Outbox)
	if err != nil {
		return err
	}
	if missing := lacking(columns, s.shape.added); len(missing) > 0 {
		if other := lacking(columns, s.shape.older); len(other) > 0 {
			return &relay.SetupError{
				Problem: fmt.Sprintf("event_outbox in %s is a table of another kind: it lacks %s", s.place(c), strings.Join(other, ", ")),
				Remedy:  "rename that table and " + createRemedy + "; if only the names of its columns differ, rename them and " + upgradeRemedy,
			}
		}
		return &relay.SetupError{
			Problem: fmt.Sprintf("event_outbox in %s has the older shape: it lacks %s", s.place(c), strings.Join(missing, ", ")),
			Remedy:  upgradeRemedy,
		}
	}
	if c.tables.Lease == 0 || c.tables.Audit == 0 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("there is an event_outbox in %s, but event_outbox_lease or event_outbox_audit is missing", s.place(c)),
			Remedy:  upgradeRemedy,
		}
	}
	if c.tables.Delayed == 0 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("there is an event_outbox in %s, but event_outbox_delayed is missing", s.place(c)),
			Remedy: "apply the statements about event_outbox_delayed that `outboxgen migration` and " +
				"`outboxgen migration --grants` print",
		}
	}
	if err := s.checkBeside(ctx, se, delayedTable, c.tables.Delayed, delayedColumns); err != nil {
		return err
	}
	if err := s.checkBeside(ctx, se, leaseTable, c.tables.Lease, leaseColumns); err != nil {
		return err
	}
	if err := s.checkBeside(ctx, se, auditTable, c.tables.Audit, auditColumns); err != nil {
		return err
	}
	for _, use := range s.shape.uses {
		if use.view {
			continue
		}
		if err := s.checkTable(ctx, se, c, use); err != nil {
			return err
		}
	}
	return nil
}

// noOutbox returns the reason why no event_outbox was found.
func (s *Store) noOutbox(ctx context.Context, se *session, c *checked) error {
	schemas, err := se.q.SchemasWith(ctx, outboxTable)
	if err != nil {
		return err
	}
	searched := s.cfg.Schema == ""
	var elsewhere []string
	for _, schema := range schemas {
		if searched && !schema.Usable &&
			(len(schemas) == 1 || slices.Contains(strings.Split(c.server.SearchPath, ", "), pgx.Identifier{schema.Name}.Sanitize())) {
			return s.schemaError(c, schema.Name)
		}
		elsewhere = append(elsewhere, schema.Name)
	}
	remedy := createRemedy
	switch {
	case len(elsewhere) > 0:
		remedy += ", or set the schema: there is an event_outbox in " + strings.Join(elsewhere, ", ")
	case searched:
		remedy += ", or set the schema that the tables are in"
	}
	return &relay.SetupError{
		Problem: fmt.Sprintf("there is no table event_outbox in %s (role %s)", s.place(c), c.server.RoleName),
		Remedy:  remedy,
	}
}

// tableUse is one of the store's tables and what the store does to it, besides reading.
type tableUse struct {
	table                     string
	inserts, updates, deletes bool
	columns                   []string // columns that it updates; nil: any
	inserted                  []string // columns that it inserts; nil: any
	hidden                    string   // what a hidden row would mean
	swallowed                 string   // what a change that is not made would mean
	partitioned               bool
	view                      bool // that the relay only reads
}

// tableUses lists every table in the store's statements. A table that is not in it gets
// no schema: see tableNames.
var tableUses = []tableUse{
	{
		table: outboxTable, inserts: true, updates: true, deletes: true,
		columns:   []string{"published_at", "retry_count", "last_error", "tx", "next_attempt_at", "dead_at"},
		inserted:  writerColumns,
		hidden:    "a hidden row is never delivered",
		swallowed: "a row that cannot be marked as published is sent again by every new leader, and a delayed event that cannot be inserted waits",
	},
	{
		table: delayedTable, updates: true, deletes: true, columns: []string{"deliver_at"}, // FOR UPDATE needs it
		hidden:    "a hidden row is never delivered",
		swallowed: "an event that cannot be deleted there is looked at again and again",
	},
	{
		table: leaseTable, inserts: true, updates: true,
		hidden:    "no relay can lead without the lease row",
		swallowed: "no relay can lead without the lease row",
	},
	{
		table: auditTable, updates: true, columns: []string{"applied_at"},
		hidden:    "a replay that the relay does not see leaves its row unpublished",
		swallowed: "the relay would act on a replay again and again",
	},
}

func (c *checked) oid(table string) uint32 {
	return map[string]uint32{
		outboxTable: c.tables.Outbox, delayedTable: c.tables.Delayed, leaseTable: c.tables.Lease, auditTable: c.tables.Audit,
		otherTable: c.ofLog.Other, cursorTable: c.ofLog.Cursor, lateTable: c.ofLog.Late, failedTable: c.ofLog.Failed, tickTable: c.ofLog.Tick,
		deletedTable: c.ofLog.Deleted, historyView: c.ofLog.History,
	}[table]
}

func (s *Store) checkTable(ctx context.Context, se *session, c *checked, use tableUse) error {
	table, err := se.q.DescribeTable(ctx, pgdb.DescribeTableParams{
		Relation: c.oid(use.table), Inserts: use.inserts, Updates: use.updates, Deletes: use.deletes,
	})
	if err != nil {
		return err
	}
	name := s.relation(use.table)
	switch {
	case table.Kind != "r" && !use.partitioned:
		return &relay.SetupError{
			Problem: fmt.Sprintf("%s in %s is not a plain table (relkind %q)", use.table, s.place(c), table.Kind),
			Remedy:  createRemedy + " in another schema",
		}
	case table.Persistence != "p":
		return &relay.SetupError{
			Problem: fmt.Sprintf("%s in %s is an unlogged or temporary table: a crash empties it", use.table, s.place(c)),
			Remedy:  fmt.Sprintf("ALTER TABLE %s SET LOGGED", name),
		}
	case table.RowSecurity:
		remedy := fmt.Sprintf("ALTER ROLE %s BYPASSRLS, or ALTER TABLE %s DISABLE ROW LEVEL SECURITY", c.role(), name)
		if table.RowSecurityForced {
			remedy = fmt.Sprintf("ALTER TABLE %s NO FORCE ROW LEVEL SECURITY, or ", name) + remedy
		}
		return &relay.SetupError{
			Problem: fmt.Sprintf("row security hides rows of %s from role %s: %s", use.table, c.server.RoleName, use.hidden),
			Remedy:  remedy,
		}
	case len(table.Rules) > 0:
		return &relay.SetupError{
			Problem: fmt.Sprintf("%s has the rule %s, which changes what the relay's statements do: %s",
				use.table, strings.Join(table.Rules, ", "), use.swallowed),
			Remedy: fmt.Sprintf("DROP RULE %s ON %s; a trigger can do what the rule was for",
				pgx.Identifier{table.Rules[0]}.Sanitize(), name),
		}
	}
	if len(table.Triggers) > 0 {
		s.warnOnce(ctx, "a trigger runs before each row that the relay changes; see that it returns the row: "+use.swallowed,
			"table", use.table, "triggers", table.Triggers)
	}
	return nil
}

// writerColumns are the columns that a delayed event has from its writer.
var writerColumns = []string{"id", "aggregate_type", "aggregate_id", "event_type", "topic", "event_key", "event_data", "headers", "partition"}

// delayedColumns, leaseColumns and auditColumns are the columns in the store's
// statements.
var (
	delayedColumns = append([]string{"deliver_at", "seq"}, writerColumns...)
	leaseColumns   = []string{
		"name", "epoch", "beat", "holder", "backends", "suspect_seq", "unclean_ends", "state", "updated_at",
	}
	auditColumns = []string{"id", "at", "actor", "action", "seq", "event_type", "topic", "event_key", "reason", "applied_at"}
)

// lacking returns the missing columns.
func lacking(columns []pgdb.DescribeColumnsRow, want []string) (missing []string) {
	for _, name := range want {
		if !slices.ContainsFunc(columns, func(c pgdb.DescribeColumnsRow) bool { return c.Name == name }) {
			missing = append(missing, name)
		}
	}
	return missing
}

// checkBeside checks the columns of a table other than event_outbox.
func (s *Store) checkBeside(ctx context.Context, se *session, table string, oid uint32, want []string) error {
	columns, err := se.q.DescribeColumns(ctx, oid)
	if err != nil {
		return err
	}
	if missing := lacking(columns, want); len(missing) > 0 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("%s lacks %s", table, strings.Join(missing, ", ")),
			Remedy:  "compare the table with `outboxgen migration --format sql`, and add the columns",
		}
	}
	return nil
}

// addedColumns are the columns that an outbox of the older shape lacks.
var addedColumns = []string{"tx", "seq", "topic", "headers", "next_attempt_at", "dead_at", "partition"}

// olderColumns are the columns of the older shape.
var olderColumns = []string{
	"id", "aggregate_id", "aggregate_type", "event_type", "event_data", "event_key", "created_at", "published_at", "retry_count", "last_error",
}

// columnTypes are the types that the store's statements need. A varchar may also be a
// text.
var columnTypes = map[string]string{
	"id": "uuid", "aggregate_id": "character varying", "aggregate_type": "character varying",
	"event_type": "character varying", "event_data": "json", "event_key": "character varying",
	"created_at": "timestamp with time zone", "published_at": "timestamp with time zone",
	"retry_count": "integer", "last_error": "text", "tx": "xid8", "seq": "bigint",
	"topic": "character varying", "headers": "json",
	"next_attempt_at": "timestamp with time zone", "dead_at": "timestamp with time zone",
	"partition": "integer",
}

func (s *Store) checkColumns(ctx context.Context, se *session, c *checked) error {
	columns, err := se.q.DescribeColumns(ctx, c.tables.Outbox)
	if err != nil {
		return err
	}
	found := map[string]pgdb.DescribeColumnsRow{}
	for _, column := range columns {
		found[column.Name] = column
	}
	var wrong, changes []string
	missing := false
	for _, name := range slices.Sorted(maps.Keys(columnTypes)) {
		if !slices.Contains(s.shape.added, name) && !slices.Contains(s.shape.older, name) {
			continue
		}
		column, ok := found[name]
		switch want := columnTypes[name]; {
		case !ok:
			missing = true
			wrong = append(wrong, name+" is missing")
		case column.Type != want && !(want == "character varying" && column.Type == "text"):
			wrong = append(wrong, fmt.Sprintf("%s is %s, not %s", name, column.Type, want))
			changes = append(changes, fmt.Sprintf("ALTER %s TYPE %s", name, want))
		}
	}
	if len(wrong) > 0 {
		remedy := fmt.Sprintf("ALTER TABLE %s %s", s.relation(outboxTable), strings.Join(changes, ", "))
		if missing {
			remedy = "compare the table with `outboxgen migration --format sql`, and change the columns"
		}
		return &relay.SetupError{
			Problem: "the columns of event_outbox are not those of an outbox: " + strings.Join(wrong, "; "),
			Remedy:  remedy,
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

// markColumns are the columns of a lease with a low-water mark.
var markColumns = []string{"low_water", "low_water_file", "search_below"}

// index is an index that the store's statements use.
type index struct{ column, predicate, definition string }

// neededIndexes are those of an outbox whose lease has a low-water mark.
var neededIndexes = []index{
	{"seq", "", "CREATE INDEX ix_event_outbox_seq ON event_outbox (seq)"},
	{"tx", "", "CREATE INDEX ix_event_outbox_tx ON event_outbox (tx)"},
	{
		"seq", "(next_attempt_at IS NOT NULL)",
		"CREATE INDEX ix_event_outbox_waiting ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL",
	},
	{
		"seq", "((next_attempt_at IS NOT NULL) AND (retry_count > 0))",
		"CREATE INDEX ix_event_outbox_retried ON event_outbox (seq) WHERE next_attempt_at IS NOT NULL AND retry_count > 0",
	},
	{"seq", "(dead_at IS NOT NULL)", "CREATE INDEX ix_event_outbox_dead ON event_outbox (seq) WHERE dead_at IS NOT NULL"},
}

// formerIndexes are those of an outbox whose lease has none.
var formerIndexes = []index{
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

// auditIndexes are those that each renewal of the lease reads. An outbox from before pauses
// lacks them.
var auditIndexes = []index{
	{"id", "(applied_at IS NULL)", ""},
	{"id", "((action)::text = ANY ((ARRAY['pause'::character varying, 'resume'::character varying])::text[]))", ""},
}

// warnAudit warns if a renewal of the lease reads the whole audit.
func (s *Store) warnAudit(ctx context.Context, se *session, c *checked) error {
	indexes, err := se.q.DescribeIndexes(ctx, c.tables.Audit)
	if err != nil {
		return err
	}
	if len(lackingIndexes(indexes, auditIndexes)) > 0 {
		schema := ""
		if s.cfg.Schema != "" {
			schema = fmt.Sprintf(" --schema '%s'", strings.ReplaceAll(s.cfg.Schema, "'", `'\''`))
		}
		s.warnOnce(ctx, "event_outbox_audit lacks an index, so that each renewal of the lease reads all of it",
			"remedy", "apply what `outboxgen migration --pauses"+schema+"` prints")
	}
	return nil
}

// lackingIndexes returns those that are not among the indexes, or not valid.
func lackingIndexes(indexes []pgdb.DescribeIndexesRow, want []index) (missing []index) {
	for _, need := range want {
		if !slices.ContainsFunc(indexes, func(i pgdb.DescribeIndexesRow) bool {
			return i.Valid && i.LeadingColumn == need.column && i.Predicate == need.predicate
		}) {
			missing = append(missing, need)
		}
	}
	return missing
}

func (s *Store) checkIndexes(ctx context.Context, se *session, c *checked) error {
	indexes, err := se.q.DescribeIndexes(ctx, c.tables.Outbox)
	if err != nil {
		return err
	}
	lease, err := se.q.DescribeColumns(ctx, c.tables.Lease)
	if err != nil {
		return err
	}
	needed := neededIndexes
	if c.marked = len(lacking(lease, markColumns)) == 0; !c.marked {
		needed = formerIndexes
	}
	var missing []string
	for _, need := range lackingIndexes(indexes, needed) {
		missing = append(missing, need.definition)
	}
	if len(missing) > 0 {
		return &relay.SetupError{
			Problem: "event_outbox lacks an index that the relay reads by, or has it with another condition or invalid",
			Remedy:  "drop the one of that name if there is one, then: " + strings.Join(missing, "; "),
		}
	}
	s.warnUnique(ctx, indexes)
	return s.warnAudit(ctx, se, c)
}

// warnUnique warns of unique indexes that can refuse an event.
func (s *Store) warnUnique(ctx context.Context, indexes []pgdb.DescribeIndexesRow) {
	for _, i := range indexes {
		if !i.IsUnique || i.IsPrimary || slices.Contains(i.KeyColumns, "id") || slices.Contains(i.KeyColumns, "seq") {
			continue
		}
		drop := "DROP INDEX " + s.relation(i.Name)
		if i.ConstraintName != "" {
			drop = fmt.Sprintf("ALTER TABLE %s DROP CONSTRAINT %s", s.relation(outboxTable), pgx.Identifier{i.ConstraintName}.Sanitize())
		}
		s.warnOnce(ctx, "a unique index of event_outbox refuses events that the service means to send: the insert fails with 23505 "+
			"while an equal row is there, and with it the business transaction; behind a dead row that lasts until it is "+
			"replayed or discarded. Drop the index; to insert an event at most once, give it a deterministic id",
			"index", i.Name, "definition", i.Definition, "remedy", drop)
	}
}

func (s *Store) checkIdentity(ctx context.Context, se *session, c *checked) error {
	// First the rows, then the sequence: in the other order, an insert in between would
	// look like a sequence that was set back.
	highestSeq := se.q.HighestSeqByTx
	switch {
	case s.shape.partitioned: // the relay gives new numbers when its term begins
		highestSeq = func(context.Context) (int64, error) { return 0, nil }
	case c.marked:
		highestSeq = se.q.HighestSeq
	}
	highest, err := highestSeq(ctx)
	if err != nil {
		return err
	}
	id, err := se.q.DescribeIdentity(ctx, c.tables.Outbox)
	if err != nil {
		return err
	}
	sequence := s.relation(id.SequenceName)
	switch {
	case id.Cache != 1:
		return &relay.SetupError{
			Problem: fmt.Sprintf("the sequence %s of event_outbox.seq hands out %d numbers at a time to a session, "+
				"so that they are not in the order of the inserts", id.SequenceName, id.Cache),
			Remedy: fmt.Sprintf("ALTER TABLE %s ALTER seq SET CACHE 1", s.relation(outboxTable)),
		}
	case id.Cycles, id.Increment < 1:
		return &relay.SetupError{
			Problem: fmt.Sprintf("the sequence %s of event_outbox.seq may start over or counts down", id.SequenceName),
			Remedy:  "ALTER TABLE event_outbox ALTER seq SET NO CYCLE SET INCREMENT 1",
		}
	case !id.MaySee:
		return &relay.SetupError{
			Problem: fmt.Sprintf("role %s may not read the sequence %s", c.server.RoleName, id.SequenceName),
			Remedy:  fmt.Sprintf("GRANT SELECT ON SEQUENCE %s TO %s", sequence, c.role()),
		}
	}
	if id.LastValue < highest {
		return &relay.SetupError{
			Problem: fmt.Sprintf("the sequence %s stands at %d, below the highest seq in event_outbox (%d): "+
				"new events would be delivered before older ones", id.SequenceName, id.LastValue, highest),
			Remedy: fmt.Sprintf("stop the writers, then SELECT setval('%s', (SELECT max(seq) FROM %s))",
				strings.ReplaceAll(sequence, "'", "''"), s.relation(outboxTable)),
		}
	}
	return nil
}
