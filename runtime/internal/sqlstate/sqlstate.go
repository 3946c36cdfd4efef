// Package sqlstate reads the errors of Postgres, whichever driver reports them: pgx, or
// another driver of database/sql whose errors have a method SQLState, as lib/pq's do.
package sqlstate

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Codes that this module looks for.
const (
	Denied               = "42501"
	UndefinedTable       = "42P01"
	UndefinedColumn      = "42703"
	FailedTransaction    = "25P02"
	ReadOnly             = "25006"
	SerializationFailure = "40001"
	Deadlock             = "40P01"
	CompletionUnknown    = "40003"
	UniqueViolation      = "23505"
)

// reported is an error that the server reported.
type reported interface {
	error
	SQLState() string
}

// Code returns the SQLSTATE of the error, or "" if the server did not report it.
func Code(err error) string {
	if e, ok := errors.AsType[reported](err); ok {
		return e.SQLState()
	}
	return ""
}

// ConnectionException reports whether the code belongs to class 08.
func ConnectionException(code string) bool { return strings.HasPrefix(code, "08") }

// Message returns the server's message, without what a driver adds to it.
func Message(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Message
	}
	e, ok := errors.AsType[reported](err)
	if !ok {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(e.Error(), "pq: "), " ("+e.SQLState()+")")
}

// RowPolicy reports whether a policy of row-level security refused a row.
func RowPolicy(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Routine == "ExecWithCheckOptions"
	}
	return strings.Contains(Message(err), "row-level security policy")
}
