package pgstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
)

// Connect opens a connection for a tool next to the relay. It is pgx.ConnectConfig with
// the time limits of a [Server] for addresses that are slow or do not answer. A panic of
// code in config, such as a tracer, is returned as an error.
func Connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	return pgdial.Connect(ctx, config)
}
