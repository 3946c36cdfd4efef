package outbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
)

// commit sends the remaining inserts and COMMIT in one round trip. So seq is drawn
// last, under every lock that the transaction holds.
//
// The server runs the statements in order and skips the rest after one fails, so COMMIT
// runs only if every insert succeeded. The outcome is therefore known unless the
// connection breaks.
func (o *Outbox) commit(ctx context.Context, conn *pgx.Conn, txOptions pgx.TxOptions, k *kept) error {
	var room [statementsAtHand]*entry
	unsent := k.unsent(room[:0])
	if conn.IsClosed() {
		return errors.New("outbox: not committed: the connection was lost before COMMIT was sent")
	}
	if conn.PgConn().IsBusy() {
		return errors.New("outbox: not committed: the results of a query are still open; close them before the function returns")
	}
	switch conn.PgConn().TxStatus() {
	case 'T':
	case 'E':
		unsent = nil // the server would refuse them; COMMIT alone ends the transaction
	default:
		return fmt.Errorf("outbox: %d events not inserted: the transaction ended before its function returned: %w", k.events(), ErrTransactionControl)
	}

	ctx = o.deadlines.context(ctx)
	batch := &k.last
	batch.QueuedQueries = k.queries[:0]
	var stepRoom [statementsAtHand]*entry
	steps := queueInserts(batch, unsent, searchPath(conn), stepRoom[:0])
	query := "commit"
	if txOptions.CommitQuery != "" {
		query = txOptions.CommitQuery
	}
	batch.Queue(query)

	results := conn.SendBatch(ctx, batch)
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
		// After the commit, a wrong id can only be logged.
		_ = resolve(e.built, e.inserted)
	}
	return nil
}

// readResults reads the answers to the inserts and to COMMIT. failed is the insert that
// err belongs to. It is nil if err belongs to COMMIT or if there is no error.
func readResults(results pgx.BatchResults, steps []*entry) (tag pgconn.CommandTag, failed *entry, err error) {
	for _, e := range steps {
		tag, err := results.Exec()
		if err != nil {
			return tag, e, err
		}
		if e == nil {
			continue // this statement sets the search_path
		}
		e.inserted = tag.RowsAffected()
	}
	tag, err = results.Exec()
	return tag, nil, err
}

// unknown reports whether err leaves the outcome of COMMIT unknown. The outcome is
// known if the connection is still inside the transaction, or if the server reported that
// COMMIT failed.
func unknown(conn *pgx.Conn, err error) bool {
	if status := conn.PgConn().TxStatus(); !conn.IsClosed() && (status == 'T' || status == 'E') {
		return false
	}
	return !sqlstate.CommitFailed(err)
}
