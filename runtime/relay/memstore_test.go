package relay

import (
	"context"
	"fmt"
	"slices"
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
	rows      []*memRow // by seq
	bySeq     map[int64]*memRow
	snapshots map[Snapshot]*memSnapshot
	lease     LeaseState
	decisions []Decision
	done      map[int64]bool

	// Rules that may be switched off.
	settleUnfenced bool // settling does not look at the lease
	readBySeq      bool // a tick is what lies above the highest seq read
	readByXmin     bool // a tick is what lies above the snapshot's xmin

	onSettle func(l Lease, current bool, s Settlement)
	checkErr error
}

type memRow struct {
	Row
	tx          int64
	published   bool
	dead        bool
	everDead    bool
	nextAttempt time.Duration // 0: none
	lastErr     string
}

type memSnapshot struct {
	xmin, xmax int64
	open       []int64
}

func newMemStore(now func() time.Duration) *memStore {
	return &memStore{
		now: now, open: map[int64]bool{}, rolled: map[int64]bool{}, bySeq: map[int64]*memRow{},
		snapshots: map[Snapshot]*memSnapshot{}, done: map[int64]bool{},
	}
}

// begin gives a transaction its id.
func (s *memStore) begin() int64 {
	s.lastTx++
	s.open[s.lastTx] = true
	return s.lastTx
}

func (s *memStore) nextSeq() int64 {
	s.lastSeq++
	return s.lastSeq
}

// insert adds a row whose seq was drawn before; it stays invisible until commit.
func (s *memStore) insert(tx int64, r Row) *memRow {
	m := &memRow{Row: r, tx: tx}
	i, _ := slices.BinarySearchFunc(s.rows, r.Seq, func(m *memRow, seq int64) int { return int(m.Seq - seq) })
	s.rows = slices.Insert(s.rows, i, m)
	s.bySeq[r.Seq] = m
	return m
}

func (s *memStore) end(tx int64, commit bool) {
	delete(s.open, tx)
	if !commit {
		s.rolled[tx] = true
	}
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
	return r.tx < sn.xmax && !s.rolled[r.tx] && !slices.Contains(sn.open, r.tx)
}

// Check implements Store.
func (s *memStore) Check(context.Context) error { return s.checkErr }

// Observe implements Store.
func (s *memStore) Observe(context.Context) (LeaseState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease, nil
}

// TakeOver implements Store.
func (s *memStore) TakeOver(_ context.Context, seen LeaseState, holder uuid.UUID) (Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease.Epoch != seen.Epoch || s.lease.Beat != seen.Beat {
		return Lease{}, ErrLeaseMoved
	}
	if s.lease.Holder != uuid.Nil {
		s.lease.UncleanEnds++
	}
	s.lease.Epoch++
	s.lease.Beat++
	s.lease.Holder = holder
	return Lease{Epoch: s.lease.Epoch, Holder: holder, UncleanEnds: s.lease.UncleanEnds, Suspect: s.lease.Suspect}, nil
}

func (s *memStore) holds(l Lease) bool { return s.lease.Epoch == l.Epoch && s.lease.Holder == l.Holder }

// Renew implements Store.
func (s *memStore) Renew(_ context.Context, l Lease, p Progress) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.holds(l) {
		return ErrLeaseLost
	}
	s.lease.Beat++
	s.lease.Suspect = p.Suspect
	if p.Settled {
		s.lease.UncleanEnds = 0
	}
	return nil
}

// Release implements Store.
func (s *memStore) Release(_ context.Context, l Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.holds(l) {
		return ErrLeaseLost
	}
	s.lease.Holder, s.lease.Suspect, s.lease.UncleanEnds = uuid.Nil, 0, 0
	return nil
}

