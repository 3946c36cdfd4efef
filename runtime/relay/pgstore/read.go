package pgstore

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

const (
	// adoptRows limits the rows of one statement that adopts rows of another cluster.
	adoptRows = 5_000
	// assumedRowBytes is the size of a row before any was read.
	assumedRowBytes = 2_048
	// leastRows is the smallest row limit of a page, however large the rows have been.
	leastRows = 2
)

// Snapshot takes a snapshot of the database. The first one of a term also makes rows
// from another cluster part of the backlog.
func (s *Store) Snapshot(ctx context.Context) (relay.Snapshot, error) {
	var taken relay.Snapshot
	err := s.inTerm(ctx, "take a snapshot", func(t *term, se *session) error {
		if err := s.adoptForeign(ctx, t, se); err != nil {
			return err
		}
		var filled string
		var flushed bool
		var err error
		if taken, filled, flushed, err = s.takeSnapshot(ctx, se); err != nil {
			return err
		}
		parsed, err := parseSnapshot(taken)
		if err != nil {
			return err
		}
		return t.advance(parsed, filled, flushed)
	})
	return taken, err
}

// advance stores a snapshot, and the end of the write-ahead log just after it was
// taken. Transaction ids move back only if the connection now leads to another server.
func (t *term) advance(taken pgSnapshot, filled string, flushed bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if taken.xmax < t.last.xmax {
		return fmt.Errorf("the server's transaction ids moved back from %d to %d: it was restored or replaced: %w",
			t.last.xmax, taken.xmax, relay.ErrLeaseLost)
	}
	t.last, t.filled = taken, filled
	if flushed {
		t.flushed = filled
	}
	return nil
}

func (s *Store) adoptForeign(ctx context.Context, t *term, se *session) error {
	t.mu.Lock()
	adopted := t.adopted
	t.mu.Unlock()
	if adopted {
		return nil
	}
	if err := t.register(ctx, s, se); err != nil {
		return err
	}
	var total int64
	for {
		row, err := se.q.AdoptForeign(ctx, pgdb.AdoptForeignParams{
			Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder, MaxRows: adoptRows,
		})
		if err := lostUnless(row.Leases > 0, err); err != nil {
			return fmt.Errorf("look for rows of another cluster: %w", err)
		}
		total += row.Adopted
		if row.Adopted < adoptRows {
			break
		}
	}
	if total > 0 {
		s.cfg.Logger.WarnContext(ctx, "rows have transaction ids of another cluster, as after restoring a dump; "+
			"they are delivered first, in the order of their seq", "lease", s.cfg.Name, "rows", total)
	}
	t.mu.Lock()
	t.adopted = true
	t.mu.Unlock()
	return nil
}

// ReadBacklog reads the unsettled rows that the snapshot shows.
func (s *Store) ReadBacklog(ctx context.Context, snap relay.Snapshot, after int64, limit relay.Limit) (relay.Page, error) {
	return s.readRange(ctx, "read the backlog", limit, pgdb.ReadRangeParams{
		VisibleIn: string(snap), After: after, UpTo: math.MaxInt64,
	})
}

// ReadAgain reads the unsettled rows of one topic, or of some of its keys.
func (s *Store) ReadAgain(ctx context.Context, snap relay.Snapshot, rows relay.Selection, after, upTo int64, limit relay.Limit) (relay.Page, error) {
	return s.readRange(ctx, "read rows of topic "+rows.Topic+" again", limit, pgdb.ReadRangeParams{
		VisibleIn: string(snap), After: after, UpTo: upTo, Topic: &rows.Topic, Keys: rows.Keys,
	})
}

// ReadTick reads the unsettled rows that to shows and from does not.
func (s *Store) ReadTick(ctx context.Context, from, to relay.Snapshot, after int64, limit relay.Limit) (relay.Page, error) {
	const what = "read a tick"
	earlier, err := parseSnapshot(from)
	if err != nil {
		return relay.Page{}, s.wrap(what, err)
	}
	later, err := parseSnapshot(to)
	if err != nil {
		return relay.Page{}, s.wrap(what, err)
	}
	closed := earlier.closedBy(later)
	if earlier.xmax == later.xmax && len(closed) == 0 {
		return relay.Page{}, nil // no transaction has ended in between
	}
	if after > 0 {
		end, err := s.endOfTick(ctx, what, pgdb.EndOfTickParams{
			FromXmax: earlier.xmax, ToXmax: later.xmax, VisibleIn: string(to), Closed: closed,
		})
		if err != nil {
			return relay.Page{}, err
		}
		text := string(from)
		return s.readRange(ctx, what, limit, pgdb.ReadRangeParams{VisibleIn: string(to), HiddenIn: &text, After: after, UpTo: end})
	}
	rows := s.rowLimit(limit)
	page, err := s.readPage(ctx, what, relay.Limit{Rows: int(rows), Bytes: limit.Bytes}, pgdb.ReadTick,
		earlier.xmax, later.xmax, string(to), closed, rows+1)
	if err == nil && len(page.Rows) > 0 {
		err = s.lower(ctx, page.Rows[0].Seq)
	}
	return page, err
}

