package kafka_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/deadletter"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// A new group begins at the configured place. This offset is committed before any
// record is handled, so that records that are published while the consumer is away are
// not skipped.
func TestWhereAGroupStarts(t *testing.T) {
	base := time.UnixMilli(1_790_000_000_000)
	for name, c := range map[string]struct {
		change func(*kafka.Config)
		reads  string
		want   []string
		at     int64 // where it begins
	}{
		"earliest": {change: func(*kafka.Config) {}, reads: "all records", want: []string{"0:0", "0:1", "0:2", "0:3"}},
		"latest":   {change: func(c *kafka.Config) { c.StartAt = kafka.Latest }, reads: "only new records", want: []string{"0:3"}, at: 3},
		"a time": {change: func(c *kafka.Config) { c.StartTime = base.Add(1500 * time.Millisecond) }, reads: "those of 2026-09-21T14:13:21Z and later",
			want: []string{"0:2", "0:3"}, at: 2},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, 1, func(b *bench) {
				write := func(i int) {
					r := &kgo.Record{Topic: b.topic, Value: fmt.Append(nil, i), Timestamp: base.Add(time.Duration(i) * time.Second),
						Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}}}
					if err := b.client.ProduceSync(b.t.Context(), r).FirstErr(); err != nil {
						b.t.Fatal(err)
					}
				}
				for i := range 3 {
					write(i)
				}
				seen, log := newLog(), &lines{}
				router := consume.NewRouter()
				router.Handle("paid", seen.handle)
				cfg := b.config(router)
				cfg.Logger = log.logger()
				c.change(&cfg)
				_, stop, _ := launch(b.t, cfg)
				if line := log.await(b.t, "the group has no offsets of these partitions"); line["reads"] != c.reads {
					b.t.Errorf("it says that it reads %q", line["reads"])
				}
				if c.at > 0 { // before a record is handled; those from the start time on are handled soon
					await(b.t, "the start is committed", func() bool { return b.committed(0) >= c.at }, log)
				}
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
				write(3) // while nobody runs
				_, stop, _ = launch(b.t, cfg)
				if d := cmp.Diff(c.want, seen.wait(b.t, len(c.want))); d != "" {
					b.t.Errorf("read (-want +got):\n%s", d)
				}
				b.waitCommitted(0, 4)
				if err := stop(); err != nil {
					b.t.Fatal(err)
				}
			})
		})
	}
}

// A commit of the start that is not answered is tried again. kgo.Client reports it
// without a response.
func TestAStartThatIsNotCommittedAtOnce(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	b := newBench(t, k, 1)
	b.fill("a", 1, 3)
	silence := make(chan struct{})
	k.Fake.Control(t, kmsg.OffsetCommit, func(kmsg.Request) kmsg.Response {
		<-silence
		return nil
	})
	router, log := consume.NewRouter(), &lines{}
	router.Handle("paid", newLog().handle)
	cfg := kafka.Impatient(b.config(router), func(i *kafka.Timing) { i.Answer = 300 * time.Millisecond })
	cfg.Logger, cfg.StartAt = log.logger(), kafka.Latest
	_, stop, _ := launch(t, cfg)
	line := log.await(t, "offset at which the group starts not committed")
	if d := cmp.Diff(context.DeadlineExceeded.Error(), line["error"]); d != "" {
		t.Errorf("it says why (-want +got):\n%s", d)
	}
	close(silence)
	b.waitCommitted(0, 3)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// Records in a retry topic were sent there for this group. They are handled wherever
// the group starts to read.
func TestARetryTopicIsReadFromItsBeginning(t *testing.T) {
	each(t, 1, func(b *bench) {
		retry := b.k.NewTopic(b.t, "retry", 1)
		b.produce(0, "paid", 1)
		letter := deadletter.Letter{Topic: b.topic, Offset: 7, Group: b.group, Attempts: 3, NotBefore: time.UnixMilli(1)}
		waits := &kgo.Record{Topic: retry, Value: []byte("waits"), Headers: letter.Headers([]kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}})}
		if err := b.client.ProduceSync(b.t.Context(), waits).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		seen := newLog()
		b.start(seen.handle, func(c *kafka.Config) {
			c.StartAt, c.MaxAttempts, c.RetryTopics = kafka.Latest, 3, []kafka.RetryTopic{{Topic: retry, Delay: time.Millisecond}}
		})
		if d := cmp.Diff([]string{"0:waits"}, seen.wait(b.t, 1)); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
	})
}

// A group that starts with new records reads a topic that was created again from its
// beginning, and commits no offset before these records are handled.
func TestLatestOfARecreatedTopic(t *testing.T) {
	each(t, 1, func(b *bench) {
		seen, log := newLog(), &lines{}
		again := make(chan struct{}, 100)
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			if string(m.Value)[0] == 'b' {
				again <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			}
			return b.value(seen)(ctx, m)
		})
		cfg := b.config(router)
		cfg.Logger, cfg.StartAt, cfg.DrainTimeout = log.logger(), kafka.Latest, time.Millisecond
		consumer, stop, _ := launch(b.t, cfg)
		await(b.t, "it is ready and its start is committed", func() bool { return consumer.Ready() == nil && b.committed(0) == 0 }, log)
		b.fill("a", 1, 3)
		seen.wait(b.t, 3)
		b.waitCommitted(0, 3)
		b.deleteTopic()
		b.createAgain(1)
		want := b.fill("b", 1, 5)
		<-again
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		if at := b.committed(0); at > 0 {
			b.t.Errorf("committed at %d, and nothing was handled", at)
		}
		rest := newLog()
		b.start(b.value(rest))
		if d := cmp.Diff(want, rest.wait(b.t, 5)); d != "" {
			b.t.Errorf("handled by the next member (-want +got):\n%s", d)
		}
	})
}

// A static member that restarts gets its partitions back, and the other members'
// partitions do not change meanwhile.
func TestAStaticMember(t *testing.T) {
	each(t, 2, func(b *bench) {
		seen := newLog()
		members := map[string]func() error{}
		start := func(id string) {
			router, log := consume.NewRouter(), &lines{}
			router.Handle("paid", seen.handle)
			cfg := b.config(router)
			cfg.InstanceID, cfg.Logger = id, log.logger()
			consumer, stop, _ := launch(b.t, cfg)
			members[id] = stop
			await(b.t, id+" is ready", func() bool { return consumer.Ready() == nil }, log)
		}
		start("mailer-0")
		start("mailer-1")
		b.produce(0, "paid", 1)
		b.produce(1, "paid", 1)
		seen.wait(b.t, 2)
		if err := members["mailer-0"](); err != nil {
			b.t.Fatal(err)
		}
		start("mailer-0")
		b.produce(0, "paid", 2)
		b.produce(1, "paid", 2)
		if d := cmp.Diff([]string{"0:0", "0:0", "0:1", "1:0", "1:0", "1:1"}, sorted(seen.wait(b.t, 6))); d != "" {
			b.t.Errorf("handled (-want +got):\n%s", d)
		}
	})
}