// Snapshot implements Store.
func (s *memStore) Snapshot(context.Context) (Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sn := &memSnapshot{xmax: s.lastTx + 1, xmin: s.lastTx + 1}
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

func (s *memStore) page(after int64, limit Limit, want func(*memRow) bool) Page {
	var p Page
	var size int64
	i, _ := slices.BinarySearchFunc(s.rows, after+1, func(m *memRow, seq int64) int { return int(m.Seq - seq) })
	for _, r := range s.rows[i:] {
		if r.published || r.dead || !want(r) {
			continue
		}
		size += int64(len(r.Data) + len(r.Headers))
		if len(p.Rows) > 0 && (len(p.Rows) >= limit.Rows || size > limit.Bytes) {
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
	return s.page(after, limit, func(r *memRow) bool { return s.visible(r, at) }), nil
}

// ReadTick implements Store.
func (s *memStore) ReadTick(_ context.Context, from, to Snapshot, after int64, limit Limit) (Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, b := s.snapshots[from], s.snapshots[to]
	switch {
	case s.readBySeq:
		var high int64
		for _, r := range s.rows {
			if s.visible(r, a) {
				high = max(high, r.Seq)
			}
		}
		return s.page(max(after, high), limit, func(r *memRow) bool { return s.visible(r, b) }), nil
	case s.readByXmin:
		return s.page(after, limit, func(r *memRow) bool { return r.tx >= a.xmax && r.tx < b.xmin && s.visible(r, b) }), nil
	}
	return s.page(after, limit, func(r *memRow) bool { return s.visible(r, b) && !s.visible(r, a) }), nil
}

// ReadAgain implements Store.
func (s *memStore) ReadAgain(_ context.Context, sn Snapshot, scope Scope, after, upTo int64, limit Limit) (Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.snapshots[sn]
	return s.page(after, limit, func(r *memRow) bool {
		return r.Seq <= upTo && r.Topic == scope.Topic && s.visible(r, at) &&
			(scope.Key == nil || r.Key != nil && *r.Key == *scope.Key)
	}), nil
}

// ReadHeld implements Store.
func (s *memStore) ReadHeld(_ context.Context, b Blocking) ([]HeldRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []HeldRow
	for _, r := range s.rows {
		blocks := r.dead && b.ByDefault != slices.Contains(b.Except, r.EventType)
		if r.published || !s.committed(r) || (r.dead && !blocks) || (!r.dead && r.nextAttempt == 0) {
			continue
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
	if !s.holds(l) {
		return nil, ErrLeaseLost
	}
	for _, id := range done {
		s.done[id] = true
	}
	var out []Decision
	for _, d := range s.decisions {
		if !s.done[d.ID] {
			out = append(out, d)
		}
	}
	return out, nil
}

// Decide is what an operator does to a dead row.
func (s *memStore) Decide(seq int64, discard bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.bySeq[seq]
	if !r.dead || r.published {
		return
	}
	if discard {
		r.published = true
	} else {
		r.dead, r.RetryCount, r.nextAttempt = false, 0, 0
	}
	s.decisions = append(s.decisions, Decision{
		ID: int64(len(s.decisions) + 1), Seq: seq, Topic: r.Topic, Key: r.Key, Discarded: discard,
	})
}

// Flushed implements Store.
func (s *memStore) Flushed(context.Context, Page) error { return nil }

// Settle implements Store.
func (s *memStore) Settle(_ context.Context, l Lease, st Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.holds(l)
	if !current && !s.settleUnfenced {
		return ErrLeaseLost
	}
	if s.onSettle != nil {
		s.onSettle(l, current, st)
	}
	for _, seq := range st.Published {
		s.bySeq[seq].published = true
	}
	for _, f := range st.Failed {
		r := s.bySeq[f.Seq]
		r.RetryCount, r.lastErr = f.RetryCount, f.Err
		r.nextAttempt = s.now() + f.RetryIn
		if f.Dead {
			r.dead, r.everDead, r.nextAttempt = true, true, 0
		}
	}
	return nil
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
func (s *memStore) Sweep(context.Context, Lease, time.Duration, int) (int, error) { return 0, nil }

// Close implements Store.
func (s *memStore) Close() {}

// Row returns a copy of a row as it is now, and whether it is published and dead.
func (s *memStore) Row(seq int64) (r Row, published, dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.bySeq[seq]
	return m.Row, m.published, m.dead
}
