package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

func open(t *testing.T, k *services.KafkaCluster) relay.Producer {
	t.Helper()
	s, err := New(Config{Opts: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func wave(topic string, n, partitions int) []relay.Record {
	out := make([]relay.Record, n)
	for i := range out {
		out[i] = relay.Record{Topic: topic, Partition: int32(i % partitions), Value: fmt.Appendf(nil, "%d", i)}
	}
	return out
}

func send(t *testing.T, p relay.Producer, w []relay.Record, limit time.Duration) []relay.Class {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	results := make([]relay.Result, len(w))
	p.Send(ctx, w, results)
	classes := make([]relay.Class, len(w))
	for i, r := range results {
		classes[i] = r.Class
		if (r.Err == nil) != (r.Class == relay.ClassOK) {
			t.Errorf("record %d: %s with the error %v", i, r.Class, r.Err)
		}
	}
	return classes
}

func same(n int, c relay.Class) []relay.Class {
	out := make([]relay.Class, n)
	for i := range out {
		out[i] = c
	}
	return out
}

// batches counts the batches that arrive, per partition.
func batches(t *testing.T, k *services.KafkaCluster) func() map[int32]int {
	var mu sync.Mutex
	count := map[int32]int{}
	k.Fake.Control(t, kmsg.Produce, func(req kmsg.Request) kmsg.Response {
		mu.Lock()
		defer mu.Unlock()
		for _, t := range req.(*kmsg.ProduceRequest).Topics {
			for _, p := range t.Partitions {
				count[p.Partition]++
			}
		}
		return nil
	})
	return func() map[int32]int {
		mu.Lock()
		defer mu.Unlock()
		out := count
		count = map[int32]int{}
		return out
	}
}

// A wave has one batch for each partition. Only the first record of a topic that is new
// to the client is sent alone.
func TestWaveIsOneBatchForEachPartition(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 3)
	count := batches(t, k)
	p := open(t, k)
	if d := cmp.Diff(same(3000, relay.ClassOK), send(t, p, wave(topic, 3000, 3), time.Minute)); d != "" {
		t.Fatal(d)
	}
	if d := cmp.Diff(map[int32]int{0: 2, 1: 1, 2: 1}, count()); d != "" {
		t.Errorf("batches of the first wave (-want +got):\n%s", d)
	}
	for range 20 {
		if d := cmp.Diff(same(3000, relay.ClassOK), send(t, p, wave(topic, 3000, 3), time.Minute)); d != "" {
			t.Fatal(d)
		}
		if d := cmp.Diff(map[int32]int{0: 1, 1: 1, 2: 1}, count()); d != "" {
			t.Errorf("batches of a later wave (-want +got):\n%s", d)
		}
	}
}

// When a wave's time is over, the unresolved records fail for their partition, because
// Kafka answers otherwise. The next wave succeeds.
func TestWaveThatPassesItsDeadline(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 2)
	p := open(t, k)
	send(t, p, wave(topic, 2, 2), time.Minute)
	repair := k.Fake.Fault(t, services.Fault{
		Request: kmsg.Produce, Topic: topic, Partitions: []int32{1}, Err: kerr.NotEnoughReplicas, Lasting: true,
	})
	want := []relay.Class{relay.ClassOK, relay.ClassPartition, relay.ClassOK, relay.ClassPartition}
	if d := cmp.Diff(want, send(t, p, wave(topic, 4, 2), 10*time.Second)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	repair()
	if d := cmp.Diff(same(4, relay.ClassOK), send(t, p, wave(topic, 4, 2), time.Minute)); d != "" {
		t.Errorf("after it (-want +got):\n%s", d)
	}
	admin, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	ends, err := kadm.NewClient(admin).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	got := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) { got[o.Partition] = o.Offset })
	if d := cmp.Diff(map[int32]int64{0: 1 + 2 + 2, 1: 1 + 2}, got); d != "" {
		t.Errorf("records of a wave that was given up went out with the next (-want +got):\n%s", d)
	}
}

