package outbox

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

// Tx is a transaction on which events ride: it is a pgx.Tx for the business
// statements, and keeps the events that are inserted on it until InTx sends them
// together with COMMIT. It is valid only inside the function given to InTx and,
// as any pgx.Tx, not for concurrent use.
//
// Begin opens a savepoint. Its events are merged into those around it by its
// Commit, and dropped by its Rollback. A raw SAVEPOINT works as well, at the
// price of the ride: events before it are inserted first, and events after it at
// once.
//
// A statement after which the insert might mean something else (SET, RESET and
// set_config of search_path, of the role or of any setting that a policy may read;
// DDL; DO, CALL, EXECUTE, FETCH; what writes to event_outbox) has the events before it
// inserted first. Of what a function, view, trigger or operator does only a change of
// search_path is noticed, and only from Postgres 18 on: call Flush before one that
// changes it, the role or a setting.
type Tx struct {
	inner pgx.Tx
	kept  *kept
	level int // 0: the outermost; else the savepoint's
	done  bool
}

var _ pgx.Tx = (*Tx)(nil)

// keep keeps events for COMMIT, or inserts them at once after a raw SAVEPOINT.
func (t *Tx) keep(ctx context.Context, sql link.SQL, events []Event) error {
	list, err := build(ctx, []Option{WithClock(t.kept.now), WithNewID(t.kept.newID), WithMaxRecordBytes(t.kept.maxRecordBytes)}, events)
	switch {
	case err != nil:
		return err
	case t.closed():
		return ErrTxClosed
	}
	if err := t.kept.fresh(list); err != nil {
		return err
	}
	t.kept.add(plan(sql, list), t.Conn())
	if t.kept.eager {
		return t.kept.flush(ctx, t.inner)
	}
	return nil
}

func (t *Tx) closed() bool { return t.done || t.kept.closed }

// check is asked before SQL runs.
func (t *Tx) check(ctx context.Context, sql string) error {
	if t.closed() {
		return ErrTxClosed
	}
	return t.kept.before(ctx, t.inner, sql)
}

// Begin opens a savepoint. The pgx.Tx that it returns is a *Tx.
func (t *Tx) Begin(ctx context.Context) (pgx.Tx, error) {
	if t.closed() {
		return nil, ErrTxClosed
	}
	inner, err := t.inner.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &Tx{inner: inner, kept: t.kept, level: t.kept.open("")}, nil
}

// Commit releases the savepoint of a nested Tx. On the outermost one it is an
// error, ErrTransactionControl, and dooms the transaction.
func (t *Tx) Commit(ctx context.Context) error {
	if t.closed() {
		return ErrTxClosed
	}
	if t.level == 0 {
		t.kept.misuse = ErrTransactionControl
		return t.kept.misuse
	}
	t.done = true
	if err := t.inner.Commit(ctx); err != nil {
		// Only a rollback to a savepoint further out, or of the whole, can
		// follow, and that drops the events.
		return err
	}
	t.kept.release(t.level)
	return nil
}

// Rollback rolls a nested Tx back to its savepoint and drops the events since.
// On the outermost one it is an error, ErrTransactionControl, and dooms the
// transaction: return an error from the function instead.
func (t *Tx) Rollback(ctx context.Context) error {
	if t.closed() {
		return ErrTxClosed
	}
	if t.level == 0 {
		t.kept.misuse = ErrTransactionControl
		return t.kept.misuse
	}
	t.done = true
	err := t.inner.Rollback(ctx)
	t.kept.rollback(t.level)
	t.kept.release(t.level)
	if err == nil && t.kept.eager {
		// On the connection, for t.inner is closed.
		err = t.kept.flush(ctx, connTx{t.inner})
	}
	return err
}

// Exec runs a statement.
func (t *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.check(ctx, sql); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.inner.Exec(ctx, sql, args...)
}

// Query runs a query.
func (t *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.check(ctx, sql); err != nil {
		return failedRows{err}, err
	}
	return t.inner.Query(ctx, sql, args...)
}

