package kafka_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func ExampleRun() {
	cluster, err := services.StartKFake(services.FakeTopic("orders", 1)) // a service names its brokers
	if err != nil {
		panic(err)
	}
	defer func() { _ = cluster.Close() }()
	publish(cluster.Brokers)

	ctx, stop := context.WithCancel(context.Background())
	r := consume.NewRouter()
	r.Handle("order.paid.v1", func(_ context.Context, m consume.Message) error {
		fmt.Printf("%s %s\n", m.Key, m.Value)
		stop() // a service stops on SIGTERM: signal.NotifyContext
		return nil
	})
	err = kafka.Run(ctx, kafka.Config{
		Brokers: cluster.Brokers,
		Group:   "billing",
		Topics:  []string{"orders"},
		Router:  r,
	})
	fmt.Println(err)
	// Output:
	// 7 {"cents": 995}
	// <nil>
}

// A service puts Ready behind its readiness probe.
func ExampleConsumer_Ready() {
	c, err := kafka.New(kafka.Config{
		Brokers: []string{"localhost:9092"}, Group: "billing", Topics: []string{"orders"}, Router: consume.NewRouter(),
	})
	if err != nil {
		panic(err)
	}
	http.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := c.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	fmt.Println(c.Ready()) // and then: err = c.Run(ctx)
	// Output:
	// consume/kafka: group billing is not ready: Run was not called yet
}

func publish(brokers []string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		panic(err)
	}
	defer client.Close()
	err = client.ProduceSync(context.Background(), &kgo.Record{
		Topic: "orders", Key: []byte("7"), Value: []byte(`{"cents": 995}`),
		Headers: []kgo.RecordHeader{{Key: "event_type", Value: []byte("order.paid.v1")}},
	}).FirstErr()
	if err != nil {
		panic(err)
	}
}