// editedRangeRows limits the unsettled rows that one call of ReadEdited looks at, so
// that it does not delay other reads.
const editedRangeRows = 20_000

// ReadEdited reads rows that were changed after they were inserted.
func (s *Store) ReadEdited(ctx context.Context, snap, edits relay.Snapshot, after, upTo int64, limit relay.Limit) (relay.Page, int64, error) {
	const what = "read the rows that were edited"
	var end int64
	var low lowWater
	var bound int64
	err := s.inTerm(ctx, what, func(t *term, se *session) (err error) {
		if low, err = s.lowWaterOf(ctx, t, se); err != nil {
			return err
		}
		bound = low.bound(after, upTo, s.lookSeqs)
		end, err = se.q.EndOfRange(ctx, pgdb.EndOfRangeParams{After: after, LowWater: low.at, UpTo: bound, RangeRows: editedRangeRows})
		return err
	})
	if err != nil {
		return relay.Page{}, 0, err
	}
	if end == 0 {
		if bound == upTo {
			return relay.Page{}, upTo, nil
		}
		next, err := s.nextAfter(ctx, what, bound)
		if err != nil || next == 0 || next > upTo {
			return relay.Page{}, upTo, err
		}
		return relay.Page{More: true}, next - 1, nil
	}
	rows := s.rowLimit(limit)
	page, err := s.readPage(ctx, what, relay.Limit{Rows: int(rows), Bytes: limit.Bytes}, pgdb.ReadEdited,
		after, low.at, end, string(edits), string(snap), rows+1)
	if page.More {
		end = page.Rows[len(page.Rows)-1].Seq
	}
	page.More = page.More || end < upTo
	return page, end, err
}

func (s *Store) readRange(ctx context.Context, what string, limit relay.Limit, p pgdb.ReadRangeParams) (relay.Page, error) {
	low, err := s.lowWater(ctx)
	if err != nil {
		return relay.Page{}, err
	}
	rows := s.rowLimit(limit)
	bound := low.bound(p.After, p.UpTo, s.lookSeqs)
	page, err := s.readPage(ctx, what, relay.Limit{Rows: int(rows), Bytes: limit.Bytes}, pgdb.ReadRange,
		p.After, low.at, bound, p.VisibleIn, p.HiddenIn, p.Topic, p.Keys, rows+1)
	if err != nil || page.More || bound == p.UpTo {
		return page, err
	}
	next, err := s.nextAfter(ctx, what, bound)
	if page.More = err == nil && next > 0 && next <= p.UpTo; page.More {
		page.End = next - 1
	}
	return page, err
}

// nextAfter returns the lowest seq above another one, so that a gap in the numbers, however
// large, costs one statement; 0: there is none.
func (s *Store) nextAfter(ctx context.Context, what string, after int64) (next int64, err error) {
	err = s.inTerm(ctx, what, func(_ *term, se *session) (err error) {
		next, err = se.q.NextSeq(ctx, after)
		return err
	})
	return next, err
}

// tickEnd is the highest seq of a tick.
type tickEnd struct {
	of  string // its snapshots
	seq int64
}

