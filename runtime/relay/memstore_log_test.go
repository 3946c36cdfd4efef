package relay

import (
	"cmp"
	"context"
	"errors"
	"hash/fnv"
	"math"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
)

// memLog is what a log has beside its rows; see DESIGN.md of logcursor.
type memLog struct {
	cursor logcursor.Cursor
	n      int64               // of the cursor
	floor  int64               // up to this seq, base shows every row
	late   map[*memRow]bool    // rows that were set aside and are not published
	copied map[*memRow]bool    // rows that failed, and dead ones
	known  map[*memRow]bool    // rows that ever were one of these: the history knows when they were published
	file   int                 // of the sequence
	of     int                 // the file of the sequence that the cursor is about
	again  map[*memRow]bool    // published rows that a term may read again, because a repair cannot know them
	unsure func() bool         // whether the store does not learn that it has written
	delays func(w func()) bool // whether a write takes effect later, after the store has given it up

	isSetBack bool // the sequence was set back since the last repair
	unclear   bool // and in such a way that nothing tells which rows are of a former era
	repaired  int  // the era when the numbers were repaired last

	say     func(format string, args ...any)
	onAgain func(*memRow) // of a row that is read again after it was recorded as published, or is dead
}

func newMemLog() *memLog {
	return &memLog{
		cursor: logcursor.Cursor{Base: "nothing"}, n: 1, late: map[*memRow]bool{}, copied: map[*memRow]bool{}, known: map[*memRow]bool{},
		again: map[*memRow]bool{},
	}
}

// memLogStore is one relay's store of a log in memory. The rows, the lease and the
// decisions are those of the memStore.
type memLogStore struct {
	*memStore

	lease  Lease
	n      int64             // of the last write that was tried
	w      *logcursor.Window // of the term; nil: not read yet
	unsure bool              // whether a settlement was recorded is not known
	acked  []*memRow         // published rows since the last write that is known to have taken effect

	floor     int64            // later snapshots show every row up to this seq
	floors    map[string]int64 // of some snapshots
	baseFloor int64            // of the cursor's base
	asked     memTidy          // how the floor is found; only safe and open

	file    int // of the sequence, when the term began
	numbers memNumbers
	doubted bool // the repair is due before the term begins
	vain    int  // how many changed nothing, since the cursor has passed a tick
}

const (
	// memAside is how many rows a window has before rows are set aside.
	memAside = 6
	// memPartition is how many seqs share a partition.
	memPartition = 4
)

var errMemUnsure = errors.New("the connection broke, and the settlement was recorded")

// Observe implements Store.
func (s *memLogStore) Observe(ctx context.Context) (LeaseState, error) {
	if s.off("the cursor is read after the take-over") {
		_ = s.termBegins()
	}
	return s.memStore.Observe(ctx)
}

// TakeOver implements Store.
func (s *memLogStore) TakeOver(ctx context.Context, seen LeaseState, holder uuid.UUID) (Lease, error) {
	l, err := s.memStore.TakeOver(ctx, seen, holder)
	if err == nil && !s.off("the cursor is read after the take-over") {
		s.w = nil
	}
	s.lease, s.unsure, s.n, s.acked, s.numbers, s.doubted = l, false, s.log.n, nil, memNumbers{}, false
	return l, err
}

// Snapshot implements Store.
func (s *memLogStore) Snapshot(ctx context.Context) (Snapshot, error) {
	if s.w == nil {
		if err := s.termBegins(); err != nil {
			return "", err
		}
	}
	taken, err := s.memStore.Snapshot(ctx)
	if err := s.repaired(cmp.Or(err, s.stands())); err != nil {
		return "", err
	}
	s.numbers.seen = string(taken)
	if first := s.w.First(); first != "" && !s.off("the first snapshot is given until the backlog is read") {
		return Snapshot(first), nil
	}
	if former := s.log.cursor.Shown; former != "" && !s.w.Begun() && s.off("a term begins with a snapshot of its own") {
		s.w.Begin(former)
		return Snapshot(former), nil
	}
	s.floors[string(taken)] = s.floor
	if s.w.Took(string(taken)); !s.w.Begun() {
		s.w.Begin(string(taken))
	}
	return taken, nil
}

// floorOf returns up to which seq a snapshot shows every row.
func (s *memLogStore) floorOf(sn string) int64 { return max(s.baseFloor, s.floors[sn]) }

