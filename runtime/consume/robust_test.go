package consume_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/gen"
)

// moody is data whose hand-written decoder panics.
type moody struct{ orderPaid }

func (*moody) UnmarshalJSON([]byte) error { panic("the decoder is broken") }

var (
	noOrder *orderPaid
	noMap   map[string]int
)

func dereferenceNil() { noOrder.Cents++ }

// If any code of the service panics, Dispatch returns an error that names the record
// and has the stack.
func TestPanicsBecomeErrors(t *testing.T) {
	t.Parallel()
	mine := errors.New("mine")
	panics := func(v any) func(context.Context, consume.Message) error {
		return func(context.Context, consume.Message) error { panic(v) }
	}
	handle := func(h consume.Handler) func(*consume.Router) {
		return func(r *consume.Router) { r.Handle("order.paid.v1", h) }
	}
	fine := func(context.Context, consume.Message) error { return nil }
	wrapped := func(m consume.Middleware) *consume.Router { return consume.NewRouter(consume.Use(m)) }
	tombstone := func(m consume.Message) consume.Message { m.Value = nil; return m }
	for name, c := range map[string]struct {
		router  *consume.Router
		wire    func(*consume.Router)
		change  func(consume.Message) consume.Message
		decoder bool   // the panic is the decoder's
		value   string // of the panic
		stack   string // is in it
	}{
		"nil dereference": {
			wire:  handle(func(context.Context, consume.Message) error { dereferenceNil(); return nil }),
			value: "runtime error: invalid memory address or nil pointer dereference", stack: "dereferenceNil",
		},
		"index out of range": {
			wire:  handle(func(_ context.Context, m consume.Message) error { m.Value = m.Value[len(m.Value)+1:]; return nil }),
			value: "runtime error: slice bounds out of range", stack: "robust_test.go",
		},
		"nil map": {
			wire: handle(func(context.Context, consume.Message) error {
				noMap["a"]++
				return nil
			}),
			value: "assignment to entry in nil map", stack: "robust_test.go",
		},
		"an error":  {wire: handle(panics(mine)), value: "mine", stack: "robust_test.go"},
		"a string":  {wire: handle(panics("no")), value: "no", stack: "robust_test.go"},
		"a struct":  {wire: handle(panics(struct{ n int }{7})), value: "{7}", stack: "robust_test.go"},
		"panic nil": {wire: handle(panics(nil)), value: "panic called with nil argument", stack: "robust_test.go"},
		"a deferred panic replaces the error": {
			wire: handle(func(context.Context, consume.Message) error {
				defer panic("late")
				return mine
			}),
			value: "late", stack: "robust_test.go",
		},
		"typed handler": {
			wire: func(r *consume.Router) {
				gen.On(r, orderPaidType(gen.EnvelopeOutbox), func(context.Context, outbox.Envelope[orderPaid]) error {
					dereferenceNil()
					return nil
				})
			},
			value: "nil pointer", stack: "dereferenceNil",
		},
		"decoder": {
			wire: func(r *consume.Router) {
				gen.On(r, &gen.EventType[moody]{
					Type: "order.paid.v1", Topic: "orders", Source: "shop", Envelope: gen.EnvelopeOutbox,
				}, func(context.Context, outbox.Envelope[moody]) error { return nil })
			},
			decoder: true, value: "the decoder is broken", stack: "UnmarshalJSON",
		},
		"middleware before": {
			router: wrapped(func(consume.Handler) consume.Handler { return panics("outside") }),
			wire:   handle(fine), value: "outside", stack: "robust_test.go",
		},
		"middleware after": {
			router: wrapped(func(next consume.Handler) consume.Handler {
				return func(ctx context.Context, m consume.Message) error {
					_ = next(ctx, m)
					panic("outside")
				}
			}),
			wire: handle(fine), value: "outside", stack: "robust_test.go",
		},
		"tombstone handler": {
			wire:   func(r *consume.Router) { r.HandleTombstone("orders", panics("no")) },
			change: tombstone, value: "no", stack: "robust_test.go",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := c.router
			if r == nil {
				r = consume.NewRouter()
			}
			c.wire(r)
			m := paid(t, gen.EnvelopeOutbox, eventID)
			if c.change != nil {
				m = c.change(m)
			}
			err := r.Dispatch(t.Context(), m)
			var record consume.Record
			if decode, ok := errors.AsType[*consume.DecodeError](err); ok && c.decoder {
				record = decode.Record
			} else if handler, ok := errors.AsType[*consume.HandlerError](err); ok && !c.decoder {
				record = handler.Record
			} else {
				t.Fatalf("Dispatch returns %T: %v", err, err)
			}
			want := consume.Record{Topic: "orders", Partition: 2, Offset: 41, EventID: eventID.String(), EventType: "order.paid.v1"}
			if diff := cmp.Diff(want, record); diff != "" {
				t.Error(diff)
			}
			if consume.Permanent(err) != c.decoder {
				t.Errorf("Permanent is %v", !c.decoder)
			}
			caught, ok := errors.AsType[*consume.PanicError](err)
			if !ok || !strings.Contains(caught.Error(), c.value) || !strings.Contains(string(caught.Stack), c.stack) {
				t.Fatalf("the panic is %v, with the stack\n%s", caught, caught.Stack)
			}
			if runtimeErr, ok := caught.Value.(runtime.Error); ok && !errors.Is(err, runtimeErr) {
				t.Error("the runtime's error is hidden")
			}
		})
	}
}

