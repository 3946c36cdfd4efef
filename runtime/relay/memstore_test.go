package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// memStore is an outbox in memory with the visibility rules of the database:
// transaction ids, snapshots, seq drawn before commit. The simulation calls it
// step by step; other tests use it as a Store.
type memStore struct {
	mu        sync.Mutex
	now       func() time.Duration
	lastTx    int64
	lastSeq   int64
	open      map[int64]bool // transactions with an id, not yet ended
	rolled    map[int64]bool
	rows      []*memRow         // by seq
	bySeq     map[int64]*memRow // the last one, if the sequence was set back
	byID      map[uuid.UUID]*memRow
	era       int   // how often the sequence was set back
	eraTx     int64 // the youngest transaction id when it was set back last
	snapshots map[Snapshot]*memSnapshot
	lease     LeaseState
	decisions []Decision
	done      map[int64]bool

	pauses        []memPause // of operators
	pausesChanged int

	without    string // the rule that is off
	savepoints bool   // some rows are inserted under a savepoint, and so look edited

	// The write-ahead log: its end, how much of it is on disk, and where each
	// transaction committed.
	wal, flushed int64
	commits      map[int64]int64

	forgets  func() bool   // whether the server fails over right after a take-over, and forgets it
	onRenew  func(l Lease) // of a lease that is not the current one
	onSettle func(l Lease, current bool, s Settlement)
	onSweep  func(rows []*memRow, keep time.Duration, limit int)
	checkErr error

	low  lowWater // the low-water mark
	look int      // how many rows a page looks at; 0: as many as it needs

	drawn    int64    // how many seqs were
	highest  int64    // where the identity cycles; 0: nowhere
	cache    int64    // how many numbers a session gets at a time; 0: one
	sharers  []func() // end the sessions that hold the lease row FOR KEY SHARE
	progress int64    // the last epoch that reported some

	log    *memLog       // nil: the rows say what is settled
	onDrop func(*memRow) // of a row whose partition is dropped
}

type memRow struct {
	Row
	tx          int64
	stamp       int64 // the column tx
	era         int   // see memStore
	passable    int   // rows up to this era may pass it, because the sequence was set back
	passed      int   // those up to this one, even if a repair tells that it is of a former era
	last        bool  // passes none of a former era, except of those that it may pass in any case
	early       bool  // its transaction had its id before the era began
	kept        bool  // was set aside, or failed, before a repair told the eras apart
	published   bool
	gone        bool // swept
	dropped     bool // with its partition
	created     time.Duration
	publishedAt time.Duration
	dead        bool
	edit        int64   // the transaction that changed it last; 0: none
	noPartition bool    // names a partition that its topic did not have when it was inserted
	edited      bool    // ever, by hand
	pair        *memRow // the row before it that was edited together with it
	everDead    bool
	waited      *waited       // of a delayed event that was moved; nil: another row
	nextAttempt time.Duration // 0: none
	lastErr     string
}

type memSnapshot struct {
	xmin, xmax int64
	open       []int64
	wal        int64
}

func newMemStore(now func() time.Duration) *memStore {
	return &memStore{
		now: now, open: map[int64]bool{}, rolled: map[int64]bool{}, bySeq: map[int64]*memRow{}, byID: map[uuid.UUID]*memRow{},
		snapshots: map[Snapshot]*memSnapshot{}, done: map[int64]bool{}, commits: map[int64]int64{},
		low: lowWater{writers: map[int64]bool{}, tidying: map[Lease]*memTidy{}},
	}
}

// off reports whether a rule is switched off.
func (s *memStore) off(rule string) bool { return s.without == rule }

// begin gives a transaction its id.
func (s *memStore) begin() int64 {
	s.lastTx++
	s.open[s.lastTx] = true
	return s.lastTx
}

func (s *memStore) nextSeq() int64 {
	s.drawn++
	if s.lastSeq++; s.lastSeq == s.highest {
		s.lastSeq = 1
	}
	if s.era > 0 {
		s.reaches(s.lastSeq)
	}
	return s.lastSeq
}

// memIdle is the state of waiting: how many seqs were drawn, and which transactions
// were open after that.
type memIdle struct {
	drawn  int64
	open   []int64
	looked bool // for rows that were not read
}

func (s *memStore) beginIdle() *memIdle {
	i := &memIdle{drawn: s.drawn}
	for tx := range s.open {
		i.open = append(i.open, tx)
	}
	return i
}

