package pgstore

import (
	"context"
	"regexp"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// tableNames adds a schema to the outbox's tables in the statements that sqlc compiled,
// so that outboxes in several schemas can share sessions.
type tableNames struct {
	schema    string   // "": use the search_path
	qualified sync.Map // statement -> statement
}

// usedTables finds the tables of tableUses, also in the text of a regclass.
var usedTables = func() *regexp.Regexp {
	var names []string
	for _, use := range tableUses {
		names = append(names, regexp.QuoteMeta(use.table))
	}
	for _, use := range logShape.uses {
		names = append(names, regexp.QuoteMeta(use.table))
	}
	names = append(names, makePartition, dropPartition, renumberRows)
	return regexp.MustCompile(`'?\b(?:` + strings.Join(names, "|") + `)\b`)
}()

// table returns the name of a table for a statement.
func (n *tableNames) table(name string) string {
	if n.schema == "" {
		return name
	}
	return pgx.Identifier{n.schema}.Sanitize() + "." + name
}

func (n *tableNames) statement(sql string) string {
	if n.schema == "" {
		return sql
	}
	if done, ok := n.qualified.Load(sql); ok {
		return done.(string)
	}
	done := usedTables.ReplaceAllStringFunc(sql, func(name string) string {
		if text, ok := strings.CutPrefix(name, "'"); ok {
			return "'" + strings.ReplaceAll(n.table(text), "'", "''")
		}
		return n.table(name)
	})
	n.qualified.Store(sql, done)
	return done
}

func (n *tableNames) qualify(db pgdb.DBTX) pgdb.DBTX {
	if n.schema == "" {
		return db
	}
	return qualifiedDB{db, n}
}

// qualifiedDB sends statements with qualified tables.
type qualifiedDB struct {
	db    pgdb.DBTX
	names *tableNames
}

func (q qualifiedDB) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return q.db.Exec(ctx, q.names.statement(sql), args...)
}

func (q qualifiedDB) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return q.db.Query(ctx, q.names.statement(sql), args...)
}

func (q qualifiedDB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return q.db.QueryRow(ctx, q.names.statement(sql), args...)
}
