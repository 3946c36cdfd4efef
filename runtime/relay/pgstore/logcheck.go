package pgstore

import (
	"context"
	"fmt"
	"strings"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// logTables are the tables that only a log has.
var logTables = []string{"event_outbox_cursor", "event_outbox_late", "event_outbox_failed", "event_outbox_tick", "event_outbox_other"}

// logFunctions are the functions that only a log has.
var logFunctions = []string{"event_outbox_make_partitions", "event_outbox_drop_partitions"}

// logColumns are the columns of a log in the store's statements.
var logColumns = []string{
	"id", "aggregate_id", "aggregate_type", "event_type", "event_data", "event_key", "created_at", "tx", "seq", "topic", "headers", "partition",
}

func (s *logStore) logChecks() []checkStep {
	return []checkStep{s.checkServer, s.checkSchema, s.checkLogTables, s.checkWrites, s.checkLogIdentity, s.checkLog, s.checkCursor}
}

// checkLogTables checks whether the tables are there, and event_outbox is a log.
func (s *logStore) checkLogTables(ctx context.Context, se *session, c *checked) error {
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
	table, err := se.q.DescribeTable(ctx, pgdb.DescribeTableParams{Relation: c.tables.Outbox, Inserts: true, Deletes: true})
	if err != nil {
		return err
	}
	if table.Kind != "p" {
		return &relay.SetupError{
			Problem: fmt.Sprintf("event_outbox in %s is a table, not a log", s.place(c)),
			Remedy:  "set store to table, or move the outbox with `outboxrelay store migrate`",
		}
	}
	columns, err := se.q.DescribeColumns(ctx, c.tables.Outbox)
	if err != nil {
		return err
	}
	if missing := lacking(columns, logColumns); len(missing) > 0 {
		return &relay.SetupError{
			Problem: fmt.Sprintf("event_outbox in %s lacks %s", s.place(c), strings.Join(missing, ", ")),
			Remedy:  "compare the table with the migration of the log, and change the columns",
		}
	}
	c.marked = true // it has an index on seq
	return nil
}

// checkLogIdentity is checkIdentity, which knows how to ask a table.
func (s *logStore) checkLogIdentity(ctx context.Context, se *session, c *checked) error {
	return s.checkIdentity(ctx, se, c)
}

// checkCursor checks whether the cursor is that of this database.
func (s *logStore) checkCursor(ctx context.Context, se *session, _ *checked) error {
	row, err := se.q.LogCursor(ctx)
	if err := noCursor(err); err != nil {
		return err
	}
	_, _, err = s.readCursor(ctx, row)
	return err
}
