package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay/admin/internal/admindb"
)

// PurgeDB is a connection or a pool.
type PurgeDB interface {
	DB
	Beginner
}

// PurgeConfig says which published rows to delete, and how fast.
type PurgeConfig struct {
	// Before selects the rows that were published before it, by the database's clock.
	// Required.
	Before time.Time
	// Batch is the number of rows of one statement. Default 1,000, at most 10,000.
	Batch int
	// Rate limits the rows for each second. Default 0: no limit.
	Rate int
	// Progress, if set, is called after each batch with the rows that were deleted so far.
	Progress func(deleted int64)
}

const (
	defaultBatch = 1_000
	largestBatch = 10_000
)

func (c PurgeConfig) withDefaults() (PurgeConfig, error) {
	if c.Batch == 0 {
		c.Batch = defaultBatch
	}
	switch {
	case c.Before.IsZero():
		return c, errors.New("admin: PurgeConfig.Before is not set")
	case c.Batch < 0 || c.Batch > largestBatch:
		return c, fmt.Errorf("admin: PurgeConfig.Batch must be between 1 and %d", largestBatch)
	case c.Rate < 0:
		return c, errors.New("admin: PurgeConfig.Rate must not be negative; 0 is no limit")
	}
	if c.Progress == nil {
		c.Progress = func(int64) {}
	}
	return c, nil
}

// errPurgeLog is the error of a purge of a log.
var errPurgeLog = errors.New("admin: event_outbox is a log, of which no single rows are deleted: the relay drops the partition of a day " +
	"when all its rows are older than the retention; set a shorter retention")

// refuseLog returns an error if the outbox is a log.
func refuseLog(ctx context.Context, q *admindb.Queries) error {
	isLog, err := q.IsLog(ctx)
	if err == nil && isLog {
		err = errPurgeLog
	}
	return err
}

// CountPurgeable counts the rows that Purge would delete. It goes through the table by an
// index, a part at a time, so it takes no long transaction.
func CountPurgeable(ctx context.Context, db DB, c PurgeConfig) (int64, error) {
	c, err := c.withDefaults()
	if err != nil {
		return 0, err
	}
	if err := refuseHidden(ctx, db); err != nil {
		return 0, err
	}
	q := admindb.New(db)
	if err := refuseLog(ctx, q); err != nil {
		return 0, err
	}
	total, err := q.PurgeableWithoutTx(ctx, c.Before)
	if err != nil {
		return 0, fmt.Errorf("admin: count the published rows: %w", missing(err))
	}
	for from := uint64(0); ; {
		row, err := q.Purgeable(ctx, admindb.PurgeableParams{Before: c.Before, FromTx: from, WindowRows: largestBatch})
		if err != nil {
			return total, fmt.Errorf("admin: count the published rows: %w", missing(err))
		}
		total += row.Purgeable
		if !row.EdgeOld {
			return total, nil
		}
		from = row.EdgeTx + 1
	}
}

// Purge deletes published rows as the relay's retention does, and returns how many. Rows
// that are pending or dead stay. Each batch is a transaction of its own, which waits for no
// lock of a row. event_outbox_audit records the decision before the first one. When ctx ends,
// it finishes the batch, and returns what it has deleted and the cause. A batch that does not
// end within 15 s after that, such as on a connection to a server that is gone, is given up.
func Purge(ctx context.Context, conn PurgeDB, c PurgeConfig, d Decision) (int64, error) {
	return purgeWithin(ctx, conn, c, d, batchGrace)
}

// batchGrace is how long a batch may last after its context has ended.
const batchGrace = 15 * time.Second

