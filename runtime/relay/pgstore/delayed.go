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
	lookedAt time.Time // when the last complete look began, by the database's clock
	look     dueLook
}

// dueLook is a look at all events that are due. It takes several calls if there are many.
type dueLook struct {
	began     time.Time  // of its first call, by the database's clock
	afterTime *time.Time // the last event of the call before; nil: the look begins
	afterSeq  int64
}

// longestLook limits a look. Then the next one begins, so that events that stayed are
// tried again, also if more events become due than can be moved.
const longestLook = time.Minute

func (d *delayedState) reset() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lookedAt, d.look = time.Time{}, dueLook{}
}

// at returns the look that the next call continues or begins.
func (d *delayedState) at() dueLook {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.look
}

// called records a call of the look; full means that more events may be due.
func (d *delayedState) called(look dueLook, row pgdb.MoveDueRow, full bool) {
	if look.afterTime == nil {
		look.began = row.LookedAt
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !full:
		d.lookedAt, d.look = look.began, dueLook{}
	case row.LookedAt.Sub(look.began) >= longestLook:
		d.look = dueLook{}
	default:
		look.afterTime, look.afterSeq = &row.LastTime, row.LastSeq
		d.look = look
	}
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
	look := s.delayed.at()
	err := s.anywhere(ctx, "move delayed events", func(se *session) (err error) {
		row, err = se.q.MoveDue(ctx, pgdb.MoveDueParams{AfterTime: look.afterTime, AfterSeq: look.afterSeq, MaxRows: int32(limit)})
		return err
	})
	if err != nil {
		return relay.Moved{}, err
	}
	full := row.Picked >= int64(limit)
	s.delayed.called(look, row, full)
	moved := relay.Moved{Rows: int(row.Moved), More: full, Next: dueIn(row.DueInUs)}
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
