package kafka

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

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

// topicsOf returns the topics of sorted partitions.
func topicsOf(partitions []partition) []string {
	topics := make([]string, len(partitions))
	for i, p := range partitions {
		topics[i] = p.topic
	}
	return slices.Compact(topics)
}

// behind returns the lag of this member's partitions, except those whose end is
// unknown.
func (w *watch) behind(ctx context.Context) []Lag {
	assigned := w.have()
	asking, cancel := context.WithTimeout(ctx, w.r.cfg.timing.answer)
	defer cancel()
	lags := make([]Lag, 0, len(assigned))
	if len(assigned) == 0 {
		return lags
	}
	topics := topicsOf(assigned)
	admin := kadm.NewClient(w.r.client)
	ends, err := admin.ListEndOffsets(asking, topics...)
	if err != nil {
		return nil
	}
	var starts kadm.ListedOffsets
	fresh := func(p partition) bool { _, known := w.r.positions.toHandle(p); return !known }
	if slices.ContainsFunc(assigned, fresh) {
		if starts, err = admin.ListStartOffsets(asking, topics...); err != nil {
			return nil
		}
	}
	for _, p := range assigned {
		end, ok := ends.Lookup(p.topic, p.id)
		if !ok || end.Err != nil {
			continue
		}
		next, known := w.r.positions.toHandle(p)
		if start, ok := starts.Lookup(p.topic, p.id); !known && ok && start.Err == nil {
			next, known = start.Offset, true
		}
		if known {
			lags = append(lags, Lag{Topic: p.topic, Partition: p.id, Records: max(0, end.Offset-next)})
		}
	}
	return lags
}
