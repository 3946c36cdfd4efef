package redisinbox_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/inbox/redisinbox"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// All handlers of a router skip what the consumer has handled before.
func ExampleInbox_Once() {
	ctx := context.Background()
	server, err := services.StartRedis(ctx) // in a service: its Redis
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = server.Close() }()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	in, err := redisinbox.New(client, "reminders", redisinbox.Options{
		TTLByType: map[string]time.Duration{"essay.opened.v1": time.Hour}, // not worth more memory
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	router := consume.NewRouter(consume.Use(in.Once))
	router.Handle("essay.graded.v1", func(_ context.Context, m consume.Message) error {
		fmt.Printf("mail: %s\n", m.Value)
		return nil
	})

	message := consume.Message{
		Topic: "essays", Value: []byte("your essay is graded"),
		Headers: []outbox.Header{
			{Key: "event_id", Value: []byte("018fd0a0-0000-7000-8000-000000000001")},
			{Key: "event_type", Value: []byte("essay.graded.v1")},
		},
	}
	for range 3 { // delivered three times
		if err := router.Dispatch(ctx, message); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// mail: your essay is graded
}
