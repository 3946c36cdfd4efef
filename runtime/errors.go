package outbox

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/wire"
)

// Violation is one place where event data breaks its schema.
type Violation = wire.Violation

// ValidationError is returned by Validate of generated types, and by every
// insert before it touches the database, when event data breaks its schema. It
// holds every violation with its JSON Pointer and its place in the schemas.
type ValidationError = wire.ValidationError

// InsertError is returned when an event could not be inserted: by the insert
// itself when the row cannot be built (an id that is missing or too long, a
// reserved header) or the database refuses it, by InTx when the database
// refuses it at commit. The transaction is not committed.
type InsertError struct {
	// EventType and EventID name the event; the first one where a statement
	// inserts several.
	EventType string
	EventID   uuid.UUID // uuid.Nil when it has none yet
	// Events is how many events the refused statement inserts; 0 and 1 are one.
	Events int
	// Err is the cause, often a *pgconn.PgError.
	Err error

	role string // of the connection; "" where there is none
}

func (e *InsertError) Error() string {
	what := "event"
	if e.Events > 1 {
		what = fmt.Sprintf("%d events, the first one", e.Events)
	}
	id := ""
	if e.EventID != uuid.Nil {
		id = " " + e.EventID.String()
	}
	return fmt.Sprintf("outbox: insert %s %s%s: %v%s", what, e.EventType, id, e.Err, remedy(e.Err, e.role))
}

// Unwrap returns the cause.
func (e *InsertError) Unwrap() error { return e.Err }

// RecordTooLargeError is the cause of an InsertError when the event's record would
// be larger than Options.MaxRecordBytes or WithMaxRecordBytes allow. The same event
// will never fit, so it is not worth a retry.
type RecordTooLargeError struct {
	// EventType is the event's type.
	EventType string
	// Size is how large its record would be, in bytes, as WithMaxRecordBytes counts.
	Size int
	// Limit is what is allowed.
	Limit int
}

func (e *RecordTooLargeError) Error() string {
	return fmt.Sprintf("the record of the %s has %d bytes, and MaxRecordBytes allows %d: "+
		"put less into the event (a link to what is large), or raise max.message.bytes of the topic and then the limit",
		e.EventType, e.Size, e.Limit)
}

// CommitUnknownError is returned by InTx when the connection broke, or the
// commit timed out, after COMMIT was sent: the transaction may be committed or
// not, and only the database knows. InTx never tries again by itself. The
// relay is woken. With deterministic event ids and an idempotent
// function it is safe to run the whole again.
type CommitUnknownError struct {
	// Events is how many events were to be committed.
	Events int
	// Err is what became of the connection.
	Err error
}

func (e *CommitUnknownError) Error() string {
	return fmt.Sprintf("outbox: it is unknown whether the transaction (%d events) was committed: %v", e.Events, e.Err)
}

// Unwrap returns what became of the connection.
func (e *CommitUnknownError) Unwrap() error { return e.Err }

// RolledBackError is returned by InTx when COMMIT answered ROLLBACK: a statement
// in the function failed, the function still returned nil, and Postgres
// ended the aborted transaction without an error. Nothing is committed.
// errors.Is(err, pgx.ErrTxCommitRollback) holds.
type RolledBackError struct {
	// Events is how many events were dropped with it.
	Events int
}

func (e *RolledBackError) Error() string {
	return fmt.Sprintf("outbox: COMMIT answered ROLLBACK, nothing is committed (%d events dropped): "+
		"a statement in the function failed and its error was not returned", e.Events)
}

// Unwrap returns pgx's error for the same.
func (e *RolledBackError) Unwrap() error { return pgx.ErrTxCommitRollback }

// ErrTransactionControl is returned when the function given to InTx ends the
// transaction by itself: Commit or Rollback on the outermost Tx, or COMMIT,
// ROLLBACK and the like as SQL. Such a call does nothing but doom the
// transaction: InTx rolls it back and returns this error even if the function
// does not. Return nil to commit, an error to roll back; Begin on the Tx gives a
// nested one that may be committed and rolled back.
var ErrTransactionControl = errors.New("outbox: a transaction that InTx runs is ended by InTx alone: " +
	"return nil to commit and an error to roll back")

// ErrTxClosed is returned when a Tx is used after its function has returned, or
// a nested one after its Commit or Rollback. errors.Is(err, pgx.ErrTxClosed)
// holds.
var ErrTxClosed = fmt.Errorf("outbox: %w: use it only inside the function given to InTx", pgx.ErrTxClosed)

// DecodeError is returned by the Decode functions of generated packages when a
// record's value is not the event that it should be. The same bytes will never decode,
// so it is not worth a retry.
type DecodeError struct {
	// EventType is the type that was expected.
	EventType string
	// EventID is the event's id; uuid.Nil when the envelope did not decode.
	EventID uuid.UUID
	// InData is true when the envelope is in order and the data is not. JSON
	// Pointers in Err then begin at the data.
	InData bool
	// Err is the cause; a *wire.DecodeError lists every fault with its place.
	Err error
}

func (e *DecodeError) Error() string {
	if e.InData {
		return fmt.Sprintf("outbox: decode the data of %s %s: %v", e.EventType, e.EventID, e.Err)
	}
	return fmt.Sprintf("outbox: decode %s: %v", e.EventType, e.Err)
}

// Unwrap returns the cause.
func (e *DecodeError) Unwrap() error { return e.Err }

// IsCommitUnknown reports whether err leaves it open if the transaction was
// committed. For every other error of InTx it was not.
func IsCommitUnknown(err error) bool {
	_, ok := errors.AsType[*CommitUnknownError](err)
	return ok
}

// SafeToRetry reports whether the transaction is certainly not committed, and
// the same function may well succeed when it runs again: a serialization
// failure, a deadlock, a connection that broke before anything was sent, a server
// that is no longer the primary (IsReadOnly).
func SafeToRetry(err error) bool {
	if err == nil || IsCommitUnknown(err) {
		return false
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.Code == "40001" || pgErr.Code == "40P01" || pgErr.Code == readOnlyTransaction
	}
	return pgconn.SafeToRetry(err)
}
