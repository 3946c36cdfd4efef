package kafka_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// A handler hangs, alone, in a batch, or where dead letters go. The consumer names the
// event, goes on with other partitions, and says when the handler has returned.
func TestAHandlerThatHangs(t *testing.T) {
	for name, set := range map[string]func(cfg *kafka.Config, router *consume.Router, handle func(context.Context, consume.Message) error){
		"a handler": func(_ *kafka.Config, router *consume.Router, handle func(context.Context, consume.Message) error) {
			router.Handle("paid", handle)
		},
		"a handler of batches": func(_ *kafka.Config, router *consume.Router, handle func(context.Context, consume.Message) error) {
			router.HandleBatch("paid", consume.BatchOptions{}, func(ctx context.Context, batch []consume.Message) error {
				for _, m := range batch {
					if err := handle(ctx, m); err != nil {
						return err
					}
				}
				return nil
			})
		},
		"DeadLetter": func(cfg *kafka.Config, router *consume.Router, handle func(context.Context, consume.Message) error) {
			router.Handle("paid", func(context.Context, consume.Message) error { panic("no") })
			cfg.MaxAttempts = 1
			cfg.DeadLetter = func(ctx context.Context, m consume.Message, _ error) error { return handle(ctx, m) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 2, func(b *bench) {
				release := make(chan struct{})
				seen, log := newLog(), &lines{}
				handle := func(ctx context.Context, m consume.Message) error {
					if m.Partition == 0 && m.Offset == 0 {
						<-release
					}
					return seen.handle(ctx, m)
				}
				router := consume.NewRouter()
				cfg := kafka.Impatient(b.config(router), func(i *kafka.Timing) { i.Hanging = 300 * time.Millisecond })
				cfg.Logger = log.logger()
				set(&cfg, router, handle)
				b.produce(0, "paid", 1)
				consumer, stop, _ := launch(b.t, cfg)
				line := log.await(b.t, "a handler has not returned")
				got := []any{line["level"], line["topic"], line["partition"], line["offset"], line["event_type"]}
				if d := cmp.Diff([]any{"WARN", b.topic, 0.0, 0.0, "paid"}, got); d != "" {
					b.t.Errorf("the line (-want +got):\n%s", d)
				}
				b.produce(1, "paid", 2)
				b.waitCommitted(1, 2)
				await(b.t, "it is ready, because it reads", func() bool { return consumer.Ready() == nil }, log)
				time.Sleep(window)
				if n := len(log.like(b.t, "a handler has not returned")); n != 1 {
					b.t.Errorf("%d lines:\n%s", n, log)
				}
				close(release)
				log.await(b.t, "the handler has returned")
				b.waitCommitted(0, 1)
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
			})
		})
	}
}
