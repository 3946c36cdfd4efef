package kafka

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// progress has the next offset to handle of each partition. A partition that is read
// from its start, and of which no record was handled, has none.
type progress struct {
	mu   sync.Mutex
	next map[partition]int64
}

func (p *progress) begin(offsets map[string]map[int32]kgo.Offset) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, ids := range offsets {
		for id, offset := range ids {
			delete(p.next, partition{topic, id})
			if at := offset.EpochOffset().Offset; at >= 0 {
				p.next[partition{topic, id}] = at
			}
		}
	}
}

func (p *progress) handled(at partition, offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next[at] = offset + 1
}

func (p *progress) forget(partitions map[string][]int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for topic, ids := range partitions {
		for _, id := range ids {
			delete(p.next, partition{topic, id})
		}
	}
}

func (p *progress) forgetTopic(topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.next, func(at partition, _ int64) bool { return at.topic == topic })
}

func (p *progress) of(at partition) (next int64, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next, known = p.next[at]
	return next, known
}

// status reports the state to the observer. It asks for this member's lag only while
// brokers answer.
func (w *watch) status(ctx context.Context, answered bool) {
	if w.r.cfg.Observer == nil {
		return
	}
	s := Status{Ready: true, Stats: w.r.stats.read(w.r)}
	if answered {
		s.Lag = w.behind(ctx)
	}
	if err := w.r.ready(); err != nil {
		s.Ready, s.Reasons = false, err.Reasons
	}
	if ctx.Err() == nil {
		w.r.observe(ctx, func(o Observer) { o.Status(s) })
	}
}

// have returns this member's partitions, sorted.
func (w *watch) have() []partition {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sortedPartitions(maps.Keys(w.partitions))
}

func sortedPartitions(partitions iter.Seq[partition]) []partition {
	return slices.SortedFunc(partitions, func(a, b partition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.id, b.id))
	})
}

// behind returns the lag of this member's partitions, except those whose end is
// unknown.
func (w *watch) behind(ctx context.Context) []Lag {
	assigned := w.have()
	asking, cancel := context.WithTimeout(ctx, w.r.cfg.timing.answer)
	defer cancel()
	var topics []string
	fresh := false // one was not read yet
	for _, p := range assigned {
		topics = append(topics, p.topic)
		_, known := w.r.progress.of(p)
		fresh = fresh || !known
	}
	lags := make([]Lag, 0, len(assigned))
	if len(assigned) == 0 {
		return lags
	}
	topics = slices.Compact(topics)
	admin := kadm.NewClient(w.r.client)
	ends, err := admin.ListEndOffsets(asking, topics...)
	if err != nil {
		return nil
	}
	var starts kadm.ListedOffsets
	if fresh {
		if starts, err = admin.ListStartOffsets(asking, topics...); err != nil {
			return nil
		}
	}
	for _, p := range assigned {
		end, ok := ends.Lookup(p.topic, p.id)
		if !ok || end.Err != nil {
			continue
		}
		next, known := w.r.progress.of(p)
		if start, ok := starts.Lookup(p.topic, p.id); !known && ok && start.Err == nil {
			next, known = start.Offset, true
		}
		if known {
			lags = append(lags, Lag{Topic: p.topic, Partition: p.id, Records: max(0, end.Offset-next)})
		}
	}
	return lags
}
