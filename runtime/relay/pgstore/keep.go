package pgstore

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

const (
	// pendingCap keeps counting the pending rows cheap.
	pendingCap = 100_001
	// withoutTxEvery is how often rows from before an upgrade are looked for.
	withoutTxEvery = time.Hour
)

// Stats returns the statistics of the outbox.
func (s *Store) Stats(ctx context.Context) (relay.Stats, error) {
	var stats relay.Stats
	err := s.anywhere(ctx, "count the rows", func(se *session) error {
		mark, err := s.readLowWater(ctx, se)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		low := lowWater{there: mark.HasMark}
		if mark.Valid {
			low.at = mark.LowWater
		}
		upTo := low.bound(0, math.MaxInt64, s.lookSeqs)
		row, err := se.q.CountRows(ctx, pgdb.CountRowsParams{
			LowWater: low.at, UpTo: upTo, LookSeqs: s.lookSeqs, Cap: pendingCap,
		})
		stats = relay.Stats{
			Pending: min(row.Pending, pendingCap), Held: row.Held, Dead: row.Dead,
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

// sweepState is the progress of the sweep. It is only in memory: a new term starts at
// the oldest transaction.
type sweepState struct {
	mu            sync.Mutex
	from          uint64    // the transaction to continue from
	nextWithoutTx time.Time // when to look for rows without a tx again
}

func (st *sweepState) reset() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.from, st.nextWithoutTx = 0, time.Time{}
}

// Sweep deletes at most limit rows that were published longer ago than keep. It goes
// through the table by transaction, limit rows at a time, from where the last call
// stopped, until it has deleted limit rows or reaches rows that are too young. Then the
// next call starts at the oldest transaction.
func (s *Store) Sweep(ctx context.Context, l relay.Lease, keep time.Duration, limit int) (int, error) {
	s.sweep.mu.Lock()
	defer s.sweep.mu.Unlock()
	swept := 0
	err := s.underLease(ctx, "sweep published rows", useForKeeping, l, func(_ *term, se *session) (int64, error) {
		for swept < limit {
			row, err := se.q.Sweep(ctx, pgdb.SweepParams{
				Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, KeepSeconds: keep.Seconds(),
				FromTx: s.sweep.from, WindowRows: int32(limit), MaxRows: int32(limit - swept),
			})
			if err != nil || row.Leases == 0 {
				return row.Leases, err
			}
			room := limit - swept
			swept += int(row.Swept)
			switch {
			case int(row.Swept) == room: // there may be more in this window
				s.sweep.from = row.LastTx
				return row.Leases, nil
			case !row.EdgeOld:
				s.sweep.from = 0
				return s.sweepWithoutTx(ctx, se, l, keep, limit, &swept)
			}
			s.sweep.from = row.EdgeTx + 1
		}
		return 1, nil
	})
	return swept, err
}

// sweepWithoutTx sweeps rows from before an upgrade. No index tells which of them are
// old, so it looks rarely, and stops when none are left.
func (s *Store) sweepWithoutTx(ctx context.Context, se *session, l relay.Lease, keep time.Duration, limit int, swept *int) (int64, error) {
	if time.Now().Before(s.sweep.nextWithoutTx) {
		return 1, nil
	}
	room := limit - *swept
	row, err := se.q.SweepWithoutTx(ctx, pgdb.SweepWithoutTxParams{
		Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, KeepSeconds: keep.Seconds(), MaxRows: int32(room),
	})
	if err != nil || row.Leases == 0 {
		return row.Leases, err
	}
	*swept += int(row.Swept)
	if int(row.Swept) < room {
		s.sweep.nextWithoutTx = time.Now().Add(withoutTxEvery)
	}
	return row.Leases, nil
}
