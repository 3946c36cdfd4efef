package pgstore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

const (
	// tidyRows is how many rows one statement looks at to move the low-water mark.
	tidyRows = 20_000
	// tidyLooks limits these statements in one call.
	tidyLooks = 5
	// asideRows limits the rows that one statement sets aside: it locks the lease row.
	asideRows = 5_000
	// lookSeqs limits the range of seq above the mark that one statement looks at. Most of
	// its rows may be published, and a statement that looks at all of them could take
	// longer than it may.
	lookSeqs = 100_000
)

// lowWater is what a term knows of the low-water mark; sql/low_water.sql says how it works.
type lowWater struct {
	known  bool  // the lease was read
	there  bool  // it has a mark; else at is 0, and indexes find the unsettled rows
	at     int64 // the mark
	stored int64 // the highest mark that the lease may have; after a write without an answer it is not at
	file   int64 // the file of the sequence for which the rest is true
	safe   int64 // no row can appear any more up to this seq
	asked  int64 // a place of the sequence that becomes safe when all of open have ended; 0: none
	open   []uint64
}

// lowWater returns the mark of the current term.
func (s *Store) lowWater(ctx context.Context) (lowWater, error) {
	var low lowWater
	err := s.inTerm(ctx, "read the low-water mark", func(t *term, se *session) (err error) {
		low, err = s.lowWaterOf(ctx, t, se)
		return err
	})
	return low, err
}

func (s *Store) lowWaterOf(ctx context.Context, t *term, se *session) (lowWater, error) {
	if low := t.lowWater(); low.known {
		return low, nil
	}
	row, err := s.readLowWater(ctx, se)
	if err != nil {
		return lowWater{}, err
	}
	low := storedMark(row)
	t.setLowWater(low)
	return low, nil
}

// readLowWater reads what the lease row says. Without the sequence, nobody knows whether
// its mark is true.
func (s *Store) readLowWater(ctx context.Context, se *session) (pgdb.ReadLowWaterRow, error) {
	row, err := se.q.ReadLowWater(ctx, s.cfg.Name)
	if isLockTimeout(err) {
		err = errSequenceLocked
	}
	return row, err
}

// storedMark is what the lease row says.
func storedMark(row pgdb.ReadLowWaterRow) lowWater {
	low := lowWater{known: true, there: row.HasMark, stored: row.LowWater, file: row.File}
	if row.Valid {
		low.at, low.safe = row.LowWater, row.LowWater
	}
	return low
}

func (t *term) lowWater() lowWater {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.low
}

func (t *term) setLowWater(low lowWater) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.low = low
}

// bound returns where a statement that reads rows after a seq, up to another one, stops.
func (low *lowWater) bound(after, upTo, seqs int64) int64 {
	if from := max(after, low.at); low.there && upTo-from > seqs {
		return from + seqs
	}
	return upTo
}

// Tidy moves the low-water mark.
func (s *Store) Tidy(ctx context.Context, l relay.Lease, setAside int64) (tidied relay.Tidied, err error) {
	err = s.underLease(ctx, "move the low-water mark", useForReading, l, func(t *term, se *session) (leases int64, err error) {
		tidied, leases, err = s.tidy(ctx, t, se, setAside)
		return leases, err
	})
	return tidied, err
}

func (s *Store) tidy(ctx context.Context, t *term, se *session, setAside int64) (tidied relay.Tidied, leases int64, err error) {
	row, err := s.readLowWater(ctx, se)
	switch {
	case errors.Is(err, errSequenceLocked):
		return tidied, 1, nil // another session changes the sequence
	case err != nil:
		return tidied, 0, err
	}
	if !row.HasMark { // an outbox of an earlier version, or the migration was undone
		t.setLowWater(lowWater{known: true})
		return relay.Tidied{Done: true}, 1, nil
	}
	seen, err := t.watched(ctx, se)
	if errors.Is(err, errSeqFirst) {
		return relay.Tidied{Done: true}, 1, nil
	}
	if err != nil {
		return tidied, 0, err
	}
	place, err := se.q.SequencePlace(ctx, seen.sequence)
	switch {
	case isLockTimeout(err), err == nil && place.FileBefore != place.File:
		return tidied, 1, nil
	case err != nil:
		return tidied, 0, err
	}
	low := t.lowWater()
	if !low.known {
		low = storedMark(row)
	}
	low.there, low.stored = true, max(low.stored, row.LowWater)
	switch {
	case place.File != low.file || place.Standing < max(low.at, row.LowWater): // it numbers new rows from below
		low = lowWater{known: true, there: true, stored: low.stored, file: place.File}
	case row.LowWater < low.at: // set back by an operator
		low.at = row.LowWater
	}
	if low, err = s.ask(ctx, se, low, seen, place.Standing); err != nil {
		return tidied, 0, err
	}
	at, tidied, leases, err := s.pass(ctx, t, se, low, setAside)
	if err != nil || leases == 0 {
		return tidied, leases, err
	}
	if low.at == at && row.LowWater == at {
		t.setLowWater(low)
	} else {
		low.at = at
		leases, err = s.writeLowWater(ctx, t, low)
		if err != nil || leases == 0 {
			return tidied, leases, err
		}
	}
	tidied.Done = at == place.Standing
	return tidied, 1, nil
}

