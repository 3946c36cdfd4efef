package outbox

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

// Tx is a pgx.Tx that keeps the events inserted on it until InTx sends them with
// COMMIT. It is valid only inside the function given to InTx; after that its methods
// return an error that is pgx.ErrTxClosed. Like any pgx.Tx, it is not safe for
// concurrent use.
//
// The transaction begins with its first statement: BEGIN is sent together with it, which
// saves a round trip.
//
// Begin opens a savepoint, a nested Tx. Its Commit keeps its events; its Rollback drops
// them. A SAVEPOINT as SQL works too, but costs round trips: the events before it are
// inserted first, and later events immediately.
//
// Before a statement that may change what an insert does, the Tx inserts the events that
// wait; the package documentation lists such statements. If a function, view, trigger or
// operator makes such a change, the Tx notices only a changed search_path, and only from
// Postgres 18 on: call Flush before the statement that uses it.
type Tx struct {
	inner pgx.Tx
	kept  *kept
	level int // 0: the outermost Tx; else the number of its savepoint
	done  bool
}

var _ pgx.Tx = (*Tx)(nil)

// keep keeps events for COMMIT. After a raw SAVEPOINT it inserts them immediately.
func (t *Tx) keep(ctx context.Context, sql link.SQL, events []Event) error {
	list, err := t.kept.build(ctx, events, t.closed())
	if err != nil {
		return err
	}
	var room [statementsAtHand]statement
	for _, s := range plan(sql, list, room[:0]) {
		t.kept.entries = append(t.kept.entries, entry{statement: s, path: searchPath(t.inner.Conn())})
	}
	if t.kept.eager {
		return t.kept.flush(ctx, t.inner)
	}
	return nil
}

func (t *Tx) closed() bool { return t.done || t.kept.closed }

// check handles SQL before it runs. See kept.before for undo.
func (t *Tx) check(ctx context.Context, sql string) (undo func(), err error) {
	if t.closed() {
		return nil, errTxClosed
	}
	return t.kept.before(ctx, t.inner, sql)
}

// Begin opens a savepoint. The pgx.Tx that it returns is a *Tx.
func (t *Tx) Begin(ctx context.Context) (pgx.Tx, error) {
	if t.closed() {
		return nil, errTxClosed
	}
	inner, err := t.inner.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &Tx{inner: inner, kept: t.kept, level: t.kept.open("")}, nil
}

// Commit releases the savepoint of a nested Tx. On the outermost Tx it returns
// ErrTransactionControl, and InTx rolls the transaction back.
func (t *Tx) Commit(ctx context.Context) error {
	if t.closed() {
		return errTxClosed
	}
	if t.level == 0 {
		return t.kept.end()
	}
	t.done = true
	if err := t.inner.Commit(ctx); err != nil {
		// After this, only a rollback to an outer savepoint or of the transaction
		// works, and that drops the events.
		return err
	}
	t.kept.release(t.level)
	return nil
}

// Rollback rolls a nested Tx back to its savepoint and drops its events. On the
// outermost Tx it returns ErrTransactionControl, and InTx rolls the transaction back.
// Return an error from the function instead.
func (t *Tx) Rollback(ctx context.Context) error {
	if t.closed() {
		return errTxClosed
	}
	if t.level == 0 {
		return t.kept.end()
	}
	t.done = true
	err := t.inner.Rollback(ctx)
	t.kept.rollback(t.level)
	t.kept.release(t.level)
	if err == nil && t.kept.eager {
		// On the connection, because t.inner is closed.
		err = t.kept.flush(ctx, connTx{t.inner})
	}
	return err
}

// Exec runs a statement; see Tx for statements that send the waiting events first.
func (t *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	undo, err := t.check(ctx, sql)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	tag, err := t.inner.Exec(ctx, sql, args...)
	if err != nil && undo != nil {
		undo()
	}
	return tag, err
}

