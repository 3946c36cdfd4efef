package outbox

import (
	"slices"
	"strings"
	"sync"

	"github.com/outboxgen/outboxgen/runtime/internal/insertdb"
)

// Some statements are not generated for a service: its table may be an older one, without
// the columns or the table of delayed events that these need.
var (
	delayedIn     = statementIn{sql: insertdb.InsertDelayed}
	partitionedIn = statementIn{sql: insertdb.InsertPartitioned}
	cancelIn      = statementIn{sql: insertdb.CancelDelayed}
)

// statementIn is a statement with the tables of a schema. It is safe for concurrent use.
type statementIn struct {
	sql      string
	bySchema sync.Map
}

// as returns the statement for the schema of the statement insert, which inserts other
// events.
func (s *statementIn) as(insert string) string {
	schema := schemaOf(insert)
	if schema == "" {
		return s.sql
	}
	if sql, ok := s.bySchema.Load(schema); ok {
		return sql.(string)
	}
	sql := strings.ReplaceAll(s.sql, outboxTable, schema+outboxTable)
	s.bySchema.Store(schema, sql)
	return sql
}

// schemaOf returns what stands before the table's name in an INSERT: a schema with its
// dot, or nothing.
func schemaOf(insert string) string {
	before, _, _ := strings.Cut(insert, outboxTable)
	const into = "into "
	i := strings.LastIndex(strings.ToLower(before), into)
	if i < 0 {
		return ""
	}
	return strings.TrimSuffix(strings.TrimSpace(before[i+len(into):]), `"`)
}

// plainInsert returns an INSERT without its ON CONFLICT clause, for events whose ids were
// generated. Such an id is new, so Postgres need not look for it in the index first and
// write the row in two steps. If the id is in the table after all, the insert fails.
func plainInsert(sql string) string {
	const skipsKnown = "ON CONFLICT (id) DO NOTHING"
	if plain, ok := strings.CutSuffix(strings.TrimRight(sql, " \t\r\n;"), skipsKnown); ok {
		return plain
	}
	return sql
}

// partitioned reports whether the event has a partition of its own.
func (r *Row) partitioned() bool { return r.Partition != nil }

// noPartition stands for no partition in the array of partitions.
const noPartition = -1

// partitions returns the partitions of the rows, or nil if no row has one.
func partitions(list []built) []int32 {
	if !slices.ContainsFunc(list, func(b built) bool { return b.Row.partitioned() }) {
		return nil
	}
	chosen := make([]int32, len(list))
	for i, b := range list {
		chosen[i] = noPartition
		if b.Row.partitioned() {
			chosen[i] = *b.Row.Partition
		}
	}
	return chosen
}
