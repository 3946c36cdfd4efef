package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/deadletter"
	"github.com/outboxgen/outboxgen/runtime/internal/panicky"
)

const elsewhere = "elsewhere"

// types writes one record of each event type to partition 0, all in one fetch. The values
// are "0", "1", … One of the type elsewhere is of the type paid, and was sent back for
// another group.
func (b *bench) types(eventTypes ...string) {
	b.t.Helper()
	var records []*kgo.Record
	for i, eventType := range eventTypes {
		headers := []kgo.RecordHeader{{Key: "event_type", Value: []byte(eventType)}}
		if eventType == elsewhere {
			headers = []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}, {Key: deadletter.HeaderRedriveGroup, Value: []byte("billing")}}
		}
		records = append(records, &kgo.Record{Topic: b.topic, Value: fmt.Append(nil, i), Headers: headers})
	}
	if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

// values is how a batch is noted.
func values(batch []consume.Message) string {
	var list []string
	for _, m := range batch {
		list = append(list, string(m.Value))
	}
	return "[" + strings.Join(list, " ") + "]"
}

// batches returns a router that notes the batches of the event type paid.
func batches(seen *log, options consume.BatchOptions, handle func(ctx context.Context, batch []consume.Message) error) *consume.Router {
	r := consume.NewRouter()
	r.HandleBatch("paid", options, func(ctx context.Context, batch []consume.Message) error {
		seen.add(values(batch))
		if handle == nil {
			return nil
		}
		return handle(ctx, batch)
	})
	return r
}

// The batches of a lane have the records of its keys in their order, with failures in
// between. Everything is handled once and committed.
func TestBatchesOfKeys(t *testing.T) {
	each(t, 1, func(b *bench) {
		const n, most = 1000, 50
		want := b.keyed(n, 40)
		var mu sync.Mutex
		got, handled, large := map[string][]string{}, newLog(), 0
		failed := map[string]bool{}
		router := batches(newLog(), consume.BatchOptions{MaxRecords: most}, func(_ context.Context, batch []consume.Message) error {
			mu.Lock()
			defer mu.Unlock()
			if len(batch) > most {
				b.t.Errorf("a batch of %d", len(batch))
			}
			if first := string(batch[0].Value); !failed[first] {
				failed[first] = true
				return errors.New("once")
			}
			if len(batch) > 1 {
				large++
			}
			last := int64(-1)
			for _, m := range batch {
				if m.Offset <= last {
					b.t.Errorf("offset %d after %d", m.Offset, last)
				}
				last = m.Offset
				got[string(m.Key)] = append(got[string(m.Key)], string(m.Value))
				handled.add(string(m.Value))
			}
			return nil
		})
		cfg := b.config(router)
		cfg.Concurrency = 4
		consumer, stop, _ := launch(b.t, cfg)
		handled.wait(b.t, n)
		b.waitCommitted(0, n)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			b.t.Errorf("handled, by key (-want +got):\n%s", d)
		}
		if s := consumer.Stats(); s.Handled != n || large == 0 {
			b.t.Errorf("%d are counted as handled, in %d batches of several", s.Handled, large)
		}
	})
}

// A batch ends where a record of another type follows that has a handler. Records without
// a handler, or of another group, are skipped in between.
func TestWhereABatchEnds(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.types("paid", "paid", "placed", "paid", "gone", elsewhere, "paid", "placed", "placed", "paid")
		seen := newLog()
		router := batches(seen, consume.BatchOptions{}, nil)
		router.Handle("placed", func(_ context.Context, m consume.Message) error {
			seen.add("placed " + string(m.Value))
			return nil
		})
		_, stop, _ := launch(b.t, b.config(router))
		want := []string{"[0 1]", "placed 2", "[3 6]", "placed 7", "placed 8", "[9]"}
		if d := cmp.Diff(want, seen.wait(b.t, len(want))); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 10)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if n := router.Counts().SkippedUnknown; n != 1 {
			b.t.Errorf("%d are counted as skipped", n)
		}
	})
}

