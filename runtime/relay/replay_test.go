package relay_test

import (
	"context"
	"errors"
	"testing"
	"time"

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
