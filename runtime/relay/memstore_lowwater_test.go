package relay

import (
	"context"
	"slices"
)

// lowWater is the low-water mark of a memStore, and what it is made of: pgstore's
// sql/low_water.sql has the rules.
type lowWater struct {
	at       int64
	file     int64 // of the sequence that the mark belongs to
	sequence int64 // the file of the sequence
	locked   int64
	writers  map[int64]bool // those that hold a lock on the table
	tidying  map[Lease]*memTidy
	searched int64 // the search continues below this seq; 0: it begins at the mark
	onMove   func(l Lease)
}

// memTidy is what a term knows. Each call of Tidy makes one step, so that others act in
// between.
type memTidy struct {
	step int
	safe int64   // no row can appear any more up to this seq, once all of open have ended
	open []int64 // writers
	at   int64
	Tidied
}

// memWindow is how many rows one look at the rows above the mark has.
const memWindow = 4

// lockTable is what a writer does before it draws a seq. It returns what unlocks it.
func (s *memStore) lockTable() int64 {
	s.low.locked++
	s.low.writers[s.low.locked] = true
	return s.low.locked
}

func (s *memStore) unlockTable(writer int64) { delete(s.low.writers, writer) }

// mark returns where the mark is: nowhere if it belongs to another sequence, or the
// sequence was set back.
func (s *memStore) mark() int64 {
	if s.lastSeq < s.low.at && !s.off("the mark of another sequence counts nothing") {
		return 0
	}
	if s.low.file != s.low.sequence && !s.off("the mark of another sequence counts nothing") {
		return 0
	}
	return s.low.at
}

// below reports whether no index has an unsettled row that is to be read.
func (s *memStore) below(r *memRow) bool {
	if r.dead { // the index of dead rows has it
		return !s.off("a dead row is read no more")
	}
	return r.Seq <= s.mark() && (r.nextAttempt == 0 || s.off("rows that wait are read below the mark"))
}

// Tidy implements Tidier.
func (s *memStore) Tidy(_ context.Context, l Lease, setAside int64) (Tidied, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allows(l) && !s.off("the mark is moved under the lease") {
		return Tidied{}, ErrLeaseLost
	}
	t := s.low.tidying[l]
	if t == nil {
		t = &memTidy{}
		s.low.tidying[l] = t
	}
	reading, listing := 0, 1
	if s.off("the place of the sequence is read before the writers") {
		reading, listing = 1, 0
	}
	switch t.step {
	case reading:
		t.safe = s.lastSeq
		t.step++
	case listing:
		t.open = nil
		for w := range s.low.writers {
			t.open = append(t.open, w)
		}
		t.step++
	case 2:
		waits := slices.ContainsFunc(t.open, func(w int64) bool { return s.low.writers[w] })
		if waits && !s.off("the mark waits for writers") {
			return t.kept(), nil
		}
		t.Tidied = Tidied{}
		if t.at = s.mark(); t.at < t.safe {
			s.pass(t, setAside)
		}
		t.step++
	default:
		t.step = 0
		if s.low.onMove != nil && !s.holds(l) {
			s.low.onMove(l)
		}
		s.low.at, s.low.file = t.at, s.low.sequence
		t.Done = t.at == s.lastSeq
		return t.Tidied, nil
	}
	return t.kept(), nil
}

// kept returns which row keeps the mark from moving, as far as a term knows.
func (t *memTidy) kept() Tidied { return Tidied{First: t.First, Last: t.Last, Safe: t.Safe} }

// pass finds how far the mark can move. It sets rows aside that keep it from passing many.
func (s *memStore) pass(t *memTidy, setAside int64) {
	var looked, pending []*memRow
	for _, r := range s.rows {
		if r.Seq <= t.at || r.Seq > t.safe || r.gone || !s.committed(r) || len(looked) == memWindow {
			continue
		}
		looked = append(looked, r)
		if !r.published && !r.dead && r.nextAttempt == 0 && !s.off("the mark stops at a row that is not settled") {
			pending = append(pending, r)
		}
	}
	switch {
	case len(pending) > 0:
		t.at, t.First, t.Last, t.Safe = pending[0].Seq-1, pending[0].Seq, looked[len(looked)-1].Seq, t.safe
	case len(looked) == memWindow:
		t.at = looked[len(looked)-1].Seq
		return
	default:
		t.at = t.safe
		return
	}
	if setAside > t.at && len(looked) == memWindow {
		s.lastTx++
		t.SetAside = true
		for _, r := range pending {
			if r.Seq <= setAside {
				r.nextAttempt, r.RetryCount, r.edit = max(1, s.now()), 0, s.lastTx
			}
		}
	}
}

// Search implements Tidier.
func (s *memStore) Search(_ context.Context, l Lease) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allows(l) {
		return 0, ErrLeaseLost
	}
	if s.off("unsettled rows below the mark are searched") || s.off("a replayed row is in the index of rows that wait") {
		return 0, nil // it would find such a row
	}
	s.lastTx++
	looked, found := 0, int64(0)
	below := s.low.searched
	if below == 0 || below > s.mark() {
		below = s.mark() + 1
	}
	for _, r := range slices.Backward(s.rows) {
		if r.Seq >= below || r.gone || !s.committed(r) {
			continue
		}
		below = r.Seq
		if !r.published && !r.dead {
			found = max(found, r.Seq)
			if r.nextAttempt == 0 {
				r.nextAttempt, r.RetryCount, r.edit = max(1, s.now()), 0, s.lastTx
			}
		}
		if looked++; looked == memWindow {
			break
		}
	}
	if looked < memWindow {
		below = 0
	}
	s.low.searched = below
	return found, nil
}

// Forget is what an operator does by hand to a row below the mark, so that no index has
// it: making it unpublished, or taking its next_attempt_at.
func (s *memStore) Forget(seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastTx++
	s.flush()
	r := s.bySeq[seq]
	r.published, r.nextAttempt, r.edit, r.edited = false, 0, s.lastTx, true
}