// lower moves the mark below a new row. Only a row whose seq was not drawn from the
// sequence, or that was drawn after the sequence was set back, can be below it.
func (s *Store) lower(ctx context.Context, seq int64) error {
	return s.inTerm(ctx, "move the low-water mark back", func(t *term, se *session) error {
		low, err := s.lowWaterOf(ctx, t, se)
		if err != nil || seq > max(low.at, low.stored) {
			return err
		}
		low.at = min(low.at, seq-1)
		leases, err := s.writeLowWater(ctx, t, low)
		return lostUnless(leases > 0, err)
	})
}

// writeLowWater writes the mark into the lease row. Until it knows that it did, the term's
// mark is the lower one of both.
func (s *Store) writeLowWater(ctx context.Context, t *term, low lowWater) (leases int64, err error) {
	unsure := low
	unsure.at, unsure.stored = min(low.at, t.lowWater().at), max(low.at, low.stored)
	t.setLowWater(unsure)
	leases, err = onAnchor(ctx, t.run.anchor, s.names, func(ctx context.Context, a *session) (int64, error) {
		return a.q.MoveLowWater(ctx, pgdb.MoveLowWaterParams{
			LowWater: low.at, File: low.file, Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder,
		})
	})
	if err == nil && leases > 0 {
		low.stored = low.at
		t.setLowWater(low)
	}
	return leases, err
}

// ask finds out up to where no row can appear any more. The order of its statements, and
// that of SequencePlace before them, matters.
func (s *Store) ask(ctx context.Context, se *session, low lowWater, seen watched, standing int64) (lowWater, error) {
	var writers []int64
	asks := low.asked == 0 && standing > low.safe
	if asks {
		var err error
		if writers, err = se.q.Writers(ctx, seen.outbox); err != nil {
			return low, err
		}
	}
	if !asks && low.asked == 0 {
		return low, nil
	}
	text, err := se.q.TakeSnapshotWithoutLog(ctx)
	if err != nil {
		return low, err
	}
	now, err := parseSnapshot(relay.Snapshot(text))
	if err != nil {
		return low, err
	}
	open := low.open
	if asks {
		low.asked, open = standing, nil
		for _, id := range writers {
			open = append(open, now.withEpoch(uint32(id)))
		}
	}
	low.open = nil
	for _, id := range open {
		if !now.ended(id) {
			low.open = append(low.open, id)
		}
	}
	if len(low.open) == 0 {
		low.safe, low.asked = low.asked, 0
	}
	return low, nil
}

// pass returns how far the mark can move, and what keeps it from moving on from there. Rows
// up to setAside that keep it from passing many become rows that it can pass the next time.
func (s *Store) pass(ctx context.Context, t *term, se *session, low lowWater, setAside int64) (at int64, tidied relay.Tidied, leases int64, err error) {
	at = low.at
	for look := 0; look < tidyLooks && at < low.safe; look++ {
		row, err := se.q.LookFromMark(ctx, pgdb.LookFromMarkParams{LowWater: at, UpTo: low.safe, MaxRows: s.tidyRows})
		if err != nil {
			return 0, relay.Tidied{}, 0, err
		}
		full := row.Looked == int64(s.tidyRows)
		switch {
		case row.Pending == 0 && full:
			at = row.Last
			continue
		case row.Pending == 0:
			return low.safe, relay.Tidied{}, 1, nil
		}
		at = row.FirstPending - 1
		tidied = relay.Tidied{First: row.FirstPending, Last: row.Last, Safe: low.safe}
		if full && setAside > at {
			tidied.More, tidied.SetAside = true, true
			leases, err = se.q.SetAside(ctx, pgdb.SetAsideParams{
				Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder,
				LowWater: at, UpTo: min(setAside, row.Last), MaxRows: asideRows,
			})
			return at, tidied, leases, err
		}
		return at, tidied, 1, nil
	}
	return at, relay.Tidied{More: at < low.safe}, 1, nil
}

