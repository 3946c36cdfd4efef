package relay

import (
	"container/heap"
	"log/slog"
	"time"
)

// scope is something whose rows wait: a key whose row failed, a partition that
// is set aside, a topic that is paused. Rows that are read meanwhile are skipped,
// not kept, so a scope costs the same however long it lasts. Once its time has
// come the skipped rows are read again, in seq order, and until that is done its
// other rows go on being skipped:
//
//	waiting ──time over, failure settled──▶ ready ──reader──▶ catching ──nothing skipped since──▶ gone
//	   ▲                                     ▲                 │  │
//	   │                                     └──rows skipped───┘  │
//	   └───────────────────── failed again ───────────────────────┘
type scope struct {
	kind  scopeKind
	topic *topic
	key   keyID // scopeKey
	part  int32 // scopePartition

	state   scopeState
	until   time.Duration // waiting: when to go on
	skipped int64         // the highest seq skipped since the current reading again began; 0: none
	catchUp *catchUp      // catching
	rows    map[int64]*heldRow
	reason  string
}

type scopeKind int

const (
	scopeKey scopeKind = iota
	scopePartition
	scopeTopic
)

type scopeState int

const (
	waiting scopeState = iota
	ready
	catching
	gone
)

// keyID names a key; a row without one is held by itself, under its seq.
type keyID struct {
	topic, key string
	seq        int64
}

func keyOf(topic string, key *string, seq int64) keyID {
	if key == nil {
		return keyID{topic: topic, seq: seq}
	}
	return keyID{topic: topic, key: *key}
}

func (k keyID) pointer() *string {
	if k.seq != 0 {
		return nil
	}
	return &k.key
}

// heldRow is a row that holds its key.
type heldRow struct {
	settled bool // the failure is recorded
	fresh   bool // recorded while a read was under way, which may not show it
	dead    bool
	blocked bool // dead, and only an operator can release it
	until   time.Duration
}

// catchUp is one reading again of what a topic's scopes skipped: of the topic as
// a whole, of several partitions together, or of keys.
type catchUp struct {
	topic       *topic
	scopes      []*scope
	snapshot    Snapshot
	after, upTo int64
}

func (s *scope) note(seq int64) { s.skipped = max(s.skipped, seq) }

// blocks reports whether rows that come from src have to be skipped.
func (s *scope) blocks(src *catchUp) bool {
	return s != nil && (s.state != catching || s.catchUp != src)
}

// blocks is the same, for the rules that are on.
func (t *term) blocks(s *scope, src *catchUp) bool {
	return s.blocks(src) && (!t.m.off.earlyRelease || s.state == waiting)
}

// blocker is the scope because of which a row has to be skipped, if there is one.
func (t *term) blocker(e *entry, tp *topic, src *catchUp) *scope {
	if t.blocks(tp.paused, src) {
		return tp.paused
	}
	if len(t.holds) > 0 {
		if s := t.holds[keyOf(e.row.Topic, e.row.Key, e.row.Seq)]; t.blocks(s, src) {
			if t.m.off.noHold && s.rows[e.row.Seq] == nil {
				return nil
			}
			return s
		}
	}
	if e.row.Key != nil && tp.info != nil {
		if s := tp.parts[t.partitionOf(e, tp)].aside; t.blocks(s, src) {
			return s
		}
	}
	return nil
}

// hold returns the scope of the row's key, waiting.
func (t *term) hold(e *entry) *scope {
	return t.holdKey(keyOf(e.row.Topic, e.row.Key, e.row.Seq))
}

func (t *term) holdKey(id keyID) *scope {
	s := t.holds[id]
	if s == nil {
		s = t.begin(&scope{kind: scopeKey, topic: t.topic(id.topic), key: id, rows: map[int64]*heldRow{}})
		t.holds[id] = s
	}
	t.wait(s)
	return s
}

// begin counts a new scope.
func (t *term) begin(s *scope) *scope {
	t.scopes++
	return s
}

