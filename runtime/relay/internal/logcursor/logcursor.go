// Package logcursor says which rows of a log are settled. A log is an outbox whose rows
// are only inserted. One cursor says up to where all rows are settled, and which rows are
// settled ahead of that.
//
// The package has no I/O and does not interpret snapshots, so that the store and the
// simulation use the same code. DESIGN.md has the rules and why they are correct.
package logcursor

import (
	"cmp"
	"errors"
	"slices"
)

// Cursor is what is stored. A row is behind the cursor if Base shows it, or if Shown shows
// it and its seq is at most Seq.
type Cursor struct {
	Base  string  // a snapshot
	Shown string  // the snapshot of the tick under way; "": none
	Seq   int64   // 0 if Shown is ""
	Ahead []int64 // settled rows that are not behind the cursor, ascending
}

// Row is a row that was read.
type Row struct {
	Seq   int64
	ID    [16]byte
	Topic string
	Key   uint64 // a hash of the key
}

// ErrTwice is returned if two rows that are not settled have the same seq: the sequence was
// replaced or set back. The window is as before.
var ErrTwice = errors.New("two events that are not published have the same seq")

// Window is what a leader has read past the cursor. It is not safe for concurrent use.
type Window struct {
	base  string
	shown string // Shown of the cursor with which the term began
	seq   int64  // and its Seq
	begun bool
	taken string  // the newest snapshot
	ticks []*tick // those that are not behind the cursor
	last  *tick   // the one that was opened last, also when it is behind the cursor
	// where has the rows of ticks that are not settled.
	where map[int64]*noted
	// ahead has settled rows that were not read in their turn yet.
	ahead map[int64]struct{}
	// peeked has the ids of rows that were read out of their turn and are not settled.
	peeked map[int64][16]byte
	// asked has the ids of rows, as far as they are known: of those of the last settlement, which comes
	// again if its outcome is unknown, and must not be taken for one of other rows; and of those of
	// each settlement since a page was read, because the relay takes the numbers in the next page for
	// theirs.
	asked    map[int64][16]byte
	settling []int64 // the rows of the last settlement
	// late are rows that were set aside, and whose entries are not confirmed.
	late []Row
}

// tick is a tick that was read, or is being read.
type tick struct {
	to     string
	rows   []*noted
	readTo int64 // rows up to this seq were read
	closed bool  // all were

	backlog bool // with which the term began
	settled bool // some rows are settled, perhaps such as are not in rows any more
}

type noted struct {
	Row

	of   *tick
	done bool // settled, set aside, or failed
}

// New returns the window of a term that begins with a cursor.
func New(c Cursor) *Window {
	w := &Window{
		base: c.Base, shown: c.Shown, seq: c.Seq,
		where: map[int64]*noted{}, ahead: map[int64]struct{}{}, peeked: map[int64][16]byte{},
		asked: map[int64][16]byte{},
	}
	for _, seq := range c.Ahead {
		w.ahead[seq] = struct{}{}
	}
	return w
}

// First returns the first snapshot of the term, as long as the backlog was not read to its
// end: it is given again, because the answer with it may be lost. "": a new one is taken.
func (w *Window) First() string {
	if w.begun && w.last.backlog && !w.last.closed {
		return w.last.to
	}
	return ""
}

// Begin begins the backlog: the rows that the term's first snapshot shows and that are not
// behind the cursor.
func (w *Window) Begin(first string) {
	t := &tick{to: first, backlog: true, settled: w.shown != ""}
	w.ticks, w.last, w.begun = []*tick{t}, t, true
}

// Begun reports whether the term has its first snapshot.
func (w *Window) Begun() bool { return w.begun }

var errUnfinished = errors.New("a tick begins before the last one was read to its end")

// Open begins the tick to, unless it is the last one.
func (w *Window) Open(to string) error {
	switch {
	case w.last.to == to:
		return nil
	case !w.last.closed:
		return errUnfinished
	}
	w.last = &tick{to: to}
	w.ticks = append(w.ticks, w.last)
	return nil
}

