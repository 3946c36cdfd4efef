package outbox

import (
	"cmp"
	"context"
	"database/sql/driver"
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

// Waker tells the relay that rows may be waiting. A lost wake-up costs latency, never
// an event. Package wake has implementations.
type Waker interface {
	// Wake sends the wake-up. An Outbox makes one call at a time.
	Wake(ctx context.Context) error
}

// Pool is the connection pool of an Outbox: a *pgxpool.Pool.
type Pool interface {
	Acquire(ctx context.Context) (*pgxpool.Conn, error)
}

// Defaults of Options.
const (
	defaultCommitTimeout = 30 * time.Second
	defaultWakeTimeout   = 250 * time.Millisecond
)

// Options configure an Outbox. The zero value is usable.
type Options struct {
	// Waker wakes the relay after a commit. nil: no wake-ups; the relay finds the rows
	// at its next poll.
	Waker Waker
	// Logger gets a line at level info for each transaction that committed an event, and a
	// warning when a wake-up fails. If there are several events, the line has their number,
	// and each event has its own line at level debug. nil: slog.Default(). If its handler panics, the line is lost and
	// nothing else happens; the first such panic is reported on stderr.
	Logger *slog.Logger
	// Now is the clock for event times. nil: time.Now.
	Now func() time.Time
	// NewID makes event ids. It must never return the same id twice: the insert of an id
	// that is in the table already fails. Several goroutines may call it at the same time.
	// nil: UUIDv7.
	NewID func() (uuid.UUID, error)
	// MaxRetries is how often InTx runs the function again after an error for which
	// SafeToRetry is true, such as a serialization failure or a deadlock. Each run has
	// a new transaction and starts without events, so the function must be repeatable.
	// The pauses between runs begin at a few milliseconds and grow. 0: no retry.
	MaxRetries int
	// CommitTimeout limits the last round trip, which sends the events and COMMIT. The
	// caller's context does not cancel it. After the timeout, or up to 1/16 of it later,
	// InTx returns a CommitUnknownError. 0: 30 s.
	CommitTimeout time.Duration
	// WakeTimeout limits one wake-up. InTx does not wait for it. 0: 250 ms.
	WakeTimeout time.Duration
	// MaxRecordBytes is the largest record, in bytes, that an insert accepts. A larger
	// one is refused with a *RecordTooLargeError before anything is sent to the
	// database. Set it to max.message.bytes of the topics (Kafka's default is 1048588).
	// Without it, the relay is the first to notice, and the event becomes a dead
	// letter. 0: no limit.
	MaxRecordBytes int
}

func (o Options) withDefaults() Options {
	o.Logger = safelog.New(cmp.Or(o.Logger, slog.Default()))
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewV7
	}
	o.CommitTimeout = cmp.Or(max(o.CommitTimeout, 0), defaultCommitTimeout)
	o.WakeTimeout = cmp.Or(max(o.WakeTimeout, 0), defaultWakeTimeout)
	return o
}

// Outbox runs transactions and sends their events with COMMIT. A service has one. It is
// safe for concurrent use.
type Outbox struct {
	pool    Pool
	options Options
	alarm   alarm
	apart   apart
	// deadlines are those of COMMIT.
	deadlines deadlines
	// rowOptions apply before those of every event.
	rowOptions []Option
}

// New returns an Outbox that takes its connections from pool.
func New(pool Pool, options Options) *Outbox {
	o := &Outbox{pool: pool, options: options.withDefaults()}
	o.rowOptions = []Option{WithClock(o.options.Now), WithNewID(o.options.NewID), WithMaxRecordBytes(o.options.MaxRecordBytes)}
	o.deadlines.timeout = o.options.CommitTimeout
	o.alarm = alarm{waker: o.options.Waker, logger: o.options.Logger, timeout: o.options.WakeTimeout}
	return o
}

// Close waits for the wake-up under way, at most twice WakeTimeout. Transactions can
// still commit after Close, but no longer wake the relay. Close does not close the
// pool.
func (o *Outbox) Close() { o.alarm.close() }

// Wake wakes the relay, as InTx does after a commit. Call it after you committed events
// on your own transaction. It returns immediately.
func (o *Outbox) Wake() { o.alarm.ring() }

// InTx runs fn in a transaction. If fn returns nil, InTx sends the events and COMMIT in
// one round trip. If fn returns an error or panics, or ctx has ended, InTx rolls back.
// It returns the error of fn unchanged.
//
// After COMMIT was sent, ctx cannot cancel it. If the error is not a
// *CommitUnknownError, nothing is committed. InTx's other errors are *InsertError,
// *RolledBackError and ErrTransactionControl.
//
// A connection to a server that accepts no writes (see IsReadOnly) is closed and does
// not go back to the pool.
//
// If fn panics or calls runtime.Goexit, InTx rolls back, returns the connection to the
// pool, and lets the panic continue with its value.
func (o *Outbox) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return o.InTxOptions(ctx, pgx.TxOptions{}, fn)
}

