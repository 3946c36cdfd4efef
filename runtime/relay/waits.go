package relay

import (
	"maps"
	"slices"
	"time"
)

// waits is everything that waits: the scopes and, for keys, the rows that hold them.
type waits struct {
	q   *queue
	log *journal

	keys   heldKeys
	looks  []*scope // the keys for which the outbox has to be asked for further dead rows
	count  int      // scopes
	timers timers
	toRead int // scopes to read again, and topics that are catching up
	// changes counts what no longer waits, or may not have to because of an operator. A
	// change starts a look for edited rows.
	changes int
}

// add counts a new scope.
func (w *waits) add(s *scope) *scope {
	w.count++
	return s
}

func (w *waits) changed() { w.changes++ }

// blocker returns the scope because of which a row has to be skipped, or nil. src is the
// catch-up that read the row, or nil.
func (w *waits) blocker(e *entry, tp *topic, src *catchUp) *scope {
	if tp.paused.blocks(src) {
		return tp.paused
	}
	if s := w.keys.of(e); s.blocks(src) {
		return s
	}
	if e.row.bound() && tp.info != nil {
		if s := tp.parts[w.q.partitionOf(e, tp)].aside; s.blocks(src) {
			return s
		}
	}
	return nil
}

// wait takes a scope back to waiting, whatever its state.
func (w *waits) wait(s *scope) {
	switch s.state {
	case toRead:
		s.topic.notToRead(s)
		w.toRead--
	case catching:
		w.leave(s)
	case waiting, gone:
	}
	s.state = waiting
	s.until = -1 // cancels an alarm that is set
}

// leave takes a scope out of its catch-up. Its rows that were not read yet stay
// skipped.
func (w *waits) leave(s *scope) {
	c := s.catchUp
	s.skip(c.upTo)
	s.catchUp = nil
	c.scopes = slices.DeleteFunc(c.scopes, func(o *scope) bool { return o == s })
	if len(c.scopes) == 0 && c.topic.catchUp == c {
		c.topic.catchUp = nil
		w.toRead--
	}
}

func (w *waits) alarm(s *scope, until time.Duration) {
	s.until = until
	w.timers.push(s, until)
}

// endDue handles everything whose wait is over.
func (w *waits) endDue(n *agenda) {
	for {
		s, at, ok := w.timers.first()
		if !ok || !n.due(at) {
			return
		}
		w.timers.pop()
		switch {
		case s.state != waiting || s.until != at:
		case s.kind == scopeKey:
			w.goOn(s)
		default:
			s.topic.describe = true
		}
	}
}

// goOn hands a scope to the reader, or forgets it if nothing was skipped.
func (w *waits) goOn(s *scope) {
	for seq := range s.rows {
		w.keys.letGo(s, seq)
	}
	if s.skipped == 0 {
		w.forget(s)
		return
	}
	s.state = toRead
	s.topic.toRead = append(s.topic.toRead, s)
	w.toRead++
}

// forget ends a scope. Its alarm may still be set, and its key, partition or topic may
// have another scope by then.
func (w *waits) forget(s *scope) {
	s.state = gone
	w.count--
	w.changed()
	switch s.kind {
	case scopeKey:
		w.keys.free(s)
	case scopePartition:
		s.topic.parts[s.part].aside = nil
	case scopeTopic:
		s.topic.paused = nil
		if w.q.idle(s.topic) {
			s.topic.resumed(w.log)
		}
	}
}

// hold returns the waiting scope of a key.
func (w *waits) hold(id keyID) *scope {
	s := w.keys.byKey[id]
	if s == nil {
		s = w.add(&scope{kind: scopeKey, topic: w.q.topics.get(id.topic), key: id, rows: map[int64]*heldRow{}})
		w.keys.byKey[id] = s
	}
	w.wait(s)
	return s
}

