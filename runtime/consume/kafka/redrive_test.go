package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/deadletter"
)

// Records of a dead-letter topic go back to their original topic, each once, the chosen
// ones first.
func TestRedrive(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead, other := b.k.NewTopic(b.t, "dead", 1), b.k.NewTopic(b.t, "other", 1)
		var records []*kgo.Record
		for i := range 6 {
			eventType := []string{"paid", "sent"}[i%2]
			letter := deadletter.Letter{Topic: b.topic, Offset: int64(i), Group: "mailer", Attempts: 3, Error: "no", Timestamp: time.UnixMilli(1_790_000_000_000)}
			records = append(records, &kgo.Record{
				Topic: dead, Key: fmt.Append(nil, "k", i%3), Value: fmt.Append(nil, i),
				Headers: letter.Headers([]kgo.RecordHeader{{Key: "event_type", Value: []byte(eventType)}, {Key: "event_id", Value: []byte(eventID(i))}}),
			})
		}
		records = slices.Insert(records, 1, &kgo.Record{Topic: dead, Value: []byte("from somewhere else")})
		if err := b.client.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		redrive := func(change func(*deadletter.Config)) (ids []string, sum deadletter.Summary) {
			b.t.Helper()
			cfg := deadletter.Config{
				Topic: dead, Options: []kgo.Opt{kgo.SeedBrokers(b.k.Brokers...)},
				Each: func(e deadletter.Entry) error {
					ids = append(ids, fmt.Sprintf("%s %s at %d of %s", e.EventID, e.EventType, e.Offset, e.Letter.Group))
					return nil
				},
			}
			change(&cfg)
			sum, err := deadletter.Redrive(b.t.Context(), cfg)
			if err != nil {
				b.t.Fatal(err)
			}
			return ids, sum
		}
		type result struct {
			IDs []string
			Sum deadletter.Summary
		}
		var got []result
		for _, change := range []func(*deadletter.Config){
			func(c *deadletter.Config) { c.DryRun = true; c.Filter.EventType = "sent" },
			func(c *deadletter.Config) { c.Filter.EventType = "sent"; c.Limit = 2 },
			func(c *deadletter.Config) { key := "k1"; c.Filter.Key = &key },
			func(c *deadletter.Config) { c.Filter.Group = "another" },
			func(c *deadletter.Config) { c.Filter.Error = "another" },
			func(c *deadletter.Config) { c.DryRun = true; c.Filter.EventType, c.Filter.Error = "paid", "NO" },
			func(*deadletter.Config) {},
			func(*deadletter.Config) {},
			func(c *deadletter.Config) { c.Again = true; c.Filter.EventID = eventID(2); c.To = other },
		} {
			ids, sum := redrive(change)
			got = append(got, result{ids, sum})
		}
		id := func(i int) string {
			offset := i + 1
			if i == 0 {
				offset = 0
			}
			return fmt.Sprintf("%s %s at %d of mailer", eventID(i), []string{"paid", "sent"}[i%2], offset)
		}
		want := []result{
			{[]string{id(1), id(3), id(5)}, deadletter.Summary{Chosen: 3, Unreadable: 1}},
			{[]string{id(1), id(3)}, deadletter.Summary{Chosen: 2, Sent: 2, Unreadable: 1}},
			{[]string{id(4)}, deadletter.Summary{Chosen: 1, Sent: 1, Unreadable: 1}},
			{nil, deadletter.Summary{Unreadable: 1}},
			{nil, deadletter.Summary{Unreadable: 1}},
			{[]string{id(0), id(2)}, deadletter.Summary{Chosen: 2, Unreadable: 1}},
			{[]string{id(0), id(2), id(5)}, deadletter.Summary{Chosen: 3, Sent: 3, Unreadable: 1}},
			{nil, deadletter.Summary{Unreadable: 1}},
			{[]string{id(2)}, deadletter.Summary{Chosen: 1, Sent: 1, Unreadable: 1}},
		}
		if d := cmp.Diff(want, got); d != "" {
			b.t.Errorf("the calls (-want +got):\n%s", d)
		}
		sent := b.values(b.topic, 6)
		if d := cmp.Diff([]string{
			"k1=1 event_type=sent event_id=" + eventID(1) + " outbox_redrive_group=mailer",
			"k0=3 event_type=sent event_id=" + eventID(3) + " outbox_redrive_group=mailer",
			"k1=4 event_type=paid event_id=" + eventID(4) + " outbox_redrive_group=mailer",
			"k0=0 event_type=paid event_id=" + eventID(0) + " outbox_redrive_group=mailer",
			"k2=2 event_type=paid event_id=" + eventID(2) + " outbox_redrive_group=mailer",
			"k2=5 event_type=sent event_id=" + eventID(5) + " outbox_redrive_group=mailer",
		}, sent); d != "" {
			b.t.Errorf("what was sent (-want +got):\n%s", d)
		}
		elsewhere := stored{Key: "k2", Value: "2", Headers: []string{"event_type=paid", "event_id=" + eventID(2)},
			Letter: deadletter.Letter{Topic: b.topic, Offset: 2, Timestamp: time.UnixMilli(1_790_000_000_000), Group: "mailer", Attempts: 3, Error: "no"}}
		if d := cmp.Diff([]stored{elsewhere}, b.read(other, 1)); d != "" {
			b.t.Errorf("what was sent elsewhere (-want +got):\n%s", d)
		}
	})
}

