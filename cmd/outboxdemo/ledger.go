package main

import (
	"fmt"
	"sync"
)

// ledger records what the service committed and what the consumer read, and decides at
// the end whether the guarantees held. Within one aggregate the service numbers its
// changes under the row's lock, so the number gives the commit order. It is safe for
// concurrent use.
type ledger struct {
	mu         sync.Mutex
	committed  map[string]int64 // aggregate -> highest committed change
	inserted   int64
	read       map[string]int64 // aggregate -> highest change read
	seen       map[change]bool
	consumed   int64
	duplicated int64
	disordered int64
	problems   []string // the first few, to print
}

// change is one committed change of one aggregate.
type change struct {
	aggregate string
	number    int64
}

func newLedger() *ledger {
	return &ledger{
		committed: map[string]int64{},
		read:      map[string]int64{},
		seen:      map[change]bool{},
	}
}

// commit records a change whose transaction has committed.
func (l *ledger) commit(c change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inserted++
	l.committed[c.aggregate] = max(l.committed[c.aggregate], c.number)
}

// consume records a change that the consumer read.
func (l *ledger) consume(c change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.consumed++
	if l.seen[c] {
		l.duplicated++
		return
	}
	l.seen[c] = true
	if c.number != l.read[c.aggregate]+1 {
		l.disordered++
		l.problem("%s: change %d came after change %d", c.aggregate, c.number, l.read[c.aggregate])
	}
	l.read[c.aggregate] = max(l.read[c.aggregate], c.number)
}

func (l *ledger) problem(format string, args ...any) {
	const shown = 10
	if len(l.problems) < shown {
		l.problems = append(l.problems, fmt.Sprintf(format, args...))
	}
}

// counts returns the state of the ledger for the live line.
func (l *ledger) counts() (inserted, distinct int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inserted, int64(len(l.seen))
}

// verdict is what the ledger says at the end.
type verdict struct {
	Inserted, Consumed, Lost, Invented, Duplicated, OutOfOrder int64
	Problems                                                   []string
}

// OK reports whether the guarantees held; duplicates are allowed.
func (v verdict) OK() bool { return v.Lost == 0 && v.Invented == 0 && v.OutOfOrder == 0 }

func (l *ledger) judge() verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := verdict{
		Inserted:   l.inserted,
		Consumed:   l.consumed,
		Duplicated: l.duplicated,
		OutOfOrder: l.disordered,
	}
	for aggregate, last := range l.committed {
		for n := int64(1); n <= last; n++ {
			if !l.seen[change{aggregate, n}] {
				v.Lost++
				l.problem("%s: change %d was committed but never consumed", aggregate, n)
			}
		}
	}
	for c := range l.seen {
		if c.number > l.committed[c.aggregate] {
			v.Invented++
			l.problem("%s: change %d was consumed but never committed", c.aggregate, c.number)
		}
	}
	v.Problems = l.problems
	return v
}
