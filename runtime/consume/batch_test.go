package consume_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// onPaid is what a generated package has for the event.
func onPaid(r gen.Router, handle func(context.Context, outbox.Envelope[orderPaid]) error) {
	gen.On(r, orderPaidType(gen.EnvelopeOutbox), handle)
}

// paidBatch returns messages with the offsets from 10 on. Those at the offsets of bad do
// not decode.
func paidBatch(t *testing.T, n int, bad ...int) []consume.Message {
	t.Helper()
	var batch []consume.Message
	for i := range n {
		m := paid(t, gen.EnvelopeOutbox, uuid.New())
		m.Offset = int64(10 + i)
		for _, b := range bad {
			if b == i {
				m.Value = []byte("no json")
			}
		}
		batch = append(batch, m)
	}
	return batch
}

// outcome is a consume.BatchResult that can be compared.
type outcome struct {
	Handled int
	Named   bool
	Offset  int64 // of the record that the error names
	Batch   int   // records that the error is about; 0: one
	Err     string
}

func outcomeOf(r consume.BatchResult) outcome {
	o := outcome{Handled: r.Handled, Named: r.Named}
	if r.Err == nil {
		return o
	}
	if e, ok := errors.AsType[*consume.HandlerError](r.Err); ok {
		o.Offset, o.Batch, o.Err = e.Record.Offset, e.Batch, "handler: "+e.Err.Error()
	}
	if e, ok := errors.AsType[*consume.DecodeError](r.Err); ok {
		o.Offset, o.Err = e.Record.Offset, "decode"
	}
	return o
}

// A batch is handled, or fails as a whole, or up to a message that the handler names or
// that does not decode.
func TestTheOutcomeOfABatch(t *testing.T) {
	t.Parallel()
	broken := errors.New("no")
	for name, c := range map[string]struct {
		records int
		bad     []int
		result  error
		panics  bool
		gets    int // events of the handler
		want    outcome
	}{
		"handled":                  {records: 3, gets: 3, want: outcome{Handled: 3}},
		"failed":                   {records: 3, result: broken, gets: 3, want: outcome{Offset: 10, Batch: 3, Err: "handler: no"}},
		"failed, one":              {records: 1, result: broken, gets: 1, want: outcome{Named: true, Offset: 10, Err: "handler: no"}},
		"panicked":                 {records: 3, panics: true, gets: 3, want: outcome{Offset: 10, Batch: 3, Err: "handler: panic: oh"}},
		"named":                    {records: 3, result: &consume.BatchError{Index: 2, Err: broken}, gets: 3, want: outcome{Handled: 2, Named: true, Offset: 12, Err: "handler: no"}},
		"named, wrapped":           {records: 3, result: fmt.Errorf("write: %w", &consume.BatchError{Index: 1, Err: broken}), gets: 3, want: outcome{Handled: 1, Named: true, Offset: 11, Err: "handler: no"}},
		"named, the first":         {records: 3, result: &consume.BatchError{Err: broken}, gets: 3, want: outcome{Named: true, Offset: 10, Err: "handler: no"}},
		"named, without a reason":  {records: 3, result: &consume.BatchError{Index: 1}, gets: 3, want: outcome{Handled: 1, Named: true, Offset: 11, Err: "handler: message 1 of the batch: <nil>"}},
		"named, not in the batch":  {records: 3, result: &consume.BatchError{Index: 3, Err: broken}, gets: 3, want: outcome{Offset: 10, Batch: 3, Err: "handler: no"}},
		"does not decode":          {records: 3, bad: []int{0}, want: outcome{Named: true, Offset: 10, Err: "decode"}},
		"does not decode later":    {records: 4, bad: []int{2, 3}, gets: 2, want: outcome{Handled: 2, Named: true, Offset: 12, Err: "decode"}},
		"failed before it is read": {records: 4, bad: []int{2}, result: broken, gets: 2, want: outcome{Offset: 10, Batch: 4, Err: "handler: no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := consume.NewRouter()
			gets := 0
			consume.OnBatch(r, onPaid, consume.BatchOptions{}, func(_ context.Context, batch []outbox.Envelope[orderPaid]) error {
				gets = len(batch)
				if c.panics {
					panic("oh")
				}
				return c.result
			})
			messages := paidBatch(t, c.records, c.bad...)
			handler, skips := r.Batch(messages[0])
			if handler == nil || skips {
				t.Fatalf("the handler is %v, skips: %v", handler, skips)
			}
			if d := cmp.Diff(c.want, outcomeOf(handler.Dispatch(t.Context(), messages))); d != "" {
				t.Errorf("the outcome (-want +got):\n%s", d)
			}
			if gets != c.gets {
				t.Errorf("the handler got %d events", gets)
			}
			if c.records != 1 {
				return
			}
			// Dispatch makes a batch of each message.
			err, ok := errors.AsType[*consume.HandlerError](r.Dispatch(t.Context(), messages[0]))
			if !ok || !errors.Is(err.Err, broken) || err.Batch != 0 {
				t.Errorf("alone: %v", err)
			}
		})
	}
}

