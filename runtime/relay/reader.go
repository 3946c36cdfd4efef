package relay

import (
	"maps"
	"slices"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// reader decides what the leader reads next: the held rows; the backlog, which is what
// its first snapshot shows; then tick after tick. In turn with these it reads skipped
// rows again. One read is under way at a time.
type reader struct {
	f   *flow
	cfg *Config

	pauser      bool   // the store has pauses of operators
	pauses      string // version of the operators' pauses that are obeyed; "": not read yet
	pausesRead  bool   // they are the newest that the leader has heard of, or the store has none
	pastRead    bool   // decisions from before the term were read
	heldLoaded  bool
	suspectRead bool
	backlogDone bool
	from        Snapshot // every row that it shows is read or, until backlogDone, being read
	to          Snapshot // of the open tick; "": none
	after       int64
	tickRows    int

	againLast bool // the last page read skipped rows again
	round     int  // whose turn it is to be read again
	poller    poller
	woken     bool
	edit      editor
	tidier    tidier

	failures int
	retryAt  time.Duration
	err      error

	decisionsAt time.Duration
	marked      []int64        // decisions acted on, which the store may mark with the next look
	known       map[int64]bool // decisions acted on and not yet marked
}

func newReader(f *flow, idles, tidies bool, now time.Duration) *reader {
	_, pauser := f.cfg.Store.(Pauser)
	return &reader{
		f: f, cfg: f.cfg, pauser: pauser, pausesRead: !pauser, poller: newPoller(f.cfg, idles, now), tidier: newTidier(tidies, now),
		decisionsAt: now + f.cfg.DecisionsEvery, known: map[int64]bool{},
	}
}

// plan starts the next read.
func (r *reader) plan(n *agenda) {
	suspect := &r.f.suspect
	if !n.due(r.retryAt) {
		return
	}
	switch {
	case !r.pausesRead:
		n.do(opPauses{})
		return
	case !r.pastRead:
		n.do(opDecisions{r.marked})
		return
	case !r.heldLoaded:
		n.do(opReadHeld{})
		return
	case r.from == "":
		n.do(opSnapshot{})
		return
	case !r.suspectRead && suspect.inherited != 0:
		n.do(opBacklog{s: r.from, after: suspect.inherited - 1, limit: Limit{Rows: 1, Bytes: 1}, suspect: true})
		return
	case n.due(r.decisionsAt):
		n.do(opDecisions{r.marked})
		return
	}
	if (r.to == "" || r.after > 0) && r.tidier.due(n, r.f.moved) { // see received
		n.do(opTidy{setAside: r.setAside(n.now), moved: r.f.moved})
		return
	}
	if r.planEdits(n) {
		return
	}
	limit, ok := r.room()
	if !ok {
		return
	}
	if !r.againLast && r.planAgain(n, limit) {
		r.againLast = true
		return
	}
	r.againLast = false
	switch {
	case !r.backlogDone:
		n.do(opBacklog{s: r.from, after: r.after, limit: limit})
	case r.to != "":
		n.do(opTick{from: r.from, to: r.to, after: r.after, limit: limit})
	case r.woken:
		r.woken = false
		r.poller.woken()
		n.do(opSnapshot{})
	case r.poller.due(n):
		n.do(opSnapshot{})
	default:
		r.againLast = r.planAgain(n, limit)
	}
}

// planIdle makes the store wait for rows.
func (r *reader) planIdle(n *agenda) {
	if r.poller.waiting {
		n.do(opIdle{read: r.from, limit: r.cfg.IdleWait})
	}
}

// room returns the limit of the next page. It is nothing until a good part of a page
// fits.
func (r *reader) room() (Limit, bool) {
	limit, ok := r.f.queue.pageRoom()
	if r.f.suspect.searching() {
		limit.Rows = min(limit.Rows, 100)
	}
	return limit, ok
}

// shown returns the newest snapshot whose rows have been read.
func (r *reader) shown() Snapshot {
	if r.to != "" {
		return r.to
	}
	return r.from
}

// planAgain reads the next page of a topic that catches up. The topics take turns.
func (r *reader) planAgain(n *agenda, limit Limit) bool {
	if r.f.waits.toRead == 0 {
		return false
	}
	topics := r.f.queue.topics.order
	for i := range topics {
		tp := topics[(r.round+i)%len(topics)]
		if tp.catchUp == nil {
			r.f.waits.catchUp(tp, r.shown())
		}
		c := tp.catchUp
		if c == nil {
			continue
		}
		r.round = (r.round + i + 1) % len(topics)
		rows := Selection{Topic: tp.name}
		after := c.after
		if s := c.scopes[0]; s.kind == scopeKey && s.key.seq != 0 {
			after = max(after, s.key.seq-1) // a row without a key
		} else if s.kind == scopeKey {
			for _, s := range c.scopes {
				rows.Keys = append(rows.Keys, s.key.key)
			}
		}
		n.do(opAgain{s: c.snapshot, rows: rows, after: after, upTo: c.upTo, limit: limit, catchUp: c})
		return true
	}
	return false
}

// handle takes the outcome of a read.
func (r *reader) handle(now time.Duration, o outcome) {
	if op, ok := o.op.(opTidy); ok {
		r.tidied(now, op, o.tidied)
		return
	}
	if o.err != nil {
		r.failures++
		r.retryAt = now + backoff.Pause(r.cfg.OutageMin, r.cfg.OutageMax, r.failures)
		r.err = o.err
		return
	}
	r.failures, r.err = 0, nil
	switch op := o.op.(type) {
	case opPauses:
		r.pauses, r.pausesRead = o.pauses.Version, true
		r.f.targets.operatorPaused(o.pauses.List)
	case opReadHeld:
		if r.heldLoaded {
			r.edit.stage = editSnapshot
			r.f.waits.compare(o.held)
		} else {
			r.heldLoaded = true
			r.f.waits.load(now, o.held)
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
		r.page(o)
		if !o.more {
			r.backlogDone = true
			r.poller.lookAt(now)
		}
	case opTick:
		r.tickRows += len(o.entries)
		r.page(o)
		if !o.more {
			r.closeTick(now)
		}
	case opAgain:
		if op.anyLeft != nil {
			r.left(op, o)
			return
		}
		r.again(op, o)
	}
}

func (r *reader) page(o outcome) {
	for _, e := range o.entries {
		r.f.admit(e, nil)
	}
	r.after = o.lookedAt(r.after)
	if !o.more {
		r.after = 0
	}
}

// lookedAt returns the last seq that a page has looked at; after is the one before it.
func (o *outcome) lookedAt(after int64) int64 {
	if n := len(o.entries); n > 0 {
		after = o.entries[n-1].row.Seq
	}
	return max(after, o.end)
}

func (r *reader) snapshot(now time.Duration, s Snapshot) {
	switch r.from {
	case "":
		r.from = s
	case s:
		r.poller.foundNothing(now)
	default:
		r.to = s
		r.after, r.tickRows = 0, 0
	}
}

func (r *reader) closeTick(now time.Duration) {
	r.from, r.to = r.to, ""
	if r.tickRows == 0 {
		r.poller.foundNothing(now)
		return
	}
	r.poller.found(now)
}

// wake records that rows may be waiting; decisions records that operators may have
// decided something.
func (r *reader) wake()                       { r.woken = true }
func (r *reader) decisions(now time.Duration) { r.decisionsAt = now }

// pausesAre records which version of the operators' pauses a renewal has seen; "": none.
func (r *reader) pausesAre(version string) {
	if r.pauser && version != "" && version != r.pauses {
		r.pausesRead = false
	}
}

// waited handles the store's answer.
func (r *reader) waited(now time.Duration, o outcome) { r.poller.waited(now, o.moved, o.err) }

func (r *reader) again(op opAgain, o outcome) {
	c := op.catchUp
	if c.topic.catchUp != c {
		return // it was ended meanwhile; its rows count as skipped again
	}
	for _, e := range o.entries {
		if r.f.waits.wants(c, e) {
			r.f.admit(e, c)
		}
		// Admitting a row may fail it, which may end the catch-up.
		if c.topic.catchUp != c {
			return
		}
	}
	c.after = o.lookedAt(c.after)
	if o.more {
		return
	}
	r.f.waits.caughtUp(c)
}

var errSuspectDied = suspectError{}

type suspectError struct{}

func (suspectError) Error() string {
	return "the relay died while it sent this row alone"
}

// judgeSuspect counts the death of the last leader as a failed attempt of the row that
// it had named.
func (r *reader) judgeSuspect(rows []*entry) {
	r.suspectRead = true
	if len(rows) == 0 || rows[0].row.Seq != r.f.suspect.inherited {
		r.f.suspect.judge() // settled meanwhile
		return
	}
	r.f.fail(rows[0], errSuspectDied)
}

// acted lists the decisions that were acted on and may not be marked yet.
func (r *reader) acted() []int64 { return slices.Sorted(maps.Keys(r.known)) }

// decide acts on what operators did to dead rows. Decisions from before the term need
// no action, because the held rows and the backlog, which are read later, show their
// effect. Acting on them later would free the key of a row that has died again.
func (r *reader) decide(now time.Duration, op opDecisions, decisions []Decision) {
	for _, id := range op.done {
		delete(r.known, id)
	}
	r.marked = nil
	r.decisionsAt = now + r.cfg.DecisionsEvery
	for _, d := range decisions {
		if r.known[d.ID] || r.f.waits.recording(d.Seq) {
			continue // or its death is being recorded
		}
		r.known[d.ID] = true
		r.marked = append(r.marked, d.ID)
		if r.pastRead {
			r.f.waits.decided(d)
		}
	}
	if len(decisions) == 0 {
		r.pastRead = true
	}
}

// repeats reports whether a read that failed, or another one of its kind, is still to
// be made.
func (r *reader) repeats(c command) bool {
	_, room := r.room() // no room: Kafka is slow
	switch c.(type) {
	case opReadHeld:
		return !r.heldLoaded || r.edit.stage == editHeld
	case opBacklog:
		return room && !r.backlogDone
	case opTick:
		return room && r.to != ""
	case opAgain:
		return room && (r.edit.stage == editTopics || slices.ContainsFunc(r.f.queue.topics.order, (*topic).readsAgain))
	case opEdited:
		return room && r.edit.stage == editPages
	case opTidy:
		return false // reading goes on without it
	}
	return true
}
