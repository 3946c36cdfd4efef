package outbox

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Waker tells the relay that rows may be waiting. Package wake has wakers.
type Waker interface {
	Wake(ctx context.Context) error
}

// Pool is what an Outbox takes its connections from; a *pgxpool.Pool.
type Pool interface {
	Acquire(ctx context.Context) (*pgxpool.Conn, error)
}

// Options configure an Outbox.
type Options struct {
	Waker  Waker
	Logger *slog.Logger
	Now    func() time.Time
	NewID  func() (uuid.UUID, error)
}

// Outbox runs transactions whose events ride with COMMIT.
type Outbox struct{ pool Pool }

// New returns an Outbox on the pool.
func New(pool Pool, opts Options) *Outbox { return &Outbox{pool: pool} }

// InTx runs fn in a transaction and commits it with its events.
func (o *Outbox) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return o.InTxOptions(ctx, pgx.TxOptions{}, fn)
}

// InTxOptions is InTx with the isolation level and access mode of your choice.
func (o *Outbox) InTxOptions(ctx context.Context, txOptions pgx.TxOptions, fn func(ctx context.Context, tx *Tx) error) error {
	return nil
}

// Tx is a pgx.Tx on which events ride.
type Tx struct{ pgx.Tx }
