package metrics_test

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/metrics"
)

// Registers a consumer's metrics, and passes them to the consumer as its observer.
func Example() {
	registry := prometheus.NewRegistry()
	m := metrics.New("mailer")
	registry.MustRegister(m)
	_ = kafka.Config{Group: "mailer", Observer: m} // and Brokers, Topics and a Router

	families, err := registry.Gather()
	fmt.Println(len(families) > 0, err)
	// Output: true <nil>
}
