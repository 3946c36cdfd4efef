package relay

import (
	"context"
	"slices"
	"time"
)

// Tidy implements Tidier: it moves the floor, and sets rows aside.
func (s *memLogStore) Tidy(_ context.Context, l Lease, setAside int64) (tidied Tidied, _ error) {
	switch {
	case !s.allows(l):
		return Tidied{}, ErrLeaseLost
	case s.w == nil || s.unsure && !s.off("after an unknown outcome nothing else is written"):
		return Tidied{}, nil
	}
	if err := s.moveFloor(); err != nil {
		return Tidied{}, s.repaired(err)
	}
	if first, last := s.w.Holding(); first > 0 {
		tidied = Tidied{First: first, Last: last, Safe: last}
	}
	if !s.off("rows that wait long are set aside") {
		s.w.SetAsideUpTo(setAside)
	}
	if s.log.unsure() {
		return Tidied{}, errSimLost // nothing was written; the next write has these rows too
	}
	return tidied, s.repaired(s.write(l, Settlement{}))
}

// Search implements Tidier. There is no mark.
func (s *memLogStore) Search(_ context.Context, l Lease) (int64, error) {
	if !s.allows(l) {
		return 0, ErrLeaseLost
	}
	return 0, nil
}

// Sweep implements Store: it drops a partition.
func (s *memLogStore) Sweep(_ context.Context, l Lease, keep time.Duration, _ int) (int, error) {
	if !s.allows(l) {
		return 0, ErrLeaseLost
	}
	partitions := map[int64][]*memRow{}
	for _, r := range s.rows {
		if !r.dropped && !s.rolled[r.tx] {
			partitions[r.Seq/memPartition] = append(partitions[r.Seq/memPartition], r)
		}
	}
	var at []int64
	for n := range partitions {
		at = append(at, n)
	}
	slices.Sort(at)
	for _, n := range at {
		if slices.ContainsFunc(partitions[n], func(r *memRow) bool { return !s.mayDrop(r, keep) }) {
			continue
		}
		for _, r := range partitions[n] {
			if s.onDrop != nil {
				s.onDrop(r)
			}
			r.dropped = true
		}
		return 0, nil
	}
	return 0, nil
}

// mayDrop reports whether a row may be dropped with its partition.
func (s *memLogStore) mayDrop(r *memRow, keep time.Duration) bool {
	switch {
	case r.created > s.now()-keep:
		return false
	case s.open[r.tx]: // it holds a lock
		return false
	case !s.visible(r, s.at(s.log.cursor.Base)) && !s.off("a partition is dropped when the base shows all of it"):
		return false
	}
	return !s.log.late[r] || s.off("a partition with rows that were set aside is not dropped")
}
