package relay

import (
	"container/heap"
	"time"
)

// scope is something whose rows wait: a key whose row failed, a partition that is set
// aside, or a topic that is paused. Its rows are skipped when they are read and not
// kept, so a scope costs the same however long it lasts. When the wait is over, the
// skipped rows are read again in seq order (the scope catches up). Until that is done,
// its other rows are skipped:
//
//	waiting ──time over, failure settled──▶ toRead ──reader──▶ catching ──nothing skipped since──▶ gone
//	   ▲                                     ▲                 │  │
//	   │                                     └──rows skipped───┘  │
//	   └───────────────────── failed again ───────────────────────┘
type scope struct {
	kind  scopeKind
	topic *topic
	key   keyID // scopeKey
	part  int32 // scopePartition

	state   scopeState
	until   time.Duration // waiting: when it ends
	skipped int64         // highest seq skipped since the current catch-up began; 0: none
	catchUp *catchUp      // catching
	rows    map[int64]*heldRow
	look    bool // a key: the outbox may have further dead rows that block it
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
	toRead
	catching
	gone
)

// catchUp is one reading of the rows that a topic's scopes skipped: of the whole topic,
// of several partitions together, or of keys.
type catchUp struct {
	topic       *topic
	scopes      []*scope
	snapshot    Snapshot
	after, upTo int64
}

func (s *scope) skip(seq int64) { s.skipped = max(s.skipped, seq) }

// blocks reports whether rows that src read have to be skipped.
func (s *scope) blocks(src *catchUp) bool {
	return s != nil && (s.state != catching || s.catchUp != src)
}

func (s *scope) in(c *catchUp) bool { return s != nil && s.catchUp == c }

// timers orders scopes by the end of their wait. An entry whose scope has changed since
// is ignored.
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