// moved reports whether a row may have been committed that a snapshot does not show.
func (s *memStore) moved(read Snapshot, i *memIdle) bool {
	if !i.looked {
		i.looked = true
		at := s.snapshots[read]
		if slices.ContainsFunc(s.rows, func(r *memRow) bool {
			return s.committed(r) && !r.published && !r.dead && !r.gone && !s.visible(r, at)
		}) {
			return true
		}
	}
	return s.drawn != i.drawn || slices.ContainsFunc(i.open, func(tx int64) bool { return !s.open[tx] })
}

// insert adds a row whose seq was drawn before; it stays invisible until commit.
func (s *memStore) insert(tx int64, r Row) *memRow {
	if r.ID == uuid.Nil {
		binary.BigEndian.PutUint64(r.ID[8:], uint64(len(s.byID)+1))
	}
	m := &memRow{Row: r, tx: tx, stamp: tx, created: s.now(), era: s.era, early: s.era > 0 && tx <= s.eraTx}
	if s.off("a row carries its top-level transaction") && r.Seq%3 == 0 {
		s.lastTx++
		m.stamp = s.lastTx
	}
	if s.savepoints && r.Seq%3 == 0 {
		m.edit = tx
	}
	i, _ := slices.BinarySearchFunc(s.rows, r.Seq, func(m *memRow, seq int64) int { return int(m.Seq - seq) })
	s.rows = slices.Insert(s.rows, i, m)
	s.bySeq[r.Seq], s.byID[r.ID] = m, m
	return m
}

// end ends a transaction; once that returns, it is on disk.
func (s *memStore) end(tx int64, commit bool) {
	s.endLater(tx, commit)
	s.flush()
}

// endLater ends a transaction with synchronous_commit off.
func (s *memStore) endLater(tx int64, commit bool) {
	delete(s.open, tx)
	if !commit {
		s.rolled[tx] = true
		return
	}
	s.wal++
	s.commits[tx] = s.wal
}

func (s *memStore) flush() { s.flushed = s.wal }

// crash ends the server: open transactions, and those that are not on disk, are
// forgotten.
func (s *memStore) crash() {
	for tx := range s.open {
		s.rolled[tx] = true
	}
	clear(s.open)
	clear(s.low.writers)
	for tx, at := range s.commits {
		if at > s.flushed {
			s.rolled[tx] = true
			delete(s.commits, tx)
		}
	}
	s.flush()
}

// Add commits rows, each in a transaction of its own, and returns them.
func (s *memStore) Add(rows ...Row) []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range rows {
		tx := s.begin()
		rows[i].Seq = s.nextSeq()
		if rows[i].ID == uuid.Nil {
			rows[i].ID = uuid.New()
		}
		s.insert(tx, rows[i])
		s.end(tx, true)
	}
	return rows
}

func (s *memStore) committed(r *memRow) bool { return !s.open[r.tx] && !s.rolled[r.tx] }

func (s *memStore) visible(r *memRow, sn *memSnapshot) bool {
	return r.stamp < sn.xmax && !s.rolled[r.tx] && !slices.Contains(sn.open, r.stamp)
}

// Check implements Store.
func (s *memStore) Check(context.Context) error {
	if strings.HasPrefix(s.without, "an identity ") {
		return nil
	}
	return s.checkErr
}

// Snapshot implements Store.
func (s *memStore) Snapshot(context.Context) (Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sn := &memSnapshot{xmax: s.lastTx + 1, xmin: s.lastTx + 1, wal: s.wal}
	for tx := range s.open {
		sn.open = append(sn.open, tx)
		sn.xmin = min(sn.xmin, tx)
	}
	slices.Sort(sn.open)
	var b strings.Builder
	fmt.Fprintf(&b, "%d:%d:", sn.xmin, sn.xmax)
	for _, tx := range sn.open {
		fmt.Fprintf(&b, "%d,", tx)
	}
	id := Snapshot(b.String())
	s.snapshots[id] = sn
	return id, nil
}

// page reads what a statement finds now, among so many rows; 0: among all.
func (s *memStore) page(sn *memSnapshot, after int64, limit Limit, look int, want func(*memRow) bool) Page {
	p := Page{InsertLSN: strconv.FormatInt(sn.wal, 10)}
	var size int64
	i, _ := slices.BinarySearchFunc(s.rows, after+1, func(m *memRow, seq int64) int { return int(m.Seq - seq) })
	rows := s.rows[i:]
	if s.off("pages are cut by seq") {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, func(a, b *memRow) int { return int(a.tx - b.tx) })
	}
	for n, r := range rows {
		if n == look && look > 0 && !s.off("pages are cut by seq") {
			p.More, p.End = true, rows[n-1].Seq
			break
		}
		if r.published || r.gone || r.dead && !s.off("a dead row is read no more") || !s.committed(r) || !want(r) || s.below(r) {
			continue
		}
		size += int64(len(r.Data) + len(r.Headers))
		if len(p.Rows) > 0 && (len(p.Rows) >= limit.Rows || size > limit.Bytes && !s.off("a page is bounded by bytes")) {
			p.More = true
			break
		}
		p.Rows = append(p.Rows, r.Row)
	}
	return p
}