// InTxOptions is InTx with transaction options such as the isolation level. If
// txOptions has a CommitQuery, the server must answer it with the tag COMMIT.
func (o *Outbox) InTxOptions(ctx context.Context, txOptions pgx.TxOptions, fn func(ctx context.Context, tx *Tx) error) error {
	readOnly := txOptions.AccessMode == pgx.ReadOnly
	return o.retry(ctx, readOnly, func() error { return o.runOnce(ctx, txOptions, fn) })
}

// retry runs once, and runs it again as MaxRetries allows.
func (o *Outbox) retry(ctx context.Context, readOnly bool, once func() error) error {
	for try := 0; ; try++ {
		err := once()
		again := notCommitted(err) && (!IsReadOnly(err) || !readOnly)
		if err == nil || try >= o.options.MaxRetries || !again {
			return err
		}
		o.options.Logger.DebugContext(ctx, "transaction runs again", "try", try+2, "error", err)
		if !backoff.Sleep(ctx, backoff.Jittered(shortestRetryPause, longestRetryPause, try+1)) {
			return err
		}
	}
}

// notCommitted is SafeToRetry for the error of a whole run. There, driver.ErrBadConn of
// COMMIT is a CommitUnknownError, and any other means that the run was not committed.
func notCommitted(err error) bool {
	return SafeToRetry(err) || errors.Is(err, driver.ErrBadConn) && !IsCommitUnknown(err)
}

// Pauses before a transaction runs again. They grow, and jitter keeps two transactions
// that conflicted from conflicting again.
const (
	shortestRetryPause = 7 * time.Millisecond
	longestRetryPause  = 450 * time.Millisecond
)

// run is what one run of a transaction needs, in one allocation.
type run struct {
	opening opening
	tx      Tx
	kept    kept
	entries [1]entry // the first ones of kept
}

func (o *Outbox) runOnce(ctx context.Context, txOptions pgx.TxOptions, fn func(ctx context.Context, tx *Tx) error) error {
	conn, err := o.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("outbox: get a connection: %w", err)
	}
	defer conn.Release() // closes the connection unless it is idle again

	run := &run{
		opening: opening{conn: conn.Conn(), options: txOptions, ctx: ctx, joining: joiningOf(conn.Conn(), txOptions), apart: &o.apart},
		kept:    kept{options: o.rowOptions},
	}
	run.kept.entries = run.entries[:0]
	run.tx = Tx{inner: &run.opening, kept: &run.kept}
	inner, tx := &run.opening, &run.tx
	ended := false
	defer func() { // also when fn panics or calls runtime.Goexit
		tx.kept.closed = true
		inner.end()
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
	if _, err := inner.begin(); err != nil {
		closeReadOnly(ctx, conn.Conn(), txOptions, err)
		return err
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

// rollback ends the transaction even if ctx has ended. If that fails, releasing the
// connection closes it, which ends the transaction too.
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

// committed logs the events and wakes the relay. If known is false, the commit may not
// have happened, so it only wakes the relay.
func (o *Outbox) committed(ctx context.Context, k *kept, known bool) {
	level, total := slog.LevelInfo, 0
	if known {
		if total = k.committed(); total > 1 {
			level = slog.LevelDebug
		}
	}
	inserted := !known && len(k.entries) > 0
	for i := range k.entries {
		e := &k.entries[i]
		n := e.rowCount()
		inserted = inserted || n > 0
		if known {
			o.log(ctx, level, e.built, n, k.left(i))
		}
	}
	if total > 1 {
		o.options.Logger.LogAttrs(ctx, slog.LevelInfo, "events committed", slog.Int("events", total), slog.Any("event_types", k.types()))
	}
	if inserted {
		o.alarm.ring()
	}
}

// log logs the events of a statement that are left; the statement inserted so many of its
// list. The level is that of events that were inserted.
func (o *Outbox) log(ctx context.Context, level slog.Level, list []built, inserted int64, left []built) {
	message := "event committed"
	switch {
	case inserted == int64(len(list)):
	case list[0].IDGiven:
		level, message = slog.LevelInfo, "event was in the outbox already, nothing inserted"
	default:
		level, message = slog.LevelError, "event lost: its generated id was in the outbox already; Options.NewID must never return the same id twice"
	}
	if !o.options.Logger.Enabled(ctx, level) {
		return
	}
	for i := range left {
		b := &left[i]
		attrs := []slog.Attr{
			slog.String("event_type", b.Row.EventType),
			slog.String("event_id", b.Row.ID.String()),
			slog.String("aggregate_type", b.Row.AggregateType),
			slog.String("aggregate_id", b.Row.AggregateID),
			slog.String("topic", b.Row.Topic),
			slog.String("correlation_id", b.Row.CorrelationID),
		}
		if b.Row.Data == nil {
			attrs = append(attrs, slog.Bool("tombstone", true))
		}
		if b.Row.delayed() {
			attrs = append(attrs, slog.Time("deliver_at", b.Row.DeliverAt))
		}
		o.options.Logger.LogAttrs(ctx, level, message, attrs...)
	}
}
