package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
)

// closeTime limits the time for closing a connection.
const closeTime = time.Second

// IsReadOnly reports whether the server refused a write because the transaction is
// read-only (SQLSTATE 25006). Unless the caller asked for a read-only transaction, the
// server is not, or is no longer, the primary. InTx, inbox.Tx and wake.Postgres close
// such a connection, so that the next one goes to the current primary. With several hosts
// in the DSN, target_session_attrs=read-write finds it.
func IsReadOnly(err error) bool {
	return sqlstate.Code(err) == sqlstate.ReadOnly
}

// closeReadOnly closes a connection that accepts no writes, unless the transaction was
// meant to be read-only. err is the error of the transaction. Because the function may
// have hidden the cause, closeReadOnly also checks what the server reported about
// itself (from Postgres 14 on).
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
		_ = conn.Close(ctx) // the connection is not used any more
	}
}
