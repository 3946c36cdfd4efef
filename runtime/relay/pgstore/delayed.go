package pgstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// lateCommits is how far before its last complete look a renewal looks for delayed events.
// So the time of an event whose transaction took less than this after it is noticed at
// once, and of any other event at the next look for all of them.
const lateCommits = time.Minute

// delayedState is what the current term knows about delayed events.
type delayedState struct {
	mu       sync.Mutex
	lookedAt time.Time // of the last complete look, by the database's clock
}

func (d *delayedState) reset() { d.looked(time.Time{}) }

func (d *delayedState) looked(at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookedAt = at
}

// from returns the time from which a renewal looks for delayed events.
func (d *delayedState) from() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lookedAt.IsZero() {
		return d.lookedAt
	}
	return d.lookedAt.Add(-lateCommits)
}

// MoveDue moves at most limit delayed events that are due into event_outbox. It needs no
// lease; see sql/delayed.sql.
func (s *Store) MoveDue(ctx context.Context, limit int) (relay.Moved, error) {
	var row pgdb.MoveDueRow
	err := s.anywhere(ctx, "move delayed events", func(se *session) (err error) {
		row, err = se.q.MoveDue(ctx, int32(limit))
		return err
	})
	if err != nil {
		return relay.Moved{}, err
	}
	full := row.Picked >= int64(limit)
	if !full {
		s.delayed.looked(row.LookedAt)
	}
	moved := relay.Moved{Rows: int(row.Moved), More: full && row.Removed > 0, Next: dueIn(row.DueInUs)}
	for _, text := range row.Known {
		id, err := uuid.Parse(text)
		if err != nil {
			return relay.Moved{}, s.wrap("move delayed events", fmt.Errorf("read an id: %w", err))
		}
		moved.Known = append(moved.Known, id)
	}
	return moved, nil
}

// dueIn returns the time until the next delayed event is due. A negative number means
// that there is none.
func dueIn(microseconds int64) relay.Due {
	if microseconds < 0 {
		return relay.Due{}
	}
	return relay.Due{Waiting: true, In: atMost(microseconds)}
}

// atMost returns a duration of so many microseconds, at most 100 years either way: the
// time until the year 9999 does not fit a duration.
func atMost(microseconds int64) time.Duration {
	const most = int64(100 * 365 * 24 * time.Hour / time.Microsecond)
	return time.Duration(max(-most, min(microseconds, most))) * time.Microsecond
}
