package services_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestKafkaKeepsTopicsApart(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		t.Parallel()
		one := k.NewTopic(t, "orders", 2)
		other := k.NewTopic(t, "orders", 2, "max.message.bytes=1000")
		if one == other {
			t.Fatalf("both topics are called %s", one)
		}
		produce(t, k, one, "hello")
		if diff := cmp.Diff([]string{"hello"}, consume(t, k, one, 1)); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}

		client := newClient(t, k, kgo.ProducerBatchCompression(kgo.NoCompression()))
		err := client.ProduceSync(t.Context(), &kgo.Record{Topic: other, Value: []byte(strings.Repeat("x", 2000))}).FirstErr()
		if err == nil || !strings.Contains(err.Error(), "MESSAGE_TOO_LARGE") {
			t.Errorf("a record over the topic's limit: got error %v", err)
		}
	})
}

func TestPrivateKafkaGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	services.EachPrivateKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		t.Parallel()
		topic := k.NewTopic(t, "orders", 1)
		for i, leave := range []func() error{k.Stop, k.Kill} {
			produce(t, k, topic, "before")
			if err := leave(); err != nil {
				t.Fatal(err)
			}
			if answers(t, k) {
				t.Fatal("the brokers answer although they were stopped")
			}
			if err := k.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			produce(t, k, topic, "after")
			want := strings.Split(strings.Repeat("before after ", i+1), " ")[:2*(i+1)]
			if diff := cmp.Diff(want, consume(t, k, topic, len(want))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		}
	})
}

func TestClosingEndsKafka(t *testing.T) {
	t.Parallel()
	var used *services.KafkaCluster
	t.Run("use", func(t *testing.T) { used = services.PrivateKafka(t) })
	if used != nil && answers(t, used) {
		t.Error("the broker still answers")
	}
}

func TestASharedKafkaCannotBeStopped(t *testing.T) {
	t.Parallel()
	err := services.RealKafka(t).Kill()
	if err == nil || !strings.Contains(err.Error(), "services.PrivateKafka(t)") {
		t.Errorf("got error %v, want one that names the remedy", err)
	}
}

func newClient(t *testing.T, k *services.KafkaCluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.Brokers...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func produce(t *testing.T, k *services.KafkaCluster, topic, value string) {
	t.Helper()
	if err := newClient(t, k).ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatalf("produce %q: %v", value, err)
	}
}

func consume(t *testing.T, k *services.KafkaCluster, topic string, n int) []string {
	t.Helper()
	client := newClient(t, k, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var values []string
	for len(values) < n && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func answers(t *testing.T, k *services.KafkaCluster) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	return newClient(t, k).Ping(ctx) == nil
}