// Took records that a snapshot was taken. The next tick may be that of it.
func (w *Window) Took(snapshot string) { w.taken = snapshot }

// OpenTaken begins the tick of a snapshot, if that was taken last: its rows may be read again
// before they are read in their turn.
func (w *Window) OpenTaken(snapshot string) error {
	if snapshot != w.taken {
		return nil
	}
	return w.Open(snapshot)
}

// Base returns the snapshot of which all rows are behind the cursor.
func (w *Window) Base() string { return w.base }

// From returns the snapshot before the last tick: what the tick shows over it. If all of the
// tick is behind the cursor, nothing is.
func (w *Window) From() string {
	if n := len(w.ticks); n > 1 {
		return w.ticks[n-2].to
	}
	return w.base
}

// Unread returns the last tick, and up to where it was read; more is false if it was read
// to its end.
func (w *Window) Unread() (to string, readTo int64, more bool) {
	return w.last.to, w.last.readTo, !w.last.closed
}

// Passed returns which rows of the last tick are behind the cursor, whatever was read: those
// up to seq that shown shows; "": none.
func (w *Window) Passed() (shown string, seq int64) {
	if w.last.backlog {
		return w.shown, w.seq
	}
	return "", 0
}

// Note records a page of the last tick, with the rows after a seq up to end. more is false
// if there are no rows after end. It reports for each row whether it is unsettled.
//
// A page that begins further than the tick was read is a look ahead: it says nothing about
// the rows before it. The answer with a page may be lost, so a page may come again, even when
// all of its rows are behind the cursor.
func (w *Window) Note(after int64, rows []Row, end int64, more bool) ([]bool, error) {
	t := w.last
	if after > t.readTo {
		return w.Peek(rows)
	}
	if w.twice(rows) {
		return nil, ErrTwice
	}
	w.wasRead()
	unsettled := make([]bool, len(rows))
	for i := range rows {
		if rows[i].Seq <= t.readTo {
			_, noted := w.where[rows[i].Seq]
			unsettled[i] = noted
			continue
		}
		n := &noted{Row: rows[i], of: t}
		_, n.done = w.ahead[n.Seq]
		delete(w.ahead, n.Seq)
		delete(w.peeked, n.Seq)
		t.rows = append(t.rows, n)
		if n.done {
			t.settled = true
		} else {
			w.where[n.Seq] = n
		}
		unsettled[i] = !n.done
	}
	t.readTo = max(t.readTo, end)
	if !more {
		t.closed = true
		w.merge()
	}
	return unsettled, nil
}

// unknown is the id of a row that was settled and that the window does not have.
var unknown [16]byte

// twice reports whether two rows that are not settled have the same seq: two of rows, or one of
// them and one that was read before.
func (w *Window) twice(rows []Row) bool {
	late := make(map[int64][16]byte, len(w.late))
	for _, r := range w.late {
		late[r.Seq] = r.ID
	}
	for i := range rows {
		seq := rows[i].Seq
		if i > 0 && seq == rows[i-1].Seq {
			return true
		}
		if n := w.where[seq]; n != nil && n.ID != rows[i].ID {
			return true
		}
		if id, peeked := w.peeked[seq]; peeked && id != rows[i].ID {
			return true
		}
		if id, waits := late[seq]; waits && id != rows[i].ID {
			return true
		}
		if id, asked := w.asked[seq]; asked && id != rows[i].ID && seq > w.last.readTo {
			// The id of a row with an entry is not known. Its number is in ahead until it is read in its turn.
			if _, ahead := w.ahead[seq]; !ahead || id != unknown {
				return true
			}
		}
	}
	return false
}

// merge makes the last tick part of the one before it, if it has no rows. So ticks of an
// idle outbox take no memory while a row waits.
func (w *Window) merge() {
	n := len(w.ticks)
	if n > 1 && len(w.ticks[n-1].rows) == 0 {
		w.ticks[n-2].to = w.ticks[n-1].to
		w.ticks = w.ticks[:n-1]
		w.last = w.ticks[n-2]
	}
}

