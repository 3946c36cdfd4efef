package relay

import (
	"cmp"
	"slices"
	"time"
)

// simDelayed is a delayed event: a row of event_outbox_delayed.
type simDelayed struct {
	seq       int64 // of that table
	topic     string
	key       *string
	due       time.Duration
	tx        int64 // that inserted it
	locked    bool
	gone      bool
	cancelled bool
	row       *memRow // of the outbox, once it was moved
}

// order is that of the times, and then that of the inserts.
func (d *simDelayed) order(e *simDelayed) int {
	return cmp.Or(cmp.Compare(d.due, e.due), cmp.Compare(d.seq, e.seq))
}

func (d *simDelayed) sameKey(e *simDelayed) bool {
	return d.key != nil && e.key != nil && d.topic == e.topic && *d.key == *e.key
}

// waited is what a moved row has to come after: the delayed events of its key that are due
// before it and were committed before its move began, and other rows that were committed
// before it drew its seq.
type waited struct {
	event  *simDelayed
	events []*simDelayed
	rows   []*memRow
}

// delay inserts a delayed event in the writer's transaction.
func (w *simWriter) delay() {
	s := w.s
	d := &simDelayed{seq: w.seq, topic: w.topic, key: w.key, tx: w.tx, due: s.now + time.Duration(s.rng.IntN(2_000))*time.Millisecond}
	s.delayed = append(s.delayed, d)
	s.say("delayed event %d of %s is due at %v", d.seq, w.lock, d.due)
}

// simMover moves delayed events that are due, as the statement MoveDue does, one statement
// after the other. There are several: it needs no lease. A mover stands for a relay that
// may be frozen, or killed while its statement runs.
type simMover struct {
	s      *sim
	shown  []*simDelayed // by the snapshot of the statement; nil: no statement runs
	picked []*simDelayed // locked, in the order of the inserts; nil: not yet
	next   int           // of these
	moved  []*memRow     // inserted, one for each picked event before next
	tx     int64
	holds  int64 // its lock on the table
}

func (m *simMover) step() {
	switch {
	case m.shown == nil:
		m.look()
	case m.picked == nil:
		m.pick()
	case !m.s.calm && m.s.chance(0.1):
		m.end(false)
	case m.next < len(m.picked):
		m.insert()
	default:
		m.end(true)
	}
}

// look takes the snapshot.
func (m *simMover) look() {
	s := m.s
	for _, d := range s.delayed {
		if !s.store.open[d.tx] && !s.store.rolled[d.tx] && !d.gone {
			m.shown = append(m.shown, d)
		}
	}
	slices.SortFunc(m.shown, (*simDelayed).order)
}

// pick locks events that are due, from some place on, and leaves those of which an earlier
// one of the key is shown and not locked.
func (m *simMover) pick() {
	s := m.s
	var locked []*simDelayed
	from := 0
	if s.chance(0.3) { // the look goes on behind what it has seen
		from = s.rng.IntN(len(m.shown) + 1)
	}
	for _, d := range m.shown[from:] {
		due := d.due <= s.now || s.off("a delayed event is not moved before its time")
		if due && !d.locked && !d.gone && len(locked) < 1+s.rng.IntN(3) {
			locked = append(locked, d)
		}
	}
	m.picked = []*simDelayed{}
	for _, d := range locked {
		passed := slices.ContainsFunc(m.shown, func(e *simDelayed) bool {
			return e.sameKey(d) && e.order(d) < 0 && !slices.Contains(locked, e)
		})
		if passed && !s.off("a delayed event does not pass an earlier one of its key") {
			continue
		}
		d.locked = true
		d.gone = s.off("a delayed event is deleted in the statement that inserts it")
		m.picked = append(m.picked, d)
	}
	if s.off("delayed events are moved in the order of their times") {
		slices.Reverse(m.picked)
	}
	if len(m.picked) == 0 {
		m.shown, m.picked = nil, nil
		return
	}
	m.holds, m.tx, m.next, m.moved = s.store.lockTable(), s.store.begin(), 0, nil
}

func (m *simMover) insert() {
	s, d := m.s, m.picked[m.next]
	m.next++
	inserted := s.store.insert(m.tx, Row{Seq: s.store.nextSeq(), Topic: d.topic, Key: d.key, EventType: "t", Data: []byte("x")})
	inserted.waited = &waited{event: d}
	if d.key != nil {
		inserted.waited.rows = slices.Clone(s.keyRows[rowKey(inserted)])
		for _, e := range s.delayed {
			committed := !s.store.open[e.tx] && !s.store.rolled[e.tx]
			if e.sameKey(d) && e.order(d) < 0 && committed && (slices.Contains(m.shown, e) || e.row != nil) {
				inserted.waited.events = append(inserted.waited.events, e)
			}
		}
	}
	m.moved = append(m.moved, inserted)
}

// end ends the statement, and the transaction that it is.
func (m *simMover) end(commit bool) {
	s := m.s
	s.store.end(m.tx, commit)
	s.store.unlockTable(m.holds)
	for i, d := range m.picked {
		d.locked = false
		if commit {
			d.gone, d.row = true, m.moved[i]
			s.say("delayed event %d is moved: row %d", d.seq, d.row.Seq)
		}
	}
	m.shown, m.picked = nil, nil
	for _, r := range s.relays {
		if commit && s.chance(0.5) {
			r.m.wake()
		}
	}
}

// simCanceller cancels delayed events, or begins to.
type simCanceller struct {
	s  *sim
	of *simDelayed
}

func (c *simCanceller) step() {
	s := c.s
	if c.of == nil {
		for _, d := range s.delayed {
			if !s.calm && !s.store.open[d.tx] && !s.store.rolled[d.tx] && !d.gone && !d.locked && s.chance(0.3) {
				c.of, d.locked = d, true
				return
			}
		}
		return
	}
	if !s.calm && s.chance(0.7) {
		return // the transaction does something else
	}
	c.of.locked = false
	if s.chance(0.3) {
		c.of.gone, c.of.cancelled = true, true
		s.say("delayed event %d is cancelled", c.of.seq)
	}
	c.of = nil
}

// checkWaited checks the first delivery of a row that was moved.
func (b *simBroker) checkWaited(row *memRow) {
	s, w := b.s, row.waited
	if s.now < w.event.due {
		s.violate("early", "row %d was delivered at %v and is due at %v", row.Seq, s.now, w.event.due)
	}
	for _, e := range w.events {
		if !e.cancelled && (e.row == nil || b.delivered[e.row.ID] == 0 && !e.row.everDead) {
			s.violate("reordered", "row %d, delayed event %d, was delivered before the earlier delayed event %d", row.Seq, w.event.seq, e.seq)
		}
	}
	for _, before := range w.rows {
		if b.delivered[before.ID] == 0 && !before.everDead {
			s.violate("reordered", "row %d of %s was delivered before row %d", row.Seq, rowKey(row), before.Seq)
		}
	}
}

// allMoved reports whether no delayed event waits.
func (s *sim) allMoved() bool {
	for _, d := range s.delayed {
		if s.store.rolled[d.tx] || d.cancelled || d.row != nil {
			continue
		}
		if d.gone {
			s.violate("lost", "delayed event %d is gone, and is not in the outbox", d.seq)
		}
		return false
	}
	return true
}
