package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
)

// Waker tells the relay that rows may be waiting. It is a hint: a wake-up that is
// lost costs latency, never an event. Package wake has wakers.
type Waker interface {
	// Wake sends the hint. It is never called twice at the same time by one
	// Outbox.
	Wake(ctx context.Context) error
}

// Pool is what an Outbox takes its connections from: a *pgxpool.Pool.
type Pool interface {
	Acquire(ctx context.Context) (*pgxpool.Conn, error)
}

// Defaults of Options.
const (
	DefaultCommitTimeout = 30 * time.Second
	DefaultWakeTimeout   = 250 * time.Millisecond
)

// Options configure an Outbox. The zero value is usable.
type Options struct {
	// Waker wakes the relay after a commit. nil: nobody is woken, and the relay
	// finds the rows at its next poll.
	Waker Waker
	// Logger gets one line at level info for every committed event, and a
	// warning when a wake-up fails. nil: slog.Default(). A panic of its handler
	// costs the line and nothing else; the first one is reported on stderr.
	Logger *slog.Logger
	// Now dates events. nil: time.Now.
	Now func() time.Time
	// NewID makes event ids, and must never repeat one: a row whose id is in the
	// table is not inserted. nil: UUIDv7. Called from several goroutines at once.
	NewID func() (uuid.UUID, error)
	// MaxRetries is how often InTx runs the function again, with a fresh
	// transaction and no events, after an error for which SafeToRetry holds (a
	// serialization failure, a deadlock). 0: never; the function must bear being
	// run again. Between tries it waits for a few milliseconds, then longer.
	MaxRetries int
	// CommitTimeout bounds the last round trip, the one with the events and
	// COMMIT, which the caller's context does not cancel. Past it the outcome is
	// a CommitUnknownError. 0: DefaultCommitTimeout.
	CommitTimeout time.Duration
	// WakeTimeout bounds one wake-up; InTx does not wait for it. 0:
	// DefaultWakeTimeout.
	WakeTimeout time.Duration
	// MaxRecordBytes refuses an event whose record would be larger, in bytes, with a
	// *RecordTooLargeError before anything is sent to the database. Set it to the
	// max.message.bytes of the topics (Kafka's default is 1048588): else the relay
	// is the first to notice, and the event becomes a dead letter. 0: no limit.
	MaxRecordBytes int
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = safelog.New(o.Logger)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewV7
	}
	if o.CommitTimeout <= 0 {
		o.CommitTimeout = DefaultCommitTimeout
	}
	if o.WakeTimeout <= 0 {
		o.WakeTimeout = DefaultWakeTimeout
	}
	return o
}

// Outbox runs transactions whose events ride with COMMIT. A service has one, for
// as long as it lives; it is safe for concurrent use.
type Outbox struct {
	pool    Pool
	options Options
	alarm   alarm
}

// New returns an Outbox that takes its connections from the pool.
func New(pool Pool, options Options) *Outbox {
	o := &Outbox{pool: pool, options: options.withDefaults()}
	o.alarm = alarm{waker: o.options.Waker, logger: o.options.Logger, timeout: o.options.WakeTimeout}
	return o
}

// Close waits until the wake-up under way, if any, has ended, which takes no
// longer than twice WakeTimeout. Transactions after it still commit, and wake
// nobody. It does not close the pool.
func (o *Outbox) Close() { o.alarm.close() }

// Wake wakes the relay, as InTx does after a commit. It is for events that were
// committed on a transaction of the caller's own. It returns at once.
func (o *Outbox) Wake() { o.alarm.ring() }

// InTx runs fn in a transaction. When fn returns nil the transaction commits, and
// its events go with COMMIT in one round trip; when fn returns an error or
// panics, or ctx has ended, it is rolled back and nothing is left of either. The
// error of fn is returned as it is.
//
// Once COMMIT is on its way, ctx cannot cancel it. For every error but a
// *CommitUnknownError nothing is committed; other errors of its own are
// *InsertError, *RolledBackError and ErrTransactionControl.
//
// A connection to a server that takes no writes (see IsReadOnly) is closed and
// does not go back to the pool.
//
// When fn panics or calls runtime.Goexit, the transaction is rolled back, the
// connection goes back to the pool, and the panic goes on with its value.
func (o *Outbox) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return o.InTxOptions(ctx, pgx.TxOptions{}, fn)
}

