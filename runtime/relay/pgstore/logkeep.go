package pgstore

import (
	"context"
	"log/slog"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// Stats returns the statistics of the outbox.
func (s *LogStore) Stats(ctx context.Context) (relay.Stats, error) {
	var stats relay.Stats
	err := s.anywhere(ctx, "count the rows", func(se *session) error {
		c, err := storedCursor(ctx, se)
		if err != nil {
			return err
		}
		ahead, err := logcursor.Decode(c.Ahead)
		if err != nil {
			return err
		}
		p := pgdb.LogCountsParams{
			After: c.Floor, UpTo: c.Floor + s.lookSeqs, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Ahead: append([]int64{}, ahead...), Cap: pendingCap,
		}
		p.Top = max(p.UpTo, c.Standing-s.lookSeqs)
		if c.Shown == "" {
			p.Shown, p.Seq = c.Base, 0
		}
		row, err := se.q.LogCounts(ctx, p)
		if isLockTimeout(err) {
			err = errSequenceLocked
		}
		stats = relay.Stats{
			Pending: min(row.Unpassed+row.Late+row.Failed, pendingCap), Held: row.Held, Dead: row.Dead,
			OldestAge: time.Duration(row.AgeUs) * time.Microsecond, LastSeq: row.LastSeq,
			Delayed: row.Delayed, DelayedIn: atMost(row.DelayedInUs),
		}
		return err
	})
	if err != nil {
		return relay.Stats{}, err
	}
	return stats, nil
}

// Sweep deletes at most limit rows that are in no partition of a day, and returns how many it
// deleted. Maintain drops partitions.
func (s *LogStore) Sweep(ctx context.Context, l relay.Lease, keep time.Duration, limit int) (int, error) {
	var swept int64
	err := s.underLease(ctx, "sweep published rows", useForKeeping, l, func(t *term, se *session) (int64, error) {
		c, err := storedCursor(ctx, se)
		if err != nil {
			return 0, err
		}
		row, err := se.q.LogSweep(ctx, pgdb.LogSweepParams{
			Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, Base: c.Base, KeepSeconds: keep.Seconds(), MaxRows: int32(limit),
		})
		swept = row.Swept
		if err != nil || row.Leases == 0 {
			return row.Leases, err
		}
		return s.forgetGone(ctx, t, se, limit)
	})
	return int(swept), err
}

// forgetGone looks at the next rows that wait behind the cursor, and forgets those that somebody
// has deleted. Nothing else would end their waiting.
func (s *LogStore) forgetGone(ctx context.Context, t *term, se *session, limit int) (leases int64, err error) {
	s.mu.Lock()
	after := s.gone
	s.mu.Unlock()
	row, err := se.q.LogForgetGone(ctx, pgdb.LogForgetGoneParams{
		Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder, After: after, MaxRows: int32(limit),
	})
	if err != nil {
		return 0, err
	}
	if row.Looked < int64(limit) {
		row.Last = 0 // the next time from the beginning
	}
	s.mu.Lock()
	s.gone = row.Last
	s.mu.Unlock()
	if row.Gone > 0 {
		s.cfg.Logger.WarnContext(ctx, "rows that waited were deleted by hand, and are forgotten", slog.Int64("rows", row.Gone))
	}
	return row.Leases, nil
}

// Search finds no rows: a row of a log cannot become unsettled again behind the cursor.
func (s *LogStore) Search(context.Context, relay.Lease) (int64, error) { return 0, nil }
