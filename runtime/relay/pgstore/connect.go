package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// Connect opens a connection for a tool next to the relay. It is pgx.ConnectConfig with
// the time limits of a [Server] for addresses that are slow or do not answer.
func Connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	d := newDialer(ServerConfig{Conn: config})
	targets, err := d.targets(ctx)
	errs := []error{err}
	for _, at := range targets {
		at.config.ValidateConnect = config.ValidateConnect
		conn, err := d.connect(ctx, at)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}
