// Package logview lets statements about the table event_outbox read the view of a log's events.
package logview

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB carries out statements: a connection, a pool or a transaction.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// In returns a DB whose statements read the view event_outbox_history instead of event_outbox: see
// [Statement].
func In(db DB) DB { return view{db} }

// Statement returns a statement that reads the view event_outbox_history, which has the columns of a
// table, instead of event_outbox. It replaces "event_outbox AS ", so the statement must give the table
// an alias wherever it reads events. Other tables, such as event_outbox_late, stay.
func Statement(sql string) string {
	return strings.ReplaceAll(sql, "event_outbox AS ", "event_outbox_history AS ")
}

type view struct{ db DB }

func (v view) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return v.db.Exec(ctx, Statement(sql), args...)
}

func (v view) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return v.db.Query(ctx, Statement(sql), args...)
}

func (v view) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return v.db.QueryRow(ctx, Statement(sql), args...)
}
