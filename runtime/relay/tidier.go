package relay

import "time"

// tidier decides when the store moves its low-water mark, if it has one: some time after
// rows were settled, and again as long as the mark has not passed all rows.
type tidier struct {
	tidies bool
	at     time.Duration // when it moved last
	moved  int           // rows settled until then
	behind bool          // it has not passed all rows
	more   bool          // and can pass more now
}

const (
	// tidyEvery is the time between two moves while many rows are settled: a second, so
	// that little has to be read again after a take-over.
	tidyEvery = time.Second
	// tidyMany is how many rows are worth a move after that time.
	tidyMany = 1_000
	// tidySlowly is the time between two moves while few rows are settled.
	tidySlowly = 10 * time.Second
)

func newTidier(tidies bool, now time.Duration) tidier {
	return tidier{tidies: tidies, at: now, behind: true, more: true} // the last term may have left it behind
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
func (t *tidier) tidied(now time.Duration, moved int, tidied Tidied) {
	t.at, t.moved, t.behind, t.more = now, moved, !tidied.Done, tidied.More
}