// Peek records rows of the last tick that were read out of their turn.
func (w *Window) Peek(rows []Row) ([]bool, error) {
	if w.twice(rows) {
		return nil, ErrTwice
	}
	w.wasRead()
	unsettled := make([]bool, len(rows))
	for i := range rows {
		if _, settled := w.ahead[rows[i].Seq]; settled {
			continue
		}
		unsettled[i] = true
		w.peeked[rows[i].Seq] = rows[i].ID
	}
	return unsettled, nil
}

// ID returns the id of an unsettled row that was read past the cursor; false if there is none.
func (w *Window) ID(seq int64) (id [16]byte, is bool) {
	if n := w.where[seq]; n != nil {
		return n.ID, true
	}
	if id, is = w.peeked[seq]; is {
		return id, true
	}
	for _, r := range w.late {
		if r.Seq == seq {
			return r.ID, true
		}
	}
	return id, false
}

// Unsettled returns the unsettled rows of a topic with after < seq <= upTo, in the order of
// seq. If keys is not nil, their keys have one of these hashes. Rows that were set aside are
// among them as long as it is not known that they have entries.
func (w *Window) Unsettled(topic string, keys map[uint64]struct{}, after, upTo int64) []Row {
	var rows []Row
	add := func(r Row) {
		if r.Topic != topic || r.Seq <= after || r.Seq > upTo {
			return
		}
		if _, wanted := keys[r.Key]; wanted || keys == nil {
			rows = append(rows, r)
		}
	}
	for _, r := range w.late {
		add(r)
	}
	for _, t := range w.ticks {
		for _, n := range t.rows {
			if !n.done {
				add(n.Row)
			}
		}
	}
	slices.SortFunc(rows, bySeq)
	return rows
}

// Asked records which rows the next calls of Settle are about: all of one settlement.
func (w *Window) Asked(seqs []int64) {
	for _, seq := range seqs {
		id, is := w.ID(seq)
		if !is {
			id = w.asked[seq]
		}
		w.asked[seq] = id
	}
	w.settling = seqs
}

// wasRead records that a page was read. Reads come one after another, and settlements too. So the relay
// had the outcome of each settlement but the last one before it asks for the next page, and does not
// take rows of that for rows of these.
func (w *Window) wasRead() {
	asked := make(map[int64][16]byte, len(w.settling))
	for _, seq := range w.settling {
		asked[seq] = w.asked[seq]
	}
	w.asked = asked
}

// Settle records that rows are settled, or that copies of them were made. It returns those
// that are neither in the window nor ahead of it: rows that were set aside or have failed.
// undo takes all of that back.
func (w *Window) Settle(seqs []int64) (rest []int64, undo func()) {
	var done []*noted
	peeked := map[int64][16]byte{}
	late := w.late
	for _, seq := range seqs {
		n := w.where[seq]
		id, early := w.peeked[seq]
		switch {
		case n != nil:
			n.done, n.of.settled = true, true
			delete(w.where, seq)
			done = append(done, n)
		case early:
			delete(w.peeked, seq)
			w.ahead[seq] = struct{}{}
			peeked[seq] = id
		default:
			rest = append(rest, seq)
		}
	}
	if len(rest) > 0 && len(late) > 0 {
		// The entry of such a row may be there or not.
		w.late = slices.DeleteFunc(slices.Clone(late), func(r Row) bool { return slices.Contains(rest, r.Seq) })
	}
	return rest, func() {
		for _, n := range done {
			n.done = false
			w.where[n.Seq] = n
		}
		for seq, id := range peeked {
			delete(w.ahead, seq)
			w.peeked[seq] = id
		}
		w.late = late
	}
}

// Rows counts the rows that were read past the cursor.
func (w *Window) Rows() int {
	rows := 0
	for _, t := range w.ticks {
		rows += len(t.rows)
	}
	return rows
}

// holding returns the ticks that have to be behind the cursor before Base shows all settled rows.
func (w *Window) holding() []*tick {
	n := len(w.ticks)
	for n > 0 && !w.ticks[n-1].settled {
		n--
	}
	return w.ticks[:n]
}