// Query runs a query; see Tx for statements that send the waiting events first.
func (t *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	undo, err := t.check(ctx, sql)
	if err != nil {
		return failedResults(err).Query()
	}
	rows, err := t.inner.Query(ctx, sql, args...)
	if err != nil && undo != nil {
		undo()
	}
	return rows, err
}

// QueryRow runs a query that returns at most one row. Errors are returned by Scan.
func (t *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if _, err := t.check(ctx, sql); err != nil {
		return failedResults(err).QueryRow()
	}
	return t.inner.QueryRow(ctx, sql, args...)
}

// Flush inserts the waiting events now, in one extra round trip. Call it before a
// statement that changes what an insert does in a way that the Tx cannot see, for example
// a function that switches the tenant. The events get their seq now, so hold the lock that
// covers their key. Without waiting events, Flush does nothing. On failure it returns an
// *InsertError, and the transaction is aborted.
func (t *Tx) Flush(ctx context.Context) error {
	if t.closed() {
		return errTxClosed
	}
	return t.kept.flush(ctx, t.inner)
}

// Prepare prepares a statement on the connection. It refuses statements that control
// the transaction, because the Tx would not recognise them by their name.
func (t *Tx) Prepare(ctx context.Context, name, sql string) (*pgconn.StatementDescription, error) {
	if t.closed() {
		return nil, errTxClosed
	}
	if len(controls(sql, false)) > 0 {
		return nil, t.kept.end()
	}
	description, err := t.inner.Prepare(ctx, name, sql)
	if err == nil {
		preparedOn(t.inner.Conn())[name] = sql
	}
	return description, err
}

// SendBatch sends a batch. Events that Queue put into the batch belong to the
// transaction: they are logged after the commit, and the relay is woken.
func (t *Tx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if t.closed() {
		return pgx.FailedBatchResults(b, errTxClosed)
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
		if _, err := t.kept.before(ctx, t.inner, q.SQL); err != nil {
			return pgx.FailedBatchResults(b, err)
		}
	}
	return t.inner.SendBatch(ctx, b)
}

// CopyFrom copies rows into a table. If rows panics, the panic continues in the
// caller's goroutine.
func (t *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	if t.closed() {
		return 0, errTxClosed
	}
	if len(table) > 0 && (table[len(table)-1] == outboxTable || table[len(table)-1] == delayedTable) {
		if err := t.kept.flush(ctx, t.inner); err != nil {
			return 0, err
		}
	}
	source := &copySource{CopyFromSource: rows}
	n, err := t.inner.CopyFrom(ctx, table, columns, source)
	source.panicAgain()
	return n, err
}

// LargeObjects returns access to large objects within the transaction.
func (t *Tx) LargeObjects() pgx.LargeObjects { return t.inner.LargeObjects() }

// Conn returns the connection. The Tx does not see statements that run on it. If you
// roll back to a savepoint there, the Tx still counts the events that the rollback
// removed. If you commit there, InTx returns an error afterwards. Use Conn for types
// and settings, not for transaction control.
func (t *Tx) Conn() *pgx.Conn {
	if first, ok := t.inner.(*opening); ok && !t.closed() {
		if _, err := first.begin(); err != nil {
			// No statement may run outside the transaction. InTx returns the error.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(first.ctx), closeTime)
			defer cancel()
			_ = first.conn.Close(ctx) // the connection is not used any more
		}
	}
	return t.inner.Conn()
}

// connTx runs statements on the connection of a closed nested transaction, inside the
// outer transaction.
type connTx struct{ pgx.Tx }

func (c connTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return c.Conn().Exec(ctx, sql, args...)
}

func (c connTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return c.Conn().SendBatch(ctx, b)
}

// failedResults returns the results of SQL that was not sent because of an error.
func failedResults(err error) pgx.BatchResults { return pgx.FailedBatchResults(&pgx.Batch{}, err) }
