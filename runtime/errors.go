package outbox

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/wire"
)

// Violation is one place where event data violates its schema.
type Violation = wire.Violation

// ValidationError is returned by Validate of generated types when the data violates its
// schema, and by every insert before anything is sent to the database. It lists every
// violation with its JSON Pointer and its place in the schema.
type ValidationError = wire.ValidationError

// InsertError is returned when an event could not be inserted. The insert returns it if
// the row cannot be built (an id is missing or too long, a header is reserved) or the
// database refuses it. InTx returns it if the database refuses it at commit. The
// transaction is not committed.
type InsertError struct {
	// EventType and EventID identify the event, or the first event if the statement
	// inserts several.
	EventType string
	EventID   uuid.UUID // uuid.Nil if the event has none yet
	// Events is the number of events in the refused statement; 0 and 1 both mean one.
	Events int
	// Err is the cause, often the driver's error: a *pgconn.PgError with pgx.
	Err error

	on session
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
	return fmt.Sprintf("outbox: insert %s %s%s: %v%s", what, e.EventType, id, e.Err, remedy(e.Err, e.on))
}

// Unwrap returns the cause.
func (e *InsertError) Unwrap() error { return e.Err }

// RecordTooLargeError is the cause of an InsertError when the event's record would be
// larger than Options.MaxRecordBytes or WithMaxRecordBytes allows. A retry fails again.
type RecordTooLargeError struct {
	// EventType is the event's type.
	EventType string
	// Size is the size of the record in bytes, counted as WithMaxRecordBytes says.
	Size int
	// Limit is the allowed size in bytes.
	Limit int
}

func (e *RecordTooLargeError) Error() string {
	return fmt.Sprintf("the record of the %s has %d bytes, MaxRecordBytes allows %d: "+
		"put less into the event (for example a link to large data), or raise max.message.bytes of the topic and then the limit",
		e.EventType, e.Size, e.Limit)
}

// CommitUnknownError is returned by InTx when the connection broke, or the commit timed
// out, after COMMIT was sent. The transaction may be committed or not; only the
// database knows. InTx does not retry it. It wakes the relay. Running the function
// again is safe if it is idempotent and its event ids are deterministic.
type CommitUnknownError struct {
	// Events is the number of events in the transaction.
	Events int
	// Err is the error of the connection.
	Err error
}

func (e *CommitUnknownError) Error() string {
	return fmt.Sprintf("outbox: it is unknown whether the transaction (%d events) was committed: %v", e.Events, e.Err)
}

// Unwrap returns the error of the connection.
func (e *CommitUnknownError) Unwrap() error { return e.Err }

// RolledBackError is returned by InTx when the server answered COMMIT with ROLLBACK: a
// statement failed and the function still returned nil. Nothing is committed.
// errors.Is(err, pgx.ErrTxCommitRollback) is true.
type RolledBackError struct {
	// Events is the number of events that were dropped.
	Events int
}

func (e *RolledBackError) Error() string {
	return fmt.Sprintf("outbox: COMMIT answered ROLLBACK, nothing is committed (%d events dropped): "+
		"a statement in the function failed and its error was not returned", e.Events)
}

// Unwrap returns pgx.ErrTxCommitRollback.
func (e *RolledBackError) Unwrap() error { return pgx.ErrTxCommitRollback }

// ErrTransactionControl is returned by InTx when its function ended the transaction:
// Commit or Rollback on the outermost Tx, or COMMIT, ROLLBACK and the like as SQL. The
// call itself does nothing. InTx then rolls the transaction back and returns this error
// even if the function ignored it. Return nil to commit and an error to roll back. For
// a part that can be rolled back alone, call Begin on the Tx.
var ErrTransactionControl = errors.New("outbox: only InTx may end its transaction: " +
	"return nil to commit and an error to roll back")

// errTxClosed is returned when a Tx is used after its function has returned, or a
// nested Tx after its Commit or Rollback. errors.Is(err, pgx.ErrTxClosed) is true.
var errTxClosed = fmt.Errorf("outbox: %w: use it only inside the function given to InTx", pgx.ErrTxClosed)

// DecodeError is returned by the Decode functions of generated packages when a record
// is not the expected event. The same bytes never decode, so do not retry.
type DecodeError struct {
	// EventType is the expected type.
	EventType string
	// EventID is the event's id; uuid.Nil if the envelope did not decode.
	EventID uuid.UUID
	// InData is true if the envelope decoded and the data did not. The JSON Pointers in
	// Err are then relative to the data.
	InData bool
	// Err is the cause. A *wire.DecodeError lists every fault with its place.
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

// IsCommitUnknown reports whether err is a *CommitUnknownError: the transaction may be
// committed or not. If it is false for an error of InTx, nothing is committed.
func IsCommitUnknown(err error) bool {
	_, ok := errors.AsType[*CommitUnknownError](err)
	return ok
}

// SafeToRetry reports whether the transaction is certainly not committed and the same
// function may succeed if it runs again. Examples are a serialization failure, a
// deadlock, a connection that broke before anything was sent, and a server that is no
// longer the primary (IsReadOnly). It is false for driver.ErrBadConn, which lib/pq also
// returns if the connection broke after COMMIT was sent.
func SafeToRetry(err error) bool {
	if err == nil || IsCommitUnknown(err) {
		return false
	}
	switch sqlstate.Code(err) {
	case "":
		return pgconn.SafeToRetry(err)
	case sqlstate.SerializationFailure, sqlstate.Deadlock, sqlstate.ReadOnly:
		return true
	}
	return false
}
