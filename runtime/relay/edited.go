package relay

import (
	"maps"
	"slices"
	"time"
)

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

// wantEdits asks for a look.
func (r *reader) wantEdits() { r.edit.wanted = true }

// planEdits starts the next read of a look, if one is due, and reports whether it
// did. Pages take turns with other reads.
func (r *reader) planEdits(n *agenda) bool {
	e := &r.edit
	if !r.backlogDone || r.t.m.off.noEdits {
		return false
	}
	if e.stage == editIdle && r.t.scopes > 0 {
		if e.again == 0 {
			e.again = n.now + r.t.cfg.PauseMax
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
	others := r.to != "" || r.ready > 0 || r.t.woken || !r.waiting && r.pollAt <= now
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
	var paused []*topic
	for _, tp := range r.t.order {
		if tp.paused != nil {
			paused = append(paused, tp)
		}
	}
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
		case r.t.idle(s.topic):
			r.t.noneLeft(s)
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
	if len(rows) > 0 || s.state != waiting || s.skipped != op.upTo || !r.t.idle(s.topic) {
		return
	}
	r.t.noneLeft(s)
}

// editsFrom begins to read the edited rows.
func (r *reader) editsFrom(edits Snapshot) {
	e := &r.edit
	e.stage, e.edits, e.shown = editPages, edits, r.from
	if r.t.m.off.editsAhead {
		e.shown = r.shown()
	}
	e.after, e.upTo, e.last = 0, r.high, false
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
	r.t.forgetTopics()
	e.at = now + max(r.t.cfg.PauseMin, editShare*(now-e.began))
}

// edited takes a page of edited rows.
func (r *reader) edited(o outcome) {
	for _, e := range o.entries {
		r.t.admit(e, nil)
	}
	r.edit.after = o.end
	if !o.more {
		r.pagesDone()
	}
}

// refreshHeld compares the rows that hold keys with those that the outbox lists.
// What was settled while the list was read is left for the next time.
func (r *reader) refreshHeld(listed []HeldRow) {
	t := r.t
	r.edit.stage = editSnapshot
	found := make(map[int64]*HeldRow, len(listed))
	for i := range listed {
		found[listed[i].Seq] = &listed[i]
	}
	for _, seq := range slices.Sorted(maps.Keys(t.heldBy)) {
		s := t.heldBy[seq]
		held := s.rows[seq]
		if !held.settled {
			continue
		}
		if held.fresh && !t.m.off.noFresh {
			held.fresh = false
			continue
		}
		h := found[seq]
		if h == nil || keyOf(h.Topic, h.Key, h.Seq) != s.key || h.Dead != held.blocked {
			t.letGo(s, seq)
			t.schedule(s)
		}
	}
	for i := range listed {
		h := &listed[i]
		_, known := t.mem[h.Seq]
		_, settled := t.recent[h.Seq]
		if !h.Dead || known || settled || t.heldBy[h.Seq] != nil {
			continue
		}
		s := t.holdKey(keyOf(h.Topic, h.Key, h.Seq))
		t.holdRow(s, h.Seq, &heldRow{settled: true, dead: true, blocked: true})
		s.note(h.Seq)
	}
}