// Holding returns the first unsettled row that keeps Base from showing settled ones, and the
// highest seq that was read; first is 0 if there is none.
func (w *Window) Holding() (first, last int64) {
	for _, t := range w.holding() {
		for _, n := range t.rows {
			if last = max(last, n.Seq); !n.done && first == 0 {
				first = n.Seq
			}
		}
	}
	return first, last
}

// SetAsideUpTo takes unsettled rows up to a seq out of the window, if they keep Base from
// showing settled ones. From then on they are late rows.
func (w *Window) SetAsideUpTo(seq int64) {
	for _, t := range w.holding() {
		for _, n := range t.rows {
			if !n.done && n.Seq <= seq {
				w.setAside(n)
			}
		}
	}
}

func (w *Window) setAside(n *noted) {
	n.done = true
	delete(w.where, n.Seq)
	w.late = append(w.late, n.Row)
}

// SetAside takes the unsettled rows of the older half out of the window, if it has more than
// limit rows. From then on they are late rows. Rows of the last tick after received stay: the
// answer with them may be lost, and then the page comes again.
func (w *Window) SetAside(limit int, received int64) {
	rows := w.Rows()
	if rows <= limit {
		return
	}
	left := rows / 2
	for _, t := range w.ticks {
		for _, n := range t.rows {
			if left == 0 {
				return
			}
			left--
			if !n.done && (t != w.last || n.Seq <= received) {
				w.setAside(n)
			}
		}
	}
}

// Position is a cursor, and what it is about.
type Position struct {
	Cursor

	Late []Row // rows that have to be noted as late before the cursor has passed them
	// Former is true if Shown and Seq are those with which the term began.
	Former bool
	ticks  int // that are behind it
}

// Position returns the cursor as it is now. Whoever writes it makes entries for the late
// rows in the same statement.
//
// The backlog has no row that the former cursor has passed. So a place in it says nothing
// about these rows until it is behind the former place: before that, the former place is
// written, and the rows of the backlog that are settled are ahead of it.
func (w *Window) Position() Position {
	p := Position{Cursor: Cursor{Base: w.base}, Late: w.late}
	for p.ticks < len(w.ticks) && w.ticks[p.ticks].finished() {
		p.Base = w.ticks[p.ticks].to
		p.ticks++
	}
	left := w.ticks[p.ticks:]
	if len(left) > 0 {
		p.Shown, p.Seq = left[0].to, left[0].reached()
		p.Former = left[0].backlog && p.Seq < w.seq
	}
	if !w.begun || p.Former {
		p.Shown, p.Seq = w.shown, w.seq
	}
	for seq := range w.ahead {
		p.Ahead = append(p.Ahead, seq)
	}
	for i, t := range left {
		for _, n := range t.rows {
			if n.done && (i > 0 || p.Former || n.Seq > p.Seq) {
				p.Ahead = append(p.Ahead, n.Seq)
			}
		}
	}
	slices.Sort(p.Ahead)
	return p
}

// finished reports whether all rows of the tick are behind the cursor.
func (t *tick) finished() bool {
	return t.closed && !slices.ContainsFunc(t.rows, func(n *noted) bool { return !n.done })
}

// reached returns up to which seq all rows are settled.
func (t *tick) reached() int64 {
	i := slices.IndexFunc(t.rows, func(n *noted) bool { return !n.done })
	if i < 0 {
		return t.readTo
	}
	return t.rows[i].Seq - 1
}

// Stored records that a position was written. Only one is written at a time. The rows behind
// it are forgotten.
func (w *Window) Stored(p Position) {
	w.late = slices.Clone(w.late[len(p.Late):])
	for range p.ticks {
		w.base = w.ticks[0].to
		w.ticks = w.ticks[1:]
	}
	if len(w.ticks) > 0 && !p.Former {
		t := w.ticks[0]
		i, _ := slices.BinarySearchFunc(t.rows, p.Seq+1, func(n *noted, seq int64) int { return cmp.Compare(n.Seq, seq) })
		t.rows = slices.Clone(t.rows[i:])
	}
}

func bySeq(a, b Row) int { return cmp.Compare(a.Seq, b.Seq) }
