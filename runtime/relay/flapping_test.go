package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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
	const enough = 201 // after a call that works
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
	n, again := strings.Count(log.String(), "wake-ups unavailable"), strings.Count(log.String(), "wake-ups work again")
	if n == 0 || n > 10 || again != n {
		t.Errorf("%d lines about no wake-ups, and %d about their recovery:\n%s", n, again, log)
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
			warnings, infos := strings.Count(log.String(), "level=WARN"), strings.Count(log.String(), "resumed")+strings.Count(log.String(), " again")
			t.Logf("%d warnings, %d recoveries", warnings, infos)
			if warnings == 0 || warnings > n/4 || infos == 0 || infos > warnings {
				t.Errorf("%d warnings and %d recoveries:\n%s", warnings, infos, log)
			}
		})
	}
}

// What failed and works again is logged once, with how long it did not.
func TestTheLogSaysWhatWorksAgain(t *testing.T) {
	t.Parallel()
	store, log := relay.NewMemStore(), &logText{}
	sink := &down{taking: newTaking(), failed: make(chan struct{}, 1)}
	sink.topics["here"] = relay.TopicInfo{Partitions: 1}
	sink.is.Store(true)
	r := start(t, relay.Config{
		Store: store, Sink: sink, Logger: slog.New(slog.NewTextHandler(log, nil)),
		PauseMin: time.Millisecond, PauseMax: time.Millisecond, OutageMin: time.Millisecond, OutageMax: time.Millisecond,
	})
	store.Add(rows(3, "here", "k")...)
	for range 5 {
		<-sink.failed
	}
	sink.is.Store(false)
	r.w.publishes(t, 3)
	r.stop()
	var got []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, " again") {
			got = append(got, regexp.MustCompile(`.*msg=("[^"]*").* after=[0-9.]+m?s\n`).ReplaceAllString(line, "$1"))
		}
	}
	if diff := cmp.Diff([]string{`"call works again"`, `"Kafka answers again"`}, got); diff != "" {
		t.Errorf("recoveries (-want +got):\n%s\n%s", diff, log)
	}
}

// down is a sink that fails as long as it is down, first in Topics and then in Send.
type down struct {
	*taking
	is     atomic.Bool
	asked  atomic.Int64
	failed chan struct{}
}

func (d *down) Open(context.Context) (relay.Producer, error) { return d, nil }

func (d *down) Topics(ctx context.Context, names []string) ([]relay.TopicInfo, error) {
	if d.asked.Add(1) == 1 {
		return nil, errors.New("down")
	}
	return d.taking.Topics(ctx, names)
}

func (d *down) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	d.taking.Send(ctx, wave, results)
	if !d.is.Load() {
		return
	}
	for i := range results {
		results[i] = relay.Result{Class: relay.ClassRelay, Err: errors.New("down")}
	}
	select {
	case d.failed <- struct{}{}:
	default:
	}
}

func (d *down) Close() {}
