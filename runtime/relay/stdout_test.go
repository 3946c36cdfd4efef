package relay_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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
		Topic: "orders", Key: []byte("o-1"), Value: []byte("{\"paid\": true,\n\"created_at\": 0}"), Seq: 7,
		Headers:   []relay.Header{{Key: "event_type", Value: []byte("order.paid.v1")}},
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}}
	tombstone := wave[0]
	tombstone.Value, tombstone.Seq, tombstone.Partition, tombstone.Chosen = nil, 8, 3, true
	wave = append(wave, tombstone)
	producer.Send(context.Background(), wave, make([]relay.Result, 2))
	// Output:
	// {"topic":"orders","key":"o-1","seq":7,"headers":{"event_type":"order.paid.v1"},"value":{"paid": true, "created_at": 0},"created_at":"2026-01-02T03:04:05Z"}
	// {"topic":"orders","key":"o-1","partition":3,"seq":8,"headers":{"event_type":"order.paid.v1"},"tombstone":true,"created_at":"2026-01-02T03:04:05Z"}
}

// A database with the encoding SQL_ASCII stores bytes that are not UTF-8.
func TestStdoutSinkWritesTheBytesOfTheRecord(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	producer, err := relay.NewStdoutSink(&out).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	value := []byte("{\"a\":\r\n\"\xe9\"}")
	results := make([]relay.Result, 1)
	producer.Send(t.Context(), []relay.Record{{Topic: "t", Value: value, Seq: 1}}, results)
	want := `{"topic":"t","key":null,"seq":1,"headers":{},"value":{"a":  "` + "\xe9" + `"},"created_at":"0001-01-01T00:00:00Z"}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" || results[0].Err != nil {
		t.Errorf("%v (-want +got):\n%s", results[0].Err, diff)
	}
	if diff := cmp.Diff("{\"a\":\r\n\"\xe9\"}", string(value)); diff != "" {
		t.Errorf("the record was changed (-want +got):\n%s", diff)
	}
}

// lines collects what a stdout sink writes.
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

// With ContinueTraces, each attempt to send a record is in the trace of its insert, if that
// was sampled, and linked to the wave.
func TestTracesThatContinue(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	store := relay.NewMemStore()
	inserted := func(topic, headers string) relay.Row {
		return relay.Row{ID: uuid.New(), Topic: topic, Key: key("k"), EventType: "e", Data: []byte("1"), Headers: []byte(headers)}
	}
	const traceID = "0af7651916cd43dd8448eb211c80319c"
	store.Add(
		inserted("t", `{"trace_id":"c-1","traceparent":"00-`+traceID+`-b7ad6b7169203331-01","tracestate":"vendor=x"}`),
		inserted("t", `{"traceparent":"00-`+traceID+`-b7ad6b7169203332-00"}`), // not sampled
		inserted("t", `{}`),
	)
	r := start(t, relay.Config{
		Store: store, Sink: relay.NewStdoutSink(&lines{}), Name: "shop", ContinueTraces: true,
		TracerProvider: trace.NewTracerProvider(trace.WithSpanProcessor(spans), trace.WithSampler(trace.AlwaysSample())),
	})
	r.w.publishes(t, 3)
	store.Add(inserted("t", `{}`))
	r.w.publishes(t, 4)
	r.stop()
	var got []string
	waves := map[string]bool{}
	for _, s := range spans.Ended() {
		if !s.Parent().IsValid() {
			waves[s.SpanContext().SpanID().String()] = true
			continue
		}
		text := fmt.Sprintf("%s %s %s/%s state %s, in a wave: %v", s.SpanKind(), s.Name(), s.Parent().TraceID(), s.Parent().SpanID(),
			s.Parent().TraceState(), len(s.Links()) == 1 && waves[s.Links()[0].SpanContext.SpanID().String()])
		for _, a := range s.Attributes() {
			if a.Key == "messaging.message.conversation_id" || a.Key == "messaging.destination.partition.id" {
				text += fmt.Sprintf(", %s=%s %s", a.Key, a.Value.Type(), a.Value.String())
			}
		}
		got = append(got, text)
	}
	if len(waves) != 1 {
		t.Errorf("%d waves have a span, want the one with the sampled insert", len(waves))
	}
	if d := cmp.Diff([]string{
		"client send t " + traceID + "/b7ad6b7169203331 state vendor=x, in a wave: true, " +
			"messaging.destination.partition.id=STRING 0, messaging.message.conversation_id=STRING c-1",
	}, got); d != "" {
		t.Errorf("the spans (-want +got):\n%s", d)
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
	synctest.Test(t, func(t *testing.T) {
		store := relay.NewMemStore()
		w := waker{make(chan struct{}, 1)}
		var out lines
		r := start(t, relay.Config{
			Store: store, Clock: newFakeTime(), Sink: relay.NewStdoutSink(&out), Wake: w, PollMin: 2 * patience, PollMax: time.Hour,
		})
		r.w.until(t, "caught up", func(w *watcher) bool { return w.status.CaughtUp })
		for i := range 20 {
			store.Add(rows(1, "t", "k")...)
			w.c <- struct{}{}
			r.w.publishes(t, i+1)
		}
	})
}

func TestReady(t *testing.T) {
	t.Parallel()
	r := start(t, relay.Config{Store: relay.NewMemStore(), Sink: relay.NewStdoutSink(&lines{})})
	r.w.leads(t)
	if !r.Ready() {
		t.Error("a leader is not ready")
	}
}

// announced signals each write before it is made.
type announced struct {
	io.Writer
	begun chan struct{}
}

func (a announced) Write(p []byte) (int, error) {
	a.begun <- struct{}{}
	return a.Writer.Write(p)
}

// A reader that has stopped reading delays a wave at most as long as its context lasts,
// and gets every line in order when it reads again.
func TestStdoutSinkHeedsItsContext(t *testing.T) {
	t.Parallel()
	reader, writer := io.Pipe()
	begun := make(chan struct{}, 10)
	producer, err := relay.NewStdoutSink(announced{writer, begun}).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	lines := bufio.NewReader(reader)
	next := func() string {
		l, err := lines.ReadString('\n')
		if err != nil {
			t.Error(err)
		}
		var row struct{ Topic string }
		if err := json.Unmarshal([]byte(l), &row); err != nil {
			t.Error(err)
		}
		return row.Topic
	}
	classes := func(results []relay.Result) (out []relay.Class) {
		for _, r := range results {
			out = append(out, r.Class)
		}
		return out
	}
	send := func(ctx context.Context, topics ...string) []relay.Class {
		wave := make([]relay.Record, len(topics))
		for i, topic := range topics {
			wave[i].Topic, wave[i].Value = topic, []byte("1")
		}
		results := make([]relay.Result, len(wave))
		producer.Send(ctx, wave, results)
		return classes(results)
	}

	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	var read sync.WaitGroup
	read.Go(func() {
		got = append(got, next())
		<-begun
		<-begun // the second write waits for a reader
		cancel()
	})
	first := send(ctx, "a", "b", "c")
	read.Wait()
	second := send(ctx, "b", "c")
	read.Go(func() {
		for range 3 {
			got = append(got, next())
		}
	})
	third := send(t.Context(), "b", "c")
	read.Wait()

	type outcome struct {
		First, Second, Third []relay.Class
		Read                 []string
	}
	want := outcome{
		[]relay.Class{relay.ClassOK, relay.ClassRelay, relay.ClassRelay},
		[]relay.Class{relay.ClassRelay, relay.ClassRelay},
		[]relay.Class{relay.ClassOK, relay.ClassOK},
		[]string{"a", "b", "b", "c"},
	}
	if diff := cmp.Diff(want, outcome{first, second, third, got}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
