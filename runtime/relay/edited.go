package relay

import "time"

// editor finds rows that wait and that an operator edited. The relay does not keep
// skipped rows in memory, only the scope that they wait for. If an edit moves a row to
// another scope, or out of any, reading its former scope again does not find it. So
// while anything waits, and once more after that, the leader looks for edited rows:
//
//	idle ──wanted──▶ held ──▶ snapshot ──▶ pages ──▶ topics ──▶ idle
//
// First it reads the held rows again. If a row is no longer among them, an operator
// deleted, moved or replayed it, or ended its wait, and it no longer holds its key. Then
// it reads all edited rows that the newest finished snapshot shows, in seq order, and
// admits them like other rows: rows in memory are known already, and rows of a scope are
// skipped with it. An edit counts only if it is in a snapshot that was taken after the
// look began. So if two rows are edited together, no page has the second one alone.
//
// The same look finds rows that were published and that somebody made unpublished by hand.
// The tidier asks for it, whether or not anything waits.
//
// Last, it checks for some of the paused topics whether rows are left for them. If the
// rows were corrected or deleted, no row waits for the topic, and it would stay paused
// as long as it cannot be described.
//
// An edited row in a finished snapshot has no predecessor that has yet to be read for
// the first time. So admitting it here does not change the order of rows that were not
// edited.
type editor struct {
	stage  editStage
	wanted bool          // something waits, or no longer does, or the tidier asks for a look
	found  int64         // look at least up to this seq
	seen   int           // of waits.changes
	at     time.Duration // time of the next look, if it is wanted
	again  time.Duration // pause before the next look while something waits; 0: nothing waits
	began  time.Duration
	edits  Snapshot // shows the edits that count
	shown  Snapshot // shows the rows
	after  int64
	upTo   int64
	last   bool // the last read was for this
	topics []*topic
	turn   int // first paused topic of the next look
}

type editStage int

const (
	editIdle editStage = iota
	editHeld
	editSnapshot
	editPages
	editTopics
)

// editShare limits the share of the leader's time for edited rows: one in editShare.
const editShare = 20

// planEdits starts the next read of a look, if one is due, and reports whether it did.
// It takes turns with other reads.
func (r *reader) planEdits(n *agenda) bool {
	e, waits := &r.edit, &r.f.waits
	if !r.backlogDone {
		return false
	}
	if e.stage == editIdle && e.seen != waits.changes {
		e.wanted, e.seen = true, waits.changes
	}
	if e.stage == editIdle && waits.count > 0 {
		if e.again == 0 {
			e.again = n.now + r.cfg.PauseMax
		}
		e.wanted = e.wanted || n.due(e.again)
	}
	switch e.stage {
	case editIdle:
		if !e.wanted || !n.due(e.at) {
			return false
		}
		e.wanted, e.again = false, 0
		e.stage, e.began = editHeld, n.now
		n.do(opReadHeld{})
	case editHeld:
		n.do(opReadHeld{})
	case editSnapshot:
		n.do(opSnapshot{edits: true})
	case editPages:
		limit, ok := r.room()
		if r.othersFirst(n.now) || !ok {
			return false
		}
		e.last = true
		n.do(opEdited{s: e.shown, edits: e.edits, after: e.after, upTo: e.upTo, limit: limit})
	case editTopics:
		s := r.nextPaused(n.now)
		if s == nil || r.othersFirst(n.now) {
			return false
		}
		e.last = true
		n.do(opAgain{
			s: r.shown(), rows: Selection{Topic: s.topic.name}, upTo: s.skipped, limit: Limit{Rows: 1, Bytes: 1}, anyLeft: s,
		})
	}
	return true
}

// othersFirst reports whether other reads come first.
func (r *reader) othersFirst(now time.Duration) bool {
	others := r.to != "" || r.f.waits.toRead > 0 || r.woken || !r.poller.waiting && r.poller.at <= now
	if others && r.edit.last {
		r.edit.last = false
		return true
	}
	return false
}

// topicsAtOnce limits the paused topics that one look checks.
const topicsAtOnce = 10

// pausedTopics picks the topics for the look that begins, in turn.
func (r *reader) pausedTopics() []*topic {
	e := &r.edit
	paused := r.f.targets.paused()
	if len(paused) <= topicsAtOnce {
		return paused
	}
	from := e.turn % len(paused)
	e.turn = from + topicsAtOnce
	return append(paused[from:], paused[:from]...)[:topicsAtOnce]
}

// nextPaused returns the next topic to check; nil: the look is over.
func (r *reader) nextPaused(now time.Duration) *scope {
	e := &r.edit
	for len(e.topics) > 0 {
		s := e.topics[0].paused
		switch {
		case s == nil || s.state != waiting:
		case s.skipped > 0:
			return s
		case r.f.queue.idle(s.topic):
			r.f.targets.noneLeft(s)
		}
		e.topics = e.topics[1:]
	}
	r.editsDone(now)
	return nil
}

// left handles the answer whether the topic has rows left.
func (r *reader) left(op opAgain, o outcome) {
	s, e := op.anyLeft, &r.edit
	if len(e.topics) > 0 && e.topics[0].paused == s {
		e.topics = e.topics[1:]
	}
	if len(o.entries) > 0 || o.more || s.state != waiting || s.skipped != op.upTo || !r.f.queue.idle(s.topic) {
		return
	}
	r.f.targets.noneLeft(s)
}

// editsFrom begins to read the edited rows.
func (r *reader) editsFrom(edits Snapshot) {
	e := &r.edit
	e.stage, e.edits, e.shown = editPages, edits, r.from
	e.after, e.upTo, e.last = 0, max(r.f.queue.high, e.found), false
	if e.upTo == 0 {
		r.pagesDone()
	}
}

// pagesDone continues with the paused topics.
func (r *reader) pagesDone() {
	r.edit.stage = editTopics
	r.edit.topics = r.pausedTopics()
}

// editsDone ends a look and sets the time of the next one.
func (r *reader) editsDone(now time.Duration) {
	e := &r.edit
	e.stage = editIdle
	r.f.targets.forgetUnused()
	e.at = now + max(r.cfg.PauseMin, editShare*(now-e.began))
}

// edited handles a page of edited rows.
func (r *reader) edited(o outcome) {
	for _, e := range o.entries {
		r.f.admit(e, nil)
	}
	r.edit.after = o.end
	if !o.more {
		r.pagesDone()
	}
}
