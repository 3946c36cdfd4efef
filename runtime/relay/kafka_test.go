package relay_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

func TestRecordIsTheRow(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		topic := k.NewTopic(t, "orders", 3)
		store := relay.NewMemStore()
		row := relay.Row{
			ID: uuid.New(), Topic: topic, Key: key("k1"), EventType: "order.paid.v1",
			Data:    []byte("{ \"b\": 1,\n \"a\": 2 }"),
			Headers: []byte(`{"trace_id":"t1","event_type":"ignored","content_type":"application/json","x":"ü\n"}`),
		}
		store.Add(row, relay.Row{Topic: topic, EventType: "no.key", Data: []byte("1")})
		before := time.Now().Add(-time.Second)
		start(t, relay.Config{Store: store, Sink: kafkaSink(t, k.Brokers)}).w.publishes(t, 2)
		var got *kgo.Record
		for _, r := range consume(t, k.Brokers, 2, topic) {
			if r.Key == nil {
				continue
			}
			got = r
		}
		want := &kgo.Record{
			Key: []byte("k1"), Value: row.Data,
			Headers: []kgo.RecordHeader{
				{Key: "event_id", Value: []byte(row.ID.String())},
				{Key: "event_type", Value: []byte("order.paid.v1")},
				{Key: "trace_id", Value: []byte("t1")},
				{Key: "content_type", Value: []byte("application/json")},
				{Key: "x", Value: []byte("ü\n")},
			},
		}
		if d := cmp.Diff(want.Headers, got.Headers); d != "" {
			t.Errorf("headers: %s", d)
		}
		if d := cmp.Diff([]string{string(want.Key), string(want.Value)}, []string{string(got.Key), string(got.Value)}); d != "" {
			t.Errorf("key and value: %s", d)
		}
		if got.Timestamp.Before(before) {
			t.Errorf("timestamp %s is not the time of sending", got.Timestamp)
		}
		// Kafka's own clients choose this partition for the key.
		part := kgo.StickyKeyPartitioner(nil).ForTopic(topic).Partition(&kgo.Record{Key: []byte("k1")}, 3)
		if int(got.Partition) != part {
			t.Errorf("partition %d, want %d", got.Partition, part)
		}
	})
}

// firsts returns the values in the order of their first delivery, per partition
// log: all rows of these tests have one key.
func firsts(records []*kgo.Record) []string {
	seen := map[string]bool{}
	var out []string
	for _, r := range records {
		if !seen[string(r.Value)] {
			seen[string(r.Value)] = true
			out = append(out, string(r.Value))
		}
	}
	return out
}

func values(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`{"n":%d}`, i))
	}
	return out
}

// A batch of 60 rows fails; thousands of later rows of the same key wait.
func TestNoRowOvertakesAFailedBatch(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 1)
	for _, e := range []*kerr.Error{kerr.UnknownServerError, kerr.OutOfOrderSequenceNumber, kerr.InvalidRecord} {
		k.Fake.Fault(t, services.Fault{Request: kmsg.Produce, Topic: topic, Err: e})
	}
	store := relay.NewMemStore()
	all := rows(3000, topic, "k")
	store.Add(all[:60]...)
	r := start(t, relay.Config{Store: store, Sink: kafkaSink(t, k.Brokers), PageRows: 100, BufferRows: 400})
	for i := 60; i < len(all); i += 20 {
		store.Add(all[i : i+20]...)
	}
	r.w.publishes(t, len(all))
	if d := cmp.Diff(values(len(all)), consumeFirsts(t, k.Brokers, len(all), topic)); d != "" {
		t.Errorf("order of first deliveries (-want +got):\n%s", d)
	}
}

// noticing is a sink that counts the records of a topic that its producers get.
type noticing struct {
	relay.Sink
	topic string
	sent  atomic.Int64
}

func (s *noticing) Open(ctx context.Context) (relay.Producer, error) {
	p, err := s.Sink.Open(ctx)
	if err != nil {
		return nil, err
	}
	return noticingProducer{p, s}, nil
}

type noticingProducer struct {
	relay.Producer
	s *noticing
}

func (p noticingProducer) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	for i := range wave {
		if wave[i].Topic == p.s.topic {
			p.s.sent.Add(1)
		}
	}
	p.Producer.Send(ctx, wave, results)
}