// The router says of each message whether a batch handler gets it.
func TestWhatABatchHandlerGets(t *testing.T) {
	t.Parallel()
	batch := func(context.Context, []consume.Message) error { return nil }
	one := func(context.Context, consume.Message) error { return nil }
	message := func(eventType string) consume.Message {
		return consume.Message{Topic: "shop.orders", Value: []byte("{}"), Headers: []outbox.Header{{Key: "event_type", Value: []byte(eventType)}}}
	}
	type says struct {
		Type  string
		Skips bool
	}
	for unknown, skips := range map[consume.Unknown]bool{consume.Skip: true, consume.Fail: false} {
		r := consume.NewRouter(consume.OnUnknown(unknown))
		r.HandleBatch("paid", consume.BatchOptions{MaxRecords: 7}, batch)
		r.Handle("placed", one)
		consume.OnTombstone(r, "shop.orders", func(context.Context, string) error { return nil })
		tombstone, other := message("paid"), message("paid")
		tombstone.Value, other.Value, other.Topic = nil, nil, "shop.customers"
		envelope := consume.Message{Value: []byte(`{"event_type": "paid"}`)}
		nothing := consume.Message{Value: []byte(`no json`)}
		var got []says
		for _, m := range []consume.Message{message("paid"), envelope, message("placed"), message("gone"), nothing, tombstone, other} {
			b, skips := r.Batch(m)
			says := says{Skips: skips}
			if b != nil {
				says.Type = b.EventType()
			}
			got = append(got, says)
		}
		want := []says{{Type: "paid"}, {Type: "paid"}, {}, {Skips: skips}, {}, {}, {Skips: true}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("unknown types %d (-want +got):\n%s", unknown, d)
		}
		b, _ := r.Batch(message("paid"))
		if d := cmp.Diff(consume.BatchOptions{MaxRecords: 7, MaxBytes: 1 << 20}, b.Options()); d != "" {
			t.Errorf("options (-want +got):\n%s", d)
		}
	}
}

// Middleware of batches runs once for each batch, the first one outermost, also around a
// batch of one.
func TestBatchMiddleware(t *testing.T) {
	t.Parallel()
	var calls []string
	wrap := func(name string) consume.BatchMiddleware {
		return func(next consume.BatchHandler) consume.BatchHandler {
			return func(ctx context.Context, batch []consume.Message) error {
				calls = append(calls, fmt.Sprintf("%s %d", name, len(batch)))
				return next(ctx, batch)
			}
		}
	}
	single := func(next consume.Handler) consume.Handler {
		return func(ctx context.Context, m consume.Message) error {
			calls = append(calls, "single")
			return next(ctx, m)
		}
	}
	r := consume.NewRouter(consume.Use(single), consume.UseBatch(wrap("outer"), wrap("inner")))
	consume.OnBatch(r, onPaid, consume.BatchOptions{}, func(context.Context, []outbox.Envelope[orderPaid]) error { return nil })
	messages := paidBatch(t, 2)
	b, _ := r.Batch(messages[0])
	if result := b.Dispatch(t.Context(), messages); result.Err != nil {
		t.Fatal(result.Err)
	}
	if err := r.Dispatch(t.Context(), messages[0]); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"outer 2", "inner 2", "outer 1", "inner 1"}, calls); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Mistakes in registering batch handlers panic at the start, with what to do.
