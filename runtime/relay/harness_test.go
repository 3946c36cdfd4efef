package relay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
)

// patience is how long a test waits for something that should happen.
const patience = 60 * time.Second

// watcher is an Observer that tests wait on.
type watcher struct {
	relay.NopObserver
	mu       sync.Mutex
	changed  chan struct{}
	status   relay.Status
	settled  relay.Settled
	failures map[relay.Class]int
	standby  bool // the store reported that its server is a standby
}

func newWatcher() *watcher {
	return &watcher{changed: make(chan struct{}), failures: map[relay.Class]int{}}
}

func (w *watcher) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watcher) Status(s relay.Status) { w.change(func() { w.status = s }) }

func (w *watcher) Settled(s relay.Settled) {
	w.change(func() {
		w.settled.Published += s.Published
		w.settled.Failed += s.Failed
		w.settled.Dead += s.Dead
	})
}

func (w *watcher) Failed(_ string, c relay.Class, err error) {
	setup, ok := errors.AsType[*relay.SetupError](err)
	w.change(func() {
		w.failures[c]++
		w.standby = w.standby || ok && setup.Transient
	})
}

// until waits for a condition.
func (w *watcher) until(t testing.TB, what string, ok func(*watcher) bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		w.mu.Lock()
		done, changed := ok(w), w.changed
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-limit:
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Fatalf("not within %s: %s; status %+v, settled %+v, failures %v", patience, what, w.status, w.settled, w.failures)
		}
	}
}

func (w *watcher) leads(t testing.TB) {
	t.Helper()
	w.until(t, "leads", func(w *watcher) bool { return w.status.Leader })
}

func (w *watcher) publishes(t testing.TB, n int) {
	t.Helper()
	w.until(t, fmt.Sprintf("%d published", n), func(w *watcher) bool { return w.settled.Published >= n })
}

// running is a relay that a test started.
type running struct {
	*relay.Relay
	w    *watcher
	stop func()
}

// start runs a relay until the test or stop ends it.
func start(t *testing.T, cfg relay.Config) *running {
	t.Helper()
	w := newWatcher()
	cfg.Observer = w
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.NewTextHandler(testWriter{t}, nil))
	}
	r, err := relay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return &running{r, w, stop}
}

// fakeTime is the relay's clock in a test that runs in a bubble of synctest. The clock of
// the machine would not stand still there.
type fakeTime struct{ began time.Time }

func newFakeTime() fakeTime { return fakeTime{time.Now()} }

func (f fakeTime) Now() time.Duration { return time.Since(f.began) }

// testWriter keeps the relay's log with the test that it belongs to.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Logf("%s", p)
	return len(p), nil
}

var _ io.Writer = testWriter{}

func kafkaSink(t *testing.T, brokers []string) relay.Sink {
	t.Helper()
	s, err := newKafkaSink(brokers)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newKafkaSink(brokers []string) (relay.Sink, error) {
	return kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(brokers...)}})
}

// consume reads n records of topics, in the order of the partitions.
func consume(t *testing.T, brokers []string, n int, topics ...string) []*kgo.Record {
	t.Helper()
	return consumeUntil(t, brokers, func(records []*kgo.Record) int { return n - len(records) }, topics...)
}

// consumeFirsts reads until it has seen n different values, and returns them in the
// order of their first occurrence. It is for runs whose leaders end uncleanly and so
// repeat some.
func consumeFirsts(t *testing.T, brokers []string, n int, topics ...string) []string {
	t.Helper()
	return firsts(consumeUntil(t, brokers, func(records []*kgo.Record) int { return n - len(firsts(records)) }, topics...))
}

// consumeUntil reads from the beginning until missing returns 0 or less for everything
// read.
func consumeUntil(t *testing.T, brokers []string, missing func([]*kgo.Record) int, topics ...string) []*kgo.Record {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out []*kgo.Record
	for missing(out) > 0 {
		f := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d records, and %d are still missing after %s", len(out), missing(out), patience)
		}
		out = append(out, f.Records()...)
	}
	return out
}

func key(s string) *string { return &s }

func rows(n int, topic, k string) []relay.Row {
	out := make([]relay.Row, n)
	for i := range out {
		out[i] = relay.Row{Topic: topic, Key: key(k), EventType: "t", Data: fmt.Appendf(nil, `{"n":%d}`, i), CreatedAt: time.Now()}
	}
	return out
}
