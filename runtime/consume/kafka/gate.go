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
	holdFailing                  // its fetches fail at once; it is tried again after a pause
)

// gate pauses fetching a partition, or all of them, while there is a reason to.
type gate struct {
	client *kgo.Client

	mu     sync.Mutex
	holds  map[partition]hold
	topics map[string]bool
	closed bool // all of them
}

func newGate(client *kgo.Client) *gate {
	return &gate{client: client, holds: map[partition]hold{}, topics: map[string]bool{}}
}

// know tells of a topic, for shutAll.
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

// shutAll pauses every partition, beside the reasons that each may have.
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

// list is called with the lock held.
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

// forget opens partitions that went to another member: one that comes back must
// not be paused.
func (g *gate) forget(partitions map[string][]int32) {
	for topic, ids := range partitions {
		for _, id := range ids {
			g.open(partition{topic, id}, holdFull|holdFailing)
		}
	}
}
