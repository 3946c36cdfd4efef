package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// Settle records the outcomes of rows, under the lease.
func (s *LogStore) Settle(ctx context.Context, l relay.Lease, settlement relay.Settlement) error {
	if len(settlement.Published) == 0 && len(settlement.Failed) == 0 {
		return nil
	}
	const what = "settle"
	t := s.currentTerm()
	return s.repaired(ctx, what, t, s.underLease(ctx, what, useForSettling, l, func(t *term, se *session) (int64, error) {
		lt, err := s.logOf(ctx, t, se)
		if err != nil {
			return 0, err
		}
		return lt.write(ctx, s, se, settlement, nil)
	}))
}

// makeRoom sets rows aside if many were read past the cursor. Then neither the window nor the
// cursor grows while rows wait. received is up to where the relay has received the last tick.
func (s *LogStore) makeRoom(ctx context.Context, what string, received int64) error {
	t := s.currentTerm()
	s.mu.Lock()
	lt := s.of
	s.mu.Unlock()
	if lt == nil || lt.term != t {
		return nil
	}
	lt.mu.Lock()
	full := lt.w.Rows() > s.asideRows
	lt.mu.Unlock()
	if !full {
		return nil
	}
	return s.underLease(ctx, what, useForReading, t.lease, func(_ *term, se *session) (int64, error) {
		return lt.write(ctx, s, se, relay.Settlement{}, func(w *logcursor.Window) { w.SetAside(s.asideRows, received) })
	})
}

