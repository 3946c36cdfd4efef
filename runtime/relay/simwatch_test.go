package relay

import (
	"time"
)

const (
	// simStrays is how many batches of a missing topic a client may get before the
	// relays have noticed.
	simStrays     = 6
	simKeep       = 2 * time.Second
	simSweepRows  = 3
	simWideRow    = 2_000
	simWideBuffer = 4_000
	// simHandOver limits the time between a clean end and the next term. If it were not
	// released, the lease would last at least two seconds more.
	simHandOver = 1500 * time.Millisecond
	// simOldRecord is the age at which a client drops a record, if the record has the
	// time of its event.
	simOldRecord = 3 * time.Second
	// simDrift is how much a clock may be slow or fast. A leader with a slow clock
	// keeps its term for less time than a standby with a fast one waits, as long as
	// (1-simDrift)/(1+simDrift) is more than (Term-TermMargin)/Term.
	simDrift = 0.08
)

// watch looks at what the store does, and sets up its table.
func (s *sim) watch() {
	s.store.onSweep = func(rows []*memRow, keep time.Duration, limit int) {
		if len(rows) > limit {
			s.violate("swept", "%d rows at once", len(rows))
		}
		for _, r := range rows {
			switch {
			case !r.published:
				s.violate("lost", "row %d was swept and is not settled", r.Seq)
			case r.publishedAt > s.now-keep:
				s.violate("swept", "row %d was to be kept for longer", r.Seq)
			}
		}
	}
	if s.upgrade {
		for range 2 {
			s.store.insert(0, Row{Seq: s.store.nextSeq(), Topic: "a", EventType: "t", Data: []byte("x")})
		}
	}
	if s.inLog {
		s.watchLog()
	}
	if s.forget {
		s.store.forgets = func() bool {
			forgets := !s.calm && s.chance(0.3)
			if forgets {
				s.say("the server fails over and forgets the take-over")
			}
			return forgets
		}
	}
	if s.table != nil {
		s.table(s)
	}
}

// watchLog makes the outbox a log, and looks at what becomes of it.
func (s *sim) watchLog() {
	s.store.log = newMemLog()
	s.store.log.say = s.say
	s.store.log.unsure = func() bool { return !s.calm && s.chance(0.2) }
	s.store.log.delays = func(w func()) bool {
		delayed := !s.calm && s.chance(0.05)
		if delayed {
			s.stragglers = append(s.stragglers, func() { s.say("a write of the cursor arrives"); w() })
		}
		return delayed
	}
	s.store.log.onAgain = func(r *memRow) {
		s.violate("repeated", "row %d was recorded as published %v, or is dead %v, and is read again", r.Seq, r.published, r.dead)
	}
	s.store.onDrop = func(r *memRow) {
		if !r.published && !s.store.log.copied[r] {
			s.violate("lost", "row %d was dropped and is not settled", r.Seq)
		}
	}
}

// checkLog compares what the cursor says with what was recorded.
func (s *sim) checkLog() {
	for _, r := range s.store.rows {
		behind, late, copied := s.store.behind(r), s.store.log.late[r], s.store.log.copied[r]
		switch {
		case !s.store.committed(r):
		case s.store.log.again[r]:
		case r.published && !r.everDead && (!behind || late || copied):
			s.violate("repeated", "row %d was recorded as published, and a new leader would send it again: %+v", r.Seq, s.store.log.cursor)
		case copied && late || (copied || late) && !behind:
			s.violate("repeated", "row %d is in two places, behind %v, late %v, copied %v: %+v", r.Seq, behind, late, copied, s.store.log.cursor)
		}
	}
}

// now returns the relay's own clock.
func (r *simRelay) now() time.Duration {
	return r.s.now + r.origin - r.lost + time.Duration(r.drift*float64(r.s.now))
}

// during returns how long a time by the relay's clock takes.
func (r *simRelay) during(own time.Duration) time.Duration {
	if r.drift == 0 {
		return own
	}
	return time.Duration(float64(own)/(1+r.drift)) + 1
}

// freeze suspends or resumes the process. If it is settling, the lease row may stay
// locked until it resumes.
func (r *simRelay) freeze(on bool) {
	s := r.s
	r.frozen = on
	if !on {
		switch s.without {
		case "the clock counts suspension":
			r.lost += s.now - r.frozenAt
		case "the clock is never set":
			r.lost += 10 * time.Second
		}
		return
	}
	r.frozenAt = s.now
	for _, op := range r.pending {
		if _, ok := op.cmd.(opSettle); ok && !op.done && s.hang && s.store.holds(op.lease) {
			op.hung = true
			s.store.sharers = append(s.store.sharers, func() {
				s.say("relay %d: its session is ended", r.id)
				op.out.err, op.done, op.hung = errSimLost, true, false
			})
		}
	}
}

func (r *simRelay) hangs() bool {
	for _, op := range r.pending {
		if op.hung {
			return true
		}
	}
	return false
}

// sweep does what the driver does outside the machine.
func (r *simRelay) sweep() {
	s := r.s
	if r.m.leads() && !r.frozen && s.chance(0.02) {
		_, _ = r.store.Sweep(nil, r.m.own.lease, r.cfg.Keep, simSweepRows) //nolint:staticcheck // not used
	}
}

