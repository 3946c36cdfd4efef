package relay_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// hasty is a store whose first settlement of a dead row succeeds, but its answer is
// lost. Before it is repeated, an operator has replayed the row.
type hasty struct {
	*relay.MemStore
	replayed bool
}

func (h *hasty) Settle(ctx context.Context, l relay.Lease, s relay.Settlement) error {
	err := h.MemStore.Settle(ctx, l, s)
	if err == nil && !h.replayed && len(s.Failed) > 0 && s.Failed[0].Dead {
		h.replayed = true
		h.Decide(s.Failed[0].Seq, false)
		return errors.New("the connection broke")
	}
	return err
}

// A replay stays in effect even if the death is settled again after it: the row is
// tried again.
func TestAReplayIsNotUndone(t *testing.T) {
	t.Parallel()
	store := relay.NewMemStore()
	bad := rows(1, "t", "k")
	bad[0].Headers = []byte(`[]`)
	store.Add(bad...)
	r := start(t, relay.Config{
		Store: &hasty{MemStore: store}, Sink: relay.NewStdoutSink(&lines{}), MaxAttempts: 1,
		DecisionsEvery: 20 * time.Millisecond, OutageMin: 20 * time.Millisecond,
	})
	// The repeated settlement counts as one; the next is for the attempt after the
	// replay.
	r.w.until(t, "tried again after the replay", func(w *watcher) bool { return w.settled.Dead >= 2 })
}

// gate is a writer that lets nothing through until it is opened.
type gate struct {
	lines
	open    chan struct{}
	waiting atomic.Bool
}

func (g *gate) Write(p []byte) (int, error) {
	g.waiting.Store(true)
	<-g.open
	return g.lines.Write(p)
}

// A replayed row is sent before the rows of its key that wait in memory. Only those in
// flight precede it.
func TestAReplayedRowGoesBeforeQueuedOnes(t *testing.T) {
	t.Parallel()
	store := relay.NewMemStore()
	bad := rows(1, "t", "k")
	bad[0].Headers = []byte(`[]`)
	store.Add(bad...)
	out := &gate{open: make(chan struct{})}
	r := start(t, relay.Config{
		Store: store, Sink: relay.NewStdoutSink(out), MaxAttempts: 1, DecisionsEvery: 20 * time.Millisecond,
	})
	r.w.until(t, "row 1 is dead", func(w *watcher) bool { return w.settled.Dead == 1 })
	store.Add(rows(1, "t", "k")...)
	r.w.until(t, "row 2 is in flight", func(w *watcher) bool { return out.waiting.Load() && w.status.InFlight == 1 })
	store.Add(rows(2, "t", "k")...)
	r.w.until(t, "rows 3 and 4 are queued", func(w *watcher) bool { return w.status.Queued == 2 })
	store.Edit(func(row *relay.Row) { row.Headers = nil }, 1)
	store.Decide(1, false)
	r.w.until(t, "the key waits for row 1", func(w *watcher) bool { return w.status.HeldKeys == 1 || w.status.Queued == 3 })
	close(out.open)
	r.w.publishes(t, 4)
	var got []int64
	for line := range strings.Lines(out.b.String()) {
		var record struct{ Seq int64 }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		got = append(got, record.Seq)
	}
	if diff := cmp.Diff([]int64{2, 1, 3, 4}, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}

// forgetting counts the decisions that the relay has acted on.
type forgetting struct {
	relay.Store
	n atomic.Int64
}

func (f *forgetting) Decisions(ctx context.Context, l relay.Lease, done []int64) ([]relay.Decision, error) {
	decisions, err := f.Store.Decisions(ctx, l, done)
	if err == nil {
		f.n.Add(int64(len(done)))
	}
	return decisions, err
}

// That holds also for rows of its key that are in memory because they are read again.
func TestAReplayedRowGoesBeforeThoseOfACatchUp(t *testing.T) {
	t.Parallel()
	mem := relay.NewMemStore()
	bad := rows(2, "t", "k")
	bad[0].Headers, bad[1].Headers = []byte(`[]`), []byte(`[]`)
	mem.Add(bad...)
	store := &forgetting{Store: mem}
	out := &gate{open: make(chan struct{})}
	r := start(t, relay.Config{
		Store: store, Sink: relay.NewStdoutSink(out), MaxAttempts: 1, BufferRows: 4, DecisionsEvery: 20 * time.Millisecond,
	})
	r.w.until(t, "rows 1 and 2 are dead", func(w *watcher) bool { return w.settled.Dead == 2 })
	mem.Add(rows(1, "t", "k")...)
	r.w.until(t, "row 3 is in flight", func(w *watcher) bool { return out.waiting.Load() && w.status.InFlight == 1 })
	mem.Add(rows(7, "t", "k")...)
	r.w.until(t, "later rows are queued", func(w *watcher) bool { return w.status.Queued > 0 })
	mem.Edit(func(row *relay.Row) { row.Headers = nil }, 1, 2)
	mem.Decide(2, false)
	r.w.until(t, "rows are read again, and not all fit", func(w *watcher) bool { return w.status.HeldKeys == 1 && w.status.Queued > 0 })
	mem.Decide(1, false)
	r.w.until(t, "row 1 is replayed", func(*watcher) bool { return store.n.Load() == 2 })
	close(out.open)
	r.w.publishes(t, 10)
	var got []int64
	for line := range strings.Lines(out.b.String()) {
		var record struct{ Seq int64 }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		got = append(got, record.Seq)
	}
	if diff := cmp.Diff([]int64{3, 1, 2, 4, 5, 6, 7, 8, 9, 10}, got); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
}
