package relay_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// A pause of an operator is not the same as a topic that cannot be written.
func TestAStatusOfAnOperatorsPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := relay.NewMemStore()
		mem.Pause("here")
		mem.Add(rows(1, "here", "k")...)
		r := start(t, relay.Config{Store: mem, Clock: newFakeTime(), Sink: newTaking(), Logger: slog.New(slog.DiscardHandler)})
		r.w.until(t, "it says why rows wait", func(w *watcher) bool { return w.status.ByOperator })
		type why struct {
			Reason string
			Kind   relay.ReasonKind
		}
		want := why{"topic here is paused by an operator, ann: test", relay.ReasonPause}
		if got := (why{r.Status().Reason, r.Status().ReasonKind}); got != want {
			t.Errorf("reason %+v, want %+v", got, want)
		}
		mem.Resume("here")
		r.w.publishes(t, 1)
		r.w.until(t, "nothing waits", func(w *watcher) bool { return w.status.Reason == "" && !w.status.ByOperator })
	})
}

// The state in the lease row stays small, however many topics do not exist.
func TestAStatusOfManyPausedTopics(t *testing.T) {
	t.Parallel()
	const topics = 5_000
	mem := relay.NewMemStore()
	for i := range topics {
		mem.Add(rows(1, fmt.Sprintf("missing-%d", i), "k")...)
	}
	mem.Add(rows(1, "here", "k")...)
	r := start(t, relay.Config{Store: mem, Sink: newTaking(), Logger: slog.New(slog.DiscardHandler)})
	r.w.publishes(t, 1)
	r.w.until(t, "the topics are paused", func(w *watcher) bool { return w.status.PausedTopicCount == topics })
	s := r.Status()
	state, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.PausedTopics) != 100 || len(state) > 20_000 {
		t.Errorf("%d of %d topics in a status of %d bytes, want 100 in at most 20,000", len(s.PausedTopics), topics, len(state))
	}
}