// values returns n records of a topic with their keys and headers.
func (b *bench) values(topic string, n int) (list []string) {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.k.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	for len(list) < n && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			text := fmt.Sprintf("%s=%s", r.Key, r.Value)
			for _, h := range r.Headers {
				text += fmt.Sprintf(" %s=%s", h.Key, h.Value)
			}
			list = append(list, text)
		})
	}
	return list
}

// A record that could not be handled is sent back once the cause is fixed. Its group
// handles it. Another group, which had handled it, does not handle it again.
func TestDeadLettersAreHandledInTheEnd(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead := b.k.NewTopic(b.t, "dead", 1)
		b.produce(0, "paid", 3)
		var fixed atomic.Bool
		mailer, other := newLog(), newLog()
		launchGroup := func(group string, handle func(context.Context, consume.Message) error) (stop func() error) {
			router := consume.NewRouter()
			router.Handle("paid", handle)
			cfg := b.config(router)
			cfg.Group, cfg.MaxAttempts, cfg.DeadLetterTopic = group, 1, dead
			_, stop, _ = launch(b.t, cfg)
			return stop
		}
		stopMailer := launchGroup(b.group, func(ctx context.Context, m consume.Message) error {
			if string(m.Value) == "1" && !fixed.Load() {
				return refusal{"not yet"}
			}
			return mailer.handle(ctx, m)
		})
		stopOther := launchGroup(b.group+"-other", other.handle)
		b.read(dead, 1)
		mailer.wait(b.t, 2)
		fixed.Store(true)
		sum, err := deadletter.Redrive(b.t.Context(), deadletter.Config{Topic: dead, Options: []kgo.Opt{kgo.SeedBrokers(b.k.Brokers...)}})
		if d := cmp.Diff(deadletter.Summary{Chosen: 1, Sent: 1}, sum); err != nil || d != "" {
			b.t.Fatalf("%v (-want +got):\n%s", err, d)
		}
		mailer.wait(b.t, 3)
		b.produce(0, "paid", 1) // behind the record that was sent back
		mailer.wait(b.t, 4)
		other.wait(b.t, 4)
		for _, stop := range []func() error{stopMailer, stopOther} {
			if err := stop(); err != nil {
				b.t.Error(err)
			}
		}
		if d := cmp.Diff([]string{"0:0", "0:2", "0:1", "0:0"}, mailer.list()); d != "" {
			b.t.Errorf("handled by its group (-want +got):\n%s", d)
		}
		if d := cmp.Diff([]string{"0:0", "0:1", "0:2", "0:0"}, other.list()); d != "" {
			b.t.Errorf("handled by the other group (-want +got):\n%s", d)
		}
	})
}

// A record without an event id has the same id after it was sent back, although it then has
// another position.
func TestARecordThatWasSentBackKeepsItsID(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead := b.k.NewTopic(b.t, "dead", 1)
		// The producer's own event_id is the same in each record.
		own := []kgo.RecordHeader{{Key: "event_id", Value: []byte("17")}}
		if err := b.client.ProduceSync(b.t.Context(), &kgo.Record{Topic: b.topic, Key: []byte("k"), Value: []byte("{}"), Headers: own}).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		seen := newLog()
		router := consume.NewRouter(consume.ForTopic(b.topic, consume.TopicOptions{EventType: "paid", IDFrom: consume.FromPosition}))
		router.Handle("paid", func(_ context.Context, m consume.Message) error {
			id, err := m.EventID()
			seen.add(id.String())
			if err == nil && m.Offset == 0 {
				return refusal{"not yet"}
			}
			return err
		})
		cfg := b.config(router)
		cfg.MaxAttempts, cfg.DeadLetterTopic = 1, dead
		_, stop, _ := launch(b.t, cfg)
		b.read(dead, 1)
		b.sent(deadletter.Summary{Chosen: 1, Sent: 1}, dead)
		ids := seen.wait(b.t, 2)
		if ids[0] != ids[1] {
			b.t.Errorf("the ids are %v", ids)
		}
		if err := stop(); err != nil {
			b.t.Error(err)
		}
	})
}

