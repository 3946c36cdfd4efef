package relay

import (
	"maps"
	"slices"
	"time"
)

// reader decides what a leader reads next: held rows, the backlog that its first
// snapshot shows, then tick after tick what the next snapshot shows and the one
// before did not; and in turn with these, what was skipped and is to be read
// again. One read is under way at a time.
type reader struct {
	t     *term
	ready int // scopes that are ready and topics that are catching up

	pastRead    bool // decisions from before the term
	heldLoaded  bool
	suspectRead bool
	backlogDone bool
	from        Snapshot // everything it shows is read, or, until backlogDone, being read
	to          Snapshot // of the tick that is open; "": none
	after       int64
	tickRows    int

	againLast bool // the last page was one of reading again
	round     int  // which topic's turn it is to read again
	poll      time.Duration
	pollAt    time.Duration
	soon      int           // looks left that follow a wake-up closely
	waiting   bool          // the store is to say when to look again
	noIdle    time.Duration // it could not lately: poll until then
	failures  int
	retryAt   time.Duration
	err       error

	edit editor
	high int64 // the highest seq read

	decisionsAt time.Duration
	decided     []int64
	known       map[int64]bool // decisions acted on and not yet marked
}

func newReader(t *term, now time.Duration) reader {
	return reader{
		t: t, poll: t.cfg.PollMin, pollAt: now, decisionsAt: now + t.cfg.DecisionsEvery,
		known: map[int64]bool{},
	}
}

// plan starts the next read.
func (r *reader) plan(n *agenda) {
	t := r.t
	if !n.due(r.retryAt) {
		return
	}
	switch {
	case !r.pastRead:
		n.do(opDecisions{r.decided})
		return
	case !r.heldLoaded:
		n.do(opReadHeld{})
		return
	case r.from == "":
		n.do(opSnapshot{})
		return
	case !r.suspectRead && t.m.lease.Suspect != 0:
		n.do(opBacklog{s: r.from, after: t.m.lease.Suspect - 1, limit: Limit{Rows: 1, Bytes: 1}, suspect: true})
		return
	case n.due(r.decisionsAt):
		n.do(opDecisions{r.decided})
		return
	}
	if r.planEdits(n) {
		return
	}
	limit, ok := r.room()
	if !ok {
		return
	}
	if r.ready > 0 && !r.againLast && r.planAgain(n, limit) {
		r.againLast = true
		return
	}
	r.againLast = false
	switch {
	case !r.backlogDone:
		n.do(opBacklog{s: r.from, after: r.after, limit: limit})
	case r.to != "":
		n.do(opTick{from: r.from, to: r.to, after: r.after, limit: limit})
	case t.woken:
		t.woken = false
		r.soon = len(afterWake)
		r.waiting = false
		n.do(opSnapshot{})
	case !r.waiting && n.due(r.pollAt):
		n.do(opSnapshot{})
	default:
		if r.ready > 0 && r.planAgain(n, limit) {
			r.againLast = true
		}
	}
}

// room is what the next page may hold: nothing until a good part of a page fits.
func (r *reader) room() (Limit, bool) {
	t := r.t
	rows := t.cfg.BufferRows - t.queued - t.flying
	size := t.cfg.BufferBytes - t.bytes
	if t.queued+t.flying > 0 && (rows < min(t.cfg.PageRows, t.cfg.BufferRows/4) || size < min(t.cfg.PageBytes, t.cfg.BufferBytes/4)) {
		return Limit{}, false
	}
	l := Limit{Rows: max(1, min(rows, t.cfg.PageRows)), Bytes: max(1, min(size, t.cfg.PageBytes))}
	if t.singles > 0 {
		l.Rows = min(l.Rows, 100)
	}
	return l, true
}

// shown is the newest snapshot of which rows have been read.
func (r *reader) shown() Snapshot {
	if r.to != "" {
		return r.to
	}
	return r.from
}

// planAgain reads the next page of a topic that catches up, the topics in turn.
func (r *reader) planAgain(n *agenda, limit Limit) bool {
	topics := r.t.order
	for i := range topics {
		tp := topics[(r.round+i)%len(topics)]
		if tp.catchUp == nil {
			r.begin(tp)
		}
		c := tp.catchUp
		if c == nil {
			continue
		}
		r.round = (r.round + i + 1) % len(topics)
		scope := Scope{Topic: tp.name}
		after := c.after
		if s := c.scopes[0]; s.kind == scopeKey && s.key.seq != 0 {
			after = s.key.seq - 1 // by itself
		} else if s.kind == scopeKey {
			for _, s := range c.scopes {
				scope.Keys = append(scope.Keys, s.key.key)
			}
		}
		n.do(opAgain{s: c.snapshot, scope: scope, after: after, upTo: c.upTo, limit: limit, catchUp: c})
		return true
	}
	return false
}

