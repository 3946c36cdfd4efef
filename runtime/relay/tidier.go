package relay

import "time"

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
	if tidied.First > 0 && tidied.First != t.first || tidied.Done { // otherwise it may be the same
		t.first, t.firstAt = tidied.First, now
	}
	if tidied.SetAside || t.first > 0 && now-t.firstAt >= keptFor {
		t.firstAt = now
		r.lookUpTo(tidied.Last)
	}
}

// planSearch makes the store search below the mark.
func (r *reader) planSearch(n *agenda) {
	if r.tidier.tidies && r.backlogDone && n.due(r.tidier.searchAt) {
		n.do(opSearch{})
	}
}

// searched handles the store's answer. The leader knows the rows that wait. If none waits,
// somebody made the rows that were found unpublished.
func (r *reader) searched(now time.Duration, o outcome) {
	r.tidier.searchAt = now + searchEvery
	switch {
	case o.found == 0:
	case r.f.waits.count == 0:
		r.lookUpTo(o.found)
	default: // the next look is due soon
		r.edit.found = max(r.edit.found, o.found)
	}
}

// lookUpTo asks for a look for edited rows, at rows up to a seq.
func (r *reader) lookUpTo(seq int64) {
	r.edit.wanted, r.edit.found = true, max(r.edit.found, seq)
}