// holdRow makes a row hold its key. If it holds another, it was edited.
func (t *term) holdRow(s *scope, seq int64, r *heldRow) {
	if former := t.heldBy[seq]; former != nil && former != s {
		delete(former.rows, seq)
		t.schedule(former)
	}
	s.rows[seq] = r
	t.heldBy[seq] = s
}

// letGo ends that.
func (t *term) letGo(s *scope, seq int64) {
	delete(s.rows, seq)
	delete(t.heldBy, seq)
}

// wait takes a scope back to waiting from wherever it is.
func (t *term) wait(s *scope) {
	switch s.state {
	case ready:
		s.topic.unready(s)
		t.reader.ready--
	case catching:
		t.leave(s)
	case waiting, gone:
	}
	s.state = waiting
	s.until = -1 // an alarm that is already set means nothing any more
}

// leave takes a scope out of its reading again; what that has not brought yet
// stays skipped.
func (t *term) leave(s *scope) {
	c := s.catchUp
	s.note(c.upTo)
	s.catchUp = nil
	for i, other := range c.scopes {
		if other == s {
			c.scopes = append(c.scopes[:i:i], c.scopes[i+1:]...)
			break
		}
	}
	if len(c.scopes) == 0 && c.topic.catchUp == c {
		c.topic.catchUp = nil
		t.reader.ready--
	}
}

// schedule decides when the key goes on: when every row that holds it is settled
// and due, and none blocks it.
func (t *term) schedule(s *scope) {
	if s.state != waiting {
		return
	}
	if len(s.rows) == 0 {
		t.readyScope(s)
		return
	}
	var until time.Duration
	for _, r := range s.rows {
		if !r.settled || r.blocked {
			return
		}
		until = max(until, r.until)
	}
	t.alarm(s, until)
}

func (t *term) alarm(s *scope, until time.Duration) {
	s.until = until
	t.timers.push(s, until)
}

// readyScope hands a scope to the reader, or drops it when nothing was skipped.
func (t *term) readyScope(s *scope) {
	for seq := range s.rows {
		t.letGo(s, seq)
	}
	if s.skipped == 0 || t.m.off.noReadAgain {
		t.forget(s)
		return
	}
	s.state = ready
	s.topic.ready = append(s.topic.ready, s)
	t.reader.ready++
}

// forget ends a scope. An alarm of it may still be set, and its key, partition or
// topic may have another scope by then.
func (t *term) forget(s *scope) {
	s.state = gone
	t.scopes--
	t.reader.wantEdits()
	switch s.kind {
	case scopeKey:
		delete(t.holds, s.key)
	case scopePartition:
		s.topic.parts[s.part].aside = nil
	case scopeTopic:
		s.topic.paused = nil
		if t.idle(s.topic) {
			t.goesOn(s.topic)
		}
	}
}

// setAside makes a partition wait. Its rows without a key move to the others;
// when there is no other, the topic pauses.
func (t *term) setAside(now time.Duration, p *partition, reason string) {
	tp := p.topic
	if tp.paused != nil && tp.paused.state == waiting {
		return // it waits as a whole
	}
	others := false
	for _, other := range tp.parts {
		others = others || other != p && other.aside == nil
	}
	if !others && !t.m.off.noFallback {
		tp.tries = max(tp.tries, p.tries)
		t.pause(now, tp, reason)
		return
	}
	s := p.aside
	if s == nil {
		s = t.begin(&scope{kind: scopePartition, topic: tp, part: p.part})
		p.aside = s
	}
	t.wait(s)
	s.reason = reason
	level := slog.LevelWarn
	if p.tries > 0 {
		level = slog.LevelDebug // said before; it has taken nothing since
	}
	t.m.say(level, "partition set aside, retrying; its rows wait, attempts are not counted",
		slog.String("topic", tp.name), slog.Int("partition", int(p.part)), slog.String("reason", reason))
	s.note(t.dropPartition(p, false))
	t.alarm(s, now+backoff(t.cfg.PauseMin, t.cfg.PauseMax, p.tries))
	p.tries++
}