// What the record's headers lack is taken from its body.
func TestAnErrorNamesARecordWithoutHeaders(t *testing.T) {
	t.Parallel()
	r := consume.NewRouter()
	r.Handle("order.paid.v1", func(context.Context, consume.Message) error { panic("no") })
	err := r.Dispatch(t.Context(), withoutHeaders(paid(t, gen.EnvelopeOutbox, eventID)))
	const want = `consume: handle record orders/2@41 type=order.paid.v1 event_id=018fd0a0-0000-7000-8000-000000000001: panic: no`
	if err == nil || err.Error() != want {
		t.Errorf("the error is\n%v\nnot\n%s", err, want)
	}
}

func TestTombstones(t *testing.T) {
	t.Parallel()
	header := func(name, value string) outbox.Header { return outbox.Header{Key: name, Value: []byte(value)} }
	key := []byte("7")
	type outcome struct {
		Keys    []string
		Skipped uint64
		Err     string
	}
	for name, c := range map[string]struct {
		m    consume.Message
		want outcome
	}{
		"bare":                      {consume.Message{Topic: "orders", Key: key}, outcome{Keys: []string{"7"}}},
		"with an unknown header":    {consume.Message{Topic: "orders", Key: key, Headers: []outbox.Header{header("x", "y")}}, outcome{Keys: []string{"7"}}},
		"with an event type":        {consume.Message{Topic: "orders", Key: key, Headers: []outbox.Header{header("event_type", "order.paid.v1")}}, outcome{Keys: []string{"7"}}},
		"with an unhandled type":    {consume.Message{Topic: "orders", Key: key, Headers: []outbox.Header{header("event_type", "order.gone.v1")}}, outcome{Keys: []string{"7"}}},
		"with an id":                {consume.Message{Topic: "orders", Key: key, Headers: []outbox.Header{header("event_id", eventID.String())}}, outcome{Keys: []string{"7"}}},
		"without a key":             {consume.Message{Topic: "orders"}, outcome{Keys: []string{""}}},
		"of a topic nobody handles": {consume.Message{Topic: "other", Key: key, Headers: []outbox.Header{header("x", "y")}}, outcome{Skipped: 1}},
		"an empty value is no tombstone": {
			consume.Message{Topic: "orders", Key: key, Value: []byte{}},
			outcome{Err: "*consume.DecodeError"},
		},
	} {
		for _, unknown := range []consume.Unknown{consume.Skip, consume.Fail} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := consume.NewRouter(consume.OnUnknown(unknown))
				r.Handle("order.paid.v1", func(context.Context, consume.Message) error {
					t.Error("a tombstone reached a handler of events")
					return nil
				})
				var got outcome
				consume.OnTombstone(r, "orders", func(_ context.Context, key string) error {
					got.Keys = append(got.Keys, key)
					return nil
				})
				if err := r.Dispatch(t.Context(), c.m); err != nil {
					got.Err = "*consume.DecodeError"
					if _, ok := errors.AsType[*consume.DecodeError](err); !ok {
						t.Errorf("Dispatch returns %T: %v", err, err)
					}
				}
				got.Skipped = r.Counts().SkippedTombstones
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Fatal(diff)
				}
			})
		}
	}
}

// The key is passed in the handler's type. Middleware wraps these handlers too.
func TestATombstonesKeyHasTheHandlersType(t *testing.T) {
	t.Parallel()
	type orderID string
	var calls []any
	r := consume.NewRouter(consume.Use(func(next consume.Handler) consume.Handler {
		return func(ctx context.Context, m consume.Message) error {
			calls = append(calls, "middleware")
			return next(ctx, m)
		}
	}))
	consume.OnTombstone(r, "orders", func(_ context.Context, key orderID) error {
		calls = append(calls, key)
		return nil
	})
	broken := errors.New("no")
	consume.OnTombstone(r, "bills", func(_ context.Context, key []byte) error {
		calls = append(calls, key)
		return broken
	})
	if err := r.Dispatch(t.Context(), consume.Message{Topic: "orders", Key: []byte("7")}); err != nil {
		t.Error(err)
	}
	err := r.Dispatch(t.Context(), consume.Message{Topic: "bills", Partition: 1, Offset: 2, Key: []byte("8")})
	if handler, ok := errors.AsType[*consume.HandlerError](err); !ok || !errors.Is(err, broken) || handler.Record.Offset != 2 {
		t.Errorf("Dispatch returns %v", err)
	}
	if diff := cmp.Diff([]any{"middleware", orderID("7"), "middleware", []byte("8")}, calls); diff != "" {
		t.Error(diff)
	}
}