// eventID returns the id of an event of the tests.
func eventID(n int) string { return fmt.Sprintf("0199d2c4-7c1e-7b0a-9d52-%012d", n) }

// dead makes a dead letter for each value.
func (b *bench) dead(topic string, values ...[]byte) (records []*kgo.Record) {
	for i, value := range values {
		letter := deadletter.Letter{Topic: b.topic, Offset: int64(i), Group: b.group, Attempts: 1}
		records = append(records, &kgo.Record{Topic: topic, Key: []byte("k"), Value: value, Headers: letter.Headers(nil)})
	}
	return records
}

func (b *bench) redrive(topic string, change ...func(*deadletter.Config)) (deadletter.Summary, error) {
	b.t.Helper()
	cfg := deadletter.Config{Topic: topic, Options: []kgo.Opt{kgo.SeedBrokers(b.k.Brokers...)}}
	for _, c := range change {
		c(&cfg)
	}
	return deadletter.Redrive(b.t.Context(), cfg)
}

// sent calls redrive, and fails if the summary differs.
func (b *bench) sent(want deadletter.Summary, topic string, change ...func(*deadletter.Config)) {
	b.t.Helper()
	sum, err := b.redrive(topic, change...)
	if d := cmp.Diff(want, sum); err != nil || d != "" {
		b.t.Fatalf("%v (-want +got):\n%s", err, d)
	}
}

// A tombstone that is sent to a retry topic is handled like one of its original topic.
func TestATombstoneThatWasSentToARetryTopic(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead, retry := b.k.NewTopic(b.t, "dead", 1), b.k.NewTopic(b.t, "retry", 1)
		if err := b.client.ProduceSync(b.t.Context(), b.dead(dead, nil)...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		b.sent(deadletter.Summary{Chosen: 1, Sent: 1}, dead, func(c *deadletter.Config) { c.To = retry })
		seen := newLog()
		router := consume.NewRouter()
		consume.OnTombstone(router, b.topic, func(_ context.Context, key string) error {
			seen.add(key)
			return nil
		})
		cfg := b.config(router)
		cfg.MaxAttempts, cfg.RetryTopics = 1, []kafka.RetryTopic{{Topic: retry, Delay: time.Millisecond}}
		_, stop, _ := launch(b.t, cfg)
		if d := cmp.Diff([]string{"k"}, seen.wait(b.t, 1)); d != "" {
			b.t.Errorf("tombstones (-want +got):\n%s", d)
		}
		if err := stop(); err != nil {
			b.t.Fatal(err)
		}
	})
}

// A record that is too large even alone holds up those behind it: their order is kept when
// the topic takes larger records.
func TestNothingIsSentBehindARecordThatIsTooLarge(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead, small := b.k.NewTopic(b.t, "dead", 1), b.k.NewTopic(b.t, "small", 1, "max.message.bytes=20000")
		values := [][]byte{[]byte("first"), []byte("second"), make([]byte, 30_000), []byte("fourth")}
		if err := b.client.ProduceSync(b.t.Context(), b.dead(dead, values...)...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		sum, err := b.redrive(dead, func(c *deadletter.Config) { c.To = small })
		if !errors.Is(err, kerr.MessageTooLarge) {
			b.t.Errorf("the error is %v", err)
		}
		if d := cmp.Diff(deadletter.Summary{Chosen: 4, Sent: 2}, sum); d != "" {
			b.t.Errorf("the summary (-want +got):\n%s", d)
		}
		var got []string
		for _, r := range b.read(small, 2) {
			got = append(got, r.Value)
		}
		if d := cmp.Diff([]string{"first", "second"}, got); d != "" {
			b.t.Errorf("sent (-want +got):\n%s", d)
		}
	})
}

