package relay_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"

	"github.com/outboxgen/outboxgen/runtime/internal/panicky"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// bomb panics where and as often as it is told to.
type bomb struct {
	where string
	left  atomic.Int64
}

func (b *bomb) at(where string) {
	if where == b.where && b.left.Add(-1) >= 0 {
		panic("boom in " + where)
	}
}

// err returns an error whose methods panic, in place of an error.
func (b *bomb) err(where string) error {
	if where == b.where && b.left.Add(-1) >= 0 {
		return panicky.Error()
	}
	return nil
}

type bombObserver struct {
	*watcher
	b *bomb
}

func (o bombObserver) Read(n int)                { o.b.at("Observer.Read"); o.watcher.Read(n) }
func (o bombObserver) Wave(w relay.WaveReport)   { o.b.at("Observer.Wave"); o.watcher.Wave(w) }
func (o bombObserver) Settled(s relay.Settled)   { o.watcher.Settled(s); o.b.at("Observer.Settled") }
func (o bombObserver) Term(leader bool, e int64) { o.b.at("Observer.Term"); o.watcher.Term(leader, e) }
func (o bombObserver) Stats(s relay.Stats)       { o.b.at("Observer.Stats"); o.watcher.Stats(s) }
func (o bombObserver) Status(s relay.Status)     { o.watcher.Status(s); o.b.at("Observer.Status") }
func (o bombObserver) Failed(what string, c relay.Class, err error) {
	o.watcher.Failed(what, c, err)
	o.b.at("Observer.Failed")
}

type bombSink struct {
	*taking
	b *bomb
}

func (s bombSink) Open(context.Context) (relay.Producer, error) {
	s.b.at("Sink.Open")
	return s, s.b.err("an error of Sink.Open")
}

func (s bombSink) Partition(key []byte, n int) int32 {
	s.b.at("Sink.Partition")
	if s.b.where == "Sink.Partition out of range" {
		return int32(n)
	}
	return s.taking.Partition(key, n)
}

func (s bombSink) Topics(ctx context.Context, names []string) ([]relay.TopicInfo, error) {
	s.b.at("Producer.Topics")
	if err := s.b.err("an error of Producer.Topics"); err != nil {
		return nil, err
	}
	infos, err := s.taking.Topics(ctx, names)
	if problem := s.b.err("the problem of a topic"); problem != nil {
		infos[0].Problem = relay.Result{Class: relay.ClassTopic, Err: problem}
	}
	return infos, err
}

func (s bombSink) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	s.b.at("Producer.Send")
	for i := range wave {
		if string(wave[i].Value) == `"poison"` {
			s.b.at("Producer.Send of one row")
		}
	}
	s.taking.Send(ctx, wave, results)
	for i := range results {
		if err := s.b.err("the result of a record"); err != nil {
			results[i] = relay.Result{Class: relay.ClassTopic, Err: err}
		}
		if s.b.err("a failure without an error") != nil {
			results[i] = relay.Result{Class: relay.ClassPartition}
		}
	}
}

func (s bombSink) Close() { s.b.at("Producer.Close") }

type bombWake struct{ b *bomb }

func (w bombWake) Wait(ctx context.Context) error {
	w.b.at("WakeSource.Wait")
	if err := w.b.err("an error of WakeSource.Wait"); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}
func (w bombWake) Close() { w.b.at("WakeSource.Close") }

type bombStore struct {
	relay.Store
	b *bomb
}

func (s bombStore) Check(ctx context.Context) error {
	s.b.at("Store.Check")
	if err := s.b.err("an error of Store.Check"); err != nil {
		return err
	}
	return s.Store.Check(ctx)
}

func (s bombStore) Stats(ctx context.Context) (relay.Stats, error) {
	s.b.at("Store.Stats")
	if err := s.b.err("an error of Store.Stats"); err != nil {
		return relay.Stats{}, err
	}
	return s.Store.Stats(ctx)
}

func (s bombStore) Sweep(ctx context.Context, l relay.Lease, keep time.Duration, limit int) (int, error) {
	s.b.at("Store.Sweep")
	if err := s.b.err("an error of Store.Sweep"); err != nil {
		return 0, err
	}
	return s.Store.Sweep(ctx, l, keep, limit)
}

func (s bombStore) Maintain(context.Context, relay.Lease, time.Duration) error {
	s.b.at("Store.Maintain")
	return s.b.err("an error of Store.Maintain")
}

func (s bombStore) Snapshot(ctx context.Context) (relay.Snapshot, error) {
	s.b.at("the call Snapshot")
	if err := s.b.err("an error of the call Snapshot"); err != nil {
		return "", err
	}
	return s.Store.Snapshot(ctx)
}

func (s bombStore) Settle(ctx context.Context, l relay.Lease, st relay.Settlement) error {
	s.b.at("the call Settle")
	return s.Store.Settle(ctx, l, st)
}

func (s bombStore) Close() { s.Store.Close(); s.b.at("Store.Close") }

type bombTracing struct {
	embedded.TracerProvider
	b *bomb
}

func (p bombTracing) Tracer(string, ...trace.TracerOption) trace.Tracer {
	p.b.at("TracerProvider.Tracer")
	return bombTracer{b: p.b}
}