func TestTheLimitsOfABatch(t *testing.T) {
	of := func(n int) []string { return strings.Split(strings.Repeat("paid ", n-1)+"paid", " ") }
	for name, c := range map[string]struct {
		options consume.BatchOptions
		change  func(*kafka.Config)
		types   []string
		want    []string
	}{
		"records": {options: consume.BatchOptions{MaxRecords: 2}, types: of(5), want: []string{"[0 1]", "[2 3]", "[4]"}},
		// A record is counted with 250 bytes, its header and its value.
		"bytes":                        {options: consume.BatchOptions{MaxBytes: 800}, types: of(5), want: []string{"[0 1 2]", "[3 4]"}},
		"less bytes than a record has": {options: consume.BatchOptions{MaxBytes: 1}, types: of(2), want: []string{"[0]", "[1]"}},
		"a full buffer ends the wait": {
			options: consume.BatchOptions{MaxWait: time.Hour}, change: func(c *kafka.Config) { c.BufferRecords = 3 },
			types: of(6), want: []string{"[0 1 2 3 4 5]"},
		},
		"the wait ends":              {options: consume.BatchOptions{MaxWait: 20 * time.Millisecond}, types: of(2), want: []string{"[0 1]"}},
		"another type ends the wait": {options: consume.BatchOptions{MaxWait: time.Hour}, types: []string{"paid", "placed"}, want: []string{"[0]"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 1, func(b *bench) {
				b.types(c.types...)
				seen := newLog()
				router := batches(seen, c.options, nil)
				router.Handle("placed", func(context.Context, consume.Message) error { return nil })
				cfg := b.config(router)
				if c.change != nil {
					c.change(&cfg)
				}
				_, stop, _ := launch(b.t, cfg)
				if d := cmp.Diff(c.want, seen.wait(b.t, len(c.want))); d != "" {
					b.t.Errorf("batches (-want +got):\n%s", d)
				}
				b.waitCommitted(0, int64(len(c.types)))
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
			})
		})
	}
}