// moveFloor finds up to which seq every later snapshot shows all rows.
func (s *memLogStore) moveFloor() error {
	if err := s.stands(); err != nil {
		return err
	}
	if s.asked.safe <= s.floor {
		s.asked = memTidy{safe: s.lastSeq}
		for w := range s.low.writers {
			s.asked.open = append(s.asked.open, w)
		}
	}
	if !slices.ContainsFunc(s.asked.open, func(w int64) bool { return s.low.writers[w] }) {
		s.floor = max(s.floor, s.asked.safe)
	}
	return nil
}

// at returns a snapshot. The first cursor has one that shows nothing.
func (s *memStore) at(sn string) *memSnapshot {
	if at := s.snapshots[Snapshot(sn)]; at != nil {
		return at
	}
	return &memSnapshot{}
}

// inTick reports whether a row is what one snapshot shows over another.
func (s *memStore) inTick(r *memRow, from, to string) bool {
	if s.off("open transactions are part of a cursor's snapshot") {
		return r.stamp >= s.at(from).xmax && s.visible(r, s.at(to))
	}
	return s.visible(r, s.at(to)) && !s.visible(r, s.at(from))
}

// unread reports whether a row is of the last tick, and not behind the cursor with which the
// term began.
func (s *memLogStore) unread(r *memRow) bool {
	to, _, _ := s.w.Unread()
	if r.dropped || r.Seq <= s.floorOf(s.w.From()) || !s.committed(r) || !s.inTick(r, s.w.From(), to) {
		return false
	}
	shown, seq := s.w.Passed()
	if shown == "" || r.Seq > seq || s.off("what the former cursor has passed is read no more") {
		return true
	}
	return !s.visible(r, s.at(shown)) && !s.off("a place in a tick belongs to its snapshot")
}

// looksBelow reports whether a row of the last tick has a number up to the floor, and no entry.
func (s *memLogStore) looksBelow() bool {
	to, _, _ := s.w.Unread()
	return slices.ContainsFunc(s.rows, func(r *memRow) bool {
		return !r.dropped && s.committed(r) && r.Seq <= s.floorOf(s.w.From()) && s.inTick(r, s.w.From(), to) && !s.log.known[r]
	})
}

// clashes reports whether a row has the number of another one that has an entry, or whether two of
// the rows have the same number, or whether one has a number above the place of the sequence that was read
// after the snapshot of the page.
func (s *memLogStore) clashes(rows []*memRow) bool {
	if n := len(rows); n > 0 && rows[n-1].Seq > s.numbers.standing && !s.off(repairs) {
		s.numbers.seen = ""
		return true
	}
	for i, r := range rows {
		if i > 0 && rows[i-1].Seq == r.Seq || slices.ContainsFunc(s.rows, func(e *memRow) bool { return e != r && e.Seq == r.Seq && s.entry(e) }) {
			return true
		}
	}
	return false
}

// waits reports whether a row is read although the cursor has passed it.
func (s *memStore) waitsInLog(r *memRow) bool {
	return s.log.late[r] && !r.dropped || s.log.copied[r] && !r.dead && !r.gone
}

// noted is what the window notes about rows of the last tick.
func (s *memLogStore) noted(rows []*memRow) []logcursor.Row {
	out := make([]logcursor.Row, len(rows))
	for i, r := range rows {
		out[i] = logcursor.Row{Seq: r.Seq, ID: r.ID, Topic: r.Topic, Key: memKey(r.Key)}
	}
	return out
}

func memKey(key *string) uint64 {
	h := fnv.New64a()
	if key != nil {
		_, _ = h.Write([]byte(*key))
	}
	return h.Sum64()
}

// returns reports rows that were recorded as published, or are dead.
func (s *memLogStore) returns(rows []Row) {
	for i := range rows {
		if r := s.byID[rows[i].ID]; (r.published && !s.log.again[r] || r.dead) && s.holds(s.lease) && s.log.onAgain != nil {
			s.log.onAgain(r)
		}
	}
}

// cut returns the rows of a page.
func (s *memLogStore) cut(rows []*memRow, limit Limit) (page []*memRow, more bool) {
	var size int64
	for i, r := range rows {
		size += int64(len(r.Data) + len(r.Headers))
		if i > 0 && (i >= limit.Rows || size > limit.Bytes) {
			return rows[:i], true
		}
	}
	return rows, false
}

