package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/internal/panicky"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

const poisonID = "018fd0a0-0000-7000-8000-000000000001"

// poison writes records 0 to 4. The one with value 2 fails.
func (b *bench) poison() {
	b.t.Helper()
	b.produce(0, "paid", 2)
	if err := b.client.ProduceSync(b.t.Context(), &kgo.Record{
		Topic: b.topic, Value: []byte("poison"),
		Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}, {Key: "event_id", Value: []byte(poisonID)}},
	}).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	b.produce(0, "paid", 2)
}

var (
	noMessage *consume.Message
	nothing   any
)

func dereferenceNil() { noMessage.Offset++ }

// A dispatcher that is not a consume.Router.
type dispatcher func(context.Context, consume.Message) error

func (d dispatcher) Dispatch(ctx context.Context, m consume.Message) error { return d(ctx, m) }

// panickyTracer panics for the record at offset 2.
type panickyTracer struct{ noop.TracerProvider }

func (panickyTracer) Tracer(string, ...trace.TracerOption) trace.Tracer { return panickyTrace{} }

type panickyTrace struct{ noop.Tracer }

func (panickyTrace) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(opts...)
	for _, a := range config.Attributes() {
		if a.Key == "messaging.kafka.offset" && a.Value.AsInt64() == 2 {
			panic("no span")
		}
	}
	return noop.Tracer{}.Start(ctx, name, opts...)
}

