package relay_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

func ExampleNewStdoutSink() {
	producer, err := relay.NewStdoutSink(os.Stdout).Open(context.Background())
	if err != nil {
		panic(err)
	}
	defer producer.Close()
	wave := []relay.Record{{
		Topic: "orders", Key: []byte("o-1"), Value: []byte(`{"paid":true}`), Seq: 7,
		Headers:   []relay.Header{{Key: "event_type", Value: []byte("order.paid.v1")}},
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}}
	producer.Send(context.Background(), wave, make([]relay.Result, 1))
	// Output: {"topic":"orders","key":"o-1","seq":7,"headers":{"event_type":"order.paid.v1"},"value":{"paid":true},"created_at":"2026-01-02T03:04:05Z"}
}

// lines is where a stdout sink writes in a test.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestWaveSpanLinksToTheInserters(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	store := relay.NewMemStore()
	store.Add(relay.Row{
		ID: uuid.New(), Topic: "t", Key: key("k"), EventType: "e", Data: []byte("1"),
		Headers: []byte(`{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}`),
	}, relay.Row{Topic: "t", EventType: "e", Data: []byte("2"), Headers: []byte(`{"traceparent":"nonsense"}`)})
	var out lines
	r := start(t, relay.Config{
		Store: store, Sink: relay.NewStdoutSink(&out),
		TracerProvider: trace.NewTracerProvider(trace.WithSpanProcessor(spans)),
	})
	r.w.publishes(t, 2)
	r.stop()
	var links []string
	for _, s := range spans.Ended() {
		for _, l := range s.Links() {
			links = append(links, l.SpanContext.TraceID().String()+"/"+l.SpanContext.SpanID().String())
		}
	}
	if d := cmp.Diff([]string{"0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331"}, links); d != "" {
		t.Errorf("links (-want +got): %s", d)
	}
	if n := strings.Count(out.b.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2: %s", n, out.b.String())
	}
}

// waker is a WakeSource of a test.
type waker struct{ c chan struct{} }

func (w waker) Wait(ctx context.Context) error {
	select {
	case <-w.c:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w waker) Close() {}

// A wake-up is followed at once, whatever the poll interval has grown to.
func TestWakeUpIsFollowedAtOnce(t *testing.T) {
	t.Parallel()
	store := relay.NewMemStore()
	w := waker{make(chan struct{}, 1)}
	var out lines
	r := start(t, relay.Config{
		Store: store, Sink: relay.NewStdoutSink(&out), Wake: w, PollMin: time.Minute, PollMax: time.Hour,
	})
	r.w.until(t, "caught up", func(w *watcher) bool { return w.status.CaughtUp })
	for i := range 20 {
		store.Add(rows(1, "t", "k")...)
		w.c <- struct{}{}
		r.w.publishes(t, i+1)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	r := start(t, relay.Config{Store: relay.NewMemStore(), Sink: relay.NewStdoutSink(&lines{})})
	r.w.leads(t)
	if !r.Ready() {
		t.Error("a leader is not ready")
	}
}