// Records that are too large for one batch are sent one by one, in their order.
func TestManyRecordsForATopicWithSmallBatches(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead, small := b.k.NewTopic(b.t, "dead", 1), b.k.NewTopic(b.t, "small", 1, "max.message.bytes=20000")
		var values [][]byte
		var want []string
		for i := range 60 {
			values = append(values, append(fmt.Appendf(nil, "%02d", i), make([]byte, 5000)...))
			want = append(want, fmt.Sprintf("%02d", i))
		}
		if err := b.client.ProduceSync(b.t.Context(), b.dead(dead, values...)...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		b.sent(deadletter.Summary{Chosen: 60, Sent: 60}, dead, func(c *deadletter.Config) { c.To = small })
		var got []string
		for _, r := range b.read(small, 60) {
			got = append(got, r.Value[:2])
		}
		if d := cmp.Diff(want, got); d != "" {
			b.t.Errorf("sent (-want +got):\n%s", d)
		}
	})
}

// In a compacted topic an old record would replace newer ones for every group.
func TestNothingIsSentBackToACompactedTopic(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead, compacted := b.k.NewTopic(b.t, "dead", 1), b.k.NewTopic(b.t, "latest", 1, "cleanup.policy=compact,delete")
		if err := b.client.ProduceSync(b.t.Context(), b.dead(dead, []byte("old"))...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		sum, err := b.redrive(dead, func(c *deadletter.Config) { c.To = compacted })
		want := fmt.Sprintf("deadletter: topic %s: topic %s is compacted, so that a record that is sent back would replace the newer ones of its key: "+
			"choose a topic that is not compacted, for instance a retry topic of the group", dead, compacted)
		if d := cmp.Diff(want, fmt.Sprint(err)); d != "" || sum.Sent != 0 {
			b.t.Errorf("%d sent (-want +got):\n%s", sum.Sent, d)
		}
		b.sent(deadletter.Summary{Chosen: 1, Sent: 1}, dead)
	})
}

// Dead letters of an aborted transaction are not sent. The offsets of transaction
// markers leave no gaps in the recorded spans.
func TestDeadLettersOfTransactions(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead := b.k.NewTopic(b.t, "dead", 1)
		writer, err := kgo.NewClient(kgo.SeedBrokers(b.k.Brokers...), kgo.TransactionalID(dead))
		if err != nil {
			b.t.Fatal(err)
		}
		defer writer.Close()
		for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
			if err := writer.BeginTransaction(); err != nil {
				b.t.Fatal(err)
			}
			if err := writer.ProduceSync(b.t.Context(), b.dead(dead, fmt.Append(nil, i))...).FirstErr(); err != nil {
				b.t.Fatal(err)
			}
			if err := writer.EndTransaction(b.t.Context(), end); err != nil {
				b.t.Fatal(err)
			}
		}
		b.sent(deadletter.Summary{Chosen: 2, Sent: 2}, dead)
		b.sent(deadletter.Summary{}, dead)
		var got []string
		for _, r := range b.values(b.topic, 2) {
			got = append(got, r[:len("k=0")])
		}
		if d := cmp.Diff([]string{"k=0", "k=2"}, got); d != "" {
			b.t.Errorf("sent (-want +got):\n%s", d)
		}
		offsets, err := kadm.NewClient(b.client).FetchOffsets(b.t.Context(), deadletter.ProgressGroup(dead))
		if err != nil {
			b.t.Fatal(err)
		}
		if at, _ := offsets.Lookup(dead, 0); at.At != 6 || at.Metadata != "" {
			b.t.Errorf("remembered: %d %q", at.At, at.Metadata)
		}
	})
}

// A recorded offset beyond the end belongs to a former topic of this name, so nothing
// of the new one was sent.
func TestTheProgressOfAFormerTopic(t *testing.T) {
	each(t, 1, func(b *bench) {
		dead := b.k.NewTopic(b.t, "dead", 1)
		if err := b.client.ProduceSync(b.t.Context(), b.dead(dead, []byte("new"))...).FirstErr(); err != nil {
			b.t.Fatal(err)
		}
		offsets := kadm.Offsets{}
		offsets.AddOffset(dead, 0, 100, -1)
		await(b.t, "the former offset is there", func() bool {
			return kadm.NewClient(b.client).CommitAllOffsets(b.t.Context(), deadletter.ProgressGroup(dead), offsets) == nil
		}, &lines{})
		b.sent(deadletter.Summary{Chosen: 1, Sent: 1}, dead)
		b.sent(deadletter.Summary{}, dead)
	})
}
