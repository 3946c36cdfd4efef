package pgstore

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// smallTick is how many seqs a tick may have, with the rows between them, to be found by
// transaction.
const smallTick = 200_000

// logSpan is a range of the last tick of the window.
type logSpan struct {
	hidden, shown string // the tick is what one shows over the other
	passedIn      string // of what this one shows, rows up to passedSeq are not part of it
	passedSeq     int64
	start         int64 // no row of it is unsettled up to this seq
	end           int64 // nor behind this one
	small         bool  // it can be read by transaction
}

// span returns the last tick, and the seqs between which its rows are.
func (s *LogStore) span(ctx context.Context, se *session, lt *logTerm) (logSpan, error) {
	lt.mu.Lock()
	shown, _, _ := lt.w.Unread()
	span := logSpan{hidden: lt.w.From(), shown: shown}
	if span.passedIn, span.passedSeq = lt.w.Passed(); span.passedIn == "" {
		span.passedIn = span.hidden
	}
	span.start = lt.floorOf(span.hidden)
	before, after := lt.ends[span.hidden], lt.ends[shown]
	lt.forget()
	lt.mu.Unlock()
	if after == 0 {
		var err error
		if after, err = se.q.HighestSeq(ctx); err != nil {
			return span, err
		}
		lt.mu.Lock()
		lt.ends[shown] = after
		lt.mu.Unlock()
	}
	span.end = after
	span.small = before > 0 && after-before <= smallTick
	return span, nil
}

// readSpan reads rows of a tick in the order of seq, after a seq and up to another one, of one
// topic and some keys if they are given.
func (s *LogStore) readSpan(ctx context.Context, what string, span logSpan, after, upTo int64, topic *string, keys []string, limit relay.Limit) (relay.Page, error) {
	from := max(after, span.start)
	bound := min(upTo, span.end)
	short := false
	if bound-from > s.lookSeqs {
		bound, short = from+s.lookSeqs, true
	}
	if bound <= from {
		return relay.Page{}, nil
	}
	rows := s.rowLimit(limit)
	page, err := s.readPage(ctx, what, relay.Limit{Rows: int(rows), Bytes: limit.Bytes}, pgdb.LogRange,
		from, bound, span.shown, span.hidden, span.passedSeq, span.passedIn, topic, keys, rows+1)
	if err != nil || !short || page.More {
		return page, err
	}
	next, err := s.nextAfter(ctx, what, bound) // there may be a large gap
	if page.More = err == nil && next > 0 && next <= min(upTo, span.end); page.More {
		page.End = next - 1
	}
	return page, err
}

// readTick reads a page of the last tick, and notes it.
func (s *LogStore) readTick(ctx context.Context, what string, after int64, limit relay.Limit, waiting bool) (page relay.Page, err error) {
	if err := s.makeRoom(ctx, what, after); err != nil {
		return relay.Page{}, err
	}
	var span logSpan
	var lt *logTerm
	err = s.inLog(ctx, what, func(_ *term, se *session, of *logTerm) (err error) {
		lt = of
		span, err = s.span(ctx, se, lt)
		return err
	})
	if err != nil {
		return relay.Page{}, err
	}
	if after == 0 && span.small && !waiting {
		page, err = s.readByTx(ctx, what, span, limit)
		if err == nil && len(page.Rows) > 0 && page.Rows[0].Seq <= span.start {
			err = s.wrap(what, errNumbers)
		}
	} else {
		page, err = s.readSpan(ctx, what, span, after, math.MaxInt64, nil, nil, limit)
	}
	if err != nil {
		return relay.Page{}, err
	}
	if !span.small {
		if err := s.lookBelow(ctx, what, lt, span, !page.More); err != nil {
			return relay.Page{}, err
		}
	}
	if err := s.clashes(ctx, what, lt, page.Rows); err != nil {
		return relay.Page{}, err
	}
	var others []relay.Row
	if waiting {
		if page, others, err = s.mergeWaiting(ctx, what, lt, relay.Snapshot(span.shown), page, after, limit); err != nil {
			return relay.Page{}, err
		}
	}
	lt.mu.Lock()
	defer lt.mu.Unlock()
	end := span.end
	if page.More {
		end = lastSeq(page)
	}
	unsettled, err := lt.w.Note(after, lt.noteRows(page.Rows), end, page.More)
	if err != nil {
		return relay.Page{}, s.wrap(what, err)
	}
	if page.More {
		page.End = end
	}
	page.Rows = append(pick(page.Rows, unsettled), others...)
	slices.SortFunc(page.Rows, bySeq)
	return page, nil
}