// begin starts reading again for a topic: the topic itself if it was paused, else
// its partitions together, else its keys together (a row without a key by itself):
// one reading passes all that waits, however few of its rows it wants. Everything unsettled that
// the newest snapshot shows is read, from the lowest seq: a row of the open tick
// may precede one that was skipped.
func (r *reader) begin(tp *topic) {
	var scopes []*scope
	for _, s := range tp.ready {
		switch {
		case tp.paused != nil:
			if s == tp.paused {
				scopes = append(scopes, s)
			}
		case s.kind == scopePartition:
			scopes = append(scopes, s)
		}
	}
	if len(scopes) == 0 && tp.paused == nil && len(tp.ready) > 0 {
		scopes = keysTogether(tp.ready)
	}
	if len(scopes) == 0 {
		return
	}
	c := &catchUp{topic: tp, scopes: scopes, snapshot: r.shown()}
	for _, s := range scopes {
		tp.unready(s)
		s.state, s.catchUp = catching, c
		c.upTo = max(c.upTo, s.skipped)
		s.skipped = 0
	}
	tp.catchUp = c
	r.ready += 1 - len(scopes)
}

// keysAtOnce bounds the keys that one reading asks for.
const keysAtOnce = 1000

// keysTogether picks the keys that are read again at once.
func keysTogether(ready []*scope) []*scope {
	if ready[0].key.seq != 0 {
		return []*scope{ready[0]}
	}
	var keys []*scope
	for _, s := range ready {
		if s.key.seq == 0 && len(keys) < keysAtOnce {
			keys = append(keys, s)
		}
	}
	return keys
}

// handle takes the outcome of a read.
func (r *reader) handle(now time.Duration, o outcome) {
	if o.err != nil {
		r.retryAt = now + backoff(r.t.cfg.OutageMin, r.t.cfg.OutageMax, r.failures)
		r.failures++
		r.err = o.err
		return
	}
	r.failures, r.err = 0, nil
	switch op := o.op.(type) {
	case opReadHeld:
		if r.heldLoaded {
			r.refreshHeld(o.held)
		} else {
			r.loadHeld(now, o.held)
		}
	case opSnapshot:
		if op.edits {
			r.editsFrom(o.snapshot)
		} else {
			r.snapshot(now, o.snapshot)
		}
	case opEdited:
		r.edited(o)
	case opDecisions:
		r.decide(now, op, o.decisions)
	case opBacklog:
		if op.suspect {
			r.judgeSuspect(o.entries)
			return
		}
		r.page(o.entries, o.more)
		if !o.more {
			r.backlogDone = true
			r.pollAt = now
		}
	case opTick:
		r.tickRows += len(o.entries)
		r.page(o.entries, o.more)
		if !o.more {
			r.closeTick(now)
		}
	case opAgain:
		if op.anyLeft != nil {
			r.left(op, o.entries)
			return
		}
		r.again(op, o)
	}
}

func (r *reader) page(rows []*entry, more bool) {
	for _, e := range rows {
		r.t.admit(e, nil)
	}
	if len(rows) > 0 {
		r.after = rows[len(rows)-1].row.Seq
	}
	if !more {
		r.after = 0
	}
}

func (r *reader) snapshot(now time.Duration, s Snapshot) {
	switch r.from {
	case "":
		r.from = s
	case s:
		r.idle(now)
	default:
		r.to = s
		r.after, r.tickRows = 0, 0
	}
}

func (r *reader) closeTick(now time.Duration) {
	r.from, r.to = r.to, ""
	if r.tickRows == 0 {
		r.idle(now)
		return
	}
	r.poll = r.t.cfg.PollMin
	r.pollAt = now
	r.soon = 0
}

// afterWake are the pauses after a wake-up that found nothing: it may have been
// sent before its COMMIT.
var afterWake = [...]time.Duration{2 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond}

// idle waits for the next look: soon after a wake-up, else longer each time, and
// in the end for the store.
func (r *reader) idle(now time.Duration) {
	cfg := r.t.cfg
	if r.soon > 0 {
		r.pollAt = now + afterWake[len(afterWake)-r.soon]
		r.soon--
		return
	}
	r.pollAt = now + r.poll
	if r.poll < cfg.PollMax {
		r.poll = min(2*r.poll, cfg.PollMax)
		return
	}
	if r.t.m.idles && cfg.IdleWait > 0 && now >= r.noIdle {
		r.waiting = true
	}
}

