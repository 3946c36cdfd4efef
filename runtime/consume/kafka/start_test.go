package kafka_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// A new group begins where it is told to. That offset is committed before any record is
// handled, so that nothing is skipped that is published while the consumer is away.
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
				if c.at > 0 { // before a record is handled: the time's are handled in a moment
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

// A static member that restarts gets its partitions back, and nobody else's change
// meanwhile.
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
