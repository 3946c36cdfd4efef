package kafkasink

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// A topic that is deleted and created again under the same name accepts records again,
// within the same term: the client alone would use the former id forever.
func TestATopicThatIsMadeAgain(t *testing.T) {
	t.Parallel()
	services.EachPrivateKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		k.CreateTopic(t, "t", 2)
		p := open(t, k)
		w := wave("t", 4, 2)
		for _, c := range send(t, p, w, 20*time.Second) {
			if c != relay.ClassOK {
				t.Fatalf("before: %s", c)
			}
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if _, err := kadm.NewClient(client).DeleteTopic(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		send(t, p, w, 5*time.Second) // notices
		k.CreateTopic(t, "t", 2)
		var last []relay.Class
		for range 10 {
			last = send(t, p, w, 10*time.Second)
			if last[0] == relay.ClassOK {
				break
			}
		}
		for _, c := range last {
			if c != relay.ClassOK {
				t.Errorf("after it was made again: %s", c)
			}
		}
	})
}