// holdRow makes a row hold a key.
func (w *waits) holdRow(s *scope, seq int64, r *heldRow) {
	former := w.keys.byRow[seq]
	if former != nil && former != s {
		w.letGo(former, seq)
		w.schedule(former)
	}
	w.keys.hold(s, seq, r)
}

// letGo makes a row hold its key no longer. If the outbox may have further dead rows of
// the key, the key waits until the held rows were read again.
func (w *waits) letGo(s *scope, seq int64) {
	r := s.rows[seq]
	w.keys.letGo(s, seq)
	if !r.blocked || !r.others {
		return
	}
	if other := s.blocker(); other != nil {
		other.others = true
	} else if !s.look {
		s.look = true
		w.looks = append(w.looks, s)
		w.changed()
	}
}

// schedule decides when a key may continue.
func (w *waits) schedule(s *scope) {
	if s.state != waiting {
		return
	}
	if len(s.rows) == 0 && !s.look {
		w.goOn(s)
	} else if at, never := s.due(); !never {
		w.alarm(s, at)
	}
}

// failureSettled starts the wait of a failed row. A dead row frees its key, unless it
// blocks.
func (w *waits) failureSettled(now time.Duration, f Failure, reading bool) {
	s := w.keys.byRow[f.Seq]
	if s == nil {
		return
	}
	r := s.rows[f.Seq]
	r.settled, r.fresh = true, reading
	r.until = now + f.RetryIn
	if r.dead && !r.blocked {
		w.keys.letGo(s, f.Seq)
	}
	w.schedule(s)
}

// load takes the rows that hold their keys when a term begins.
func (w *waits) load(now time.Duration, held []HeldRow) {
	var scopes []*scope
	for i := range held {
		h := &held[i]
		if h.Dead {
			w.block(h)
			continue
		}
		s := w.hold(keyOf(h.Topic, h.Key, h.Seq))
		w.holdRow(s, h.Seq, &heldRow{settled: true, until: now + h.RetryIn})
		s.skip(h.Seq)
		scopes = append(scopes, s)
	}
	for _, s := range scopes {
		w.schedule(s) // again for a key with several rows, which changes nothing
	}
}

// block makes a dead row block its key. If another one does already, it only notes that
// there are several.
func (w *waits) block(h *HeldRow) {
	if h.Key == nil {
		return
	}
	id := keyOf(h.Topic, h.Key, h.Seq)
	s, holder := w.keys.byKey[id], w.keys.byRow[h.Seq]
	if holder != nil { // it does already, or its outcome is being recorded
		if r := holder.rows[h.Seq]; holder == s && r.blocked {
			r.others, s.look = r.others || h.Others, false
		}
		return
	}
	if s != nil && s.blocker() != nil {
		s.blocker().others, s.look = true, false
		return
	}
	s = w.hold(id)
	s.look = false
	w.holdRow(s, h.Seq, &heldRow{settled: true, dead: true, blocked: true, others: h.Others})
	s.skip(h.Seq)
}

// compare frees the keys of rows that the outbox no longer lists as holding them. Rows
// that were settled while the list was read wait for the next time.
func (w *waits) compare(listed []HeldRow) {
	found := make(map[int64]*HeldRow, len(w.keys.byRow))
	for i := range listed {
		if w.keys.byRow[listed[i].Seq] != nil {
			found[listed[i].Seq] = &listed[i]
		}
	}
	looks := w.looks
	w.looks = nil
	var changed []*scope // once it is known which dead rows block them
	for _, seq := range slices.Sorted(maps.Keys(w.keys.byRow)) {
		s := w.keys.byRow[seq]
		held := s.rows[seq]
		if !held.settled {
			continue
		}
		if held.fresh {
			held.fresh = false
			continue
		}
		held.others = false // the list tells
		h := found[seq]
		if h == nil || keyOf(h.Topic, h.Key, h.Seq) != s.key || h.Dead != held.blocked {
			w.keys.letGo(s, seq)
			changed = append(changed, s)
		}
	}
	for i := range listed {
		if h := &listed[i]; h.Dead && !w.q.has(h.Seq) {
			w.block(h)
		}
	}
	for _, s := range looks {
		if s.look && s.state == waiting {
			s.look = false
			changed = append(changed, s)
		}
	}
	for _, s := range changed {
		if s.state != gone {
			w.schedule(s)
		}
	}
}

