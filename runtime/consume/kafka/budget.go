package kafka

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The client's memory is limited by what it requests from the brokers, and it requests
// compressed bytes. So a quarter of the budget is for records that the client has
// fetched and not delivered, and the rest for records that wait for handlers:
//
//	fetch, per broker       1/4, divided by the brokers and by the compression ratio
//	fetch, per partition    1/4, divided by the partitions and by the compression ratio
//	waiting, per partition  1/4, divided by the partitions; more while less than 1/4 waits in total
//	waiting, in total       3/4; then nothing is fetched until it is 5/8
//
// The shares keep a partition with a blocked handler from taking the memory of the
// others. The last line holds for batches of any shape. A broker sends at least one
// batch, so a record that is larger than the budget gets through, and one batch of each
// broker may exceed it.
const (
	minBuffer         = 1 << 20
	minFetch          = 4 << 10
	maxPartitionFetch = 1 << 20
	maxBrokerFetch    = 50 << 20
)

// The client's own defaults, off by one. A different value shows that the user set
// FetchMaxBytes or FetchMaxPartitionBytes, which is then left alone.
const (
	fetchMark          = minFetch + 2
	partitionFetchMark = minFetch + 1
)

// budget limits the bytes of records in memory.
type budget struct {
	limit   int64
	waiting atomic.Int64 // bytes that workers have not handled
	records atomic.Int64
	crowded atomic.Bool

	crowd sync.Mutex // held while crowded changes
	gate  *gate
	since time.Time // since when it is crowded

	mu          sync.Mutex
	client      *kgo.Client
	adaptive    bool // the user has not set the sizes of fetches
	brokers     int64
	partitions  int64
	compressed  int64 // of the recent batches
	expanded    int64
	last        int64 // compression ratio of the last batch
	fetchBytes  int32
	fetchByPart int32
}

// OnFetchBatchRead is a hook of the client. It measures how well batches are
// compressed.
func (b *budget) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, m kgo.FetchBatchMetrics) {
	b.mu.Lock()
	defer b.mu.Unlock()
	const window = 16 << 20 // when reached, the older batches count half
	b.last = int64(m.UncompressedBytes) / max(1, int64(m.CompressedBytes))
	b.compressed += int64(m.CompressedBytes)
	b.expanded += int64(m.UncompressedBytes)
	if b.expanded > window {
		b.compressed, b.expanded = b.compressed/2, b.expanded/2
	}
	b.adapt()
}

// begin takes the client, and detects whether the user has set sizes.
func (b *budget) begin(client *kgo.Client, gate *gate) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.client, b.gate = client, gate
	b.adaptive = client.OptValue(kgo.FetchMaxBytes) == int32(fetchMark) &&
		client.OptValue(kgo.FetchMaxPartitionBytes) == int32(partitionFetchMark)
	b.adapt()
}

// share sets the numbers of brokers and partitions that share the budget. A number
// below one leaves the old one.
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

// adapt requires the lock.
func (b *budget) adapt() {
	if b.client == nil || !b.adaptive {
		return
	}
	if b.expanded == 0 { // nothing is known about the batches yet
		b.set(minFetch, minFetch)
		return
	}
	ratio := max(1, b.last, (b.expanded+b.compressed-1)/max(1, b.compressed))
	bound := func(n, most int64) int32 { return int32(min(max(n, minFetch), most)) }
	fetch := bound(b.limit/4/max(1, b.brokers)/ratio, maxBrokerFetch)
	byPart := min(bound(b.limit/4/max(1, b.partitions)/ratio, maxPartitionFetch), fetch)
	b.set(fetch, byPart)
}

// set requires the lock.
func (b *budget) set(fetch, byPart int32) {
	if fetch != b.fetchBytes || byPart != b.fetchByPart {
		b.fetchBytes, b.fetchByPart = fetch, byPart
		b.client.UpdateFetchMaxBytes(fetch, byPart)
	}
}

// full reports whether to pause a partition with this many waiting bytes: it has used
// its share, and there is no room left beyond the shares of the others.
func (b *budget) full(waiting int64) bool {
	return waiting > b.ofPartition() && b.waiting.Load() > b.limit/4
}

// roomy reports whether to fetch a paused partition again.
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

// crowdedFor returns for how long nothing was fetched because the memory was full.
func (b *budget) crowdedFor() time.Duration {
	b.crowd.Lock()
	defer b.crowd.Unlock()
	if !b.crowded.Load() {
		return 0
	}
	return time.Since(b.since)
}

// recordOverhead is roughly what a record needs besides its bytes.
const recordOverhead = 250

// size returns the memory of a record.
func size(r *kgo.Record) int64 {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return int64(n)
}
