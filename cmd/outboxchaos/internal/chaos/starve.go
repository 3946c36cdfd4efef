package chaos

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
)

// limitConnections ends the sessions of the relays, the writers and the consumer. For a
// while it lets them open few new ones, or none.
func (r *run) limitConnections(limit int) func(context.Context, fault.Fault) error {
	return func(ctx context.Context, f fault.Fault) (err error) {
		role := pgx.Identifier{r.Role}.Sanitize()
		if _, err := r.Pool.Exec(ctx, fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", role, limit)); err != nil {
			return err
		}
		defer func() {
			_, unlimited := r.Pool.Exec(ctx, fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT -1", role))
			err = errors.Join(err, unlimited)
		}()
		if _, err := r.Pool.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", r.Role); err != nil {
			return err
		}
		refused := false
		const every = 100 * time.Millisecond
		for end := time.Now().Add(f.Hold); time.Now().Before(end); wait.For(ctx, every) {
			refused = refused || r.refusedConnection(ctx)
		}
		if !refused {
			return errMissed
		}
		return nil
	}
}

// refusedConnection reports whether the server refuses one more session.
func (r *run) refusedConnection(ctx context.Context) bool {
	config, err := pgx.ParseConfig(r.Database)
	if err != nil {
		return false
	}
	config.User = r.Role
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		_ = conn.Close(ctx) // it was only a test
		return false
	}
	const tooManyConnections = "53300"
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == tooManyConnections
}

func (r *run) killConsumer(context.Context, fault.Fault) error {
	r.Consumer.Kill()
	return r.Consumer.Start()
}

func (r *run) panicHandlers(ctx context.Context, f fault.Fault) error {
	const oneIn = 20
	before := r.Consumer.Panics()
	r.Consumer.Tell(fmt.Sprintf("panic %d", oneIn))
	wait.For(ctx, f.Hold)
	r.Consumer.Tell("panic 0")
	if r.Consumer.Panics() == before {
		return errMissed
	}
	return nil
}
