package relay

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// quiet is a leader of an empty outbox, which the test drives step by step.
type quiet struct {
	t    *testing.T
	m    *machine
	now  time.Duration
	busy []command // without an answer
}

// newQuiet returns a leader that has looked often enough to be idle.
func newQuiet(t *testing.T, idles bool) *quiet {
	t.Helper()
	cfg := Config{Store: newMemStore(nil), Sink: simSink{}, Logger: simLogger}.WithDefaults()
	q := &quiet{t: t, m: newMachine(&cfg)}
	q.m.idles = idles
	q.until(func() bool { return q.m.t != nil && q.m.t.reader.poller.pause == cfg.PollMax })
	return q
}

// step answers the machine's commands, and advances the clock to the time of its next
// call. It returns the commands.
func (q *quiet) step() []command {
	q.t.Helper()
	cmds, at := q.m.next(q.now)
	answered := false
	for _, c := range cmds {
		o := outcome{op: c}
		switch c := c.(type) {
		case opTakeOver:
			o.lease = Lease{Epoch: 1, Holder: c.holder}
		case opSnapshot:
			o.snapshot = "nothing new"
		case opIdle:
			q.busy = append(q.busy, c)
			continue
		}
		answered = true
		q.m.handle(q.now, o)
	}
	if !answered {
		q.now = max(q.now, at)
	}
	return cmds
}

func (q *quiet) until(done func() bool) {
	q.t.Helper()
	for range 10_000 {
		if done() {
			return
		}
		q.step()
	}
	q.t.Fatal("it does not come to rest")
}

// looks returns the times, after now, of the next n snapshots.
func (q *quiet) looks(n int) []time.Duration {
	q.t.Helper()
	from := q.now
	var at []time.Duration
	for range 10_000 {
		asked := q.now
		for _, c := range q.step() {
			if _, ok := c.(opSnapshot); ok {
				at = append(at, asked-from)
			}
		}
		if len(at) >= n {
			return at
		}
	}
	q.t.Fatalf("only %d looks", len(at))
	return nil
}

// A wake-up that was sent before its COMMIT finds nothing. The relay looks again
// soon, with growing pauses, rather than after the pause of an idle outbox.
func TestAWakeUpThatFindsNothingIsFollowedUp(t *testing.T) {
	t.Parallel()
	q := newQuiet(t, false)
	q.looks(1)
	q.m.wake()
	want := []time.Duration{0, 2 * time.Millisecond, 12 * time.Millisecond, 62 * time.Millisecond, 262 * time.Millisecond, 462 * time.Millisecond}
	if diff := cmp.Diff(want, q.looks(len(want))); diff != "" {
		t.Errorf("when it looks (-want +got):\n%s", diff)
	}
}

// If the store can wait, an idle relay takes a snapshot when the store says so, when it
// is woken, and from time to time to be sure.
func TestAnIdleRelayLetsTheStoreWait(t *testing.T) {
	t.Parallel()
	q := newQuiet(t, true)
	q.until(func() bool { return len(q.busy) > 0 })
	answer := func(moved bool, after time.Duration) {
		t.Helper()
		c := q.busy[0]
		q.busy = q.busy[1:]
		q.now += after
		q.m.handle(q.now, outcome{op: c, moved: moved})
	}
	snapshots := func(steps int) int {
		n := 0
		for range steps {
			cmds, _ := q.m.next(q.now)
			for _, c := range cmds {
				switch c.(type) {
				case opSnapshot:
					n++
					q.m.handle(q.now, outcome{op: c, snapshot: "nothing new"})
				case opIdle:
					q.busy = append(q.busy, c)
				default:
					q.m.handle(q.now, outcome{op: c})
				}
			}
		}
		return n
	}
	answer(false, time.Second)
	if n := snapshots(3); n != 1 {
		t.Fatalf("%d snapshots after a wait without a move, want one to be sure", n)
	}
	if len(q.busy) != 1 {
		t.Fatalf("%d waits", len(q.busy))
	}
	q.m.wake()
	if n := snapshots(3); n != 1 {
		t.Fatalf("%d snapshots after a wake-up", n)
	}
	q.until(func() bool { return len(q.busy) > 0 }) // it waits again
	answer(true, 0)
	if n := snapshots(2); n != 1 {
		t.Fatalf("%d snapshots after the store saw something move", n)
	}
}
