package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// positions has the next offset of each partition. It finds records that were removed
// before they were read.
type positions struct {
	mu        sync.Mutex
	next      map[partition]int64
	unchecked map[partition]int64 // committed offsets that were not compared with the log yet
}

func newPositions() *positions {
	return &positions{next: map[partition]int64{}, unchecked: map[partition]int64{}}
}

// begin sets the first offsets of partitions. An offset below zero means that the group
// has no committed offset.
func (s *positions) begin(offsets map[string]map[int32]kgo.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, ids := range offsets {
		for id, offset := range ids {
			p := partition{topic, id}
			delete(s.next, p)
			delete(s.unchecked, p)
			if at := offset.EpochOffset().Offset; at >= 0 {
				s.next[p], s.unchecked[p] = at, at
			}
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
	from, known := s.next[p]
	lost = known && logStart > from && records[0].Offset >= logStart
	if lost && stop {
		return from, true
	}
	s.next[p] = records[len(records)-1].Offset + 1
	delete(s.unchecked, p)
	return from, lost
}

// toCheck returns the partitions that were not read since they were assigned.
func (s *positions) toCheck() map[partition]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	check := make(map[partition]int64, len(s.unchecked))
	for p, at := range s.unchecked {
		check[p] = at
	}
	return check
}

// checked compares a partition with the start of its log, and returns the first offset
// that was removed before it was read.
func (s *positions) checked(p partition, logStart int64, stop bool) (from int64, lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, ok := s.unchecked[p]
	delete(s.unchecked, p)
	if !ok || logStart <= from {
		return 0, false
	}
	if !stop {
		s.next[p] = logStart
	}
	return from, true
}

// known reports whether an offset of the partition was read or committed. Otherwise
// nothing can be lost.
func (s *positions) known(p partition) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.next[p]
	return ok
}

func (s *positions) forget(partitions map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, ids := range partitions {
		for _, id := range ids {
			delete(s.next, partition{topic, id})
			delete(s.unchecked, partition{topic, id})
		}
	}
}

// forgetTopic removes a topic whose offsets start again.
func (s *positions) forgetTopic(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range s.next {
		if p.topic == topic {
			delete(s.next, p)
			delete(s.unchecked, p)
		}
	}
}