// endOfTick returns the highest seq of a tick. The pages after the first one end there: to
// find that there are no more rows, they would have to look at all that were published
// since.
func (s *Store) endOfTick(ctx context.Context, what string, p pgdb.EndOfTickParams) (end int64, err error) {
	of := fmt.Sprint(p.FromXmax, p.Closed, p.VisibleIn)
	err = s.inTerm(ctx, what, func(t *term, se *session) error {
		t.mu.Lock()
		known := t.tickEnd
		t.mu.Unlock()
		if known.of == of {
			end = known.seq
			return nil
		}
		if end, err = se.q.EndOfTick(ctx, p); err != nil {
			return err
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.tickEnd = tickEnd{of, end}
		return nil
	})
	return end, err
}

// rowLimit returns how many rows a page asks for: as many as probably fit into the byte
// limit, given the size of earlier rows. The server stops there, so that it does not
// send rows that do not fit.
func (s *Store) rowLimit(limit relay.Limit) int32 {
	perRow := s.rowBytes.Load()
	if perRow == 0 {
		perRow = assumedRowBytes
	}
	rows := max(leastRows, limit.Bytes/perRow)
	return int32(min(rows, int64(max(limit.Rows, 1)), math.MaxInt32-1))
}

// readPage runs one of the page queries, asking for one row more than limit. It decodes
// the columns itself: Scan into a struct for each row would be the slowest step of the
// relay.
func (s *Store) readPage(ctx context.Context, what string, limit relay.Limit, query string, args ...any) (relay.Page, error) {
	var page relay.Page
	err := s.inTerm(ctx, what, func(t *term, se *session) error {
		// Cancelling this context before all rows were read closes the session.
		queryCtx, breakOff := context.WithCancel(ctx)
		defer breakOff()
		rows, err := se.db.Query(queryCtx, query, args...)
		if err != nil {
			return err
		}
		var twice bool
		page, twice, err = scanPage(rows, limit, breakOff)
		page.InsertLSN = t.logFilled()
		if err == nil && twice && s.shape.partitioned {
			return logcursor.ErrTwice
		}
		return err
	})
	if err != nil {
		return relay.Page{}, err
	}
	s.learnRowBytes(page)
	return page, nil
}

func (s *Store) learnRowBytes(page relay.Page) {
	if len(page.Rows) == 0 {
		return
	}
	var total int64
	for i := range page.Rows {
		total += size(&page.Rows[i])
	}
	mean := max(total/int64(len(page.Rows)), 1)
	// A larger size counts immediately, because it costs memory; a smaller one gradually.
	s.rowBytes.Store(max(mean, (s.rowBytes.Load()+mean)/2))
}

func size(r *relay.Row) int64 { return int64(len(r.Data) + len(r.Headers)) }

// ReadHeld lists the rows that hold their key.
func (s *Store) ReadHeld(ctx context.Context, blocking relay.Blocking) ([]relay.HeldRow, error) {
	var held []relay.HeldRow
	err := s.anywhere(ctx, "read the held rows", func(se *session) error {
		excepted := blocking.Except
		if excepted == nil {
			excepted = []string{} // a NULL array would compare as unknown
		}
		before := s.held.all()
		rows, err := se.q.ReadHeld(ctx, pgdb.ReadHeldParams{Excepted: excepted, ByDefault: blocking.ByDefault})
		if err != nil {
			return err
		}
		held = make([]relay.HeldRow, len(rows))
		for i, r := range rows {
			held[i] = relay.HeldRow{
				Seq: r.Seq, Topic: r.Topic, Key: keyOrNil(r.EventKey), EventType: r.EventType, RetryCount: int(r.RetryCount),
				NextAttempt: orZero(r.NextAttemptAt), RetryIn: time.Duration(r.RetryInUs) * time.Microsecond, Dead: r.Dead, Others: r.Others,
			}
			if r.Dead {
				held[i].NextAttempt, held[i].RetryIn = time.Time{}, 0
			}
		}
		others := s.held.listed(before, held)
		locked, leases, err := s.restore(ctx, s.currentTerm(), se, others)
		if err := lostUnless(leases > 0, err); err != nil {
			return err
		}
		s.held.forget(slices.DeleteFunc(others, func(seq int64) bool { return slices.Contains(locked, seq) }))
		return nil
	})
	return held, err
}

// Decisions marks the decisions in done and returns the open ones.
func (s *Store) Decisions(ctx context.Context, l relay.Lease, done []int64) ([]relay.Decision, error) {
	var decisions []relay.Decision
	err := s.underLease(ctx, "read the operators' decisions", useForReading, l, func(t *term, se *session) (int64, error) {
		if done == nil {
			done = []int64{}
		}
		leases, err := se.q.ForgetDecisions(ctx, pgdb.ForgetDecisionsParams{
			Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, Ids: done,
		})
		if err != nil || leases == 0 {
			return leases, err
		}
		rows, err := se.q.ReadDecisions(ctx)
		if err != nil {
			return 0, err
		}
		var replayed []int64
		for _, r := range rows {
			decisions = append(decisions, relay.Decision{
				ID: r.ID, Seq: r.Seq, Topic: r.Topic, Key: keyOrNil(r.EventKey), Discarded: r.Discarded,
			})
			if !r.Discarded {
				replayed = append(replayed, r.Seq)
			}
		}
		locked, leases, err := s.restore(ctx, t, se, replayed)
		decisions = slices.DeleteFunc(decisions, func(d relay.Decision) bool { return slices.Contains(locked, d.Seq) }) // not yet
		return leases, err
	})
	return decisions, err
}

// Pauses returns the pauses of operators that are in force. It reads their version first:
// if another is made in between, the version is an old one and they are read again.
func (s *Store) Pauses(ctx context.Context) (relay.OperatorPauses, error) {
	var pauses relay.OperatorPauses
	err := s.inTerm(ctx, "read the operators' pauses", func(_ *term, se *session) error {
		var err error
		if pauses.Version, err = se.q.PausesVersion(ctx); err != nil {
			return err
		}
		rows, err := se.q.ReadPauses(ctx)
		pauses.List = nil
		for _, r := range rows {
			pauses.List = append(pauses.List, relay.OperatorPause{Topic: r.Topic, Actor: r.Actor, Reason: r.Reason, Since: r.At})
		}
		return err
	})
	return pauses, err
}

// Flushed waits until the log is on disk up to its end at the time of the latest
// snapshot; see the package documentation.
func (s *Store) Flushed(ctx context.Context, p relay.Page) error {
	if len(p.Rows) == 0 {
		return nil
	}
	return s.inTerm(ctx, "wait for the write-ahead log", func(t *term, se *session) error {
		if t.isFlushed(p.InsertLSN) {
			return nil
		}
		if err := s.flush(ctx, t, se, p.InsertLSN); err != nil {
			return err
		}
		t.noteFlushed(p.InsertLSN)
		return nil
	})
}
