package pgstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
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
	refused   int // events that the database refused to insert
}

// longestLook limits a look. Then the next one begins, so that events that stayed are
// tried again, also if more events become due than can be moved.
const longestLook = time.Minute

// mostRefused limits the events of a look that the database refuses to insert. If there
// are more, the cause is not in the events.
const mostRefused = 100

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

// startOver ends the look. The next call begins with the first event.
func (d *delayedState) startOver() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look = dueLook{}
}

// passed records that the look continues behind an event.
func (d *delayedState) passed(look dueLook, first pgdb.FirstDueRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if look.afterTime == nil {
		look.began = first.LookedAt
	}
	look.afterTime, look.afterSeq = &first.DeliverAt, first.Seq
	look.refused++
	d.look = look
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
//
// If the database refuses an event, or another transaction is inserting its id, the others
// are moved in smaller calls, and the event waits for the next look.
func (s *Store) MoveDue(ctx context.Context, limit int) (relay.Moved, error) {
	const smaller = 8
	for look := s.delayed.at(); ; limit = max(1, limit/smaller) {
		moved, err := s.moveDue(ctx, look, limit)
		switch {
		case err == nil || !refusesRow(err):
			return moved, err
		case look.refused >= mostRefused:
			s.delayed.startOver()
			return moved, err
		case limit == 1:
			return relay.Moved{More: true}, s.passOver(ctx, look, err)
		}
	}
}

// refusesRow reports whether an error may be about a row: a constraint, a value, what a
// trigger raises, or a lock that another transaction has.
func refusesRow(err error) bool {
	code := sqlstate.Code(err)
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23") || code == "P0001" || isLockTimeout(err)
}

// passOver lets the look continue behind its first event, which the database refuses.
// Later events of its key wait, because MoveDue sees that it was skipped.
func (s *Store) passOver(ctx context.Context, look dueLook, refusal error) error {
	var first []pgdb.FirstDueRow
	err := s.anywhere(ctx, "find a delayed event that is refused", func(se *session) (err error) {
		first, err = se.q.FirstDue(ctx, pgdb.FirstDueParams{AfterTime: look.afterTime, AfterSeq: look.afterSeq})
		return err
	})
	if err != nil || len(first) == 0 {
		return err
	}
	text := "delayed events not moved: the database refuses one; it waits, and so do later events of its key"
	if isLockTimeout(refusal) {
		text = "delayed events not moved: one needs a lock of an open transaction, which may be inserting an event with its id; " +
			"it waits, and so do later events of its key"
	}
	s.warnOnce(ctx, text, "event_id", first[0].ID, "error", refusal)
	s.delayed.passed(look, first[0])
	return nil
}

// moveDue makes one call of a look.
func (s *Store) moveDue(ctx context.Context, look dueLook, limit int) (relay.Moved, error) {
	var row pgdb.MoveDueRow
	err := s.anywhere(ctx, "move delayed events", func(se *session) (err error) {
		row, err = se.q.MoveDue(ctx, pgdb.MoveDueParams{AfterTime: look.afterTime, AfterSeq: look.afterSeq, MaxRows: int32(limit)})
		return err
	})
	if err != nil {
		return relay.Moved{}, err
	}
	for _, id := range row.Stayed {
		s.warnOnce(ctx, "delayed events not moved: a trigger or a unique index of event_outbox keeps one out; the relay tries again", "event_id", id)
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
