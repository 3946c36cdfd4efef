package kafka

import (
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// positions has where this member is in each partition. It finds records that were
// removed before they were read.
type positions struct {
	mu sync.Mutex
	at map[partition]position
}

// position is where this member is in a partition. In one that is read from its start,
// the offsets are not known (noOffset) before the first record.
type position struct {
	read      int64 // the next offset to read
	handled   int64 // the next offset to handle
	unchecked bool  // read is a committed offset that was not compared with the log yet
}

const noOffset = -1

// of requires the lock.
func (s *positions) of(p partition) position {
	if at, ok := s.at[p]; ok {
		return at
	}
	return position{read: noOffset, handled: noOffset}
}

// begin sets the first offsets of partitions. An offset below zero means that the group
// has no committed offset.
func (s *positions) begin(offsets map[string]map[int32]kgo.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, offset := range eachOffset(offsets) {
		delete(s.at, p)
		if at := offset.EpochOffset().Offset; at >= 0 {
			s.at[p] = position{read: at, handled: at, unchecked: true}
		}
	}
}

// read records that records were read. It returns the first offset that was removed
// before it was read: everything from there to the start of the log is lost. Gaps after
// the start are no loss: compaction and transactions make them. If a loss stops the
// consumer, later calls report it again.
func (s *positions) read(p partition, records []*kgo.Record, logStart int64, stop bool) (from int64, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.of(p)
	from = at.read
	lost = from != noOffset && logStart > from && records[0].Offset >= logStart
	if !lost || !stop {
		at.read, at.unchecked = records[len(records)-1].Offset+1, false
		s.at[p] = at
	}
	return from, lost
}

// toCheck returns the partitions that were not read since they were assigned, sorted.
func (s *positions) toCheck() []partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sortedPartitions(func(yield func(partition) bool) {
		for p, at := range s.at {
			if at.unchecked && !yield(p) {
				return
			}
		}
	})
}

// checked compares a partition with the start of its log, and returns the first offset
// that was removed before it was read.
func (s *positions) checked(p partition, logStart int64, stop bool) (from int64, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.of(p)
	if !at.unchecked {
		return 0, false
	}
	from, lost = at.read, logStart > at.read
	at.unchecked = false
	if lost && !stop {
		at.read = logStart
	}
	s.at[p] = at
	return from, lost
}

// known reports whether an offset of the partition was read or committed. Otherwise
// nothing can be lost.
func (s *positions) known(p partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(p).read != noOffset
}

// handled records that an offset and all before it are handled.
func (s *positions) handled(p partition, offset int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.of(p)
	at.handled = offset + 1
	s.at[p] = at
}

// toHandle returns the next offset to handle.
func (s *positions) toHandle(p partition) (next int64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.of(p)
	return at.handled, at.handled != noOffset
}

func (s *positions) forget(partitions map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range each(partitions) {
		delete(s.at, p)
	}
}

// forgetTopic removes a topic whose offsets start again.
func (s *positions) forgetTopic(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.at, func(p partition, _ position) bool { return p.topic == topic })
}

// unread forgets what was read of a topic whose offsets start again, not what was handled.
func (s *positions) unread(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, at := range s.at {
		if p.topic == topic {
			s.at[p] = position{read: noOffset, handled: at.handled}
		}
	}
}