// lastSeq returns the last seq that a page looked at.
func lastSeq(p relay.Page) int64 {
	if n := len(p.Rows); n > 0 {
		return max(p.End, p.Rows[n-1].Seq)
	}
	return p.End
}

func bySeq(a, b relay.Row) int { return cmp.Compare(a.Seq, b.Seq) }

// pick returns the rows that are wanted.
func pick(rows []relay.Row, wanted []bool) []relay.Row {
	out := rows[:0]
	for i := range rows {
		if wanted[i] {
			out = append(out, rows[i])
		}
	}
	return out
}

// readByTx reads the first page of a small tick.
func (s *LogStore) readByTx(ctx context.Context, what string, span logSpan, limit relay.Limit) (relay.Page, error) {
	earlier, err := parseSnapshot(relay.Snapshot(span.hidden))
	if err != nil {
		return relay.Page{}, s.wrap(what, err)
	}
	later, err := parseSnapshot(relay.Snapshot(span.shown))
	if err != nil {
		return relay.Page{}, s.wrap(what, err)
	}
	closed := earlier.closedBy(later)
	if earlier.xmax == later.xmax && len(closed) == 0 {
		return relay.Page{}, nil // no transaction has ended in between
	}
	rows := s.rowLimit(limit)
	return s.readPage(ctx, what, relay.Limit{Rows: int(rows), Bytes: limit.Bytes}, pgdb.LogTick,
		earlier.xmax, later.xmax, span.shown, closed, rows+1)
}

// mergeWaiting adds the rows that wait behind the cursor to a page of a tick. It cuts the page
// where the page of these rows ends, so that all are in the order of seq.
func (s *LogStore) mergeWaiting(ctx context.Context, what string, lt *logTerm, snap relay.Snapshot, page relay.Page, after int64, limit relay.Limit) (relay.Page, []relay.Row, error) {
	lt.mu.Lock()
	none := lt.nothingWaits && after >= lt.waitsAfter
	lt.mu.Unlock()
	if none {
		return page, nil, nil
	}
	waiting, err := s.readWaiting(ctx, what, snap, after, math.MaxInt64, nil, nil, limit)
	if err != nil {
		return relay.Page{}, nil, err
	}
	if !waiting.More {
		lt.mu.Lock()
		lt.nothingWaits, lt.waitsAfter = true, after
		if n := len(waiting.Rows); n > 0 {
			lt.waitsAfter = waiting.Rows[n-1].Seq
		}
		lt.mu.Unlock()
	}
	var end int64 = math.MaxInt64
	for _, p := range []relay.Page{page, waiting} {
		if p.More {
			end = min(end, lastSeq(p))
		}
	}
	end = fits(end, limit, page.Rows, waiting.Rows)
	page.InsertLSN = waiting.InsertLSN // the page may be empty without having been read
	if end == math.MaxInt64 {
		return page, waiting.Rows, nil
	}
	page = relay.Page{Rows: upTo(page.Rows, end), More: true, End: end, InsertLSN: waiting.InsertLSN}
	return page, upTo(waiting.Rows, end), nil
}

// upTo returns the rows up to a seq.
func upTo(rows []relay.Row, seq int64) []relay.Row {
	i := slices.IndexFunc(rows, func(r relay.Row) bool { return r.Seq > seq })
	if i < 0 {
		return rows
	}
	return rows[:i]
}