// InTxOptions is InTx with an isolation level, an access mode and the like. A
// CommitQuery must answer with the tag COMMIT.
func (o *Outbox) InTxOptions(ctx context.Context, txOptions pgx.TxOptions, fn func(ctx context.Context, tx *Tx) error) error {
	for try := 0; ; try++ {
		err := o.runOnce(ctx, txOptions, fn)
		again := SafeToRetry(err) && (!IsReadOnly(err) || txOptions.AccessMode != pgx.ReadOnly)
		if err == nil || try >= o.options.MaxRetries || !again {
			return err
		}
		o.options.Logger.DebugContext(ctx, "transaction runs again", "try", try+2, "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(backoff.Jittered(shortestRetryPause, longestRetryPause, try+1)):
		}
	}
}

// A transaction runs again after pauses that grow, and that are never the same for two
// that ran into each other.
const (
	shortestRetryPause = 7 * time.Millisecond
	longestRetryPause  = 450 * time.Millisecond
)

func (o *Outbox) runOnce(ctx context.Context, txOptions pgx.TxOptions, fn func(ctx context.Context, tx *Tx) error) error {
	conn, err := o.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("outbox: get a connection: %w", err)
	}
	defer conn.Release() // closes the connection unless it is idle again

	inner, err := conn.BeginTx(ctx, txOptions)
	if err != nil {
		closeReadOnly(ctx, conn.Conn(), txOptions, err)
		return fmt.Errorf("outbox: begin: %w", err)
	}
	tx := &Tx{inner: inner, kept: &kept{now: o.options.Now, newID: o.options.NewID, maxRecordBytes: o.options.MaxRecordBytes}}
	ended := false
	defer func() { // also when fn panics or calls runtime.Goexit
		tx.kept.closed = true
		if ended {
			return
		}
		failed := conn.Conn().PgConn().TxStatus() == 'E'
		o.rollback(ctx, inner)
		if failed {
			closeReadOnly(ctx, conn.Conn(), txOptions, nil)
		}
	}()

	if err := fn(ctx, tx); err != nil {
		closeReadOnly(ctx, conn.Conn(), txOptions, err)
		if tx.kept.misuse != nil && !errors.Is(err, tx.kept.misuse) {
			return errors.Join(err, tx.kept.misuse)
		}
		return err
	}
	if tx.kept.misuse != nil {
		return tx.kept.misuse
	}
	if ctx.Err() != nil {
		return fmt.Errorf("outbox: rolled back, the context ended before COMMIT was sent: %w", context.Cause(ctx))
	}
	tx.kept.closed = true
	err = o.commit(ctx, conn.Conn(), txOptions, tx.kept)
	ended = conn.Conn().PgConn().TxStatus() == 'I'
	if err == nil || IsCommitUnknown(err) {
		o.committed(ctx, tx.kept, err == nil)
	} else {
		closeReadOnly(ctx, conn.Conn(), txOptions, err)
	}
	return err
}

// rollback ends the transaction whatever became of ctx. A connection on which
// that fails is closed by its release, which ends the transaction too.
func (o *Outbox) rollback(ctx context.Context, inner pgx.Tx) {
	if inner.Conn().IsClosed() || inner.Conn().PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.options.CommitTimeout)
	defer cancel()
	if err := inner.Rollback(ctx); err != nil {
		o.options.Logger.DebugContext(ctx, "rollback failed, the connection is closed instead", "error", err)
	}
}

// committed logs the events and wakes the relay. Unless known, the commit may
// not have happened: then nothing is logged, and the relay looks for itself.
func (o *Outbox) committed(ctx context.Context, k *kept, known bool) {
	inserted := !known && len(k.entries) > 0
	for _, e := range k.entries {
		n := e.rowCount()
		inserted = inserted || n > 0
		if known {
			o.log(ctx, e.built, n)
		}
	}
	if inserted {
		o.alarm.ring()
	}
}

func (o *Outbox) log(ctx context.Context, list []built, inserted int64) {
	level, message := slog.LevelInfo, "event committed"
	switch {
	case inserted == int64(len(list)):
	case list[0].IDGiven:
		message = "event was in the outbox already, nothing inserted"
	default:
		level, message = slog.LevelError, "event lost: its generated id was in the outbox already; Options.NewID must never repeat one"
	}
	if !o.options.Logger.Enabled(ctx, level) {
		return
	}
	for _, b := range list {
		o.options.Logger.LogAttrs(ctx, level, message,
			slog.String("event_type", b.Row.EventType),
			slog.String("event_id", b.Row.ID.String()),
			slog.String("aggregate_type", b.Row.AggregateType),
			slog.String("aggregate_id", b.Row.AggregateID),
			slog.String("topic", b.Row.Topic),
			slog.String("correlation_id", b.Row.CorrelationID),
		)
	}
}
