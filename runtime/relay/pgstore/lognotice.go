package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// errNumbers means that a number of an event may have been used twice, because the sequence of seq
// was replaced or set back. Then the numbers are repaired, and the term ends or begins again.
var errNumbers = errors.New("the sequence of event_outbox.seq was replaced or set back, so that seqs come again")

// isDoubtful reports whether an error means that numbers have to be repaired. An entry that meets
// one of another row violates a unique index.
func isDoubtful(err error) bool {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == sqlstate.UniqueViolation {
		return pgErr.ConstraintName == "ix_event_outbox_late_seq" || pgErr.ConstraintName == "ix_event_outbox_failed_number"
	}
	return errors.Is(err, errNumbers) || errors.Is(err, logcursor.ErrTwice)
}

// belowRows is how many rows one statement looks at for a number that is too low. It ends with a whole
// transaction, so it may look at more.
const belowRows = 10_000

// below is how far the last tick was looked at for rows with a number up to the floor.
type below struct {
	tick string
	next uint64 // the first transaction that was not looked at
}

// lookBelow looks for rows of the last tick that are not settled and have a number up to the floor:
// the sequence was set back, and has passed the floor again. Nothing else reads them. Each page of a
// large tick looks further; the last one looks to the end, because base may pass the tick afterwards.
func (s *LogStore) lookBelow(ctx context.Context, what string, lt *logTerm, span logSpan, toEnd bool) error {
	if span.start == 0 {
		return nil
	}
	from, err := parseSnapshot(relay.Snapshot(span.hidden))
	if err != nil {
		return s.wrap(what, err)
	}
	to, err := parseSnapshot(relay.Snapshot(span.shown))
	if err != nil {
		return s.wrap(what, err)
	}
	lt.mu.Lock()
	if lt.below.tick != span.shown {
		lt.below = below{tick: span.shown, next: from.xmax}
	}
	next := lt.below.next
	lt.mu.Unlock()
	for more := next < to.xmax || next == from.xmax; more; more = toEnd && next < to.xmax {
		err := s.inTerm(ctx, what, func(_ *term, se *session) error {
			row, err := se.q.LogLowest(ctx, pgdb.LogLowestParams{
				FromTx: next, ToTx: to.xmax, Open: append([]uint64{}, from.open...), MaxRows: belowRows, Floor: span.start,
				VisibleIn: span.shown,
			})
			if err != nil {
				return fmt.Errorf("look for rows below the floor: %w", err)
			}
			if row.Seq > 0 {
				return errNumbers
			}
			next = row.NextTx
			return nil
		})
		if err != nil {
			return err
		}
		lt.mu.Lock()
		lt.below.next = next
		lt.mu.Unlock()
	}
	return nil
}

// stands records where the sequence stands. known is what was recorded before it was read. It
// requires lt.mu.
func (lt *logTerm) stands(file, standing, known int64) error {
	if file != lt.file || standing < known {
		return errNumbers
	}
	lt.standing = max(lt.standing, standing)
	return nil
}

// clashes looks whether a row of a page has a number that an entry has for another row. No entry has
// a number above entries.
func (s *LogStore) clashes(ctx context.Context, what string, lt *logTerm, rows []relay.Row) error {
	lt.mu.Lock()
	entries := lt.entries
	lt.mu.Unlock()
	var p pgdb.LogClashParams
	for i := range rows {
		if rows[i].Seq <= entries {
			p.Ids, p.Seqs = append(p.Ids, rows[i].ID), append(p.Seqs, rows[i].Seq)
		}
	}
	if len(p.Ids) == 0 {
		return nil
	}
	return s.inTerm(ctx, what, func(_ *term, se *session) error {
		clash, err := se.q.LogClash(ctx, p)
		if err == nil && clash {
			err = errNumbers
		}
		return err
	})
}

// highestOf returns the highest seq that a cursor is about.
func highestOf(c logcursor.Cursor, floor int64) int64 {
	highest := max(c.Seq, floor)
	if n := len(c.Ahead); n > 0 {
		highest = max(highest, c.Ahead[n-1])
	}
	return highest
}
