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

// The tables and functions that only a log has.
const (
	otherTable   = "event_outbox_other"
	cursorTable  = "event_outbox_cursor"
	lateTable    = "event_outbox_late"
	failedTable  = "event_outbox_failed"
	tickTable    = "event_outbox_tick"
	deletedTable = "event_outbox_deleted"
	historyView  = "event_outbox_history"

	makePartition = "event_outbox_make_partition"
	dropPartition = "event_outbox_drop_partition"
	renumberRows  = "event_outbox_renumber"
	awaitLocks    = "event_outbox_await_locks" // the others call it

	renumberArguments   = "(text, bigint, uuid, bigint, bigint, bigint[], pg_snapshot)"
	awaitLocksArguments = "(regclass[], text[], regclass[])"
)

const createLogRemedy = "apply what `outboxgen migration --store log` prints"

// tableShape is what event_outbox has to be.
type tableShape struct {
	added, older []string // columns
	uses         []tableUse
	partitioned  bool
}

// plainShape is the shape of a table, and logShape that of a log.
var (
	plainShape = tableShape{added: addedColumns, older: olderColumns, uses: tableUses}
	logShape   = tableShape{
		added: []string{"tx", "seq", "topic", "headers", "partition"},
		older: []string{"id", "aggregate_id", "aggregate_type", "event_type", "event_data", "event_key", "created_at"},
		uses: slices.Concat([]tableUse{
			{
				table: outboxTable, partitioned: true, inserts: true, inserted: writerColumns,
				hidden: "a hidden row is never delivered", swallowed: "a delayed event that cannot be inserted waits",
			},
			{table: otherTable, deletes: true, hidden: "a hidden row is never delivered", swallowed: "old rows stay"},
			ofLog(cursorTable, "the relay does not know what is published"),
			ofLog(lateTable, "a row that waited is never delivered"),
			ofLog(failedTable, "a row that failed is never delivered"),
			{table: tickTable, inserts: true, deletes: true, hidden: "old entries stay", swallowed: "the times of publication are not known"},
			{table: deletedTable, inserts: true, updates: true, hidden: "old rows stay", swallowed: "a replay does not say what is missing"},
			{table: historyView, view: true}, // the web page reads it
		}, tableUses[1:]),
		partitioned: true,
	}
)

func ofLog(table, means string) tableUse {
	return tableUse{table: table, inserts: true, updates: true, deletes: true, hidden: means, swallowed: means}
}

func (s *LogStore) logChecks() [][]checkStep {
	return [][]checkStep{
		{s.checkServer}, {s.checkSchema}, {s.checkTables},
		{s.checkColumns, s.checkLogIndexes, s.checkPrivileges, s.checkFunctions},
		{s.checkWrites, s.checkIdentity, s.checkLog, s.checkCursor},
	}
}

// checkKind checks whether event_outbox is what the store is for, a table or a log.
func (s *Store) checkKind(ctx context.Context, se *session, c *checked) error {
	table, err := se.q.DescribeTable(ctx, pgdb.DescribeTableParams{Relation: c.tables.Outbox})
	if err != nil {
		return err
	}
	c.ofLog, err = se.q.FindLogTables(ctx, pgdb.FindLogTablesParams{
		Other: s.relation(otherTable), Cursor: s.relation(cursorTable), Late: s.relation(lateTable),
		Failed: s.relation(failedTable), Tick: s.relation(tickTable), Deleted: s.relation(deletedTable),
		History: s.relation(historyView),
	})
	if err != nil {
		return err
	}
	isLog := table.Kind == "p"
	switch {
	case isLog && !s.shape.partitioned && c.ofLog.Cursor > 0:
		return &relay.SetupError{
			Problem: fmt.Sprintf("event_outbox in %s is a log, and the relay's setting store is table", s.place(c)),
			Remedy:  "set store to log in every relay of this outbox, or move the events into a table: outboxrelay store migrate --to table",
		}
	case !isLog && s.shape.partitioned:
		return &relay.SetupError{
			Problem: fmt.Sprintf("event_outbox in %s is a table, and the relay's setting store is log", s.place(c)),
			Remedy:  "set store to table in every relay of this outbox, or move the events into a log: outboxrelay store migrate --to log",
		}
	case !s.shape.partitioned:
		return nil
	}
	c.marked = true // it has an index on seq
	var missing []string
	for _, use := range s.shape.uses {
		if c.oid(use.table) == 0 && use.table != leaseTable && use.table != auditTable && use.table != delayedTable {
			missing = append(missing, use.table)
		}
	}
	if len(missing) > 0 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("there is a log event_outbox in %s, but %s is missing", s.place(c), strings.Join(missing, ", ")),
			Remedy:  createLogRemedy + ", as far as it is missing",
		}
	}
	return nil
}