// readTick reads a page of the last tick, together with rows that wait.
func (s *memLogStore) readTick(sn *memSnapshot, after int64, limit Limit, waiting bool) (Page, error) {
	if err := s.makeRoom(after); err != nil {
		return Page{}, err
	}
	to, _, _ := s.w.Unread()
	waits := func(r *memRow) bool {
		return waiting && s.waitsInLog(r) && s.visible(r, s.at(to)) && !s.off("a new leader reads the rows that were set aside")
	}
	var rows, ofTick []*memRow
	for _, r := range s.rows {
		if r.Seq > after && (waits(r) || s.unread(r)) {
			rows = append(rows, r)
		}
	}
	page, more := s.cut(rows, limit)
	for _, r := range rows[:min(len(page)+1, len(rows))] {
		if s.unread(r) {
			ofTick = append(ofTick, r)
		}
	}
	if err := s.doubt(s.clashes(ofTick) || s.looksBelow()); err != nil {
		return Page{}, err
	}
	if more && s.unread(rows[len(page)]) {
		ofTick = ofTick[:len(ofTick)-1]
	}
	end := max(s.lastSeq, s.numbers.standing)
	if more {
		end = page[len(page)-1].Seq
	}
	unsettled, err := s.w.Note(after, s.noted(ofTick), end, more)
	if err != nil {
		return Page{}, err
	}
	p := Page{InsertLSN: strconv.FormatInt(sn.wal, 10), More: more}
	if more {
		p.End = end
	}
	for _, r := range page {
		if waits(r) {
			p.Rows = append(p.Rows, r.Row)
		}
		if i := slices.Index(ofTick, r); i >= 0 && (unsettled[i] || s.off("what is ahead of the cursor is read no more")) {
			p.Rows = append(p.Rows, r.Row)
		}
	}
	s.returns(p.Rows)
	return p, nil
}

// makeRoom sets rows aside if many were read past the cursor.
func (s *memLogStore) makeRoom(received int64) error {
	switch {
	case s.w.Rows() <= memAside, s.unsure && !s.off("after an unknown outcome nothing else is written"):
		return nil
	case s.off("rows of a page that comes again are not set aside"):
		received = math.MaxInt64
	}
	s.w.SetAside(memAside, received)
	if s.log.unsure() {
		return errSimLost // nothing was written; the next write has these rows too
	}
	return s.write(s.lease, Settlement{})
}

// ReadBacklog implements Store.
func (s *memLogStore) ReadBacklog(_ context.Context, sn Snapshot, after int64, limit Limit) (Page, error) {
	page, err := s.readTick(s.snapshots[sn], after, limit, true)
	return page, s.repaired(err)
}

// ReadTick implements Store.
func (s *memLogStore) ReadTick(_ context.Context, _, to Snapshot, after int64, limit Limit) (Page, error) {
	if err := s.w.Open(string(to)); err != nil {
		return Page{}, err
	}
	page, err := s.readTick(s.snapshots[to], after, limit, false)
	return page, s.repaired(err)
}

// ReadAgain implements Store.
func (s *memLogStore) ReadAgain(_ context.Context, sn Snapshot, sel Selection, after, upTo int64, limit Limit) (Page, error) {
	page, err := s.readAgain(sn, sel, after, upTo, limit)
	return page, s.repaired(err)
}

