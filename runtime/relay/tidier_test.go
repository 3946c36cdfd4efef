package relay

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Rows are set aside only after they kept the mark from moving for long, and only up to the
// first row that the relay still sends.
func TestRowsAreSetAsideAfterTheyKeptTheMark(t *testing.T) {
	cfg := Config{}.WithDefaults()
	r := newReader(newFlow(&cfg, &journal{}, Lease{}), false, true, 0)
	kept := func(first int64) Tidied { return Tidied{First: first, Last: first + 9, Safe: first + 99} }
	var got []int64
	for _, step := range []struct {
		at     time.Duration
		tidied Tidied
		change func()
	}{
		{at: 0, tidied: kept(1)},
		{at: 9 * time.Second, tidied: kept(1)},
		{at: 10 * time.Second, tidied: kept(1)},                                                      // nothing is read yet
		{at: 10 * time.Second, tidied: kept(1), change: func() { r.after = 70 }},                     // part of the backlog
		{at: 11 * time.Second, tidied: kept(1), change: func() { r.backlogDone = true }},             // all of it
		{at: 12 * time.Second, tidied: kept(100)},                                                    // it was there at 0 s
		{at: 13 * time.Second, tidied: kept(100), change: func() { r.f.queue.mem[90] = struct{}{} }}, // sent soon
		{at: 14 * time.Second, tidied: kept(101), change: func() { clear(r.f.queue.mem) }},           // it was not
		{at: 23 * time.Second, tidied: kept(101)},
		{at: 24 * time.Second, tidied: kept(102)},
		{at: 25 * time.Second, tidied: kept(102), change: func() { r.edit.stage = editPages }}, // a look is under way
		{at: 26 * time.Second, tidied: Tidied{More: true}, change: func() { r.edit.stage = editIdle }},
		{at: 27 * time.Second, tidied: kept(102)}, // the mark has moved meanwhile
	} {
		if step.change != nil {
			step.change()
		}
		r.tidied(step.at, opTidy{}, step.tidied)
		got = append(got, r.setAside(step.at))
	}
	want := []int64{0, 0, 0, 70, 100, 100, 89, 0, 0, 200, 0, 0, 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows may be set aside up to (-want +got):\n%s", diff)
	}
}

// Between opening a tick and its first page no row may be set aside, because none of the tick was
// received. So the relay reads the page first.
func TestTheMarkIsNotMovedBeforeATickIsRead(t *testing.T) {
	cfg := Config{}.WithDefaults()
	r := newReader(newFlow(&cfg, &journal{}, Lease{}), false, true, 0)
	r.pausesRead, r.pastRead, r.heldLoaded, r.backlogDone, r.from = true, true, true, true, "s1"
	r.edit.at, r.decisionsAt = time.Hour, time.Hour
	var got []string
	for _, state := range []struct {
		to    Snapshot
		after int64
	}{{"", 0}, {"s2", 0}, {"s2", 5}} {
		r.to, r.after = state.to, state.after
		n := &agenda{busy: &slots{}, now: time.Minute, at: time.Hour}
		r.plan(n)
		for _, c := range n.cmds {
			got = append(got, fmt.Sprintf("%T", c))
		}
	}
	if diff := cmp.Diff([]string{"relay.opTidy", "relay.opTick", "relay.opTidy"}, got); diff != "" {
		t.Errorf("it plans (-want +got):\n%s", diff)
	}
}
