package kafkasink_test

import (
	"crypto/tls"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
)

func ExampleNew() {
	sink, err := kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{
		kgo.SeedBrokers("kafka-1:9093", "kafka-2:9093"),
		kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}),
		kgo.SASL(scram.Auth{User: "relay", Pass: "secret"}.AsSha512Mechanism()),
	}})
	if err != nil {
		panic(err)
	}
	// Kafka's own producers put the key there as well.
	fmt.Println(sink.Partition([]byte("order-1"), 6))
	// Output: 4
}
