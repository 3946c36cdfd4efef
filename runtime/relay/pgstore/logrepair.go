package pgstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// errNumbers means that a number of an event may have been used twice, because the sequence of seq
// was replaced or set back. Then the numbers are repaired, and the term ends or begins again.
var errNumbers = errors.New("the sequence of event_outbox.seq was replaced or set back, so that seqs come again")

// errNumbersLocked means that the numbers cannot be repaired for now.
var errNumbersLocked = errors.New("the sequence of event_outbox.seq was replaced or set back, and event_outbox is locked, " +
	"so that events cannot be renumbered: end long transactions that write to event_outbox")

// numbers is what a term knows about a repair of the numbers.
type numbers struct {
	doubtful bool  // the repair is due
	over     bool  // it may have been made, so nothing may be written with the former numbers
	unknown  bool  // the outcome of a call is unknown
	first    int64 // the number of the cursor row of the first call; 0: none yet
}

// isDoubtful reports whether an error means that numbers have to be repaired. An entry that meets
// one of another row violates a unique index.
func isDoubtful(err error) bool {
	const uniqueViolation = "23505"
	return errors.Is(err, errNumbers) || errors.Is(err, logcursor.ErrTwice) || sqlstate.Code(err) == uniqueViolation
}

// repaired repairs the numbers if err says that this is necessary, or did before. Then the term is
// over.
func (s *LogStore) repaired(ctx context.Context, what string, err error) error {
	t := s.currentTerm()
	s.mu.Lock()
	lt := s.of
	s.mu.Unlock()
	if lt == nil || lt.term != t {
		return err
	}
	lt.mu.Lock()
	lt.numbers.doubtful = lt.numbers.doubtful || isDoubtful(err)
	doubtful := lt.numbers.doubtful
	lt.mu.Unlock()
	if !doubtful || errors.Is(err, relay.ErrLeaseLost) {
		return err
	}
	return s.underLease(ctx, what, useForSettling, t.lease, func(t *term, se *session) (int64, error) {
		return 0, s.repair(ctx, t, se, lt)
	})
}

