package main

import (
	"testing"
	"time"
)

// With the usual options all scenarios fit into 40 minutes. A scenario has five rounds, or
// says why it has fewer; only one whose round takes long may.
func TestBudget(t *testing.T) {
	t.Parallel()
	o, err := parse(nil, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{options: o}
	var total time.Duration
	for _, s := range scenarios() {
		e := estimateOf(s.name, o)
		if e == estimateOf("no such scenario", o) {
			t.Errorf("%s has no estimate", s.name)
		}
		total += e.all(l.roundsOf(s))
		if few := l.roundsOf(s) < usualRounds; few != (s.few != "") {
			t.Errorf("%s has %d rounds, and the reason %q", s.name, l.roundsOf(s), s.few)
		} else if few && e.round < longRound {
			t.Errorf("%s has %d rounds, but one takes only %.0f s", s.name, l.roundsOf(s), e.round)
		}
	}
	if total > 40*time.Minute {
		t.Errorf("all scenarios take %s", total)
	}
}
