package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Start says where a group begins to read a partition for which it has no offset.
type Start string

const (
	// Earliest begins with the oldest record.
	Earliest Start = "earliest"
	// Latest begins after the newest record. That offset is committed immediately, so that a
	// restart skips nothing.
	Latest Start = "latest"
)

// startText is how the log says where reading begins.
func (c Config) startText() string {
	switch {
	case !c.StartTime.IsZero():
		return "those of " + c.StartTime.UTC().Format(time.RFC3339) + " and later"
	case c.StartAt == Latest:
		return "only new records"
	}
	return "all records"
}

// startOffsets sets where partitions begin for which the group has no offset, and says
// so: the group is new, or its name is not the one that was meant.
//
// It returns the places that it has asked the brokers for. A retry topic is read from its
// oldest record, because all of its records are this group's.
func (r *run) startOffsets(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[partition]int64, error) {
	without := map[string][]int32{}
	for topic, ids := range offsets {
		if r.cfg.field(topic) == fieldRetryTopics {
			continue
		}
		for id, offset := range ids {
			if offset.EpochOffset().Offset < 0 {
				without[topic] = append(without[topic], id)
			}
		}
		if n := len(without[topic]); n > 0 && !r.begun[topic] {
			r.begun[topic] = true
			r.log.InfoContext(ctx, "the group has no offsets of these partitions; if it should have some, check Config.Group",
				"topic", topic, "partitions", n, "reads", r.cfg.startText())
		}
	}
	if len(without) == 0 || r.cfg.StartAt == Earliest && r.cfg.StartTime.IsZero() {
		return nil, nil
	}
	asking, cancel := context.WithTimeout(ctx, r.cfg.timing.answer)
	defer cancel()
	admin := kadm.NewClient(r.client)
	list := admin.ListEndOffsets
	if at := r.cfg.StartTime; !at.IsZero() {
		list = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return admin.ListOffsetsAfterMilli(ctx, milli(at), topics...)
		}
	}
	offset := listed(list(asking, slices.Collect(maps.Keys(without))...))
	begin := map[partition]int64{}
	for p := range each(without) {
		at, err := offset(p)
		if err != nil {
			return nil, fmt.Errorf("look where to start: %w", err)
		}
		offsets[p.topic][p.id] = kgo.NewOffset().At(at)
		begin[p] = at
	}
	return begin, nil
}

// milli returns a time as the brokers take it. Negative times have other meanings there.
func milli(at time.Time) int64 { return max(0, at.UnixMilli()) }

// starts keeps where partitions begin, to be committed. A partition of a topic that was
// created again begins at its start after all: committing would skip what is before. From
// now on the offsets of the partitions are known.
func (w *watch) starts(begin map[partition]int64, offsets map[string]map[int32]kgo.Offset) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p, offset := range eachOffset(offsets) {
		delete(w.fetching, p)
		if at, ok := begin[p]; ok && offset.EpochOffset().Offset == at {
			w.begin[p] = at
		} else {
			delete(w.begin, p)
		}
	}
}

// commitStarts commits where partitions begin. Otherwise the next member would begin at
// the newest record of that time, if no record was handled until then.
func (w *watch) commitStarts(ctx context.Context) {
	w.starting.Lock()
	defer w.starting.Unlock()
	offsets := map[string]map[int32]kgo.EpochOffset{}
	w.mu.Lock()
	for p, at := range w.begin {
		switch next, known := w.r.positions.toHandle(p); {
		case known && next != at: // a record was handled
			delete(w.begin, p)
		case w.partitions[p]:
			if offsets[p.topic] == nil {
				offsets[p.topic] = map[int32]kgo.EpochOffset{}
			}
			offsets[p.topic][p.id] = kgo.EpochOffset{Epoch: -1, Offset: at}
		}
	}
	w.mu.Unlock()
	if len(offsets) == 0 {
		return
	}
	committing, cancel := context.WithTimeout(ctx, w.r.cfg.timing.answer)
	defer cancel()
	if err := w.r.commit(committing, offsets); err != nil {
		w.r.log.WarnContext(ctx, "offset at which the group starts not committed, retrying", "error", err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range eachOffset(offsets) {
		delete(w.begin, p)
	}
}