func TestMistakesInTheWiringOfBatches(t *testing.T) {
	t.Parallel()
	one := func(context.Context, consume.Message) error { return nil }
	batch := func(context.Context, []consume.Message) error { return nil }
	same := func(next consume.Handler) consume.Handler { return next }
	for name, c := range map[string]struct {
		wire func(r *consume.Router)
		opts []consume.Option
		says string // "" is no mistake
	}{
		"two handlers": {wire: func(r *consume.Router) {
			r.Handle("a", one)
			r.HandleBatch("a", consume.BatchOptions{}, batch)
		}, says: `event type "a" has a handler already`},
		"two handlers, the batch first": {wire: func(r *consume.Router) {
			r.HandleBatch("a", consume.BatchOptions{}, batch)
			r.Handle("a", one)
		}, says: `event type "a" has a handler already`},
		"no type":          {wire: func(r *consume.Router) { r.HandleBatch("", consume.BatchOptions{}, batch) }, says: "is empty"},
		"no handler":       {wire: func(r *consume.Router) { r.HandleBatch("a", consume.BatchOptions{}, nil) }, says: "is nil"},
		"no typed handler": {wire: func(r *consume.Router) { consume.OnBatch(r, onPaid, consume.BatchOptions{}, nil) }, says: "order.paid.v1 is nil"},
		"negative":         {wire: func(r *consume.Router) { r.HandleBatch("a", consume.BatchOptions{MaxRecords: -1}, batch) }, says: "none may be negative; 0 is the default"},
		"middleware that it does not get": {
			opts: []consume.Option{consume.Use(same)},
			wire: func(r *consume.Router) { r.HandleBatch("a", consume.BatchOptions{}, batch) },
			says: "give its batch middleware to UseBatch",
		},
		"middleware that it does not need": {
			opts: []consume.Option{consume.Use(same), consume.UseBatch()},
			wire: func(r *consume.Router) { r.HandleBatch("a", consume.BatchOptions{}, batch) },
		},
	} {
		func() {
			defer func() {
				got, _ := recover().(string)
				if (got != "") != (c.says != "") || !strings.Contains(got, c.says) {
					t.Errorf("%s: it says %q", name, got)
				}
			}()
			c.wire(consume.NewRouter(c.opts...))
		}()
	}
}

// A handler for batches of an event gets several events at once. onPaid stands in for the
// function OnOrderPaidV1 of a generated package.
func ExampleOnBatch() {
	r := consume.NewRouter()
	consume.OnBatch(r, onPaid, consume.BatchOptions{MaxRecords: 100}, func(_ context.Context, batch []outbox.Envelope[orderPaid]) error {
		fmt.Printf("%d events, the first is about order %s\n", len(batch), batch[0].Data.Order)
		return nil
	})

	err := r.Dispatch(context.Background(), consume.Message{Topic: "orders", Value: []byte(`{
		"event_id": "018fd0a0-0000-7000-8000-000000000001", "event_type": "order.paid.v1",
		"event_timestamp": "2026-01-02T03:04:05Z", "source_service": "shop", "schema_version": 1,
		"correlation_id": "c-1", "data_schema_uri": null, "data": {"order": "7", "cents": 995}, "metadata": null
	}`)})
	fmt.Println(err)
	// Output:
	// 1 events, the first is about order 7
	// <nil>
}
