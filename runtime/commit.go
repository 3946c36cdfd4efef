package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// commit sends the events that are still to be inserted, and COMMIT behind them,
// in one round trip. seq is thus drawn at the last moment, under every lock that
// the transaction holds.
//
// The server works through the statements one after the other and skips the rest
// after one that fails, so COMMIT runs only if every insert has run. That makes
// the outcome plain except when the connection breaks on the way.
func (o *Outbox) commit(ctx context.Context, conn *pgx.Conn, txOptions pgx.TxOptions, k *kept) error {
	unsent := k.unsent()
	if conn.IsClosed() {
		return errors.New("outbox: not committed, the connection was lost before COMMIT was sent")
	}
	switch conn.PgConn().TxStatus() {
	case 'T':
	case 'E':
		unsent = nil // they would be refused; COMMIT alone ends the transaction
	default:
		return fmt.Errorf("outbox: %d events not inserted, for the transaction had ended before its function returned: %w", k.events(), ErrTransactionControl)
	}

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.options.CommitTimeout)
	defer cancel()
	var batch pgx.Batch
	steps := queueInserts(&batch, unsent, searchPath(conn))
	query := "commit"
	if txOptions.CommitQuery != "" {
		query = txOptions.CommitQuery
	}
	batch.Queue(query)

	results := conn.SendBatch(ctx, &batch)
	tag, failed, err := readResults(results, steps)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	switch {
	case err != nil && unknown(conn, err):
		return &CommitUnknownError{Events: k.events(), Err: err}
	case err != nil && failed != nil:
		return refused(failed.built, err, conn)
	case err != nil:
		return fmt.Errorf("outbox: commit: %w", err)
	case tag.String() == "ROLLBACK":
		return &RolledBackError{Events: k.events()}
	case tag.String() != "COMMIT" || conn.PgConn().TxStatus() != 'I':
		return &CommitUnknownError{Events: k.events(), Err: fmt.Errorf(
			"%q answered %q and left the connection in transaction status %q", query, tag, conn.PgConn().TxStatus())}
	}
	for _, e := range unsent {
		// After the commit nothing but the log can complain about an id.
		_ = resolve(e.built, e.inserted)
	}
	return nil
}

// readResults reads the answers to the inserts, and the one to COMMIT. failed is
// the insert that the error belongs to; nil: to COMMIT, or to none.
func readResults(results pgx.BatchResults, steps []*entry) (tag pgconn.CommandTag, failed *entry, err error) {
	for _, e := range steps {
		tag, err := results.Exec()
		if err != nil {
			return tag, e, err
		}
		if e == nil {
			continue // the search_path is set
		}
		e.inserted = tag.RowsAffected()
	}
	tag, err = results.Exec()
	return tag, nil, err
}

// unknown reports whether err leaves it open what the server did with COMMIT. A
// connection that still stands within the transaction is an answer, and so is
// an error that the server reports and survives: the statement failed, so COMMIT
// did not run, or failed itself. Anything else is none. That
// includes a fatal error, which a server that shuts down sends even after it has
// committed (while it waits for a standby), and which a pooler sends when it has
// lost its server.
func unknown(conn *pgx.Conn, err error) bool {
	if status := conn.PgConn().TxStatus(); !conn.IsClosed() && (status == 'T' || status == 'E') {
		return false
	}
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		// pgconn.SafeToRetry is of no use here: a connection that breaks while the
		// answer is read may come back as "conn closed", which it calls safe.
		return true
	}
	severity := pgErr.SeverityUnlocalized
	if severity == "" {
		severity = pgErr.Severity
	}
	const statementCompletionUnknown = "40003"
	return severity != "ERROR" || strings.HasPrefix(pgErr.Code, "08") || pgErr.Code == statementCompletionUnknown
}
