// Package sqlstate reads the errors of Postgres, whichever driver reports them: pgx, or
// another driver of database/sql whose errors have a method SQLState, as lib/pq's do.
package sqlstate

import (
	"cmp"
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
	Cancelled            = "57014" // by a timeout or by somebody
	LockNotAvailable     = "55P03"
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

// CommitFailed reports whether err, the error of a COMMIT, shows that nothing was committed:
// the server reported an error and the session survived. Every other error leaves the outcome
// unknown. A fatal error does too: a server that shuts down sends one even after it has
// committed (while it waits for a standby), and a pooler sends one when it has lost its server.
// pgconn.SafeToRetry does not help here: a connection that breaks during the answer may return
// "conn closed", which it calls safe.
func CommitFailed(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	return cmp.Or(e.SeverityUnlocalized, e.Severity) == "ERROR" && !ConnectionException(e.Code) && e.Code != CompletionUnknown
}

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
