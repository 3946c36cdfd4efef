package kafka

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The client's memory is bounded by what it asks the brokers for, and it asks
// for compressed bytes. So a quarter of the budget is for what the client has
// fetched and not given out, the rest for what waits for handlers:
//
//	fetch, per broker       1/4, divided by the brokers and by the compression ratio
//	fetch, per partition    1/4, divided by the partitions and by the compression ratio
//	waiting, per partition  1/4, divided by the partitions; more while less than 1/4 waits in all
//	waiting, in all         3/4; then nothing is fetched until it is 5/8
//
// The shares keep a partition whose handler stands still from taking the room of
// the others; the last line holds whatever the batches look like. A broker sends at
// least one batch, so a record that is larger than all of this gets through, and
// one batch of each broker may come on top.
const (
	minBuffer         = 1 << 20
	minFetch          = 4 << 10
	maxPartitionFetch = 1 << 20
	maxBrokerFetch    = 50 << 20
)

// The client's own defaults, off by one: who sets FetchMaxBytes or
// FetchMaxPartitionBytes is recognised by another value, and left alone.
const (
	fetchMark          = minFetch + 2
	partitionFetchMark = minFetch + 1
)

// budget bounds the bytes of records that are in memory.
type budget struct {
	limit   int64
	waiting atomic.Int64 // bytes that workers have not handled
	records atomic.Int64
	crowded atomic.Bool

	crowd sync.Mutex // for crowded to change
	gate  *gate
	since time.Time // since when it is crowded

	mu          sync.Mutex
	client      *kgo.Client
	adaptive    bool // the user has not set the sizes of fetches
	brokers     int64
	partitions  int64
	compressed  int64 // of the recent batches
	expanded    int64
	last        int64 // by how much the last batch was compressed
	fetchBytes  int32
	fetchByPart int32
}

// OnFetchBatchRead learns how well batches are compressed; it is a hook of the
// client.
func (b *budget) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const window = 16 << 20 // older batches count half each time this is reached
	b.last = int64(m.UncompressedBytes) / max(1, int64(m.CompressedBytes))
	b.compressed += int64(m.CompressedBytes)
	b.expanded += int64(m.UncompressedBytes)
	if b.expanded > window {
		b.compressed, b.expanded = b.compressed/2, b.expanded/2
	}
	b.adapt()
}

// begin takes the client, and notices whether its user has set sizes.
func (b *budget) begin(client *kgo.Client, gate *gate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.client, b.gate = client, gate
	b.adaptive = client.OptValue(kgo.FetchMaxBytes) == int32(fetchMark) &&
		client.OptValue(kgo.FetchMaxPartitionBytes) == int32(partitionFetchMark)
	b.adapt()
}

// share tells among how many brokers and partitions the budget is divided; what
// is below one stays as it was.
func (b *budget) share(brokers, partitions int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if brokers > 0 {
		b.brokers = int64(brokers)
	}
	if partitions > 0 {
		b.partitions = int64(partitions)
	}
	b.adapt()
}

// adapt is called with the lock held.
func (b *budget) adapt() {
	if b.client == nil || !b.adaptive {
		return
	}
	if b.expanded == 0 { // nobody knows yet what the batches are like
		b.set(minFetch, minFetch)
		return
	}
	ratio := max(1, b.last, (b.expanded+b.compressed-1)/max(1, b.compressed))
	bound := func(n, most int64) int32 { return int32(min(max(n, minFetch), most)) }
	fetch := bound(b.limit/4/max(1, b.brokers)/ratio, maxBrokerFetch)
	byPart := min(bound(b.limit/4/max(1, b.partitions)/ratio, maxPartitionFetch), fetch)
	b.set(fetch, byPart)
}

// set is called with the lock held.
func (b *budget) set(fetch, byPart int32) {
	if fetch != b.fetchBytes || byPart != b.fetchByPart {
		b.fetchBytes, b.fetchByPart = fetch, byPart
		b.client.UpdateFetchMaxBytes(fetch, byPart)
	}
}

// full reports whether a partition with so many waiting bytes is to be paused: it
// has its share, and there is no room left beyond the shares of the others.
func (b *budget) full(waiting int64) bool {
	return waiting > b.ofPartition() && b.waiting.Load() > b.limit/4
}

// roomy reports whether a paused partition may be fetched again.
func (b *budget) roomy(waiting int64) bool {
	return waiting <= b.ofPartition()/2 || b.waiting.Load() <= b.limit/8
}

func (b *budget) ofPartition() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit / 4 / max(1, b.partitions)
}

func (b *budget) add(records int, bytes int64) {
	b.records.Add(int64(records))
	b.waiting.Add(bytes)
	if b.crowded.Load() == b.stillCrowded() {
		return
	}
	b.crowd.Lock()
	defer b.crowd.Unlock()
	now := b.stillCrowded()
	if b.crowded.Swap(now) == now {
		return
	}
	if now {
		b.since = time.Now()
		b.gate.shutAll()
	} else {
		b.gate.openAll()
	}
}

func (b *budget) stillCrowded() bool {
	if b.crowded.Load() {
		return b.waiting.Load() > b.limit/8*5
	}
	return b.waiting.Load() >= b.limit/4*3
}

// crowdedFor is since when nothing was fetched for want of room.
func (b *budget) crowdedFor() time.Duration {
	b.crowd.Lock()
	defer b.crowd.Unlock()
	if !b.crowded.Load() {
		return 0
	}
	return time.Since(b.since)
}

// recordOverhead is about what a record takes beside its bytes.
const recordOverhead = 250

// size is what a record takes.
func size(r *kgo.Record) int64 {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return int64(n)
}
