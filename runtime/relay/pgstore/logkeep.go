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
func (s *logStore) Stats(ctx context.Context) (relay.Stats, error) {
	var stats relay.Stats
	err := s.anywhere(ctx, "count the rows", func(se *session) error {
		c, err := se.q.LogCursor(ctx)
		if err != nil {
			return err
		}
		ahead, err := logcursor.Decode(c.Ahead)
		if err != nil {
			return err
		}
		p := pgdb.LogCountsParams{After: c.Floor, UpTo: c.Floor + s.lookSeqs, Base: c.Base, Shown: c.Shown, Seq: c.Seq, Cap: pendingCap}
		if c.Shown == "" {
			p.Shown, p.Seq = c.Base, 0
		}
		row, err := se.q.LogCounts(ctx, p)
		stats = relay.Stats{
			Pending: min(max(0, row.Unpassed-int64(len(ahead)))+row.Late+row.Failed, pendingCap), Held: row.Held, Dead: row.Dead,
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
func (s *logStore) Sweep(ctx context.Context, l relay.Lease, keep time.Duration, limit int) (int, error) {
	var swept int64
	err := s.underLease(ctx, "sweep published rows", useForKeeping, l, func(t *term, se *session) (int64, error) {
		if err := s.keepPartitions(ctx, t, se, keep); err != nil {
			return 0, err
		}
		c, err := se.q.LogCursor(ctx)
		if err != nil {
			return 0, err
		}
		row, err := se.q.LogSweep(ctx, pgdb.LogSweepParams{
			Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, Base: c.Base, KeepSeconds: keep.Seconds(), MaxRows: int32(limit),
		})
		swept = row.Swept
		return row.Leases, err
	})
	return int(swept), err
}

// keepPartitions makes and drops partitions, once in an hour of a term.
func (s *logStore) keepPartitions(ctx context.Context, t *term, se *session, keep time.Duration) error {
	s.mu.Lock()
	due := s.partitions.term != t || time.Since(s.partitions.at) >= partitionsEvery
	s.mu.Unlock()
	if !due {
		return nil
	}
	made, err := se.q.LogMakePartitions(ctx, partitionDays)
	if err != nil {
		return err
	}
	dropped, err := se.q.LogDropPartitions(ctx, keep.Seconds())
	if err != nil {
		return err
	}
	if made > 0 || dropped > 0 {
		s.cfg.Logger.InfoContext(ctx, "partitions of event_outbox made and dropped", slog.Int("made", int(made)), slog.Int("dropped", int(dropped)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.partitions.term, s.partitions.at = t, time.Now()
	return nil
}