func TestMissingTopicStallsNoOther(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "healthy", 3)
	store := relay.NewMemStore()
	lost := store.Add(rows(50, "not-there-yet", "k")...)
	store.Add(rows(500, topic, "k")...)
	sink := &noticing{Sink: kafkaSink(t, k.Brokers), topic: "not-there-yet"}
	r := start(t, relay.Config{Store: store, Sink: sink, PauseMax: time.Second, BufferRows: 40, PageRows: 10})
	r.w.publishes(t, 500)
	if n := sink.sent.Load(); n > 0 {
		t.Errorf("the client was handed %d rows of a topic that is missing", n)
	}
	r.w.until(t, "the topic is paused", func(w *watcher) bool { return len(w.status.PausedTopics) == 1 })
	if row, _, dead := store.Row(lost[0].Seq); row.RetryCount != 0 || dead {
		t.Errorf("a row of the missing topic was counted: %d attempts, dead %v", row.RetryCount, dead)
	}
	k.CreateTopic(t, "not-there-yet", 2)
	r.w.publishes(t, 550)
	if d := cmp.Diff(values(50), consumeFirsts(t, k.Brokers, 50, "not-there-yet")); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
}

// One row is too large for its topic. It fails alone; nothing else waits for long.
func TestTooLargeRowFailsAlone(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 2, "max.message.bytes=20000")
	store := relay.NewMemStore()
	all := rows(400, topic, "k")
	for i := range all {
		all[i].Key = key(fmt.Sprintf("k%d", i%7))
	}
	noise := strings.Builder{}
	for i := range 8000 {
		fmt.Fprintf(&noise, "%x", uint32(i)*2654435761)
	}
	all[123].Data = []byte(`"` + noise.String() + `"`)
	added := store.Add(all...)
	r := start(t, relay.Config{
		Store: store, Sink: kafkaSink(t, k.Brokers), MaxAttempts: 3,
		RetryMin: 20 * time.Millisecond, RetryMax: 50 * time.Millisecond,
	})
	r.w.until(t, "one dead, the others published", func(w *watcher) bool {
		return w.settled.Dead == 1 && w.settled.Published >= len(all)-1
	})
	for i, a := range added {
		row, published, dead := store.Row(a.Seq)
		if i == 123 {
			if published || !dead || row.RetryCount != 3 {
				t.Errorf("the large row: published %v, dead %v, %d attempts", published, dead, row.RetryCount)
			}
		} else if !published || dead || row.RetryCount != 0 {
			t.Errorf("row %d: published %v, dead %v, %d attempts", i, published, dead, row.RetryCount)
		}
	}
}

func TestHeadersThatDoNotParse(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 1)
	for _, policy := range []relay.Policy{relay.Park, relay.Block} {
		t.Run(string(policy), func(t *testing.T) {
			store := relay.NewMemStore()
			all := rows(10, topic, "k-"+string(policy))
			all[4].Headers = []byte(`["no object"]`)
			added := store.Add(all...)
			other := store.Add(rows(5, topic, "other")...)
			r := start(t, relay.Config{
				Store: store, Sink: kafkaSink(t, k.Brokers), MaxAttempts: 2, OnDead: policy,
				RetryMin: 10 * time.Millisecond, RetryMax: 10 * time.Millisecond, DecisionsEvery: 20 * time.Millisecond,
			})
			want := 4 + 5
			if policy == relay.Park {
				want += 5
			}
			r.w.until(t, "dead, and the rest published", func(w *watcher) bool {
				return w.settled.Dead == 1 && w.settled.Published >= want
			})
			if _, published, _ := store.Row(other[4].Seq); !published {
				t.Error("another key was held up")
			}
			if policy == relay.Park {
				return
			}
			r.w.until(t, "the key is shown as blocked", func(w *watcher) bool {
				return len(w.status.Held) == 1 && w.status.Held[0].Blocked
			})
			store.Decide(added[4].Seq, true)
			r.w.publishes(t, 14)
		})
	}
}

func TestOutageCountsNothing(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 3)
	store := relay.NewMemStore()
	store.Add(rows(100, topic, "k")...)
	r := start(t, relay.Config{Store: store, Sink: kafkaSink(t, k.Brokers), WaveTimeout: time.Second, OutageMax: 200 * time.Millisecond})
	r.w.publishes(t, 100)
	if err := k.Stop(); err != nil {
		t.Fatal(err)
	}
	added := store.Add(rows(1000, topic, "k2")...)
	r.w.until(t, "the outage is noticed", func(w *watcher) bool { return w.failures[relay.ClassRelay] > 3 })
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.w.publishes(t, 1100)
	for _, a := range added {
		if row, _, dead := store.Row(a.Seq); row.RetryCount != 0 || dead {
			t.Fatalf("row %d has %d attempts, dead %v", a.Seq, row.RetryCount, dead)
		}
	}
	var got []string
	for _, v := range consume(t, k.Brokers, 1100, topic) {
		if string(v.Key) == "k2" {
			got = append(got, string(v.Value))
		}
	}
	seen := map[string]bool{}
	var first []string
	for _, v := range got {
		if !seen[v] {
			seen[v] = true
			first = append(first, v)
		}
	}
	if d := cmp.Diff(values(1000), first); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
}
