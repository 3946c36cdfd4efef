package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// flapping is a sink that fails every second time.
type flapping struct {
	*taking
	class relay.Class // ClassOK: the store fails
	waves atomic.Int64
}

// flappingStore fails to record outcomes every second time.
type flappingStore struct {
	relay.Store
	calls atomic.Int64
}

func (f *flapping) Open(context.Context) (relay.Producer, error) { return f, nil }

func (f *flapping) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	f.taking.Send(ctx, wave, results)
	if f.class == relay.ClassOK || f.waves.Add(1)%2 == 0 {
		return
	}
	for i := range results {
		results[i] = relay.Result{Class: f.class, Err: errors.New("not now")}
	}
}

func (f *flappingStore) Settle(ctx context.Context, l relay.Lease, s relay.Settlement) error {
	if f.calls.Add(1)%2 == 1 {
		return errors.New("not now")
	}
	return f.Store.Settle(ctx, l, s)
}

func (f *flapping) Close() {}

// flappingWake is a wake source that fails every second time.
type flappingWake struct {
	calls atomic.Int64
	done  chan struct{}
}

func (w *flappingWake) Wait(ctx context.Context) error {
	const enough = 200
	switch n := w.calls.Add(1); {
	case n == enough:
		close(w.done)
		fallthrough
	case n > enough:
		<-ctx.Done()
		return ctx.Err()
	case n%2 == 1:
		return errors.New("not now")
	}
	return nil
}

func (w *flappingWake) Close() {}

func TestWakeUpsThatComeAndGoFillNoLog(t *testing.T) {
	t.Parallel()
	log, wake := &logText{}, &flappingWake{done: make(chan struct{})}
	r := start(t, relay.Config{
		Store: relay.NewMemStore(), Sink: newTaking(), Wake: wake, Logger: slog.New(slog.NewTextHandler(log, nil)),
		OutageMin: time.Millisecond, OutageMax: time.Millisecond,
	})
	select {
	case <-wake.done:
	case <-time.After(patience):
		t.Fatal("the relay does not wait for wake-ups")
	}
	r.stop()
	if n := strings.Count(log.String(), "wake-ups unavailable"); n == 0 || n > 10 {
		t.Errorf("%d lines about wake-ups:\n%s", n, log)
	}
}

// What fails every second time is logged at first, and then less and less often.
func TestWhatComesAndGoesFillsNoLog(t *testing.T) {
	t.Parallel()
	for name, class := range map[string]relay.Class{
		"Kafka": relay.ClassRelay, "a topic": relay.ClassTopic, "a partition": relay.ClassPartition, "the database": relay.ClassOK,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, log := relay.NewMemStore(), &logText{}
			f, use := &flapping{taking: newTaking(), class: class}, relay.Store(store)
			if class == relay.ClassOK {
				use = &flappingStore{Store: store}
			}
			f.topics["here"] = relay.TopicInfo{Partitions: 2}
			r := start(t, relay.Config{
				Store: use, Sink: f, Logger: slog.New(slog.NewTextHandler(log, nil)),
				PauseMin: time.Millisecond, PauseMax: time.Millisecond, OutageMin: time.Millisecond, OutageMax: time.Millisecond,
			})
			const n = 40
			for i := range n {
				store.Add(rows(1, "here", "k")...)
				r.w.publishes(t, i+1)
			}
			r.stop()
			warnings, infos := strings.Count(log.String(), "level=WARN"), strings.Count(log.String(), "resumed")
			t.Logf("%d warnings, %d recoveries", warnings, infos)
			if warnings == 0 || warnings > n/4 || infos > warnings {
				t.Errorf("%d warnings and %d recoveries:\n%s", warnings, infos, log)
			}
		})
	}
}
