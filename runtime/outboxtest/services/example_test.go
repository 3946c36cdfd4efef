package services_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// In a package's TestMain, Main stops the servers after the last test.
func ExampleMain() {
	_ = func(m *testing.M) { services.Main(m) } // func TestMain(m *testing.M) { … }
}

// A test gets an empty database of its own.
func ExamplePostgres() {
	_ = func(t *testing.T) { // func TestOrders(t *testing.T) { … }
		pg := services.Postgres(t)
		if _, err := pg.Pool.Exec(t.Context(), "CREATE TABLE orders (id uuid PRIMARY KEY)"); err != nil {
			t.Fatal(err)
		}
	}
}

// A test that wants to see what happens without Kafka runs on the fake and on
// the real one.
func ExampleEachPrivateKafka() {
	_ = func(t *testing.T) { // func TestOutage(t *testing.T) { … }
		services.EachPrivateKafka(t, func(t *testing.T, k *services.KafkaCluster) {
			topic := k.NewTopic(t, "orders", 3)
			if err := k.Kill(); err != nil {
				t.Fatal(err)
			}
			// … insert events for the topic …
			if err := k.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			_ = topic // … and see them arrive
		})
	}
}

// Programs other than tests start servers too, and close them.
func ExampleStartKFake() {
	kafka, err := services.StartKFake()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(kafka.Brokers), "brokers")
	if err := kafka.Stop(); err != nil { // an outage
		fmt.Println(err)
	}
	if err := kafka.Start(context.Background()); err != nil {
		fmt.Println(err)
	}
	if err := kafka.Close(); err != nil {
		fmt.Println(err)
	}
	// Output: 3 brokers
}