// recording reports whether the death of a row is being recorded.
func (w *waits) recording(seq int64) bool {
	s := w.keys.byRow[seq]
	return s != nil && !s.rows[seq].settled
}

// decided acts on what an operator did to a dead row.
func (w *waits) decided(d Decision) {
	id := keyOf(d.Topic, d.Key, d.Seq)
	s, holder := w.keys.byKey[id], w.keys.byRow[d.Seq] // two if the row's key was edited
	if holder != nil {
		w.letGo(holder, d.Seq)
		if holder != s {
			w.schedule(holder)
		}
	}
	if !d.Discarded {
		s = w.replayed(s, id, d)
	}
	if s != nil {
		w.schedule(s)
	}
}

// replayed makes a key wait until a replayed row is read. The rows of the key that are queued
// are read again, because they come after it, also those of a catch-up that has passed it.
func (w *waits) replayed(s *scope, id keyID, d Decision) *scope {
	if s == nil || s.state == catching {
		s = w.hold(id)
	}
	s.skip(w.q.dropKey(&entry{row: Row{Seq: d.Seq, Topic: d.Topic, Key: d.Key}}))
	s.skip(d.Seq)
	return s
}

// keysAtOnce limits the keys of one catch-up.
const keysAtOnce = 1000

// catchUp starts a catch-up for a topic: of the topic itself if it was paused, else of
// its partitions together, else of its keys together (a row without a key alone). One
// reading goes through all rows that wait, even if it wants few of them. It reads every
// unsettled row that the newest snapshot shows, from the lowest seq, because a row of
// the open tick may precede a skipped one.
func (w *waits) catchUp(tp *topic, shown Snapshot) {
	var scopes []*scope
	for _, s := range tp.toRead {
		switch {
		case tp.paused != nil:
			if s == tp.paused {
				scopes = append(scopes, s)
			}
		case s.kind == scopePartition:
			scopes = append(scopes, s)
		}
	}
	if len(scopes) == 0 && tp.paused == nil && len(tp.toRead) > 0 {
		scopes = keysTogether(tp.toRead)
	}
	if len(scopes) == 0 {
		return
	}
	c := &catchUp{topic: tp, scopes: scopes, snapshot: shown}
	for _, s := range scopes {
		tp.notToRead(s)
		s.state, s.catchUp = catching, c
		c.upTo = max(c.upTo, s.skipped)
		s.skipped = 0
	}
	tp.catchUp = c
	w.toRead += 1 - len(scopes)
}

// keysTogether picks the keys for one catch-up.
func keysTogether(scopes []*scope) []*scope {
	if scopes[0].key.seq != 0 {
		return []*scope{scopes[0]}
	}
	var keys []*scope
	for _, s := range scopes {
		if s.key.seq == 0 && len(keys) < keysAtOnce {
			keys = append(keys, s)
		}
	}
	return keys
}

// caughtUp ends a catch-up.
func (w *waits) caughtUp(c *catchUp) {
	c.topic.catchUp = nil
	w.toRead--
	for _, s := range c.scopes {
		s.catchUp = nil
		s.state = waiting
		w.goOn(s) // forgets it unless rows were skipped since
	}
}

// wants reports whether a row that was read for c belongs to the scopes of c.
func (w *waits) wants(c *catchUp, e *entry) bool {
	switch c.scopes[0].kind {
	case scopeKey:
		return w.keys.of(e).in(c)
	case scopeTopic:
		return true
	case scopePartition:
	}
	return e.row.bound() && c.topic.parts[w.q.partitionOf(e, c.topic)].aside.in(c)
}