// write writes the cursor with the outcomes of rows, in one transaction that locks the lease
// row first. aside sets rows aside; nil: none. It returns how many lease rows it found.
//
// What is acknowledged, and what is set aside, counts in memory from now on, whether or not
// the write succeeds: it is true, and the next write repeats it. Failures count only when they
// are recorded.
func (lt *logTerm) write(ctx context.Context, s *LogStore, se *session, settlement relay.Settlement, aside func(*logcursor.Window)) (leases int64, err error) {
	select {
	case <-lt.writing:
		defer func() { lt.writing <- struct{}{} }()
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	failed := make([]int64, len(settlement.Failed))
	for i, f := range settlement.Failed {
		failed[i] = f.Seq
	}
	lt.mu.Lock()
	if over, unknown := lt.numbers.over, lt.numbers.unknown; over {
		lt.mu.Unlock()
		if unknown {
			return 0, errNumbers // the repair is tried again, and then the term is over
		}
		return 0, errRepaired
	}
	if lt.unsure && len(failed) == 0 && (aside != nil || len(settlement.Published) == 0) {
		lt.mu.Unlock()
		return 1, nil
	}
	if aside != nil {
		aside(lt.w)
	} else {
		lt.w.Asked(slices.Concat(settlement.Published, failed))
	}
	settled, _ := lt.w.Settle(settlement.Published)
	ids := lt.idsOf(settlement.Failed)
	_, undo := lt.w.Settle(failed)
	at := lt.w.Position()
	lt.n++ // also after an attempt that fails: the server may still carry it out
	for _, r := range at.Late {
		lt.entries = max(lt.entries, r.Seq)
	}
	for _, seq := range failed {
		lt.entries = max(lt.entries, seq)
	}
	arg := lt.cursorParams(s, at, settlement)
	lt.mu.Unlock()
	arg.Settled = append([]int64{}, settled...) // not nil

	if len(failed) == 0 {
		leases, err = writeCursor(ctx, se.q, arg)
	} else {
		leases, err = lt.writeFailures(ctx, s, se, arg, settlement, ids)
	}
	lt.mu.Lock()
	defer lt.mu.Unlock()
	if err != nil || leases == 0 {
		undo()
		lt.unsure = lt.unsure || len(failed) > 0
		return leases, err
	}
	if at.Base != lt.w.Base() {
		s.mu.Lock()
		s.repairs.vain = 0
		s.mu.Unlock()
	}
	lt.w.Stored(at)
	lt.baseFloor = lt.floorOf(at.Base)
	lt.unsure = false
	if arg.History {
		lt.noted, lt.notedAt = at.Base, time.Now()
	}
	if len(at.Late) > 0 || len(failed) > 0 {
		lt.nothingWaits = false
	}
	return leases, nil
}

// cursorParams requires lt.mu.
func (lt *logTerm) cursorParams(s *LogStore, at logcursor.Position, settlement relay.Settlement) pgdb.WriteCursorParams {
	var shown *string
	if at.Shown != "" {
		shown = &at.Shown
	}
	// While rows are settled, the history has a tick for each second. Tidy adds the last one.
	history := lt.noted != at.Base && (len(settlement.Published) == 0 || time.Since(lt.notedAt) >= time.Second)
	arg := pgdb.WriteCursorParams{
		Name: s.cfg.Name, Epoch: lt.term.lease.Epoch, Holder: lt.term.lease.Holder,
		N: lt.n, Base: at.Base, Shown: shown, Seq: at.Seq, Ahead: logcursor.Encode(at.Ahead), Floor: lt.floorOf(at.Base),
		System: lt.system, Database: lt.database, SequenceFile: lt.file,
		LateIds: make([]uuid.UUID, 0, len(at.Late)), LateSeqs: make([]int64, 0, len(at.Late)), History: history,
	}
	for _, r := range at.Late {
		arg.LateIds, arg.LateSeqs = append(arg.LateIds, r.ID), append(arg.LateSeqs, r.Seq)
	}
	return arg
}

var errOvertaken = errors.New("an earlier attempt to write the cursor was carried out at the same time")

// writeCursor returns an error if the cursor was not written although the lease is there.
func writeCursor(ctx context.Context, q *pgdb.Queries, arg pgdb.WriteCursorParams) (leases int64, err error) {
	row, err := q.WriteCursor(ctx, arg)
	switch {
	case err != nil || row.Leases == 0 || row.Replaced > 0:
		return row.Leases, err
	case row.Newest < 0 || row.Newest >= arg.N:
		return 0, fmt.Errorf("event_outbox_cursor was changed by somebody else: %w", relay.ErrLeaseLost)
	}
	return 0, errOvertaken // the next attempt sees what that has written
}

// writeFailures writes the cursor and the copies of rows that failed.
func (lt *logTerm) writeFailures(ctx context.Context, s *LogStore, se *session, arg pgdb.WriteCursorParams, settlement relay.Settlement, ids []uuid.UUID) (leases int64, err error) {
	p := pgdb.CopyFailedParams{Ids: ids, Decided: append([]int64{}, settlement.Decided...)}
	for _, f := range settlement.Failed {
		p.Failed = append(p.Failed, f.Seq)
		p.Errors = append(p.Errors, shorten(f.Err))
		p.RetryCounts = append(p.RetryCounts, int32(f.RetryCount))
		p.RetrySeconds = append(p.RetrySeconds, f.RetryIn.Seconds())
		p.Dead = append(p.Dead, f.Dead)
	}
	err = pgx.BeginFunc(ctx, se.conn, func(tx pgx.Tx) error {
		q := pgdb.New(s.names.qualify(tx))
		if leases, err = writeCursor(ctx, q, arg); err != nil || leases == 0 {
			return err
		}
		return q.CopyFailed(ctx, p)
	})
	if err != nil {
		return 0, fmt.Errorf("record failures: %w", err)
	}
	return leases, nil
}

// Tidy moves the floor, and writes the cursor if nothing was settled since it could move, or to
// set rows aside that keep it from moving past settled ones. Only what base shows is known as
// published to those who read the history.
func (s *LogStore) Tidy(ctx context.Context, l relay.Lease, setAside int64) (tidied relay.Tidied, err error) {
	const what = "move the cursor"
	in := s.currentTerm()
	err = s.underLease(ctx, what, useForReading, l, func(t *term, se *session) (int64, error) {
		lt, err := s.logOf(ctx, t, se)
		if err != nil {
			return 0, err
		}
		if err := s.moveFloor(ctx, t, se, lt); err != nil {
			return 0, err
		}
		lt.mu.Lock()
		at := lt.w.Position()
		behind := at.Base != lt.noted
		tidied.Done = !behind && lt.w.Rows() == 0
		if first, last := lt.w.Holding(); first > 0 {
			tidied.First, tidied.Last, tidied.Safe = first, last, last
		}
		lt.mu.Unlock()
		if !behind && setAside == 0 {
			return 1, nil
		}
		return lt.write(ctx, s, se, relay.Settlement{}, func(w *logcursor.Window) { w.SetAsideUpTo(setAside) })
	})
	return tidied, s.repaired(ctx, what, in, err)
}

// moveFloor finds up to which seq every later snapshot shows all rows: see sql/low_water.sql.
// The order of its statements matters.
func (s *LogStore) moveFloor(ctx context.Context, t *term, se *session, lt *logTerm) error {
	seen, err := t.watched(ctx, se)
	if err != nil {
		return err
	}
	lt.mu.Lock()
	known := lt.standing
	lt.mu.Unlock()
	place, err := se.q.SequencePlace(ctx, seen.sequence)
	switch {
	case isLockTimeout(err), err == nil && place.FileBefore != place.File:
		return nil // another session changes the sequence
	case err != nil:
		return err
	}
	lt.mu.Lock()
	low := lt.low
	err = lt.stands(place.File, place.Standing, known)
	lt.mu.Unlock()
	if err != nil {
		return err
	}
	if low, err = s.ask(ctx, se, low, seen, place.Standing); err != nil {
		return err
	}
	lt.mu.Lock()
	defer lt.mu.Unlock()
	lt.low, lt.floor = low, low.safe
	return nil
}