// repair repairs the numbers, and returns an error in any case.
func (s *LogStore) repair(ctx context.Context, t *term, se *session, lt *logTerm) error {
	select {
	case <-lt.writing:
		defer func() { lt.writing <- struct{}{} }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	row, err := storedCursor(ctx, se)
	if err != nil {
		return err
	}
	lt.mu.Lock()
	if lt.numbers.first > 0 && row.N >= lt.numbers.first {
		lt.mu.Unlock()
		return fmt.Errorf("%w: %w", errNumbers, relay.ErrLeaseLost) // an earlier call was carried out
	}
	lt.n = max(lt.n, row.N) + 1
	next := lt.n
	if lt.numbers.first == 0 {
		lt.numbers.first = next
	}
	lt.numbers.over = true
	lt.mu.Unlock()

	done, err := s.renumber(ctx, t, se, row.N, next)
	lt.mu.Lock()
	defer lt.mu.Unlock()
	var setup *relay.SetupError
	switch {
	case done:
		return fmt.Errorf("%w: %w", errNumbers, relay.ErrLeaseLost)
	case errors.Is(err, errNumbersLocked), errors.Is(err, errOvertaken), errors.As(err, &setup):
		lt.numbers.over = lt.numbers.unknown
	default:
		lt.numbers.unknown = true
	}
	return err
}

// renumber calls the function that repairs the numbers: see log.up.sql of package migrations.
// former is the number of the newest cursor row, and next the one of the row that replaces it.
func (s *LogStore) renumber(ctx context.Context, t *term, se *session, former, next int64) (done bool, err error) {
	if err := t.register(ctx, s.Store, se); err != nil {
		return false, err
	}
	outcome, err := se.q.Renumber(ctx, pgdb.RenumberParams{
		Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder, Former: former, Next: next,
	})
	const insufficientPrivilege, undefinedFunction = "42501", "42883"
	switch sqlstate.Code(err) {
	case insufficientPrivilege:
		return false, &relay.SetupError{
			Problem: errNumbers.Error() + ", and the relay's role may not call " + s.relation(renumberRows) + renumberArguments,
			Remedy:  "GRANT EXECUTE ON FUNCTION " + s.relation(renumberRows) + renumberArguments + " TO the role that the relay logs in as",
			Err:     err,
		}
	case undefinedFunction:
		return false, &relay.SetupError{
			Problem: errNumbers.Error() + ", and the function " + s.relation(renumberRows) + renumberArguments + " is missing",
			Remedy:  createLogRemedy + ", as far as it is missing",
			Err:     err,
		}
	}
	switch {
	case err != nil:
		return false, fmt.Errorf("give events other numbers: %w", err)
	case outcome == "lost":
		return false, relay.ErrLeaseLost
	case outcome == "changed":
		return false, errOvertaken
	case outcome == "locked":
		return false, errNumbersLocked
	}
	events, err := strconv.ParseInt(outcome, 10, 64)
	if err != nil {
		return false, fmt.Errorf("event_outbox_renumber returned %q", outcome)
	}
	s.cfg.Logger.WarnContext(ctx, "the sequence of event_outbox.seq was replaced or set back; events that are not published have other numbers now, "+
		"the sequence stands at the highest one, and events that were sent lately may be sent again",
		slog.String("lease", s.cfg.Name), slog.Int64("events", events))
	return true, nil
}

// termBegins reads the cursor with which a term begins. If the numbers of rows may come again, it
// repairs them first.
func (s *LogStore) termBegins(ctx context.Context, t *term, se *session) (row pgdb.LogCursorRow, c logcursor.Cursor, entries int64, err error) {
	for again := false; ; again = true {
		highest, err := se.q.LogHighest(ctx) // before the place of the sequence
		if err != nil {
			return row, c, 0, fmt.Errorf("read the highest seq: %w", err)
		}
		if row, err = storedCursor(ctx, se); err != nil {
			return row, c, 0, err
		}
		if c, err = readCursor(row); err != nil {
			return row, c, 0, err
		}
		doubtful := row.System != 0 && row.SequenceFile != row.SequenceFileNow || row.Standing < max(highest.Seq, highestOf(c, row.Floor))
		if !doubtful {
			passedIn := c.Shown
			if passedIn == "" {
				passedIn = c.Base
			}
			if doubtful, err = s.isBelow(ctx, se, c.Base, row.Floor, passedIn, c.Seq); err != nil {
				return row, c, 0, err
			}
		}
		switch {
		case !doubtful:
			return row, c, highest.Entry, nil
		case again:
			return row, c, 0, errNumbers // somebody has set it back again
		}
		if _, err := s.renumber(ctx, t, se, row.N, row.N+1); err != nil {
			return row, c, 0, err
		}
	}
}

// belowRows is how many rows are looked at for a number that is too low.
const belowRows = 10_000

// isBelow looks for rows that a snapshot does not show and that have a number up to the floor: the
// sequence was set back, and has passed the floor again. It looks at those that were inserted first
// after the snapshot was taken. Rows up to passedSeq that passedIn shows are behind the cursor.
func (s *LogStore) isBelow(ctx context.Context, se *session, hidden string, floor int64, passedIn string, passedSeq int64) (bool, error) {
	if floor == 0 {
		return false, nil
	}
	from, err := parseSnapshot(relay.Snapshot(hidden))
	if err != nil {
		return false, err
	}
	lowest, err := se.q.LogLowest(ctx, pgdb.LogLowestParams{
		Xmax: from.xmax, Open: append([]uint64{}, from.open...), MaxRows: belowRows, Floor: floor, PassedIn: passedIn, PassedSeq: passedSeq,
	})
	if err != nil {
		return false, fmt.Errorf("look for rows below the floor: %w", err)
	}
	return lowest > 0, nil
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

// idsOf returns the ids of rows that the window has, and else zeros. It requires lt.mu.
func (lt *logTerm) idsOf(failed []relay.Failure) []uuid.UUID {
	ids := make([]uuid.UUID, len(failed))
	for i, f := range failed {
		ids[i], _ = lt.w.ID(f.Seq)
	}
	return ids
}
