package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// Run ends even if a handler ignores its context. The handler's record is not committed
// and is delivered again. Those of the other partition are committed.
func TestAHandlerThatIgnoresItsContext(t *testing.T) {
	each(t, 2, func(b *bench) {
		b.produce(0, "paid", 3)
		b.produce(1, "paid", 3)
		release := make(chan struct{})
		returned := make(chan struct{})
		seen, log := newLog(), &lines{}
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			_ = seen.handle(ctx, m)
			if m.Partition == 0 && m.Offset == 1 {
				<-release
				close(returned)
			}
			return nil
		})
		cfg := kafka.Impatient(b.config(router), func(i *kafka.Timing) { i.Abandon = 50 * time.Millisecond })
		cfg.DrainTimeout, cfg.Logger = 50*time.Millisecond, log.logger()
		_, stop, _ := launch(b.t, cfg)
		seen.wait(b.t, 5)
		b.waitCommitted(1, 3)
		err := stop()
		abandoned, _ := errors.AsType[*kafka.AbandonedError](err)
		want := &kafka.AbandonedError{Group: b.group, Records: []consume.Record{{Topic: b.topic, Offset: 1}}}
		if d := cmp.Diff(want, abandoned); d != "" {
			b.t.Fatalf("Run returns %v (-want +got):\n%s", err, d)
		}
		line := log.await(b.t, "handler ignores that its context was cancelled")
		if d := cmp.Diff([]any{b.topic, 0.0, 1.0}, []any{line["topic"], line["partition"], line["offset"]}); d != "" {
			b.t.Errorf("the line (-want +got):\n%s", d)
		}
		close(release)
		<-returned
		again := newLog()
		b.start(again.handle)
		if d := cmp.Diff([]string{"0:1", "0:2"}, again.wait(b.t, 2)); d != "" {
			b.t.Errorf("delivered again (-want +got):\n%s", d)
		}
	})
}

// A member whose partition is revoked does not wait for such a handler either. Another
// member handles the record.
func TestRevokedFromAHandlerThatIgnoresItsContext(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 2)
		release := make(chan struct{})
		first, second := newLog(), newLog()
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			_ = first.handle(ctx, m)
			<-release
			return nil
		})
		cfg := kafka.Impatient(b.config(router), func(i *kafka.Timing) { i.Abandon = 50 * time.Millisecond })
		cfg.DrainTimeout = 50 * time.Millisecond
		_, stop, _ := launch(b.t, cfg)
		first.wait(b.t, 1)
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		b.start(second.handle)
		if d := cmp.Diff([]string{"0:0", "0:1"}, second.wait(b.t, 2)); d != "" {
			b.t.Errorf("handled by the second member (-want +got):\n%s", d)
		}
		b.waitCommitted(0, 2)
		close(release)
		if _, ok := errors.AsType[*kafka.AbandonedError](<-stopped); !ok {
			b.t.Error("Run returned no AbandonedError")
		}
		if at := b.committed(0); at != 2 {
			b.t.Errorf("committed at %d: the abandoned handler moved it", at)
		}
	})
}

// A member that is ending and loses a partition meanwhile finishes its record first, so
// that the next member of the partition does not handle the record too.
func TestRevokedWhileTheMemberEnds(t *testing.T) {
	each(t, 2, func(b *bench) {
		b.produce(0, "paid", 2)
		b.produce(1, "paid", 2)
		release := make(chan struct{})
		first, second := newLog(), newLog()
		stop := b.start(func(ctx context.Context, m consume.Message) error {
			_ = first.handle(ctx, m)
			<-release
			return nil
		})
		first.wait(b.t, 2)
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		b.start(second.handle)
		admin := kadm.NewClient(b.client)
		await(b.t, "one partition is to move", func() bool {
			groups, err := admin.DescribeGroups(b.t.Context(), b.group)
			if err != nil || len(groups[b.group].Members) != 2 || groups[b.group].State != "Stable" {
				return false
			}
			for _, member := range groups[b.group].Members {
				if assigned, ok := member.Assigned.AsConsumer(); ok && len(assigned.Topics) == 1 && len(assigned.Topics[0].Partitions) == 2 {
					return false
				}
			}
			return true
		}, &lines{})
		close(release)
		if err := <-stopped; err != nil {
			b.t.Fatal(err)
		}
		second.wait(b.t, 2)
		b.waitCommitted(0, 2)
		b.waitCommitted(1, 2)
		if d := cmp.Diff([]string{"0:1", "1:1"}, sorted(second.list())); d != "" {
			b.t.Errorf("handled by the second member (-want +got):\n%s", d)
		}
	})
}
