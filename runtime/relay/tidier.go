package relay

import (
	"math"
	"time"
)

// tidier decides when the store moves its low-water mark, if it has one: some time after
// rows were settled, and again as long as the mark has not passed all rows. It also makes
// the store search below the mark.
type tidier struct {
	tidies   bool
	at       time.Duration // when it moved last
	moved    int           // rows settled until then
	behind   bool          // it has not passed all rows
	more     bool          // and can pass more now
	first    int64         // the row that keeps it from moving; 0: none
	firstAt  time.Duration // since when, or when the last look for edited rows was asked for
	there    int64         // rows up to this seq were there when a row began to keep it from moving
	thereAt  time.Duration // when that was
	searchAt time.Duration
}

const (
	// tidyEvery is the time between two moves while many rows are settled: a second, so
	// that little has to be read again after a take-over.
	tidyEvery = time.Second
	// tidyMany is how many rows are worth a move after that time.
	tidyMany = 1_000
	// tidySlowly is the time between two moves while few rows are settled.
	tidySlowly = 10 * time.Second
	// keptFor is how long a row keeps the mark from moving before the relay looks for edited
	// rows: somebody may have made a published row unpublished, so that no read finds it.
	keptFor = 30 * time.Second
	// asideAfter is how long rows keep the mark from moving before they may be set aside.
	// That writes each of them once more, so it is not worth it for rows that are sent soon.
	asideAfter = 10 * time.Second
	// searchEvery is the time between two searches. Each one looks at a page of rows, and
	// rarely is there anything to find.
	searchEvery = 10 * time.Second
)

func newTidier(tidies bool, now time.Duration) tidier {
	return tidier{tidies: tidies, at: now, behind: true, more: true, searchAt: now + searchEvery} // the last term may have left it behind
}

// due reports whether the mark is to be moved. moved is how many rows this term has
// settled.
func (t *tidier) due(n *agenda, moved int) bool {
	switch {
	case !t.tidies:
		return false
	case moved-t.moved >= tidyMany, t.more:
		return n.due(t.at + tidyEvery)
	case moved > t.moved || t.behind:
		return n.due(t.at + tidySlowly)
	}
	return false
}

// tidied handles the store's answer.
func (r *reader) tidied(now time.Duration, op opTidy, tidied Tidied) {
	t := &r.tidier
	t.at, t.moved, t.behind, t.more = now, op.moved, !tidied.Done, tidied.More
	if tidied.First == 0 || tidied.First > t.there {
		t.there, t.thereAt = tidied.Safe, now
	}
	if tidied.First != t.first {
		t.first, t.firstAt = tidied.First, now
	}
	switch {
	case t.first > 0 && now-t.firstAt >= keptFor:
		t.firstAt = now
		r.lookUpTo(tidied.Last)
	case tidied.SetAside:
		r.mayWait(tidied.Last)
	}
}

// setAside returns up to where rows may be set aside; 0: nowhere. Rows in memory, and rows
// that were not read yet, will be sent soon. A row of a page whose answer was lost counts as not
// read: a store that leaves out what it has set aside would not return it again.
func (r *reader) setAside(now time.Duration) int64 {
	t := &r.tidier
	if t.first == 0 || now-t.thereAt < asideAfter || r.edit.stage != editIdle {
		return 0
	}
	upTo := t.there
	upTo = min(upTo, r.received())
	for seq := range r.f.queue.mem {
		upTo = min(upTo, seq-1)
	}
	return upTo
}

// received returns up to where rows of the open tick, or of the backlog, were received. The reader
// does not ask between opening a tick and its first page: the answer would always be 0.
func (r *reader) received() int64 {
	if !r.backlogDone || r.to != "" {
		return r.after
	}
	return math.MaxInt64
}

// planSearch makes the store search below the mark.
func (r *reader) planSearch(n *agenda) {
	if r.tidier.tidies && r.backlogDone && n.due(r.tidier.searchAt) {
		n.do(opSearch{})
	}
}

// searched handles the store's answer.
func (r *reader) searched(now time.Duration, o outcome) {
	r.tidier.searchAt = now + searchEvery
	if o.found > 0 {
		r.mayWait(o.found)
	}
}

// mayWait notes unsettled rows up to a seq, which the leader knows if they wait. If none
// waits, somebody made them unpublished.
func (r *reader) mayWait(seq int64) {
	if r.f.waits.count == 0 {
		r.lookUpTo(seq)
		return
	}
	r.edit.found = max(r.edit.found, seq) // the next look is due soon
}

// lookUpTo asks for a look for edited rows, at rows up to a seq.
func (r *reader) lookUpTo(seq int64) {
	r.edit.wanted, r.edit.found = true, max(r.edit.found, seq)
}
