package endtoend_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
)

// The example of docs/testing.md runs with franz-go's fake Kafka alone.
func TestAHandlerWithKFake(t *testing.T) {
	source, err := os.ReadFile("kfake_test.go")
	must(t, err)
	for part := range strings.SplitSeq(blocks(t, "testing.md", "## Handlers with Kafka", "go")[0], "\n\n") {
		if part = "\t" + strings.ReplaceAll(strings.TrimSpace(part), "\n", "\n\t"); !strings.Contains(string(source), part) {
			t.Errorf("the test has no such code:\n%s", part)
		}
	}

	cluster := kfake.MustCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "shop.order_placed.v1"))
	defer cluster.Close()

	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	must(t, err)
	defer client.Close()
	must(t, client.ProduceSync(t.Context(), &kgo.Record{
		Topic: "shop.order_placed.v1", Value: []byte(`{}`),
		Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("shop.order_placed.v1")}},
	}).FirstErr())

	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	var got string
	router := consume.NewRouter()
	router.Handle("shop.order_placed.v1", func(_ context.Context, m consume.Message) error {
		got = string(m.Value)
		stop()
		return nil
	})
	err = kafka.Run(ctx, kafka.Config{
		Brokers: cluster.ListenAddrs(), Group: "mailer", Topics: []string{"shop.order_placed.v1"}, Router: router,
	})
	must(t, err)
	equal(t, "the record", `{}`, got)
}
