package pgstore

import (
	"context"
	"log/slog"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// partitionDays is for how many days after today there are partitions.
const partitionDays = 3

// partitionsEvery is how often partitions are made and dropped.
const partitionsEvery = time.Hour

// Stats returns the statistics of the outbox.
func (s *Log) Stats(ctx context.Context) (relay.Stats, error) {
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

// Sweep drops partitions that ended longer ago than keep, deletes at most limit rows that are
// in no such partition, and returns how many it deleted.
func (s *Log) Sweep(ctx context.Context, l relay.Lease, keep time.Duration, limit int) (int, error) {
	var swept int64
	err := s.underLease(ctx, "sweep published rows", useForKeeping, l, func(t *term, se *session) (int64, error) {
		if err := s.dropPartitions(ctx, t, se, keep); err != nil {
			return 0, err
		}
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
func (s *Log) forgetGone(ctx context.Context, t *term, se *session, limit int) (leases int64, err error) {
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

// due reports whether a term has to look at the partitions, and notes that it does.
func (s *Log) due(p *partitionsAt, t *term) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.term == t && time.Since(p.at) < partitionsEvery {
		return false
	}
	p.term, p.at = t, time.Now()
	return true
}

// again makes the next call look at the partitions.
func (s *Log) again(p *partitionsAt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.term = nil
}

// Search finds no rows: a row of a log cannot become unsettled again behind the cursor. It
// makes the partitions of the next days, because the relay calls it often, also while the
// outbox is idle.
func (s *Log) Search(ctx context.Context, l relay.Lease) (int64, error) {
	t, err := s.ofLease(l)
	if err != nil || !s.due(&s.made, t) {
		return 0, s.wrap("make partitions", err)
	}
	return 0, s.underLease(ctx, "make partitions", useForKeeping, l, func(_ *term, se *session) (int64, error) {
		made, err := se.q.LogMakePartitions(ctx, partitionDays)
		if err != nil {
			s.again(&s.made)
			return 0, err
		}
		if made > 0 {
			s.cfg.Logger.InfoContext(ctx, "partitions of event_outbox created", slog.Int("partitions", int(made)))
		}
		missing, err := se.q.LogMissingPartitions(ctx, partitionDays)
		if missing > 0 {
			s.warnOnce(ctx, "days have no partition of event_outbox, because event_outbox_other has rows of them or was locked; "+
				"these rows are deleted in batches, not with a partition", "days", missing)
		}
		return 1, err
	})
}

// dropPartitions drops partitions, once in an hour of a term.
func (s *Log) dropPartitions(ctx context.Context, t *term, se *session, keep time.Duration) error {
	if !s.due(&s.dropped, t) {
		return nil
	}
	dropped, err := se.q.LogDropPartitions(ctx, keep.Seconds())
	if err != nil {
		s.again(&s.dropped)
		return err
	}
	if dropped > 0 {
		s.cfg.Logger.InfoContext(ctx, "partitions of event_outbox dropped", slog.Int("partitions", int(dropped)))
	}
	return nil
}