// planIdle has the store wait.
func (r *reader) planIdle(n *agenda) {
	if r.waiting {
		n.do(opIdle{read: r.from, limit: r.t.cfg.IdleWait})
	}
}

// waited takes what the store says. Also when nothing has moved the relay looks
// itself: a row whose seq was not drawn from the sequence, as a restore of single rows
// may bring, moves nothing that the store looks at.
func (r *reader) waited(now time.Duration, o outcome) {
	if o.err != nil {
		r.noIdle = now + r.t.cfg.OutageMax
	}
	if o.moved {
		r.poll = r.t.cfg.PollMin // what has moved may not be committed yet
	}
	if r.waiting || o.moved {
		r.waiting = false
		r.pollAt = now
	}
}

func (r *reader) again(op opAgain, o outcome) {
	c := op.catchUp
	if c.topic.catchUp != c {
		return // broken off meanwhile; what it stood for is skipped again
	}
	for _, e := range o.entries {
		if c.wants(r.t, e) {
			r.t.admit(e, c)
		}
		// Admitting a row may fail it, which may break the reading off.
		if c.topic.catchUp != c {
			return
		}
	}
	if len(o.entries) > 0 {
		c.after = o.entries[len(o.entries)-1].row.Seq
	}
	if o.more {
		return
	}
	c.topic.catchUp = nil
	r.ready--
	for _, s := range c.scopes {
		s.catchUp = nil
		s.state = waiting
		r.t.readyScope(s) // forgets it unless rows were skipped since
	}
}

// wants reports whether a row read for c belongs to what c catches up on.
func (c *catchUp) wants(t *term, e *entry) bool {
	switch c.scopes[0].kind {
	case scopeKey:
		return t.holds[keyOf(e.row.Topic, e.row.Key, e.row.Seq)].in(c)
	case scopeTopic:
		return true
	case scopePartition:
	}
	return e.row.Key != nil && c.topic.parts[t.partitionOf(e, c.topic)].aside.in(c)
}

func (s *scope) in(c *catchUp) bool { return s != nil && s.catchUp == c }

func (r *reader) loadHeld(now time.Duration, held []HeldRow) {
	r.heldLoaded = true
	t := r.t
	var scopes []*scope
	for _, h := range held {
		s := t.holdKey(keyOf(h.Topic, h.Key, h.Seq))
		t.holdRow(s, h.Seq, &heldRow{settled: true, dead: h.Dead, blocked: h.Dead, until: now + h.RetryIn})
		s.note(h.Seq)
		scopes = append(scopes, s)
	}
	for _, s := range scopes {
		t.schedule(s) // a second time changes nothing
	}
}

var errSuspectDied = suspectError{}

type suspectError struct{}

func (suspectError) Error() string {
	return "the relay died while it sent this row alone"
}

// judgeSuspect counts the death of the last leader against the row that it had
// named.
func (r *reader) judgeSuspect(rows []*entry) {
	r.suspectRead = true
	t := r.t
	if len(rows) == 0 || rows[0].row.Seq != t.m.lease.Suspect {
		t.suspectJudged() // settled meanwhile
		return
	}
	t.fail(rows[0], errSuspectDied)
}

// acted lists the decisions that were acted on and may not be marked yet.
func (r *reader) acted() []int64 { return slices.Sorted(maps.Keys(r.known)) }

// decide acts on what operators did to dead rows. What they did before the term
// needs no action: the held rows and the backlog, read afterwards, show it; acting
// on it later would release a row that has died again.
func (r *reader) decide(now time.Duration, op opDecisions, decisions []Decision) {
	t := r.t
	for _, id := range op.done {
		delete(r.known, id)
	}
	r.decided = nil
	r.decisionsAt = now + t.cfg.DecisionsEvery
	for _, d := range decisions {
		if r.known[d.ID] {
			continue
		}
		id := keyOf(d.Topic, d.Key, d.Seq)
		s := t.holds[id]
		holder := t.heldBy[d.Seq] // not s, if the row's key was edited
		if holder != nil && !holder.rows[d.Seq].settled {
			continue // its death is recorded, and the answer is on its way
		}
		r.known[d.ID] = true
		r.decided = append(r.decided, d.ID)
		if !r.pastRead {
			continue
		}
		if holder != nil {
			t.letGo(holder, d.Seq)
			if holder != s {
				t.schedule(holder)
			}
		}
		if s == nil {
			if d.Discarded {
				continue
			}
			s = t.holdKey(id)
		}
		if !d.Discarded {
			s.note(d.Seq)
		}
		t.schedule(s)
	}
	if len(decisions) == 0 {
		r.pastRead = true
	}
}
