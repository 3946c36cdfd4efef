package outboxsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/internal/link"
	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
)

// Outbox runs transactions of database/sql that insert events. A service has one. It is
// safe for concurrent use.
type Outbox struct {
	db     *sql.DB
	writer link.Writer
}

// New returns an Outbox that takes its connections from db. The options are those of
// outbox.New; the zero value works.
func New(db *sql.DB, options outbox.Options) *Outbox {
	return &Outbox{db: db, writer: link.NewWriter(options)}
}

// Close waits for the wake-up under way, at most twice Options.WakeTimeout.
// Transactions can still commit after Close, but no longer wake the relay. Close does
// not close the pool.
func (o *Outbox) Close() { o.writer.Close() }

// Wake wakes the relay, as InTx does after a commit. Call it after you committed events
// on your own transaction, for example one of GORM. It returns immediately.
func (o *Outbox) Wake() { o.writer.Wake() }

// InTx runs fn in a transaction. If fn returns nil, InTx commits. If fn returns an
// error or panics, or ctx has ended, InTx rolls back. It returns the error of fn
// unchanged.
//
// After COMMIT was sent, ctx cannot cancel it; Options.CommitTimeout limits it. If the
// error is not an *outbox.CommitUnknownError, nothing is committed. InTx's other errors
// are *outbox.InsertError, *outbox.RolledBackError and outbox.ErrTransactionControl.
// The package documentation says where this is weaker than with pgx.
//
// After a commit with events, InTx logs them and wakes the relay. After an error for
// which outbox.SafeToRetry is true, or driver.ErrBadConn of a statement, fn runs again,
// at most Options.MaxRetries times.
func (o *Outbox) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return o.InTxOptions(ctx, nil, fn)
}

// InTxOptions is InTx with an isolation level and an access mode; nil: the defaults of
// the driver.
func (o *Outbox) InTxOptions(ctx context.Context, options *sql.TxOptions, fn func(ctx context.Context, tx *Tx) error) error {
	readOnly := options != nil && options.ReadOnly
	return o.writer.Retry(ctx, readOnly, func() error { return o.runOnce(ctx, options, readOnly, fn) })
}

func (o *Outbox) runOnce(ctx context.Context, options *sql.TxOptions, readOnly bool, fn func(ctx context.Context, tx *Tx) error) error {
	s, err := o.begin(ctx, options)
	if err != nil {
		return err
	}
	defer s.close()
	tx := &Tx{tx: s.tx, ledger: o.writer.NewLedger()}
	ended := false
	defer func() { // also when fn panics or calls runtime.Goexit
		tx.ledger.Close()
		if !ended {
			o.rollback(ctx, s)
		}
		if tx.readOnly && !readOnly {
			s.discard()
		}
	}()

	if err := fn(ctx, tx); err != nil {
		tx.note(err)
		if misuse := tx.ledger.Misuse(); misuse != nil && !errors.Is(err, misuse) {
			return errors.Join(err, misuse)
		}
		return err
	}
	if err := tx.ledger.Misuse(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("outbox: rolled back, the context ended before COMMIT was sent: %w", context.Cause(ctx))
	}
	tx.ledger.Close()
	ended = true
	err = o.commit(ctx, s, tx.ledger.Events())
	tx.note(err)
	if err == nil || outbox.IsCommitUnknown(err) {
		tx.ledger.Committed(ctx, err == nil)
	}
	return err
}

// session is a connection with a transaction.
type session struct {
	conn   *sql.Conn
	tx     *sql.Tx
	cancel context.CancelFunc // cancels the driver's calls for the transaction
}

func (s *session) close() {
	s.cancel()
	_ = s.conn.Close() // back to the pool; it may be closed already
}

// discard makes the pool close the connection.
func (s *session) discard() {
	_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
}

// stands reports whether the connection still works.
func (s *session) stands(ctx context.Context) bool { return s.conn.PingContext(ctx) == nil }

// beginTries is how many connections BEGIN is tried on, because those in the pool may
// be dead.
const beginTries = 3

// begin begins a transaction that the end of ctx does not roll back.
func (o *Outbox) begin(ctx context.Context, options *sql.TxOptions) (*session, error) {
	for try := 1; ; try++ {
		conn, err := o.db.Conn(ctx)
		if err != nil {
			return nil, fmt.Errorf("outbox: get a connection: %w", err)
		}
		s := &session{conn: conn}
		var life context.Context
		life, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
		stop := context.AfterFunc(ctx, s.cancel) // while BEGIN is under way
		s.tx, err = conn.BeginTx(life, options)
		if err == nil && stop() {
			return s, nil
		}
		if err == nil {
			_ = s.tx.Rollback() // database/sql does it too
			err = context.Cause(ctx)
		}
		stop()
		if outbox.IsReadOnly(err) {
			s.discard()
		}
		dead := ctx.Err() == nil && !s.stands(ctx)
		s.close()
		if !dead || try == beginTries {
			return nil, fmt.Errorf("outbox: begin: %w", err)
		}
	}
}

// limit makes the driver stop when ctx ends.
func (s *session) limit(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, s.cancel)
}

// rollback ends the transaction even if ctx has ended. If that fails, database/sql
// closes the connection, which ends the transaction too.
func (o *Outbox) rollback(ctx context.Context, s *session) {
	ctx, cancel := o.writer.CommitContext(ctx)
	defer cancel()
	defer s.limit(ctx)()
	if err := s.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		o.writer.Debug(ctx, "rollback failed, the connection is closed instead", err)
	}
}

// commit sends COMMIT. database/sql returns an error without the server's answer. So
// commit checks the connection: if it still works, the exchange was complete, and the
// error means that COMMIT failed, or that the driver rolled back because a statement
// had failed before.
func (o *Outbox) commit(ctx context.Context, s *session, events int) error {
	ctx, cancel := o.writer.CommitContext(ctx)
	defer cancel()
	stop := s.limit(ctx)
	err := s.tx.Commit()
	stop()
	if err == nil {
		return nil
	}
	code := sqlstate.Code(err)
	lost := sqlstate.ConnectionException(code) || code == sqlstate.CompletionUnknown
	switch {
	case errors.Is(err, sql.ErrTxDone):
		return fmt.Errorf("outbox: the transaction had ended before its function returned: %w", outbox.ErrTransactionControl)
	case errors.Is(err, pgx.ErrTxCommitRollback):
		return &outbox.RolledBackError{Events: events}
	case lost || !s.stands(ctx):
		return &outbox.CommitUnknownError{Events: events, Err: err}
	case code == "":
		return fmt.Errorf("%w: %w", &outbox.RolledBackError{Events: events}, err)
	}
	return fmt.Errorf("outbox: commit: %w", err)
}