// fits returns up to which seq rows of several lists, each in the order of seq, fit into a
// page; end if all up to there do.
func fits(end int64, limit relay.Limit, lists ...[]relay.Row) int64 {
	var bytes int64
	at := make([]int, len(lists))
	last := int64(0)
	for n := 0; ; n++ {
		next := -1
		for i, rows := range lists {
			if at[i] < len(rows) && rows[at[i]].Seq <= end && (next < 0 || rows[at[i]].Seq < lists[next][at[next]].Seq) {
				next = i
			}
		}
		if next < 0 {
			return end
		}
		r := &lists[next][at[next]]
		bytes += size(r)
		if n > 0 && (n >= limit.Rows || bytes > limit.Bytes) {
			return last
		}
		last = r.Seq
		at[next]++
	}
}

// readWaiting reads rows that wait behind the cursor.
func (s *LogStore) readWaiting(ctx context.Context, what string, snap relay.Snapshot, after, upTo int64, topic *string, keys []string, limit relay.Limit) (relay.Page, error) {
	rows := s.rowLimit(limit)
	return s.readPage(ctx, what, relay.Limit{Rows: int(rows), Bytes: limit.Bytes}, pgdb.LogWaiting, after, upTo, string(snap), topic, keys, rows+1)
}

// ReadBacklog reads the rows that the term's first snapshot shows and that are not settled.
func (s *LogStore) ReadBacklog(ctx context.Context, _ relay.Snapshot, after int64, limit relay.Limit) (relay.Page, error) {
	const what = "read the backlog"
	t := s.currentTerm()
	page, err := s.readTick(ctx, what, after, limit, true)
	return page, s.repaired(ctx, what, t, err)
}

// ReadTick reads the unsettled rows that to shows and from does not.
func (s *LogStore) ReadTick(ctx context.Context, from, to relay.Snapshot, after int64, limit relay.Limit) (relay.Page, error) {
	const what = "read a tick"
	if from == to {
		return relay.Page{}, s.makeRoom(ctx, what, math.MaxInt64)
	}
	t := s.currentTerm()
	err := s.inLog(ctx, what, func(_ *term, _ *session, lt *logTerm) error {
		lt.mu.Lock()
		defer lt.mu.Unlock()
		return lt.w.Open(string(to))
	})
	if err != nil {
		return relay.Page{}, err
	}
	page, err := s.readTick(ctx, what, after, limit, false)
	return page, s.repaired(ctx, what, t, err)
}

// ReadAgain reads the unsettled rows of one topic, or of some of its keys: those that wait
// behind the cursor, those that were read past it, and those of the open tick that are still
// to be read.
func (s *LogStore) ReadAgain(ctx context.Context, snap relay.Snapshot, rows relay.Selection, after, to int64, limit relay.Limit) (relay.Page, error) {
	what := "read rows of topic " + rows.Topic + " again"
	t := s.currentTerm()
	page, err := s.readAgain(ctx, what, snap, rows, after, to, limit)
	return page, s.repaired(ctx, what, t, err)
}

func (s *LogStore) readAgain(ctx context.Context, what string, snap relay.Snapshot, rows relay.Selection, after, to int64, limit relay.Limit) (relay.Page, error) {
	var lt *logTerm
	var span logSpan
	var inWindow pgdb.LogRowsParams
	var readTo int64
	var unread bool
	err := s.inLog(ctx, what, func(_ *term, se *session, of *logTerm) (err error) {
		lt = of
		lt.mu.Lock()
		err = lt.w.OpenTaken(string(snap))
		lt.mu.Unlock()
		if err != nil {
			return err
		}
		if span, err = s.span(ctx, se, lt); err != nil {
			return err
		}
		lt.mu.Lock()
		defer lt.mu.Unlock()
		_, readTo, unread = lt.w.Unread()
		for _, r := range lt.w.Unsettled(rows.Topic, hashes(rows.Keys), after, to) {
			inWindow.Ids, inWindow.Seqs = append(inWindow.Ids, r.ID), append(inWindow.Seqs, r.Seq)
		}
		return nil
	})
	if err != nil {
		return relay.Page{}, err
	}
	waiting, err := s.readWaiting(ctx, what, snap, after, to, &rows.Topic, rows.Keys, limit)
	if err != nil {
		return relay.Page{}, err
	}
	var window, ahead relay.Page
	if len(inWindow.Ids) > 0 {
		n := s.rowLimit(limit)
		window, err = s.readPage(ctx, what, relay.Limit{Rows: int(n), Bytes: limit.Bytes}, pgdb.LogRows,
			inWindow.Ids, inWindow.Seqs, string(snap), rows.Keys, n+1)
		if err != nil {
			return relay.Page{}, err
		}
	}
	span.shown = string(snap) // if that is older than the tick, no row of the tick is read
	if unread && to > readTo {
		if ahead, err = s.readSpan(ctx, what, span, max(after, readTo), to, &rows.Topic, rows.Keys, limit); err != nil {
			return relay.Page{}, err
		}
	}
	var end int64 = math.MaxInt64
	for _, p := range []relay.Page{waiting, window, ahead} {
		if p.More {
			end = min(end, lastSeq(p))
		}
	}
	end = fits(end, limit, waiting.Rows, window.Rows, ahead.Rows)
	page := relay.Page{InsertLSN: waiting.InsertLSN}
	if end < math.MaxInt64 {
		page.More, page.End = true, end
	}
	early := upTo(ahead.Rows, end)
	if err := s.clashes(ctx, what, lt, early); err != nil {
		return relay.Page{}, err
	}
	lt.mu.Lock()
	unsettled, err := lt.w.Peek(lt.noteRows(early))
	lt.mu.Unlock()
	if err != nil {
		return relay.Page{}, s.wrap(what, err)
	}
	early = pick(early, unsettled)
	page.Rows = slices.Concat(upTo(waiting.Rows, end), upTo(window.Rows, end), early)
	slices.SortFunc(page.Rows, bySeq)
	return page, nil
}