// A batch waits for records that come later. When the consumer ends meanwhile, the batch
// is not handed over, and the next consumer reads its records.
func TestABatchThatWaits(t *testing.T) {
	each(t, 1, func(b *bench) {
		seen := newLog()
		cfg := b.config(batches(seen, consume.BatchOptions{MaxRecords: 3, MaxWait: time.Hour}, nil))
		consumer, stop, _ := launch(b.t, cfg)
		for i := range 4 {
			b.fill(fmt.Sprintf("v%d.", i), 1, 1)
			if i == 3 {
				break
			}
			await(b.t, "the record is there", func() bool { return consumer.Stats().BufferedRecords > int64(i) || len(seen.list()) > 0 }, &lines{})
		}
		if d := cmp.Diff([]string{"[v0.0 v1.0 v2.0]"}, seen.wait(b.t, 1)); d != "" {
			b.t.Errorf("(-want +got):\n%s", d)
		}
		b.waitCommitted(0, 3)
		await(b.t, "the last record waits", func() bool { return consumer.Stats().BufferedRecords == 1 }, &lines{})
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if d := cmp.Diff([]string{"[v0.0 v1.0 v2.0]"}, seen.list()); d != "" {
			b.t.Errorf("after the end (-want +got):\n%s", d)
		}
		again := newLog()
		_, stop, _ = launch(b.t, b.config(batches(again, consume.BatchOptions{}, nil)))
		if d := cmp.Diff([]string{"[v3.0]"}, again.wait(b.t, 1)); d != "" {
			b.t.Errorf("handled next (-want +got):\n%s", d)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// One record of a batch cannot be handled. Only this one is dead-lettered, and the others
// are handled.
func TestABatchThatFails(t *testing.T) {
	broken := errors.New("no")
	poisoned := func(batch []consume.Message) int {
		for i, m := range batch {
			if string(m.Value) == "2" {
				return i
			}
		}
		return -1
	}
	// The outcome of a batch that has the record 2, as the handler tells it.
	whole := func(int) error { return broken }
	for name, c := range map[string]struct {
		fails    func(index int) error
		want     []string
		attempts float64
	}{
		"as a whole": {fails: whole, attempts: 4,
			want: []string{"[0 1 2 3 4]", "[0 1 2 3 4]", "[0]", "[1]", "[2]", "[2]", "dead 2", "[3]", "[4]"}},
		"by a panic": {fails: func(int) error { panic("oh") }, attempts: 4,
			want: []string{"[0 1 2 3 4]", "[0 1 2 3 4]", "[0]", "[1]", "[2]", "[2]", "dead 2", "[3]", "[4]"}},
		"by Goexit": {fails: func(int) error { runtime.Goexit(); return nil }, attempts: 4,
			want: []string{"[0 1 2 3 4]", "[0 1 2 3 4]", "[0]", "[1]", "[2]", "[2]", "dead 2", "[3]", "[4]"}},
		"by an error whose methods panic": {fails: func(int) error { return panicky.Error() }, attempts: 4,
			want: []string{"[0 1 2 3 4]", "[0 1 2 3 4]", "[0]", "[1]", "[2]", "[2]", "dead 2", "[3]", "[4]"}},
		"at a message, by such an error": {fails: func(i int) error { return &consume.BatchError{Index: i, Err: panicky.Error()} }, attempts: 4,
			want: []string{"[0 1 2 3 4]", "[0 1 2 3 4]", "[0]", "[1]", "[2]", "[2]", "dead 2", "[3]", "[4]"}},
		"at a message": {fails: func(i int) error { return &consume.BatchError{Index: i, Err: broken} }, attempts: 2,
			want: []string{"[0 1 2 3 4]", "[2 3 4]", "dead 2", "[3 4]"}},
		"at a message that does not decode": {fails: func(i int) error { return &consume.BatchError{Index: i, Err: &consume.DecodeError{Err: broken}} }, attempts: 1,
			want: []string{"[0 1 2 3 4]", "dead 2", "[3 4]"}},
		"as a whole, and a retry is in vain": {fails: func(int) error { return &consume.DecodeError{Err: broken} }, attempts: 2,
			want: []string{"[0 1 2 3 4]", "[0]", "[1]", "[2]", "dead 2", "[3]", "[4]"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 1, func(b *bench) {
				b.types("paid", "paid", "paid", "paid", "paid")
				seen, log := newLog(), &lines{}
				cfg := b.config(batches(seen, consume.BatchOptions{}, func(_ context.Context, batch []consume.Message) error {
					if i := poisoned(batch); i >= 0 {
						return c.fails(i)
					}
					return nil
				}))
				cfg.MaxAttempts, cfg.Logger = 2, log.logger()
				cfg.DeadLetter = func(_ context.Context, m consume.Message, _ error) error {
					seen.add("dead " + string(m.Value))
					return nil
				}
				consumer, stop, _ := launch(b.t, cfg)
				if d := cmp.Diff(c.want, seen.wait(b.t, len(c.want))); d != "" {
					b.t.Errorf("calls (-want +got):\n%s", d)
				}
				b.waitCommitted(0, 5)
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
				line := log.await(b.t, "event dead-lettered")
				if d := cmp.Diff([]any{2.0, c.attempts}, []any{line["offset"], line["attempts"]}); d != "" {
					b.t.Errorf("offset and attempts (-want +got):\n%s", d)
				}
				if s := consumer.Stats(); s.Handled != 4 || s.DeadLettered != 1 {
					b.t.Errorf("the counts are %+v", s)
				}
			})
		})
	}
}

// Without a place for such records the consumer stops at the record, or skips it. Those
// before it are committed.
func TestABatchThatIsGivenUp(t *testing.T) {
	for _, action := range []kafka.Action{kafka.Stop, kafka.Skip} {
		t.Run(string(action), func(t *testing.T) {
			each(t, 1, func(b *bench) {
				b.types("paid", "paid", "paid", "paid")
				seen := newLog()
				cfg := b.config(batches(seen, consume.BatchOptions{}, func(_ context.Context, batch []consume.Message) error {
					if strings.Contains(values(batch), "2") {
						return errors.New("no")
					}
					return nil
				}))
				log := &lines{}
				cfg.MaxAttempts, cfg.GiveUp, cfg.Logger = 1, action, log.logger()
				consumer, stop, result := launch(b.t, cfg)
				if action == kafka.Skip {
					log.await(b.t, "event skipped")
					b.waitCommitted(0, 4)
					if err := stop(); err != nil || consumer.Stats().Skipped != 1 {
						b.t.Errorf("Run returns %v, %+v", err, consumer.Stats())
					}
					return
				}
				err, ok := errors.AsType[*consume.HandlerError](<-result)
				if !ok || err.Record.Offset != 2 || err.Batch != 0 {
					b.t.Errorf("Run returns %v", err)
				}
				if at := b.committed(0); at != 2 {
					b.t.Errorf("committed at %d", at)
				}
			})
		})
	}
}

// A record of a retry topic is handed over alone, as a batch of one.
func TestABatchAndARetryTopic(t *testing.T) {
	each(t, 1, func(b *bench) {
		retry := b.k.NewTopic(b.t, "retry", 1)
		b.types("paid", "paid", "paid")
		seen := newLog()
		cfg := b.config(batches(seen, consume.BatchOptions{}, func(_ context.Context, batch []consume.Message) error {
			if len(batch) == 3 {
				return &consume.BatchError{Index: 1, Err: errors.New("no")}
			}
			if len(batch) == 2 {
				return &consume.BatchError{Err: errors.New("no")}
			}
			return nil
		}))
		cfg.MaxAttempts, cfg.RetryTopics = 2, []kafka.RetryTopic{{Topic: retry, Delay: time.Millisecond}}
		_, stop, _ := launch(b.t, cfg)
		want := []string{"[0 1 2]", "[1 2]", "[1]", "[2]"}
		if d := cmp.Diff(want, sortedFrom(2, seen.wait(b.t, len(want)))); d != "" {
			b.t.Errorf("calls (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 3)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// No call of a batch handler has baggage: neither that of a batch, nor that of a record
// that failed and is handled alone, before and after a retry topic. Handlers of single
// records have it.
func TestABatchHasNoBaggage(t *testing.T) {
	each(t, 1, func(b *bench) {
		retry := b.k.NewTopic(b.t, "retry", 1)
		var records []*kgo.Record
		for _, eventType := range []string{"paid", "paid", "sent"} {
			records = append(records, &kgo.Record{Topic: b.topic, Value: []byte(eventType), Headers: []kgo.RecordHeader{
				{Key: "event_type", Value: []byte(eventType)}, {Key: "baggage", Value: []byte("tenant=t1")},
			}})
		}
		if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		seen := newLog()
		note := func(ctx context.Context, what string) { seen.add(what + " " + baggage.FromContext(ctx).String()) }
		router := consume.NewRouter()
		router.HandleBatch("paid", consume.BatchOptions{}, func(ctx context.Context, batch []consume.Message) error {
			note(ctx, values(batch))
			return errors.New("no")
		})
		router.Handle("sent", func(ctx context.Context, _ consume.Message) error {
			note(ctx, "single")
			return nil
		})
		cfg := b.config(router)
		cfg.MaxAttempts, cfg.RetryTopics, cfg.GiveUp = 1, []kafka.RetryTopic{{Topic: retry, Delay: time.Millisecond}}, kafka.Skip
		_, stop, _ := launch(b.t, cfg)
		want := []string{"[paid paid] ", "[paid] ", "[paid] ", "[paid] ", "[paid] ", "single tenant=t1"}
		if d := cmp.Diff(want, sortedFrom(1, seen.wait(b.t, len(want)))); d != "" {
			b.t.Errorf("calls, each with its baggage (-want +got):\n%s", d)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// sortedFrom sorts the entries from index n on, which are of two topics.
func sortedFrom(n int, list []string) []string { return append(list[:n:n], sorted(list[n:])...) }

// A batch that is being handled when its partition goes to another member is finished and
// committed first. The member that gets the partition reads what is after it.
func TestABatchIsFinishedBeforeARebalance(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.types("paid", "paid", "paid", "paid")
		began, release := make(chan struct{}, 1), make(chan struct{})
		first, second := newLog(), newLog()
		cfg := b.config(batches(first, consume.BatchOptions{MaxRecords: 3}, func(ctx context.Context, batch []consume.Message) error {
			if len(batch) == 1 { // it may begin before the member is told to end
				<-ctx.Done()
				return ctx.Err()
			}
			began <- struct{}{}
			<-release
			return nil
		}))
		cfg.DrainTimeout = time.Second
		_, stop, _ := launch(b.t, cfg)
		<-began
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		_, end, _ := launch(b.t, b.config(batches(second, consume.BatchOptions{}, nil)))
		close(release)
		if err := <-stopped; err != nil {
			b.t.Fatal(err)
		}
		if d := cmp.Diff([]string{"[3]"}, second.wait(b.t, 1)); d != "" {
			b.t.Errorf("handled by the second member (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 4)
		if err := end(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// A batch handler that ignores its context does not keep Run from ending, and its records
// are not committed.
func TestABatchHandlerThatIgnoresItsContext(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.types("paid", "paid", "paid", "paid")
		began, release := make(chan struct{}, 1), make(chan struct{})
		defer close(release)
		cfg := kafka.Impatient(b.config(batches(newLog(), consume.BatchOptions{}, func(_ context.Context, batch []consume.Message) error {
			if len(batch) == 4 {
				return &consume.BatchError{Index: 1, Err: errors.New("once")}
			}
			began <- struct{}{}
			<-release
			return nil
		})), func(i *kafka.Timing) { i.Abandon = 50 * time.Millisecond })
		cfg.DrainTimeout = 50 * time.Millisecond
		_, stop, _ := launch(b.t, cfg)
		<-began
		abandoned, _ := errors.AsType[*kafka.AbandonedError](stop())
		want := &kafka.AbandonedError{Group: b.group, Records: []consume.Record{{Topic: b.topic, Offset: 1}}}
		if d := cmp.Diff(want, abandoned); d != "" {
			b.t.Fatalf("(-want +got):\n%s", d)
		}
		if at := b.committed(0); at != 1 {
			b.t.Errorf("committed at %d", at)
		}
	})
}

// A batch is one attempt with one span, which is linked to those that inserted its events.
// Each record is counted.
func TestWhatIsReportedOfABatch(t *testing.T) {
	each(t, 1, func(b *bench) {
		var records []*kgo.Record
		for _, span := range []string{"b7ad6b7169203331", "b7ad6b7169203332"} {
			records = append(records, &kgo.Record{Topic: b.topic, Value: []byte(span), Headers: []kgo.RecordHeader{
				{Key: "event_type", Value: []byte("paid")}, {Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-" + span + "-01")},
			}})
		}
		if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		spans, told, log, failed := tracetest.NewInMemoryExporter(), &notebook{}, &lines{}, false
		cfg := b.config(batches(newLog(), consume.BatchOptions{}, func(context.Context, []consume.Message) error {
			if !failed {
				failed = true
				return errors.New("once")
			}
			return nil
		}))
		cfg.Observer, cfg.Logger = told, log.logger()
		cfg.TracerProvider, cfg.ContinueTraces = sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), true
		_, stop, _ := launch(b.t, cfg)
		log.await(b.t, "batch failed, retrying") // then there is a group
		b.waitCommitted(0, 2)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		var got []string
		for _, a := range told.attempts {
			got = append(got, fmt.Sprintf("attempt %d of %d from %d: %v", a.Number, a.Batch, a.Record.Offset, a.Err))
		}
		for _, f := range told.finished {
			got = append(got, fmt.Sprintf("%d %s after %d", f.Record.Offset, f.Outcome, f.Attempts))
		}
		for _, span := range spans.GetSpans() {
			text := "span"
			for _, link := range span.Links {
				text += " " + link.SpanContext.SpanID().String()
			}
			got = append(got, text)
		}
		if d := cmp.Diff([]string{
			"attempt 1 of 2 from 0: consume: handle batch of 2 records from " + b.topic + "/0@0 type=paid: once", "attempt 2 of 2 from 0: <nil>",
			"0 handled after 2", "1 handled after 2",
			"span b7ad6b7169203331 b7ad6b7169203332", "span b7ad6b7169203331 b7ad6b7169203332",
		}, got); d != "" {
			b.t.Errorf("(-want +got):\n%s", d)
		}
	})
}