func (s *memLogStore) readAgain(sn Snapshot, sel Selection, after, upTo int64, limit Limit) (Page, error) {
	var hashes map[uint64]struct{}
	if sel.Keys != nil {
		hashes = map[uint64]struct{}{}
		for i := range sel.Keys {
			hashes[memKey(&sel.Keys[i])] = struct{}{}
		}
	}
	if !s.off("a tick may be read again before it is read") {
		if err := s.w.OpenTaken(string(sn)); err != nil {
			return Page{}, err
		}
	}
	inWindow := map[int64]bool{}
	for _, r := range s.w.Unsettled(sel.Topic, hashes, after, upTo) {
		inWindow[r.Seq] = true
	}
	_, readTo, unread := s.w.Unread()
	peeks := func(r *memRow) bool { return unread && r.Seq > readTo && s.unread(r) }
	late := func(r *memRow) bool { return s.waitsInLog(r) && !s.off("rows that were set aside are read again") }
	var rows, peeked []*memRow
	for _, r := range s.rows {
		if r.Seq <= after || r.Seq > upTo || r.Topic != sel.Topic || sel.Keys != nil && (r.Key == nil || !slices.Contains(sel.Keys, *r.Key)) {
			continue
		}
		if !s.visible(r, s.snapshots[sn]) && !s.off("what is read again is what the snapshot shows") {
			continue
		}
		if late(r) || inWindow[r.Seq] || peeks(r) && !s.off("the open tick is read again too") {
			rows = append(rows, r)
		}
	}
	page, more := s.cut(rows, limit)
	for _, r := range page {
		if !inWindow[r.Seq] && peeks(r) {
			peeked = append(peeked, r)
		}
	}
	if err := s.doubt(s.clashes(peeked)); err != nil {
		return Page{}, err
	}
	unsettled, err := s.w.Peek(s.noted(peeked))
	if err != nil {
		return Page{}, err
	}
	p := Page{InsertLSN: strconv.FormatInt(s.snapshots[sn].wal, 10), More: more}
	if more {
		p.End = page[len(page)-1].Seq
	}
	for _, r := range page {
		if i := slices.Index(peeked, r); late(r) || inWindow[r.Seq] || i >= 0 && unsettled[i] {
			p.Rows = append(p.Rows, r.Row)
		}
	}
	s.returns(p.Rows)
	return p, nil
}

// ReadEdited implements Store. Only copies can be edited.
func (s *memLogStore) ReadEdited(_ context.Context, sn, edits Snapshot, after, upTo int64, limit Limit) (Page, int64, error) {
	edited := s.snapshots[edits]
	p := Page{InsertLSN: strconv.FormatInt(s.snapshots[sn].wal, 10)}
	var rows []*memRow
	for _, r := range s.rows {
		if r.Seq > after && r.Seq <= upTo && s.log.copied[r] && !r.dead && !r.gone && s.visible(r, s.snapshots[sn]) && (r.edit < edited.xmax && !slices.Contains(edited.open, r.edit)) {
			rows = append(rows, r)
		}
	}
	page, more := s.cut(rows, limit)
	for _, r := range page {
		p.Rows = append(p.Rows, r.Row)
	}
	if p.More = more; more {
		upTo = page[len(page)-1].Seq
	}
	return p, upTo, nil
}

// Settle implements Store.
func (s *memLogStore) Settle(_ context.Context, l Lease, st Settlement) error {
	if !s.allows(l) && !s.off("the lease is taken before settling") {
		return ErrLeaseLost
	}
	return s.repaired(s.write(l, st))
}

// memWrite is a statement that writes the cursor with the outcomes of rows, as it is sent.
type memWrite struct {
	lease     Lease
	n, floor  int64
	file      int
	p         logcursor.Position
	rest      []int64   // published rows that are in the window no more
	published []*memRow // the others, with those of writes of which the outcome is not known
	failed    []*memRow // those of the window, in the order of the settlement
	st        Settlement
}

// write writes the cursor with the outcomes of rows.
func (s *memLogStore) write(l Lease, st Settlement) error {
	if s.w == nil { // a rule about the lease is off
		if err := s.termBegins(); err != nil {
			return err
		}
	}
	switch {
	case !s.numbers.over || s.off(termOver):
	case s.numbers.unknown:
		return errMemNumbers
	default:
		return ErrLeaseLost
	}
	var failed []int64
	var rows []*memRow
	for _, f := range st.Failed {
		failed = append(failed, f.Seq)
		id, _ := s.w.ID(f.Seq)
		rows = append(rows, s.byID[id])
	}
	if len(st.Published)+len(failed) > 0 && !s.off("the number of a settlement that may come again is not given to another row") {
		s.w.Asked(slices.Concat(st.Published, failed))
	}
	for _, seq := range st.Published {
		if id, is := s.w.ID(seq); is {
			s.acked = append(s.acked, s.byID[id])
		}
	}
	rest, _ := s.w.Settle(st.Published)
	_, undo := s.w.Settle(failed)
	p := s.w.Position()
	if s.off("the cursor stops at a row that is not settled") && len(st.Published) > 0 {
		p.Seq = max(p.Seq, slices.Max(st.Published))
	}
	if p.Former && s.off("the former place is kept until the term has reached it") {
		p.Shown, p.Seq = "", 0
	}
	s.n++
	w := memWrite{l, s.n, s.floorOf(p.Base), s.file, p, rest, slices.Clone(s.acked), rows, st}
	fails := len(st.Failed) > 0
	err := errMemUnsure
	if !s.log.delays(func() { _ = s.apply(w) }) {
		if err = s.apply(w); err == nil && fails && s.log.unsure() {
			err = errMemUnsure
		}
	}
	if err != nil {
		undo()
		s.unsure = s.unsure || fails
		return err
	}
	if p.Base != s.w.Base() {
		s.vain = 0
	}
	s.unsure, s.acked = false, nil
	s.w.Stored(p)
	s.baseFloor = w.floor
	return nil
}

