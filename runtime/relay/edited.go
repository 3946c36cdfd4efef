package relay

import "time"

// editor finds what an operator changed by hand in rows that wait. Rows that are
// skipped are not kept, only the scope that they wait for. A row that is corrected
// so that it belongs to another scope, or to none, would not be found when its
// former scope is read again. So, while anything waits and once more when it no
// longer does, a leader looks for rows that were edited:
//
//	idle ──wanted──▶ held ──▶ snapshot ──▶ pages ──▶ topics ──▶ idle
//
// First the held rows are read again: a row that is no longer among them was
// deleted, moved or released by hand, and holds its key no more. Then all edited
// rows are read that the newest finished snapshot shows, in seq order, and are
// admitted like any others: those in memory are known, those of a scope are noted
// with it. Only edits count that a snapshot shows which was taken after the look
// was asked for, so that of two rows that are corrected together, no page shows
// the second alone.
//
// Last, some of the paused topics are looked at for whether any row is left for them:
// one that was corrected or deleted leaves a topic behind that nobody waits for, and
// that would stay paused for as long as it cannot be described.
//
// An edited row that a finished snapshot shows has no predecessor that is still to
// be read for the first time, so admitting it here cannot change the order of rows
// that nobody edited.
type editor struct {
	stage  editStage
	wanted bool          // something waits, or has ceased to
	seen   int           // of waits.changes
	at     time.Duration // the next look, if it is wanted
	again  time.Duration // the next look while something goes on waiting; 0: nothing does
	began  time.Duration
	edits  Snapshot // shows the edits that count
	shown  Snapshot // shows the rows
	after  int64
	upTo   int64
	last   bool // the last read was one of these
	topics []*topic
	turn   int // which paused topic comes first in the next look
}

type editStage int

const (
	editIdle editStage = iota
	editHeld
	editSnapshot
	editPages
	editTopics
)

// editShare bounds the share of its time that a leader looks for edits: one in so
// many.
const editShare = 20

// planEdits starts the next read of a look, if one is due, and reports whether it
// did. Pages take turns with other reads.
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
			s: r.shown(), scope: Scope{Topic: s.topic.name}, upTo: s.skipped, limit: Limit{Rows: 1, Bytes: 1}, anyLeft: s,
		})
	}
	return true
}

// othersFirst reports whether it is the turn of other reads.
func (r *reader) othersFirst(now time.Duration) bool {
	others := r.to != "" || r.f.waits.toRead > 0 || r.woken || !r.poller.waiting && r.poller.at <= now
	if others && r.edit.last {
		r.edit.last = false
		return true
	}
	return false
}

// topicsAtOnce bounds the paused topics of which one look asks whether rows are left.
const topicsAtOnce = 10

// pausedTopics picks those of the look that begins, in turn.
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

// nextPaused is the next topic to ask about; nil: the look is over.
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

// left takes the answer whether the topic has rows left.
func (r *reader) left(op opAgain, rows []*entry) {
	s, e := op.anyLeft, &r.edit
	if len(e.topics) > 0 && e.topics[0].paused == s {
		e.topics = e.topics[1:]
	}
	if len(rows) > 0 || s.state != waiting || s.skipped != op.upTo || !r.f.queue.idle(s.topic) {
		return
	}
	r.f.targets.noneLeft(s)
}

// editsFrom begins to read the edited rows.
func (r *reader) editsFrom(edits Snapshot) {
	e := &r.edit
	e.stage, e.edits, e.shown = editPages, edits, r.from
	e.after, e.upTo, e.last = 0, r.f.queue.high, false
	if e.upTo == 0 {
		r.pagesDone()
	}
}

// pagesDone goes on with the paused topics.
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

// edited takes a page of edited rows.
func (r *reader) edited(o outcome) {
	for _, e := range o.entries {
		r.f.admit(e, nil)
	}
	r.edit.after = o.end
	if !o.more {
		r.pagesDone()
	}
}
