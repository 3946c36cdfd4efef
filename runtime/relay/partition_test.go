package relay_test

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// in returns a row that names its partition. k is its key; "": none.
func in(partition int32, topic, k, data string) relay.Row {
	r := relay.Row{ID: uuid.New(), Topic: topic, EventType: "t", Data: []byte(data), Partition: &partition}
	if k != "" {
		r.Key = &k
	}
	return r
}

// placed is where a record is.
type placed struct {
	Partition  int32
	Key, Value string
}

func places(records []*kgo.Record) []placed {
	var out []placed
	for _, r := range records {
		out = append(out, placed{r.Partition, string(r.Key), string(r.Value)})
	}
	slices.SortFunc(out, func(a, b placed) int { return cmp.Compare(a.Value, b.Value) })
	return out
}

// addPartitions gives a topic more partitions, and waits for their leaders.
func addPartitions(t *testing.T, k *services.KafkaCluster, topic string, total int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.MetadataMinAge(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if _, err := admin.UpdatePartitions(t.Context(), total, topic); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		found, err := admin.ListTopics(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		led := 0
		for _, p := range found[topic].Partitions {
			if p.Leader >= 0 && p.Err == nil {
				led++
			}
		}
		if led == total {
			return
		}
	}
	t.Fatalf("%s does not have %d partitions", topic, total)
}

// A row goes to the partition that it names, with or without a key. One that its topic
// does not have fails that row alone; after the topic has got it, a replay delivers it.
func TestRowsThatNameTheirPartition(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		topic := k.NewTopic(t, "orders", 3)
		byKey := int32(kgo.StickyKeyPartitioner(nil).ForTopic(topic).Partition(&kgo.Record{Key: []byte("k1")}, 3)) // one of three
		store := relay.NewMemStore()
		log := &logText{}
		r := start(t, relay.Config{
			Store: store, Sink: kafkaSink(t, k.Brokers), MaxAttempts: 2, RetryMin: 10 * time.Millisecond, RetryMax: 10 * time.Millisecond,
			Logger: slog.New(slog.NewTextHandler(log, nil)),
		})
		store.Add(in(0, topic, "", "a"), in(2, topic, "", "b"))
		added := store.Add(in((byKey+1)%3, topic, "k1", "c"), in(7, topic, "k2", "d"), in(7, topic, "", "e"))
		store.Add(relay.Row{ID: uuid.New(), Topic: topic, EventType: "t", Key: key("k1"), Data: []byte("f")})
		want := []placed{{0, "", "a"}, {2, "", "b"}, {(byKey + 1) % 3, "k1", "c"}, {byKey, "k1", "f"}}
		if d := gocmp.Diff(want, places(consume(t, k.Brokers, 4, topic))); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
		r.w.until(t, "two rows are dead", func(w *watcher) bool { return w.settled.Dead == 2 })
		if paused := r.Status().PausedTopics; len(paused) > 0 {
			t.Errorf("paused: %+v", paused)
		}
		const why = "has no partition 7, only 3 of them, from 0; give it more, or correct the row's column partition"
		if text := log.String(); !strings.Contains(text, "row dead-lettered") || !strings.Contains(text, why) {
			t.Errorf("the log does not say %q:\n%s", why, text)
		}
		addPartitions(t, k, topic, 8)
		for _, row := range added[1:] {
			store.Decide(row.Seq, false)
		}
		want = append(want[:3:3], placed{7, "k2", "d"}, placed{7, "", "e"}, want[3])
		if d := gocmp.Diff(want, places(consume(t, k.Brokers, 6, topic))); d != "" {
			t.Errorf("records after the replay (-want +got):\n%s", d)
		}
	})
}

// What the relay and its client know of a topic may be old: a row that names a partition
// which was just added is delivered, and no attempt is counted.
func TestAPartitionThatWasJustAdded(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		topic := k.NewTopic(t, "orders", 2)
		store := relay.NewMemStore()
		store.Add(in(0, topic, "", "a"), in(1, topic, "", "b"))
		r := start(t, relay.Config{Store: store, Sink: kafkaSink(t, k.Brokers), TopicsEvery: time.Hour})
		r.w.publishes(t, 2)
		addPartitions(t, k, topic, 3)
		added := store.Add(in(2, topic, "k", "c"))
		r.w.publishes(t, 3)
		if d := gocmp.Diff([]placed{{0, "", "a"}, {1, "", "b"}, {2, "k", "c"}}, places(consume(t, k.Brokers, 3, topic))); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
		if row, _, _ := store.Row(added[0].Seq); row.RetryCount != 0 {
			t.Errorf("%d attempts are counted", row.RetryCount)
		}
		if r.w.failures[relay.ClassRelay] > 0 {
			t.Errorf("failures: %v", r.w.failures)
		}
	})
}

// Rows of one key keep their order if all of them name the same partition, also when the
// first fails at first.
func TestOrderOfRowsThatNameTheirPartition(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 4)
	k.Fake.Fault(t, services.Fault{Request: kmsg.Produce, Topic: topic, Err: kerr.InvalidRecord})
	store := relay.NewMemStore()
	all := rows(500, topic, "k")
	for i := range all {
		partition := int32(3)
		all[i].Partition = &partition
	}
	store.Add(all...)
	r := start(t, relay.Config{Store: store, Sink: kafkaSink(t, k.Brokers), PageRows: 50, BufferRows: 200, RetryMin: 10 * time.Millisecond})
	r.w.publishes(t, len(all))
	records := consume(t, k.Brokers, len(all), topic)
	if d := gocmp.Diff(values(len(all)), firsts(records)); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
	for _, record := range records {
		if record.Partition != 3 {
			t.Fatalf("record in partition %d, want 3", record.Partition)
		}
	}
}