func hashes(keys []string) map[uint64]struct{} {
	if keys == nil {
		return nil
	}
	set := make(map[uint64]struct{}, len(keys))
	for i := range keys {
		set[hashKey(&keys[i])] = struct{}{}
	}
	return set
}

// ReadEdited reads the copies of failed rows: nothing else can be edited.
func (s *LogStore) ReadEdited(ctx context.Context, snap, edits relay.Snapshot, after, upTo int64, limit relay.Limit) (relay.Page, int64, error) {
	rows := s.rowLimit(limit)
	page, err := s.readPage(ctx, "read the rows that were edited", relay.Limit{Rows: int(rows), Bytes: limit.Bytes}, pgdb.LogEdited,
		after, upTo, string(snap), string(edits), rows+1)
	if page.More {
		upTo = page.Rows[len(page.Rows)-1].Seq
	}
	return page, upTo, err
}

// ReadHeld lists the rows that hold their key.
func (s *LogStore) ReadHeld(ctx context.Context, blocking relay.Blocking) ([]relay.HeldRow, error) {
	var held []relay.HeldRow
	err := s.anywhere(ctx, "read the held rows", func(se *session) error {
		rows, err := se.q.LogHeld(ctx, pgdb.LogHeldParams{Excepted: append([]string{}, blocking.Except...), ByDefault: blocking.ByDefault})
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
		return nil
	})
	return held, err
}

// Decisions marks the decisions in done and returns the open ones.
func (s *LogStore) Decisions(ctx context.Context, l relay.Lease, done []int64) ([]relay.Decision, error) {
	var decisions []relay.Decision
	err := s.underLease(ctx, "read the operators' decisions", useForReading, l, func(_ *term, se *session) (int64, error) {
		leases, err := se.q.ForgetDecisions(ctx, pgdb.ForgetDecisionsParams{
			Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, Ids: append([]int64{}, done...),
		})
		if err != nil || leases == 0 {
			return leases, err
		}
		rows, err := se.q.ReadDecisions(ctx)
		for _, r := range rows {
			decisions = append(decisions, relay.Decision{
				ID: r.ID, Seq: r.Seq, Topic: r.Topic, Key: keyOrNil(r.EventKey), Discarded: r.Discarded,
			})
		}
		return leases, err
	})
	return decisions, err
}

// logUnread is the store's question whether there are rows that a snapshot does not show.
func logUnread(ctx context.Context, se *session, read pgSnapshot) (snapshot string, unread bool, err error) {
	row, err := se.q.LogUnread(ctx, pgdb.LogUnreadParams{ReadXmax: read.xmax, ReadOpen: append([]uint64{}, read.open...)})
	return row.Snapshot, row.Unread, err
}
