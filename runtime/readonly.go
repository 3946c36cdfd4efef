package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// readOnlyTransaction is the SQLSTATE of a write in a read-only transaction.
const readOnlyTransaction = "25006"

// closeTime bounds the good-bye to a connection that is of no use.
const closeTime = time.Second

// IsReadOnly reports whether the server refused to write because the transaction
// is read-only (SQLSTATE 25006). Unless the caller asked for that, the connection
// leads to a server that is no primary, or no longer, and will never write again:
// InTx, inbox.Tx and wake.Postgres close it, so that the next one is made to
// whatever server the address leads to now. With several hosts in the DSN,
// target_session_attrs=read-write finds the primary.
func IsReadOnly(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == readOnlyTransaction
}

// closeReadOnly closes a connection that takes no writes, unless the transaction
// was not to write. err is what its transaction failed with; the function may have
// hidden the cause, so what the server has told about itself counts as well (from
// Postgres 14 on it does).
func closeReadOnly(ctx context.Context, conn *pgx.Conn, txOptions pgx.TxOptions, err error) {
	if conn.IsClosed() || txOptions.AccessMode == pgx.ReadOnly {
		return
	}
	pg := conn.PgConn()
	refuses := pg.ParameterStatus("in_hot_standby") == "on" || pg.ParameterStatus("default_transaction_read_only") == "on"
	failed := err == nil
	if _, ok := errors.AsType[*pgconn.PgError](err); ok || errors.Is(err, pgx.ErrTxCommitRollback) {
		failed = true
	}
	if IsReadOnly(err) || failed && refuses {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		_ = conn.Close(ctx) // nobody needs it any more
	}
}