// ReadBacklog implements Store.
func (s *memStore) ReadBacklog(_ context.Context, sn Snapshot, after int64, limit Limit) (Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.snapshots[sn]
	return s.page(at, after, limit, s.look, func(r *memRow) bool {
		return s.visible(r, at) && !s.off("a term begins with everything unsettled") && (r.stamp != 0 || !s.off("rows without a tx belong to the backlog"))
	}), nil
}

// ReadTick implements Store.
func (s *memStore) ReadTick(_ context.Context, from, to Snapshot, after int64, limit Limit) (Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, b := s.snapshots[from], s.snapshots[to]
	switch {
	case s.off("a tick is what one snapshot shows over another"):
		var high int64
		for _, r := range s.rows {
			if s.visible(r, a) {
				high = max(high, r.Seq)
			}
		}
		return s.page(b, max(after, high), limit, 0, func(r *memRow) bool { return s.visible(r, b) }), nil
	case s.off("open transactions are part of a snapshot"):
		return s.page(b, after, limit, 0, func(r *memRow) bool { return r.tx >= a.xmax && r.tx < b.xmin && s.visible(r, b) }), nil
	}
	look := s.look
	if after == 0 { // the first page does not use the mark
		defer func(at int64) { s.low.at = at }(s.low.at)
		s.low.at, look = 0, 0
	}
	return s.page(b, after, limit, look, func(r *memRow) bool { return s.visible(r, b) && !s.visible(r, a) }), nil
}

// ReadAgain implements Store.
func (s *memStore) ReadAgain(_ context.Context, sn Snapshot, rows Selection, after, upTo int64, limit Limit) (Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.snapshots[sn]
	return s.page(at, after, limit, s.look, func(r *memRow) bool {
		return r.Seq <= upTo && r.Topic == rows.Topic && s.visible(r, at) &&
			(rows.Keys == nil || r.Key != nil && slices.Contains(rows.Keys, *r.Key))
	}), nil
}

// ReadEdited implements Store.
func (s *memStore) ReadEdited(_ context.Context, sn, edits Snapshot, after, upTo int64, limit Limit) (Page, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, edited := s.snapshots[sn], s.snapshots[edits]
	bounded := min(upTo, after+memRange)
	p := s.page(at, after, limit, 0, func(r *memRow) bool {
		return r.Seq <= bounded && s.visible(r, at) && r.edit != 0 && (r.edit < edited.xmax && !slices.Contains(edited.open, r.edit) || s.off("only edits from before a look count"))
	})
	if p.More {
		return p, p.Rows[len(p.Rows)-1].Seq, nil
	}
	p.More = bounded < upTo
	return p, bounded, nil
}

// memRange is how many seqs one call of ReadEdited looks at.
const memRange = 7

// Edit changes rows that wait, by hand, in one transaction.
func (s *memStore) Edit(change func(*Row), seqs ...int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastTx++
	s.flush()
	for _, seq := range seqs {
		r := s.bySeq[seq]
		r.edit, r.edited = s.lastTx, true
		change(&r.Row)
	}
}

// Remove deletes a row by hand.
func (s *memStore) Remove(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.bySeq[seq]
	r.gone, r.edited = true, true
}

// ReadHeld implements Store.
func (s *memStore) ReadHeld(_ context.Context, b Blocking) ([]HeldRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []HeldRow
	first := map[keyID]int{} // of the dead rows of a key, as in pgstore
	for _, r := range s.rows {
		blocks := r.dead && b.ByDefault != slices.Contains(b.Except, r.EventType)
		if s.off("a new leader loads the held rows") || r.published || r.gone || !s.committed(r) || (r.dead && !blocks) || (!r.dead && (r.nextAttempt == 0 || r.RetryCount == 0)) {
			continue
		}
		if i, listed := first[keyOf(r.Topic, r.Key, r.Seq)]; r.dead && listed {
			out[i].Others = true
			continue
		}
		if r.dead && r.Key == nil {
			continue
		}
		if r.dead {
			first[keyOf(r.Topic, r.Key, r.Seq)] = len(out)
		}
		out = append(out, HeldRow{
			Seq: r.Seq, Topic: r.Topic, Key: r.Key, EventType: r.EventType, RetryCount: r.RetryCount,
			Dead: r.dead, RetryIn: max(0, r.nextAttempt-s.now()),
		})
	}
	return out, nil
}

