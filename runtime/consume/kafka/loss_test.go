package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// remove deletes the records of partition 0 before an offset, as retention does.
func (b *bench) remove(before int64) {
	b.t.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(b.topic, 0, before, -1)
	if resp, err := kadm.NewClient(b.client).DeleteRecords(b.t.Context(), offsets); err != nil {
		b.t.Fatal(err)
	} else if err := resp.Error(); err != nil {
		b.t.Fatal(err)
	}
}

// commit sets the group's offset of partition 0.
func (b *bench) commit(at int64) {
	b.t.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(b.topic, 0, at, -1)
	if err := kadm.NewClient(b.client).CommitAllOffsets(b.t.Context(), b.group, offsets); err != nil {
		b.t.Fatal(err)
	}
}

// Records are removed before the group has read them. The consumer reports which, and
// continues with the remaining ones, or stops before it handles any of them.
func TestRecordsThatWereRemoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		written   int
		committed int64 // -1: nothing
		removed   int64 // up to here
		lost      int   // records; 0: none
		handled   []string
	}{
		{"none removed", 10, 4, 0, 0, []string{"0:4", "0:5", "0:6", "0:7", "0:8", "0:9"}},
		{"removed behind the offset", 10, 4, 4, 0, []string{"0:4", "0:5", "0:6", "0:7", "0:8", "0:9"}},
		{"one removed before it was read", 10, 4, 5, 1, []string{"0:5", "0:6", "0:7", "0:8", "0:9"}},
		{"some removed before they were read", 10, 4, 8, 4, []string{"0:8", "0:9"}},
		{"all removed before they were read", 10, 4, 10, 6, nil},
		{"removed before the group was there", 10, -1, 8, 0, []string{"0:8", "0:9"}},
	} {
		for _, action := range []kafka.Action{kafka.Skip, kafka.Stop} {
			t.Run(fmt.Sprintf("%s, %s", c.name, action), func(t *testing.T) {
				each(t, 1, func(b *bench) {
					t := b.t
					b.produce(0, "paid", c.written)
					if c.committed >= 0 {
						b.commit(c.committed)
					}
					if c.removed > 0 {
						b.remove(c.removed)
					}
					seen, log := newLog(), &lines{}
					router := consume.NewRouter()
					router.Handle("paid", seen.handle)
					cfg := b.config(router)
					cfg.Logger, cfg.OnLoss = log.logger(), action
					consumer, stop, result := launch(t, cfg)
					if c.lost > 0 && action == kafka.Stop {
						err := <-result
						lost, ok := errors.AsType[*kafka.LostRecordsError](err)
						want := &kafka.LostRecordsError{Group: b.group, Topic: b.topic, From: c.committed, To: c.removed}
						if !ok {
							t.Fatalf("Run returns %v", err)
						}
						if diff := cmp.Diff(want, lost); diff != "" {
							t.Error(diff)
						}
						if handled := seen.list(); len(handled) > 0 {
							t.Errorf("behind the gap it handled %v", handled)
						}
						if at := b.committed(0); at != c.committed {
							t.Errorf("committed at %d", at)
						}
						return
					}
					if c.lost > 0 {
						line := log.await(t, "records were removed before this group read them")
						got := map[string]any{}
						for _, key := range []string{"topic", "partition", "first_lost", "goes_on_at", "records", "group"} {
							got[key] = line[key]
						}
						want := map[string]any{
							"topic": b.topic, "partition": 0.0, "group": b.group,
							"first_lost": float64(c.committed), "goes_on_at": float64(c.removed), "records": float64(c.lost),
						}
						if diff := cmp.Diff(want, got); diff != "" {
							t.Error(diff)
						}
					}
					b.produce(0, "paid", 1)
					want := append(append([]string{}, c.handled...), "0:0")
					if diff := cmp.Diff(want, seen.wait(t, len(want))); diff != "" {
						t.Errorf("%s\n%s", diff, log)
					}
					if err := stop(); err != nil {
						t.Fatal(err)
					}
					if n := len(log.like(t, "removed before")); n != min(c.lost, 1) {
						t.Errorf("%d lines:\n%s", n, log)
					}
					if got := consumer.Stats().LostRecords; got != uint64(c.lost) {
						t.Errorf("%d records are counted as lost, of %d", got, c.lost)
					}
				})
			})
		}
	}
}

// Retention overtakes a consumer that is too slow, while it runs.
func TestRetentionOvertakesAConsumer(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 300)
		seen, log := newLog(), &lines{}
		began, proceed := make(chan struct{}, 1), make(chan struct{})
		router := consume.NewRouter()
		router.Handle("paid", func(ctx context.Context, m consume.Message) error {
			select {
			case began <- struct{}{}:
			default:
			}
			<-proceed
			return seen.handle(ctx, m)
		})
		cfg := b.config(router)
		cfg.Logger, cfg.BufferRecords = log.logger(), 10 // it is paused soon
		cfg.Options = append(cfg.Options, kgo.FetchMaxPartitionBytes(1), kgo.FetchMaxBytes(1))
		consumer, stop, _ := launch(b.t, cfg)
		<-began
		b.produce(0, "paid", 100)
		b.remove(350)
		close(proceed)
		await(b.t, "the last record is handled", func() bool {
			list := seen.list()
			return len(list) > 0 && list[len(list)-1] == "0:99"
		}, log)
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
		handled := uint64(len(seen.list()))
		if lost := consumer.Stats().LostRecords; handled+lost != 400 {
			b.t.Errorf("%d records were handled and %d are counted as lost, of 400:\n%s", handled, lost, log)
		}
		if lost := consumer.Stats().LostRecords; lost > 0 {
			log.await(b.t, "records were removed before this group read them")
		}
	})
}

// A tombstone with headers goes to the handler of its topic. If the topic has none, it
// is skipped. Neither stops the consumer.
func TestTombstonesInATopic(t *testing.T) {
	each(t, 1, func(b *bench) {
		b.produce(0, "paid", 1)
		err := b.client.ProduceSync(b.t.Context(),
			&kgo.Record{Topic: b.topic, Key: []byte("7")},
			&kgo.Record{Topic: b.topic, Key: []byte("8"), Headers: []kgo.RecordHeader{{Key: "source", Value: []byte("x")}}},
			&kgo.Record{Topic: b.topic, Key: []byte("9"), Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("paid")}}},
		).FirstErr()
		if err != nil {
			b.t.Fatal(err)
		}
		b.produce(0, "paid", 1)
		for _, registered := range []bool{true, false} {
			seen := newLog()
			router := consume.NewRouter(consume.OnUnknown(consume.Fail))
			router.Handle("paid", seen.handle)
			want := []string{"0:0", "0:0"}
			if registered {
				consume.OnTombstone(router, b.topic, func(_ context.Context, key string) error {
					seen.add("tombstone " + key)
					return nil
				})
				want = []string{"0:0", "tombstone 7", "tombstone 8", "tombstone 9", "0:0"}
			}
			cfg := b.config(router)
			cfg.Group += fmt.Sprint(registered)
			_, stop, _ := launch(b.t, cfg)
			if diff := cmp.Diff(want, seen.wait(b.t, len(want))); diff != "" {
				b.t.Fatal(diff)
			}
			if err := stop(); err != nil {
				b.t.Fatal(err)
			}
			if n := router.Counts().SkippedTombstones; n != 0 == registered {
				b.t.Errorf("%d tombstones are counted as skipped", n)
			}
		}
	})
}
