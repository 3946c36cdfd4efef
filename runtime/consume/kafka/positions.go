package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// positions are the offsets that are to be read next, by which records are
// noticed that were removed before they were read.
type positions struct {
	mu        sync.Mutex
	next      map[partition]int64
	unchecked map[partition]int64 // committed offsets that were not yet compared with the log
}

func newPositions() *positions {
	return &positions{next: map[partition]int64{}, unchecked: map[partition]int64{}}
}

// begin takes the offsets at which partitions are read from; below zero is
// somewhere else than where the group left off.
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

// read notes records that were read, and returns the first offset that was
// removed before it was read: all from there up to the start of the log. Gaps
// behind the start are no loss: compaction and transactions make some. Where a loss
// stops the consumer, it stays one for all that follows.
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

// toCheck returns the partitions of which nothing was read since they were
// assigned.
func (s *positions) toCheck() map[partition]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	check := make(map[partition]int64, len(s.unchecked))
	for p, at := range s.unchecked {
		check[p] = at
	}
	return check
}

// checked compares a partition with the start of its log, and returns the first
// offset that was removed before it was read.
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

// known reports whether an offset of the partition was read or committed. Where none
// was, nothing can be lost.
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

// forgetTopic is for a topic whose offsets begin anew.
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