func TestWaveWithoutKafka(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 2)
	p := open(t, k)
	send(t, p, wave(topic, 2, 2), time.Minute)
	if err := k.Stop(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(same(4, relay.ClassRelay), send(t, p, wave(topic, 4, 2), time.Second)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if _, err := p.Topics(t.Context(), []string{topic}); err == nil {
		t.Error("topics were described without a broker")
	}
	if err := k.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(same(4, relay.ClassOK), send(t, p, wave(topic, 4, 2), time.Minute)); d != "" {
		t.Errorf("after it (-want +got):\n%s", d)
	}
}

// If there is no answer in time, the errors say what became of the last connection.
func TestErrorsNameTheLastConnection(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 1)
	p := open(t, k)
	send(t, p, wave(topic, 1, 1), time.Minute)
	if err := k.Stop(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	results := make([]relay.Result, 1)
	p.Send(ctx, wave(topic, 1, 1), results)
	_, err := p.Topics(t.Context(), []string{topic})
	refused := " (the last connection: dial tcp BROKER: connect: connection refused): context deadline exceeded"
	want := []string{
		"kafkasink: the broker did not answer within the wave's time; the record may still be written" + refused,
		"kafkasink: the brokers did not answer within 5s" + refused,
	}
	got := []string{fmt.Sprint(results[0].Err), fmt.Sprint(err)}
	for i := range got {
		got[i] = regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(got[i], "BROKER")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	small := k.NewTopic(t, "small", 5, "max.message.bytes=4321")
	p := open(t, k)
	got, err := p.Topics(t.Context(), []string{"missing", small})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(got[0].Problem.Err, kerr.UnknownTopicOrPartition) || got[0].Problem.Class != relay.ClassTopic {
		t.Errorf("missing: %+v", got[0])
	}
	want := relay.TopicInfo{Name: small, Partitions: 5, MaxBatchBytes: 4321}
	if d := cmp.Diff(want, got[1]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A topic whose settings may not be read, or are not told, says so.
func TestTopicsWhoseSettingsCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code int16
		want relay.Result
	}{
		"not allowed": {kerr.TopicAuthorizationFailed.Code, relay.Result{Class: relay.ClassTopic, Err: kerr.TopicAuthorizationFailed}},
		"not told":    {0, relay.Result{Class: relay.ClassTopic, Err: cmpopts.AnyError}},
		"not now":     {kerr.UnknownServerError.Code, relay.Result{Class: relay.ClassRelay, Err: kerr.UnknownServerError}},
	} {
		k := services.KFake(t)
		topic := k.NewTopic(t, "t", 1, "cleanup.policy=compact")
		k.Fake.Control(t, kmsg.DescribeConfigs, func(req kmsg.Request) kmsg.Response {
			answer := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
			resource := kmsg.NewDescribeConfigsResponseResource()
			resource.ResourceType, resource.ResourceName, resource.ErrorCode = kmsg.ConfigResourceTypeTopic, topic, test.code
			answer.Resources = append(answer.Resources, resource)
			return answer
		})
		got, err := open(t, k).Topics(t.Context(), []string{topic})
		if err != nil {
			t.Fatal(err)
		}
		want := []relay.TopicInfo{{Name: topic, Partitions: 1, MaxBatchBytes: 1_048_588, Unread: test.want}}
		if d := cmp.Diff(want, got, cmpopts.EquateErrors()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// The client's behaviour that makes waves necessary: one batch fails, and rows that
// were handed over after it are acknowledged.
func TestClientAcceptsLaterRecordsAfterAFailedBatch(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	topic := k.NewTopic(t, "t", 1)
	k.Fake.Fault(t, services.Fault{Request: kmsg.Produce, Topic: topic, Err: kerr.UnknownServerError})
	cl, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	failed := make(chan struct{})
	var once sync.Once
	var lost, later atomic.Int64
	for i := range 60 {
		cl.Produce(t.Context(), kgo.StringRecord(fmt.Sprint(i)), func(_ *kgo.Record, err error) {
			if err != nil {
				lost.Add(1)
				once.Do(func() { close(failed) })
			}
		})
	}
	<-failed
	for i := range 1000 {
		cl.Produce(t.Context(), kgo.StringRecord(fmt.Sprint(60+i)), func(_ *kgo.Record, err error) {
			if err == nil {
				later.Add(1)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if lost.Load() == 0 || later.Load() == 0 {
		t.Errorf("%d records failed and %d later ones were taken: waves are needed no more?", lost.Load(), later.Load())
	}
}

// Options that break the relay's guarantees are refused, and others are not.
func TestOptionsThatBreakThePromiseAreRefused(t *testing.T) {
	t.Parallel()
	for want, opts := range map[string][]kgo.Opt{
		"": {kgo.ClientID("mine"), kgo.RetryTimeout(time.Minute)},
		"kafkasink: Config.Opts has kgo.DisableIdempotentWrite: a retry could write a batch twice, or behind a later one; leave it out": {kgo.DisableIdempotentWrite()},
		"kafkasink: Config.Opts has kgo.AllowAutoTopicCreation: a misspelt topic would be made instead of reported; leave it out":       {kgo.AllowAutoTopicCreation()},
		"kafkasink: Config.Opts has kgo.TransactionalID: the sink begins no transactions, so every record would fail; leave it out":     {kgo.TransactionalID("t")},
	} {
		_, err := New(Config{Opts: append(opts, kgo.SeedBrokers("127.0.0.1:1"))})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("New: %q, want %q", got, want)
		}
	}
}