type bombTracer struct {
	embedded.Tracer
	b *bomb
}

func (t bombTracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	t.b.at("Tracer.Start")
	return ctx, bombSpan{trace.SpanFromContext(context.Background()), t.b}
}

type bombSpan struct {
	trace.Span
	b *bomb
}

func (s bombSpan) End(...trace.SpanEndOption) { s.b.at("Span.End") }

// bombHandler keeps the log, and panics if told to.
type bombHandler struct {
	slog.Handler
	b *bomb
}

func (h bombHandler) Handle(ctx context.Context, r slog.Record) error {
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	h.b.at("slog.Handler")
	return nil
}
func (h bombHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bombHandler{h.Handler.WithAttrs(attrs), h.b}
}

// logText is the text of a log.
type logText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Code that the relay was given panics: the relay logs it with the stack, counts it and
// continues. Every row is published, except one that makes the sink panic each time; it
// is counted and finally dead.
func TestAPanicOfGivenCodeDoesNotEndTheRelay(t *testing.T) {
	t.Parallel()
	const always = 1 << 40
	for where, times := range map[string]int64{
		"Observer.Read": always, "Observer.Wave": always, "Observer.Settled": always, "Observer.Failed": always,
		"Observer.Term": always, "Observer.Stats": always, "Observer.Status": always,
		"Sink.Open": 2, "Sink.Partition": always, "Sink.Partition out of range": 0,
		"Producer.Topics": 2, "Producer.Send": 1, "Producer.Send of one row": always, "Producer.Close": always,
		"WakeSource.Wait": always, "WakeSource.Close": always,
		"Store.Check": 1, "Store.Stats": always, "Store.Sweep": always, "Store.Maintain": always, "the call Snapshot": 1, "the call Settle": 1, "Store.Close": 1,
		"TracerProvider.Tracer": 1, "Tracer.Start": always, "Span.End": always,
		"slog.Handler":          always,
		"an error of Sink.Open": 2, "an error of Producer.Topics": 2, "the problem of a topic": 2, "the result of a record": 1,
		"an error of WakeSource.Wait": always, "an error of Store.Check": 1, "an error of Store.Stats": always,
		"an error of Store.Sweep": always, "an error of Store.Maintain": always, "an error of the call Snapshot": 1, "a failure without an error": 1,
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := &bomb{where: where}
				b.left.Store(times)
				store := relay.NewMemStore()
				all := rows(6, "here", "k")
				poison := where == "Producer.Send of one row"
				if poison {
					all[3].Key, all[3].Data = key("j"), []byte(`"poison"`)
				}
				store.Add(all...)
				w, log := newWatcher(), &logText{}
				sink := newTaking()
				if where == "Observer.Failed" {
					store.Add(rows(1, "gone", "k")...)
					b.where = "Producer.Topics"
					b.left.Store(1)
				}
				cfg := relay.Config{
					Store: bombStore{store, b}, Sink: bombSink{sink, b}, Wake: bombWake{b}, Observer: bombObserver{w, b},
					TracerProvider: bombTracing{b: b}, Logger: slog.New(bombHandler{slog.NewTextHandler(log, nil), b}),
					Clock: newFakeTime(), Term: 500 * time.Millisecond, MaxAttempts: 2, RetryMin: 10 * time.Millisecond, RetryMax: 10 * time.Millisecond,
					OutageMax: 200 * time.Millisecond, StatsEvery: 10 * time.Millisecond,
				}
				if where == "Observer.Failed" {
					cfg.Observer = failingObserver{w}
				}
				r, err := relay.New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				ended := make(chan error, 1)
				go func() { ended <- r.Run(ctx) }()
				w.until(t, "every row is published or dead", func(*watcher) bool {
					for seq := range int64(len(all)) {
						if _, published, dead := store.Row(seq + 1); !published && !dead {
							return false
						}
					}
					atTheEnd := strings.HasSuffix(where, ".Close") || where == "slog.Handler"
					return atTheEnd || strings.Contains(log.String(), "panicked") || strings.Contains(log.String(), "without an error")
				})
				cancel()
				if err := <-ended; err != nil {
					t.Fatalf("Run: %v", err)
				}
				for seq := range int64(len(all)) {
					row, published, dead := store.Row(seq + 1)
					if want := poison && seq == 3; dead != want || published == want {
						t.Errorf("row %d: published %v, dead %v after %d attempts", seq, published, dead, row.RetryCount)
					}
				}
				if where == "slog.Handler" || where == "a failure without an error" {
					return // what it panicked on is lost; and nothing panicked
				}
				text := log.String()
				if !strings.Contains(text, "code given to the relay panicked") || !strings.Contains(text, "goroutine") {
					t.Errorf("the log has no panic with its stack:\n%s", text)
				}
				if r.Status().Panics == 0 && !strings.HasSuffix(where, ".Close") {
					t.Errorf("no panic is counted: %+v", r.Status())
				}
			})
		})
	}
}

type failingObserver struct{ *watcher }

func (o failingObserver) Failed(string, relay.Class, error) { panic("boom in Observer.Failed") }
