package kafka

import (
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// hold is a reason not to fetch a partition for now.
type hold uint8

const (
	holdFull    hold = 1 << iota // enough of its records wait in memory
	holdFailing                  // its fetches fail immediately; tried again after a pause
	holdSeeking                  // it continues elsewhere when its handlers have ended
)

// gate pauses fetching a partition, or all partitions, while there is a reason.
type gate struct {
	client *kgo.Client

	mu     sync.Mutex
	holds  map[partition]hold
	topics map[string]bool
	closed bool // all partitions are paused
}

func newGate(client *kgo.Client) *gate {
	return &gate{client: client, holds: map[partition]hold{}, topics: map[string]bool{}}
}

// know adds a topic for shutAll.
func (g *gate) know(topic string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.topics[topic] {
		return
	}
	if g.topics[topic] = true; g.closed {
		g.client.PauseFetchTopics(topic)
	}
}

// shutAll pauses every partition, in addition to each one's own reasons.
func (g *gate) shutAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.client.PauseFetchTopics(g.list()...)
}

func (g *gate) openAll() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = false
	g.client.ResumeFetchTopics(g.list()...)
}

// list requires the lock.
func (g *gate) list() []string { return slices.Collect(maps.Keys(g.topics)) }

func (g *gate) shut(p partition, why hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.holds[p] == 0 {
		g.client.PauseFetchPartitions(p.list())
	}
	g.holds[p] |= why
}

func (g *gate) open(p partition, why hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before := g.holds[p]
	if before&why == 0 {
		return
	}
	if g.holds[p] &^= why; g.holds[p] == 0 {
		delete(g.holds, p)
		g.client.ResumeFetchPartitions(p.list())
	}
}

// forget removes the pauses of partitions that went to another member, so that a
// partition is not paused when it comes back.
func (g *gate) forget(partitions map[string][]int32) {
	for p := range each(partitions) {
		g.open(p, holdFull|holdFailing|holdSeeking)
	}
}