// apply makes a write take effect. Of two writes of a term, which may arrive in any order, the
// one that was sent first does nothing after the other.
func (s *memLogStore) apply(w memWrite) error {
	p, st := w.p, w.st
	if !s.allows(w.lease) && !s.off("the lease is taken before settling") && !s.off("the lease is locked while settling") {
		return ErrLeaseLost
	}
	if w.n <= s.log.n && !s.off("a write does nothing after a later one") {
		return errMemChanged
	}
	if err := s.doubt(s.violates(w)); err != nil {
		return err
	}
	if s.onSettle != nil {
		s.onSettle(w.lease, s.holds(w.lease), st)
	}
	s.flush()
	s.log.n, s.log.cursor, s.log.floor, s.log.of = w.n, p.Cursor, w.floor, w.file
	if s.off("what is settled ahead belongs to the cursor") {
		s.log.cursor.Ahead = nil
	}
	for _, l := range p.Late {
		if r := s.byID[l.ID]; !s.off("a row that waits is noted when the cursor passes it") {
			s.log.late[r], s.log.known[r] = true, true
		}
	}
	published := w.published
	for _, seq := range w.rest {
		for _, r := range s.rows {
			if r.Seq == seq && (s.log.late[r] || s.log.copied[r] && !r.dead) {
				published = append(published, r)
				delete(s.log.late, r)
				delete(s.log.copied, r)
			}
		}
	}
	for _, r := range published {
		if !r.dead && !s.log.late[r] && !s.log.copied[r] { // else the entry in the database waits for the repetition
			r.published, r.publishedAt = true, s.now()
			delete(s.log.again, r)
		}
	}
	for i, f := range st.Failed {
		r := w.failed[i]
		for _, e := range s.rows {
			if r == nil && e.Seq == f.Seq && (s.log.late[e] || s.log.copied[e]) {
				r = e
			}
		}
		if r == nil || r.published && !s.log.again[r] || s.replayed(f.Seq, st.Decided) {
			continue
		}
		delete(s.log.late, r)
		if !s.off("a row that failed is copied when the cursor passes it") {
			s.log.copied[r], s.log.known[r] = true, true
		}
		r.published = false
		r.RetryCount, r.lastErr = f.RetryCount, f.Err
		r.nextAttempt = s.now() + f.RetryIn
		if f.Dead {
			r.dead, r.everDead, r.nextAttempt = true, true, 0
		}
	}
	return nil
}

// violates reports whether an entry of a write has the number of another row's entry: a unique index of
// late rows, or of copies, has it.
func (s *memLogStore) violates(w memWrite) bool {
	has := func(entries map[*memRow]bool, r *memRow) bool {
		return r != nil && slices.ContainsFunc(s.rows, func(e *memRow) bool { return e != r && e.Seq == r.Seq && entries[e] && s.entry(e) })
	}
	return slices.ContainsFunc(w.p.Late, func(l logcursor.Row) bool { return has(s.log.late, s.byID[l.ID]) }) ||
		slices.ContainsFunc(w.failed, func(r *memRow) bool { return has(s.log.copied, r) })
}

// behind reports whether the cursor says that a row is settled.
func (s *memStore) behind(r *memRow) bool {
	c := &s.log.cursor
	_, ahead := slices.BinarySearch(c.Ahead, r.Seq)
	return ahead || s.visible(r, s.at(c.Base)) || c.Shown != "" && r.Seq <= c.Seq && s.visible(r, s.at(c.Shown))
}