// If any of the service's code panics, or ends its goroutine, at one record, that
// record is tried MaxAttempts times and dead-lettered. The others are handled once, in
// order, and all are committed.
func TestARecordThatPanics(t *testing.T) {
	type test struct {
		handle     func(poison bool) error // by the router
		dispatcher func(poison bool) error // instead of one
		middleware consume.Middleware
		deadLetter func(call int) // called before the letter is taken
		change     func(*kafka.Config)
		cause      string // in the error that DeadLetter gets
		stack      string // in the log
	}
	when := func(poison bool, do func()) error {
		if poison {
			do()
		}
		return nil
	}
	broken := errors.New("no")
	for name, c := range map[string]test{
		"error": {handle: func(poison bool) error {
			if poison {
				return broken
			}
			return nil
		}, cause: "no"},
		"nil dereference": {
			handle: func(poison bool) error { return when(poison, dereferenceNil) },
			cause:  "panic: runtime error: invalid memory address", stack: "dereferenceNil",
		},
		"panic with an error": {
			handle: func(poison bool) error { return when(poison, func() { panic(broken) }) },
			cause:  "panic: no", stack: "panic_test.go",
		},
		"panic nil": {
			handle: func(poison bool) error { return when(poison, func() { panic(nothing) }) },
			cause:  "panic: panic called with nil argument", stack: "panic_test.go",
		},
		"goexit": {
			handle: func(poison bool) error { return when(poison, runtime.Goexit) },
			cause:  "ended its goroutine",
		},
		"an error whose methods panic": {
			handle: func(poison bool) error {
				if poison {
					return panicky.Error()
				}
				return nil
			},
			cause: "a method of the error, a *panicky.lost, panicked: runtime error", stack: "panicky.go",
		},
		"another dispatcher's error": {
			dispatcher: func(poison bool) error {
				if poison {
					return fmt.Errorf("it failed: %w", panicky.Error())
				}
				return nil
			},
			cause: "panicked: runtime error", stack: "panicky.go",
		},
		"middleware": {
			middleware: func(next consume.Handler) consume.Handler {
				return func(ctx context.Context, m consume.Message) error {
					return errors.Join(next(ctx, m), when(string(m.Value) == "poison", dereferenceNil))
				}
			},
			cause: "panic: runtime error", stack: "dereferenceNil",
		},
		"another dispatcher": {
			dispatcher: func(poison bool) error { return when(poison, dereferenceNil) },
			cause:      "panic: runtime error", stack: "dereferenceNil",
		},
		"another dispatcher's goexit": {
			dispatcher: func(poison bool) error { return when(poison, runtime.Goexit) },
			cause:      "ended its goroutine",
		},
		"tracer": {
			change: func(cfg *kafka.Config) { cfg.TracerProvider = panickyTracer{} },
			cause:  "panic: no span", stack: "panicky",
		},
		"DeadLetter panics at first": {
			handle: func(poison bool) error { return when(poison, dereferenceNil) },
			deadLetter: func(call int) {
				if call < 3 {
					dereferenceNil()
				}
			},
			cause: "panic: runtime error", stack: "dereferenceNil",
		},
		"DeadLetter ends its goroutine at first": {
			handle: func(poison bool) error { return when(poison, runtime.Goexit) },
			deadLetter: func(call int) {
				if call < 3 {
					runtime.Goexit()
				}
			},
			cause: "ended its goroutine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 1, func(b *bench) {
				b.poison()
				seen, log := newLog(), &lines{}
				var opts []consume.Option
				if c.middleware != nil {
					opts = append(opts, consume.Use(c.middleware))
				}
				router := consume.NewRouter(opts...)
				handle := func(ctx context.Context, m consume.Message) error {
					poison := string(m.Value) == "poison"
					if poison {
						seen.add("try")
					}
					call := c.handle
					if c.dispatcher != nil {
						call = c.dispatcher
					}
					if call != nil {
						if err := call(poison); err != nil {
							return err
						}
					}
					if poison {
						return nil
					}
					return seen.handle(ctx, m)
				}
				router.Handle("paid", handle)
				calls := 0
				stop := b.start(handle, func(cfg *kafka.Config) {
					cfg.Router, cfg.MaxAttempts, cfg.Logger = router, 3, log.logger()
					if c.dispatcher != nil {
						cfg.Router = dispatcher(handle)
					}
					cfg.DeadLetter = func(_ context.Context, m consume.Message, cause error) error {
						if calls++; c.deadLetter != nil {
							c.deadLetter(calls)
						}
						handler, ok := errors.AsType[*consume.HandlerError](cause)
						if !ok || handler.Record.Offset != 2 || handler.Record.EventID != poisonID || !strings.Contains(cause.Error(), c.cause) {
							t.Errorf("the cause is %v", cause)
						}
						seen.add("dead " + string(m.Value))
						return nil
					}
					if c.change != nil {
						c.change(cfg)
					}
				})
				want := []string{"0:0", "0:1", "try", "try", "try", "dead poison", "0:0", "0:1"}
				if name == "tracer" { // the handler is not reached
					want = []string{"0:0", "0:1", "dead poison", "0:0", "0:1"}
				}
				if diff := cmp.Diff(want, seen.wait(t, len(want))); diff != "" {
					t.Fatal(diff)
				}
				b.waitCommitted(0, 5)
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				letter := log.await(t, "event dead-lettered")
				stack, _ := letter["stack"].(string)
				if !strings.Contains(stack, c.stack) {
					t.Errorf("the stack is\n%s", stack)
				}
				got := map[string]any{}
				for _, key := range []string{"topic", "partition", "offset", "event_id", "event_type", "attempts"} {
					got[key] = letter[key]
				}
				named := map[string]any{"topic": b.topic, "partition": 0.0, "offset": 2.0, "event_id": poisonID, "event_type": "paid", "attempts": 3.0}
				if diff := cmp.Diff(named, got); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Without DeadLetter a panic is treated like an error: stop, skip, or try again.
func TestAPanicWithoutDeadLetter(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		for _, c := range []struct {
			name   string
			change func(*kafka.Config)
			want   []string
			stops  bool
		}{
			{"stop", func(c *kafka.Config) { c.MaxAttempts = 2 }, []string{"0:0", "0:1", "try", "try"}, true},
			{"skip", func(c *kafka.Config) { c.MaxAttempts, c.GiveUp = 2, kafka.Skip }, []string{"0:0", "0:1", "try", "try", "0:0", "0:1"}, false},
			{"without limit", func(*kafka.Config) {}, []string{"0:0", "0:1", "try", "try", "try", "try", "0:0", "0:1"}, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := newBench(t, k, 1)
				b.poison()
				seen := newLog()
				tries := 0
				router := consume.NewRouter()
				router.Handle("paid", func(ctx context.Context, m consume.Message) error {
					if string(m.Value) != "poison" {
						return seen.handle(ctx, m)
					}
					seen.add("try")
					if tries++; tries < 4 {
						dereferenceNil()
					}
					return nil
				})
				cfg := b.config(router)
				c.change(&cfg)
				consumer, stop, result := launch(t, cfg)
				if diff := cmp.Diff(c.want, seen.wait(t, len(c.want))); diff != "" {
					t.Fatal(diff)
				}
				var err error
				if c.stops {
					err = <-result
				} else {
					b.waitCommitted(0, 5)
					err = stop()
				}
				handler, ok := errors.AsType[*consume.HandlerError](err)
				if ok != c.stops || c.stops && handler.Record.Offset != 2 {
					t.Errorf("Run returns %v", err)
				}
				if got := consumer.Stats(); got.Panics == 0 || got.Panics != got.Failed {
					t.Errorf("the counts are %+v", got)
				}
			})
		}
	})
}

// A log that panics does not stop the consumer. The record that fails is dead-lettered,
// and the others are handled.
func TestALogThatPanics(t *testing.T) {
	t.Parallel()
	b := newBench(t, services.KFake(t), 1)
	b.poison()
	seen, log := newLog(), panicky.NewLog()
	handle := func(ctx context.Context, m consume.Message) error {
		if string(m.Value) == "poison" {
			return errors.New("no")
		}
		return seen.handle(ctx, m)
	}
	stop := b.start(handle, func(cfg *kafka.Config) {
		cfg.Logger, cfg.MaxAttempts = log.Logger(), 2
		cfg.DeadLetter = func(_ context.Context, m consume.Message, _ error) error {
			seen.add("dead " + string(m.Value))
			return nil
		}
	})
	want := []string{"0:0", "0:1", "dead poison", "0:0", "0:1"}
	if diff := cmp.Diff(want, seen.wait(t, len(want))); diff != "" {
		t.Fatal(diff)
	}
	b.waitCommitted(0, 5)
	if err := stop(); err != nil || log.Lines() == 0 {
		t.Errorf("Run returned %v, with %d lines", err, log.Lines())
	}
}