// pause makes a whole topic wait.
func (t *term) pause(now time.Duration, tp *topic, reason string) {
	s := tp.paused
	if s == nil {
		s = t.begin(&scope{kind: scopeTopic, topic: tp})
		tp.paused = s
	}
	t.wait(s)
	s.reason = reason
	if reason != tp.trouble {
		t.m.say(slog.LevelWarn, "topic paused, retrying; its rows wait, attempts are not counted",
			slog.String("topic", tp.name), slog.String("reason", reason))
		tp.trouble = reason
	}
	t.fold(tp, s)
	t.alarm(s, now+backoff(t.cfg.PauseMin, t.cfg.PauseMax, tp.tries))
	tp.tries++
}

// fold drops everything that is queued for a topic and makes its scope stand for
// those of its partitions; a key that was catching up has to begin again.
func (t *term) fold(tp *topic, s *scope) {
	for _, p := range tp.parts {
		s.note(t.dropPartition(p, true))
		if a := p.aside; a != nil {
			t.wait(a)
			s.note(a.skipped)
			t.forget(a)
		}
	}
	for _, e := range tp.waiting {
		t.unqueue(e)
		s.note(e.row.Seq)
	}
	tp.waiting = nil
	if c := tp.catchUp; c != nil && c != s.catchUp {
		for _, k := range append([]*scope(nil), c.scopes...) {
			t.wait(k)
			t.readyScope(k)
		}
	}
}

// dropPartition empties a partition's queue and returns the highest seq of what
// has to be read again. Unless all is set, rows without a key move elsewhere.
func (t *term) dropPartition(p *partition, all bool) int64 {
	var high int64
	rows := p.queue
	p.queue = nil
	for _, e := range rows {
		if e.row.Key == nil && !all {
			to := t.unkeyedPartition(p.topic, p)
			e.part = to.part
			to.queue = append(to.queue, e)
			t.activate(to)
			continue
		}
		t.unqueue(e)
		high = max(high, e.row.Seq)
	}
	return high
}

// dropKey removes the queued rows of a key that has just been held.
func (t *term) dropKey(e *entry) {
	if e.row.Key == nil {
		return
	}
	tp := t.topic(e.row.Topic)
	s := t.holds[keyOf(e.row.Topic, e.row.Key, e.row.Seq)]
	drop := func(rows []*entry) []*entry {
		kept := rows[:0]
		for _, q := range rows {
			if q.row.Key == nil || *q.row.Key != *e.row.Key {
				kept = append(kept, q)
				continue
			}
			t.unqueue(q)
			s.note(q.row.Seq)
		}
		clear(rows[len(kept):])
		return kept
	}
	tp.waiting = drop(tp.waiting)
	if tp.info != nil {
		p := tp.parts[t.partitionOf(e, tp)]
		p.queue = drop(p.queue)
	}
}

func (t *term) unqueue(e *entry) {
	delete(t.mem, e.row.Seq)
	t.queued--
	t.bytes -= e.size
}

// timers orders scopes by when their wait is over. An entry whose scope has moved
// on since is ignored when it comes up.
type timers struct{ h timerHeap }

type timer struct {
	at time.Duration
	s  *scope
}

func (t *timers) push(s *scope, at time.Duration) { heap.Push(&t.h, timer{at, s}) }
func (t *timers) pop()                            { heap.Pop(&t.h) }

func (t *timers) first() (*scope, time.Duration, bool) {
	if len(t.h) == 0 {
		return nil, 0, false
	}
	return t.h[0].s, t.h[0].at, true
}

type timerHeap []timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *timerHeap) Push(x any)        { *h = append(*h, x.(timer)) }
func (h *timerHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = timer{}
	*h = old[:len(old)-1]
	return last
}
