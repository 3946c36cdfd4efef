package metrics_test

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
)

// Registers a relay's metrics, and passes them to the relay as its observer.
func Example() {
	registry := prometheus.NewRegistry()
	m := metrics.New("orders")
	registry.MustRegister(m)
	_ = relay.Config{Observer: m} // and a Store and a Sink

	families, err := registry.Gather()
	fmt.Println(len(families) > 0, err)
	// Output: true <nil>
}