// QueryRow runs a query for one row.
func (t *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.check(ctx, sql); err != nil {
		return failedRow{err}
	}
	return t.inner.QueryRow(ctx, sql, args...)
}

// Flush inserts the events that wait for COMMIT now, in one round trip of its own.
// Call it before a statement after which they would mean something else and which
// a Tx cannot see through, as a function that switches the tenant. Their seq is
// then drawn now: hold the lock that covers their key. Without events it does
// nothing. Its error is an *InsertError; the transaction is aborted then.
func (t *Tx) Flush(ctx context.Context) error {
	if t.closed() {
		return ErrTxClosed
	}
	return t.kept.flush(ctx, t.inner)
}

// Prepare prepares a statement on the connection. Statements that control the
// transaction cannot be prepared: under their name they would pass unseen.
func (t *Tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if t.closed() {
		return nil, ErrTxClosed
	}
	if len(controls(sql, false)) > 0 {
		t.kept.misuse = ErrTransactionControl
		return nil, t.kept.misuse
	}
	description, err := t.inner.Prepare(ctx, name, sql)
	if err == nil {
		preparedOn(t.Conn())[name] = sql
	}
	return description, err
}

// SendBatch sends a batch. Events that Queue put into it count as the
// transaction's: they are logged after the commit, and the relay is woken.
func (t *Tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if t.closed() {
		return pgx.FailedBatchResults(b, ErrTxClosed)
	}
	for _, q := range b.QueuedQueries {
		if len(q.Arguments) > 0 {
			if queued, ok := q.Arguments[0].(*queuedEvents); ok {
				t.kept.entries = append(t.kept.entries, entry{
					statement: statement{built: queued.built}, queued: queued, sent: true, level: len(t.kept.marks),
				})
				continue
			}
		}
		if err := t.kept.before(ctx, t.inner, q.SQL); err != nil {
			return pgx.FailedBatchResults(b, err)
		}
	}
	return t.inner.SendBatch(ctx, b)
}

// CopyFrom copies rows into a table. A panic in rows, which pgx reads in another
// goroutine, goes on in the caller's.
func (t *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if t.closed() {
		return 0, ErrTxClosed
	}
	if len(table) > 0 && table[len(table)-1] == outboxTable {
		if err := t.kept.flush(ctx, t.inner); err != nil {
			return 0, err
		}
	}
	source := &copySource{CopyFromSource: rows}
	n, err := t.inner.CopyFrom(ctx, table, columns, source)
	source.panicAgain()
	return n, err
}

// LargeObjects gives access to large objects within the transaction.
func (t *Tx) LargeObjects() pgx.LargeObjects { return t.inner.LargeObjects() }

// Conn returns the connection itself. Statements that run on it pass the Tx
// unseen: a savepoint made there and rolled back again would leave the events
// that were inserted in between, and a COMMIT there fails InTx after the fact.
// Use it for types and settings, not for transaction control.
func (t *Tx) Conn() *pgx.Conn { return t.inner.Conn() }

// connTx runs statements on a closed nested transaction's connection, still
// within the transaction around it.
type connTx struct{ pgx.Tx }

func (c connTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.Conn().Exec(ctx, sql, args...)
}

func (c connTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.Conn().SendBatch(ctx, b)
}

// failedRows is a pgx.Rows that only has an error.
type failedRows struct{ err error }

func (failedRows) Close()                                       {}
func (r failedRows) Err() error                                 { return r.err }
func (failedRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (failedRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (failedRows) Next() bool                                   { return false }
func (r failedRows) Scan(...any) error                          { return r.err }
func (r failedRows) Values() ([]any, error)                     { return nil, r.err }
func (failedRows) RawValues() [][]byte                          { return nil }
func (failedRows) Conn() *pgx.Conn                              { return nil }
func (failedRows) TypeMap() *pgtype.Map                         { return nil }