// heldRows are the rows that hold their keys, as far as the store knows: if one of them
// has lost its next_attempt_at, no index has it below the low-water mark.
type heldRows struct {
	mu   sync.Mutex
	seqs map[int64]struct{}
}

func (h *heldRows) reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seqs = nil
}

// add adds rows whose failure was recorded.
func (h *heldRows) add(failed []relay.Failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seqs == nil {
		h.seqs = map[int64]struct{}{}
	}
	for _, f := range failed {
		if !f.Dead {
			h.seqs[f.Seq] = struct{}{}
		}
	}
}

// all returns the rows.
func (h *heldRows) all() map[int64]struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.seqs)
}

// listed notes that of the rows before, those in list hold their keys, and returns the
// others.
func (h *heldRows) listed(before map[int64]struct{}, list []relay.HeldRow) []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seqs == nil {
		h.seqs = map[int64]struct{}{}
	}
	for _, r := range list {
		if !r.Dead {
			delete(before, r.Seq)
			h.seqs[r.Seq] = struct{}{}
		}
	}
	return slices.Collect(maps.Keys(before))
}

// forget removes rows.
func (h *heldRows) forget(seqs []int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, seq := range seqs {
		delete(h.seqs, seq)
	}
}

// restore gives rows their next_attempt_at back, if the table needs it. It returns those
// that another session has locked, and how many leases the term has: 0 if it is over.
func (s *Store) restore(ctx context.Context, t *term, se *session, seqs []int64) (locked []int64, leases int64, err error) {
	if t == nil || len(seqs) == 0 {
		return nil, 1, nil
	}
	low, err := s.lowWaterOf(ctx, t, se)
	if err != nil || !low.there {
		return nil, 1, err
	}
	if err := t.register(ctx, s, se); err != nil {
		return nil, 0, err
	}
	row, err := se.q.Restore(ctx, pgdb.RestoreParams{Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder, Seqs: seqs})
	return row.Locked, row.Leases, err
}

// search is the progress of Search, which the lease row has too, so that it outlives the
// term: a round can take longer.
type search struct {
	mu    sync.Mutex
	known bool  // the lease was read
	below int64 // the search continues below this seq; 0: it begins at the mark
}

// Search looks for unsettled rows below the mark. It gives a next_attempt_at to those that
// no index of unsettled rows has.
func (s *Store) Search(ctx context.Context, l relay.Lease) (found int64, err error) {
	err = s.underLease(ctx, "search below the low-water mark", useForKeeping, l, func(t *term, se *session) (leases int64, err error) {
		found, leases, err = s.searchPage(ctx, t, se)
		return leases, err
	})
	return found, err
}

func (s *Store) searchPage(ctx context.Context, t *term, se *session) (found, leases int64, err error) {
	st, low := &t.search, t.lowWater()
	st.mu.Lock()
	defer st.mu.Unlock()
	if low.at == 0 {
		return 0, 1, nil
	}
	if !st.known {
		lease, err := s.readLowWater(ctx, se)
		switch {
		case errors.Is(err, errSequenceLocked):
			return 0, 1, nil
		case err != nil:
			return 0, 0, err
		}
		st.known, st.below = true, lease.SearchBelow
	}
	below := st.below
	if below == 0 || below > low.at {
		below = low.at + 1
	}
	row, err := se.q.SearchBelow(ctx, pgdb.SearchBelowParams{Below: below, MaxRows: s.tidyRows})
	if err != nil {
		return 0, 0, err
	}
	// Rows that are locked are left for the next round: a lock may last.
	if _, leases, err = s.restore(ctx, t, se, row.Lost); err != nil || leases == 0 {
		return 0, leases, err // this page comes again
	}
	below = row.First
	if row.Looked < int64(s.tidyRows) {
		below = 0
	}
	if below != st.below {
		leases, err = onAnchor(ctx, t.run.anchor, s.names, func(ctx context.Context, a *session) (int64, error) {
			return a.q.MoveSearch(ctx, pgdb.MoveSearchParams{
				SearchBelow: below, Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder,
			})
		})
		if err != nil || leases == 0 {
			return 0, leases, err
		}
	}
	st.below = below
	return row.Unsettled, 1, nil
}
