package outboxsql

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/link"
)

// Tx is a transaction that [Outbox.InTx] runs. It has the methods with a context of an
// *sql.Tx. So it fits the code that sqlc generates for database/sql, bun's queries
// (db.NewInsert().Conn(tx)), GORM's postgres.Config.Conn and ent's sql.Conn.ExecQuerier.
// It also fits the insert functions, inbox.Claim and package outboxtest. It is valid only
// inside the function given to InTx, and is not safe for concurrent use.
//
// An event is inserted immediately, so it belongs to the open savepoint. SAVEPOINT, RELEASE
// and ROLLBACK TO written as SQL work too. COMMIT, ROLLBACK and the like return
// outbox.ErrTransactionControl, and InTx rolls the transaction back.
type Tx struct {
	tx        *sql.Tx
	ledger    link.Ledger
	savepoint int  // number of open savepoints of Savepoint
	readOnly  bool // a statement failed because the server accepts no writes
}

var (
	_ outbox.Transaction = (*Tx)(nil)
	_ DBTX               = (*Tx)(nil)
	_ link.Ledgered      = (*Tx)(nil)
)

// Ledger is for package outbox.
func (t *Tx) Ledger() link.Ledger { return t.ledger }

// SQL returns the *sql.Tx, for libraries that need one (sqlx, for example). The Tx does
// not see statements that run on it: make no savepoint there, and do not end the
// transaction.
func (t *Tx) SQL() *sql.Tx { return t.tx }

// note records what an error says about the server.
func (t *Tx) note(err error) {
	if err != nil && outbox.IsReadOnly(err) {
		t.readOnly = true
	}
}

// after notes how a statement ended; ran is what Before of the ledger returned.
func (t *Tx) after(ran func(), err error) {
	t.note(err)
	if err == nil && ran != nil {
		ran()
	}
}

// through runs a statement that the ledger has seen.
func through[T any](t *Tx, query string, run func() (T, error)) (result T, err error) {
	ran, err := t.ledger.Before(query)
	if err != nil {
		return result, err
	}
	result, err = run()
	t.after(ran, err)
	return result, err
}

// ExecContext runs a statement.
func (t *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return through(t, query, func() (sql.Result, error) { return t.tx.ExecContext(ctx, query, args...) })
}

// QueryContext runs a query.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return through(t, query, func() (*sql.Rows, error) { return t.tx.QueryContext(ctx, query, args...) })
}

// QueryRowContext runs a query for one row. A query that would end the transaction does
// not run and fails with context.Canceled.
func (t *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	ran, err := t.ledger.Before(query)
	if err != nil {
		refused, cancel := context.WithCancelCause(ctx)
		cancel(err)
		ctx = refused
	}
	found := t.tx.QueryRowContext(ctx, query, args...)
	t.after(ran, found.Err())
	return found
}

// PrepareContext prepares a statement. It refuses COMMIT, ROLLBACK and the like. Do not
// prepare SAVEPOINT, RELEASE or ROLLBACK TO: the Tx counts them as run when they are
// prepared, so events may be logged wrongly.
func (t *Tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return through(t, query, func() (*sql.Stmt, error) { return t.tx.PrepareContext(ctx, query) })
}

// StmtContext returns a prepared statement of the pool for this transaction, like
// *sql.Tx.StmtContext.
func (t *Tx) StmtContext(ctx context.Context, stmt *sql.Stmt) *sql.Stmt {
	return t.tx.StmtContext(ctx, stmt)
}

// Exec is ExecContext for code that is written for pgx, such as the insert functions.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (pgconn.CommandTag, error) {
	return statements{t}.Exec(ctx, query, args...)
}

// Query is QueryContext for code that is written for pgx.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	return statements{t}.Query(ctx, query, args...)
}

// QueryRow is QueryRowContext for code that is written for pgx.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) pgx.Row {
	return statements{t}.QueryRow(ctx, query, args...)
}

// Rollback returns outbox.ErrTransactionControl, and InTx rolls the transaction back.
// Return an error from the function instead.
func (t *Tx) Rollback(context.Context) error { return t.ledger.End() }

// Savepoint runs fn within a savepoint. If fn returns nil, its changes are kept. If it
// returns an error or panics, Savepoint rolls back to the savepoint, drops the events
// since then, and returns the error unchanged; the transaction can continue. Savepoints
// nest.
//
// After ctx has ended the driver may have closed the connection. Then the whole
// transaction is lost, and Savepoint returns the errors of fn and of the rollback.
func (t *Tx) Savepoint(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) (err error) {
	t.savepoint++
	defer func() { t.savepoint-- }()
	name := fmt.Sprintf("outbox_%d", t.savepoint)
	if _, err := t.ExecContext(ctx, "SAVEPOINT "+name); err != nil {
		return fmt.Errorf("outboxsql: begin a savepoint: %w", err)
	}
	released := false
	defer func() { // also when fn panics or calls runtime.Goexit
		if released {
			return
		}
		ctx := context.WithoutCancel(ctx)
		for _, query := range []string{"ROLLBACK TO SAVEPOINT " + name, "RELEASE SAVEPOINT " + name} {
			if _, failed := t.ExecContext(ctx, query); failed != nil {
				err = fmt.Errorf("%w (and outboxsql: roll back to the savepoint: %w)", err, failed)
				return
			}
		}
	}()
	if err := fn(ctx, t); err != nil {
		return err
	}
	// If a statement failed unnoticed, the server refuses to release, and the savepoint
	// is still there to roll back to.
	if _, err := t.ExecContext(ctx, "RELEASE SAVEPOINT "+name); err != nil {
		return fmt.Errorf("outboxsql: release a savepoint: %w", err)
	}
	released = true
	return nil
}