// Decisions implements Store.
func (s *memStore) Decisions(_ context.Context, l Lease, done []int64) ([]Decision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allows(l) {
		return nil, ErrLeaseLost
	}
	for _, id := range done {
		s.done[id] = true
	}
	var out []Decision
	for _, d := range s.decisions {
		if !s.done[d.ID] && !s.off("a leader reads what operators decide") {
			out = append(out, d)
		}
	}
	return out, nil
}

// Decide replays or discards a dead row, as an operator does.
func (s *memStore) Decide(seq int64, discard bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.rows, func(r *memRow) bool { return r.Seq == seq && r.dead && !r.published })
	if i < 0 {
		return
	}
	r := s.rows[i]
	if discard {
		r.published, r.publishedAt = true, s.now()
	} else {
		r.dead, r.RetryCount, r.nextAttempt = false, 0, max(1, s.now())
		if s.off("a replayed row is in the index of rows that wait") {
			r.nextAttempt = 0
		}
	}
	s.decisions = append(s.decisions, Decision{
		ID: int64(len(s.decisions) + 1), Seq: seq, Topic: r.Topic, Key: r.Key, Discarded: discard,
	})
}

var errNotFlushed = errors.New("not on disk yet")

// Flushed implements Store. It does not wait; only the simulation has commits
// that are not on disk.
func (s *memStore) Flushed(_ context.Context, p Page) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, err := strconv.ParseInt(p.InsertLSN, 10, 64)
	if err == nil && at > s.flushed {
		err = errNotFlushed
	}
	return err
}

// Settle implements Store.
func (s *memStore) Settle(_ context.Context, l Lease, st Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allows(l) && !s.off("the lease is taken before settling") {
		return ErrLeaseLost
	}
	s.settle(l, st)
	return nil
}

// settle is the part of Settle that comes after the look at the lease.
func (s *memStore) settle(l Lease, st Settlement) {
	current := s.holds(l)
	s.flush()
	if s.onSettle != nil {
		s.onSettle(l, current, st)
	}
	for _, seq := range st.Published {
		if r := s.bySeq[seq]; !r.gone {
			r.published, r.publishedAt = true, s.now()
		}
	}
	for _, f := range st.Failed {
		r := s.bySeq[f.Seq]
		if r.gone || s.replayed(f.Seq, st.Decided) {
			continue
		}
		r.RetryCount, r.lastErr = f.RetryCount, f.Err
		r.nextAttempt = s.now() + f.RetryIn
		if f.Dead {
			r.dead, r.everDead, r.nextAttempt = true, true, 0
		}
	}
}

// replayed reports whether there is a replay of the row that the leader has not acted
// on.
func (s *memStore) replayed(seq int64, decided []int64) bool {
	return slices.ContainsFunc(s.decisions, func(d Decision) bool {
		return d.Seq == seq && !d.Discarded && !s.done[d.ID] && !slices.Contains(decided, d.ID)
	})
}

// Stats implements Store.
func (s *memStore) Stats(context.Context) (Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{LastSeq: s.lastSeq}
	for _, r := range s.rows {
		switch {
		case r.dead:
			st.Dead++
		case !r.published && s.committed(r):
			st.Pending++
		}
	}
	return st, nil
}

// Sweep implements Store.
func (s *memStore) Sweep(_ context.Context, l Lease, keep time.Duration, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allows(l) {
		return 0, ErrLeaseLost
	}
	var doomed []*memRow
	for _, r := range s.rows {
		old := r.published && r.publishedAt <= s.now()-keep
		switch {
		case s.off("retention spares what is not settled"):
			old = s.committed(r) && r.created <= s.now()-keep
		case s.off("retention spares what is young"):
			old = r.published
		}
		if old && !r.gone && (len(doomed) < limit || s.off("retention goes in small batches")) {
			doomed = append(doomed, r)
		}
	}
	if s.onSweep != nil {
		s.onSweep(doomed, keep, limit)
	}
	for _, r := range doomed {
		r.gone = true
	}
	return len(doomed), nil
}

// Close implements Store.
func (s *memStore) Close() {}

// Row returns a copy of a row as it is now, and whether it is published and dead.
func (s *memStore) Row(seq int64) (r Row, published, dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.bySeq[seq]
	return m.Row, m.published, m.dead
}
