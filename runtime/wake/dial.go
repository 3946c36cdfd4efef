package wake

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
)

// dialing is a connection that is being opened; several calls may wait for it.
type dialing struct {
	cancel context.CancelFunc
	done   chan struct{}
	// set when done
	conn *pgx.Conn
	err  error
}

func beginDialing(config *pgx.ConnConfig) *dialing {
	ctx, cancel := context.WithCancel(context.Background())
	d := &dialing{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		defer cancel()
		d.conn, d.err = pgdial.Connect(ctx, config)
	}()
	return d
}