func purgeWithin(ctx context.Context, conn PurgeDB, c PurgeConfig, d Decision, grace time.Duration) (int64, error) {
	c, err := c.withDefaults()
	if err != nil {
		return 0, err
	}
	if err := d.Validate(); err != nil {
		return 0, err
	}
	if strings.TrimSpace(d.Reason) == "" {
		return 0, errors.New("admin: Decision.Reason is empty: a purge cannot be taken back, so the audit needs to know why")
	}
	if err := refuseHidden(ctx, conn); err != nil {
		return 0, err
	}
	if err := refuseLog(ctx, admindb.New(conn)); err != nil {
		return 0, err
	}
	p := &purge{PurgeConfig: c, conn: conn, began: time.Now(), grace: grace}
	entry := fmt.Sprintf("rows published before %s: %s", c.Before.UTC().Format(time.RFC3339), strings.TrimSpace(d.Reason))
	err = p.batch(ctx, func(ctx context.Context, q *admindb.Queries) error {
		return q.AddEntry(ctx, admindb.AddEntryParams{Actor: d.Actor, Action: "purge", Reason: &entry})
	})
	if sqlstate.Code(err) == "23514" {
		err = fmt.Errorf("%w: %w", ErrNoPauses, err)
	}
	if err != nil {
		return 0, fmt.Errorf("admin: record the decision: %w", missing(err))
	}
	if err := p.withTx(ctx); err != nil {
		return p.deleted, err
	}
	return p.deleted, p.withoutTx(ctx)
}

// purge is one run of Purge.
type purge struct {
	PurgeConfig
	conn    PurgeDB
	began   time.Time
	grace   time.Duration
	deleted int64
}

// errGivenUp is the cause of a batch that did not end in time.
var errGivenUp = errors.New("the database did not answer in time after the interruption; the last batch may have been deleted or not")

// finishing returns a context that outlives ctx, but only by the grace.
func finishing(ctx context.Context, grace time.Duration) (context.Context, func()) {
	inner, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(errGivenUp)
		case <-inner.Done():
		}
	})
	return inner, func() { stop(); cancel(nil) }
}

// batch runs a transaction. When ctx ends, the transaction is finished first: what it has
// deleted counts.
func (p *purge) batch(ctx context.Context, f func(context.Context, *admindb.Queries) error) error {
	ctx, end := finishing(ctx, p.grace)
	defer end()
	err := pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error {
		if err := writable(ctx, tx); err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		return f(ctx, admindb.New(tx))
	})
	if err != nil && context.Cause(ctx) != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

func (p *purge) withTx(ctx context.Context) error {
	for from := uint64(0); ; {
		var row admindb.PurgeRow
		err := p.batch(ctx, func(ctx context.Context, q *admindb.Queries) (err error) {
			row, err = q.Purge(ctx, admindb.PurgeParams{Before: p.Before, FromTx: from, WindowRows: int32(p.Batch), MaxRows: int32(p.Batch)})
			return err
		})
		if err != nil {
			return fmt.Errorf("admin: delete published rows: %w", missing(err))
		}
		if err := p.note(ctx, row.Doomed, row.Purged); err != nil {
			return err
		}
		switch {
		case row.Purged == int64(p.Batch): // there may be more in this window
			from = row.LastTx
		case !row.EdgeOld:
			return nil
		default:
			from = row.EdgeTx + 1
		}
	}
}

func (p *purge) withoutTx(ctx context.Context) error {
	for {
		var row admindb.PurgeWithoutTxRow
		err := p.batch(ctx, func(ctx context.Context, q *admindb.Queries) (err error) {
			row, err = q.PurgeWithoutTx(ctx, admindb.PurgeWithoutTxParams{Before: p.Before, MaxRows: int32(p.Batch)})
			return err
		})
		if err != nil {
			return fmt.Errorf("admin: delete published rows: %w", missing(err))
		}
		if err := p.note(ctx, row.Doomed, row.Purged); err != nil || row.Purged < int64(p.Batch) {
			return err
		}
	}
}

// note counts a batch and waits until the rate allows the next one.
func (p *purge) note(ctx context.Context, doomed, deleted int64) error {
	if deleted < doomed {
		return fmt.Errorf("admin: %d of %d rows were not deleted: look for a trigger on event_outbox that keeps rows", doomed-deleted, doomed)
	}
	p.deleted += deleted
	p.Progress(p.deleted)
	var pause time.Duration
	if p.Rate > 0 {
		pause = time.Duration(float64(p.deleted)/float64(p.Rate)*float64(time.Second)) - time.Since(p.began)
	}
	if pause <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