var logIndexes = []index{
	{"id", "", "PRIMARY KEY (id)"},
	{"seq", "", "CREATE INDEX ix_event_outbox_seq ON event_outbox (seq)"},
	{"tx", "", "CREATE INDEX ix_event_outbox_tx ON event_outbox (tx)"},
}

func (s *LogStore) checkLogIndexes(ctx context.Context, se *session, c *checked) error {
	indexes, err := se.q.DescribeIndexes(ctx, c.tables.Outbox)
	if err != nil {
		return err
	}
	var missing []string
	for _, need := range lackingIndexes(indexes, logIndexes) {
		missing = append(missing, need.definition)
	}
	if len(missing) > 0 {
		return &relay.SetupError{
			Problem: "event_outbox lacks an index that the relay reads by, or a partition lacks it",
			Remedy:  "create it on event_outbox: " + strings.Join(missing, "; "),
		}
	}
	return s.warnAudit(ctx, se, c)
}

// checkOwnerOfFunctions checks whether the owner of the functions may read the cluster's identifier, and
// call the function that waits for locks, as the repair of numbers does.
func (s *LogStore) checkOwnerOfFunctions(ctx context.Context, se *session, c *checked) error {
	helper := s.relation(awaitLocks) + awaitLocksArguments
	owner, err := se.q.OwnerOfFunction(ctx, pgdb.OwnerOfFunctionParams{Helper: helper, Signature: s.relation(renumberRows) + renumberArguments})
	if err != nil {
		return err
	}
	var lacks string
	switch {
	case !owner.MayReadSystem:
		lacks = "pg_control_system()"
	case !owner.HelperThere:
		return s.functionMissing(c, helper)
	case !owner.MayCallHelper:
		lacks = helper
	default:
		return nil
	}
	return &relay.SetupError{
		Problem: fmt.Sprintf("role %s, which owns %s, may not call %s", owner.Owner, renumberRows, lacks),
		Remedy:  fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s", lacks, pgx.Identifier{owner.Owner}.Sanitize()),
	}
}

func (s *LogStore) functionMissing(c *checked, signature string) error {
	return &relay.SetupError{
		Problem: fmt.Sprintf("the function %s is missing in %s", signature, s.place(c)),
		Remedy:  createLogRemedy + ", as far as it is missing",
	}
}

// checkFunctions checks whether the role may call the functions that run with the owner's rights.
func (s *LogStore) checkFunctions(ctx context.Context, se *session, c *checked) error {
	signatures := []string{
		s.relation(makePartition) + "(integer)", s.relation(dropPartition) + "(date, interval)", s.relation(renumberRows) + renumberArguments,
	}
	found, err := se.q.UncallableFunctions(ctx, signatures)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		if err := s.checkOwnerOfFunctions(ctx, se, c); err != nil {
			return err
		}
		return s.checkSchemaOfFunctions(ctx, se, c, signatures)
	}
	if !found[0].There {
		return s.functionMissing(c, found[0].Signature)
	}
	return &relay.SetupError{
		Problem: fmt.Sprintf("role %s may not call %s", c.server.RoleName, found[0].Signature),
		Remedy:  fmt.Sprintf("GRANT EXECUTE ON FUNCTION %s TO %s", found[0].Signature, c.role()),
	}
}

// checkSchemaOfFunctions checks whether the functions are about the tables of their schema.
func (s *LogStore) checkSchemaOfFunctions(ctx context.Context, se *session, c *checked, signatures []string) error {
	found, err := se.q.FunctionsOfAnotherSchema(ctx, signatures)
	if err != nil || len(found) == 0 {
		return err
	}
	return &relay.SetupError{
		Problem: fmt.Sprintf("the function %s in %s is about the tables of another schema: the schema was renamed", found[0], s.place(c)),
		Remedy: "as the owner of the tables, run the statement that begins with DO in what `outboxgen migration --store log` prints; " +
			"it replaces the functions, and the privileges on them stay",
	}
}

// checkCursor checks whether the cursor is that of this database.
func (s *LogStore) checkCursor(ctx context.Context, se *session, _ *checked) error {
	row, err := storedCursor(ctx, se)
	if err != nil {
		return err
	}
	_, err = readCursor(row)
	return err
}