// tookOver looks at a term that begins.
func (s *sim) tookOver(l Lease) {
	s.leftAt = 0
	if s.inLog {
		s.checkLog()
	}
	if l.UncleanEnds >= uncleanEndsBeforeSuspicion && l.Epoch-s.store.progress < uncleanEndsBeforeSuspicion && s.store.progress > 0 {
		s.violate("suspicion", "epoch %d suspects rows, and epoch %d made progress", l.Epoch, s.store.progress)
	}
}

// handOver asks the leader for a clean end, once, after the faults have stopped,
// and sees how long it takes until another leads.
func (s *sim) handOver() {
	if s.leftAt > 0 && s.now-s.leftAt > simHandOver {
		s.violate("hand-over", "nobody leads %v after a clean end", s.now-s.leftAt)
	}
	if s.left || s.seed%4 != 1 { // a new term would hide what the old one forgot
		return
	}
	for _, r := range s.relays {
		if r.m.phase == phaseLeading && !r.frozen && s.store.holds(r.m.own.lease) && s.chance(0.05) {
			s.left, r.leaving = true, true
			s.say("relay %d is asked to stop", r.id)
			r.m.stop()
			r.pump()
			return
		}
	}
}

// leaves reports whether the hand-over is under way.
func (s *sim) leaves() bool {
	for _, r := range s.relays {
		if r.leaving {
			return true
		}
	}
	return s.leftAt > 0
}

// unsettledRows bounds what a kill may repeat.
func (s *sim) unsettledRows() int { return []int{5, 100, 100}[s.seed/3%3] }

// checkMemory looks at what a leader holds. A row larger than the buffer is held
// alone.
func (r *simRelay) checkMemory() {
	if r.m.t == nil || r.s.off("one wave is resolved before the next is sent") {
		return
	}
	q := &r.m.t.flow.queue
	rows := []int{3, 6, 12}[r.s.seed%3]
	if n, limit := q.flying+q.unsettled(), r.s.unsettledRows(); n > limit && !r.s.off("rows of what waits are not kept") {
		r.s.violate("repeats", "relay %d has sent %d rows that are not settled, and may have %d", r.id, n, limit)
	}
	held := len(q.mem)
	if r.s.inLog { // writes that are delayed leave many rows unsettled, which have a limit of their own
		held -= q.unsettled()
	}
	if held > 3*rows {
		r.s.violate("memory", "relay %d holds %d rows; its buffer is %d", r.id, held, rows)
	}
	if !r.s.wide {
		return
	}
	var size int
	add := func(entries []*entry) {
		for _, e := range entries {
			size += len(e.row.Data)
		}
	}
	for _, tp := range q.topics.order {
		add(tp.waiting)
		for _, p := range tp.parts {
			add(p.queue)
		}
	}
	for _, w := range q.inflight {
		for _, b := range w.batches {
			add(b.rows)
		}
	}
	if size > simWideBuffer+simWideRow {
		r.s.violate("memory", "relay %d holds %d bytes; its buffer is %d", r.id, size, simWideBuffer)
	}
}

// checkSuspect checks which row a leader's death would be counted against.
func (r *simRelay) checkSuspect(killer int64) {
	s := r.s
	if named := s.store.lease.Suspect; named != 0 && named != killer && s.store.holds(r.m.own.lease) {
		s.violate("buried", "relay %d dies of row %d, and has named row %d", r.id, killer, named)
	}
}

// checkSizes looks whether the topics take the batches of a client.
func (c *simClient) checkSizes() {
	for _, q := range c.queues {
		for _, b := range q {
			size := batchOverhead
			for i := range b.records {
				size += len(b.records[i].Value) + len(b.records[i].Key) + recordOverhead
			}
			if len(b.records) > 1 && size > c.s.broker.limit() {
				c.s.violate("oversize", "a batch of %d rows has %d bytes; its topic takes %d", len(b.records), size, c.s.broker.limit())
			}
		}
	}
}

// checkMissing checks how often a client that others wait for gets rows of a topic that
// has long been missing.
func (c *simClient) checkMissing(b *simBatch) {
	if !b.unknown || !c.s.calm {
		return
	}
	if c.s.strays++; c.s.strays > simStrays {
		c.s.violate("stalled", "relay %d hands over rows of topic %s, which is missing, for the %dth time", c.r.id, b.at.topic, c.s.strays)
	}
}

// checkBuffered checks how much a client holds: a wave, and nothing of an earlier one.
func (c *simClient) checkBuffered() {
	var buffered int
	for _, q := range c.queues {
		for _, b := range q {
			buffered += len(b.records)
		}
	}
	if rows := c.r.cfg.BufferRows; buffered > rows && !c.s.off("one wave is resolved before the next is sent") {
		c.s.violate("memory", "relay %d: its client holds %d records; its buffer is %d rows", c.r.id, buffered, rows)
	}
}

// outdated reports whether a batch has a record whose event is too old.
func (s *sim) outdated(b *simBatch) bool {
	for i := range b.records {
		if s.now-s.store.byID[b.records[i].EventID].created > simOldRecord {
			return true
		}
	}
	return false
}
