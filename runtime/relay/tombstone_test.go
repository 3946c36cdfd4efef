package relay_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// A row without data becomes a record with a null value, with its key and headers, also a
// row without headers and with StripRouting. An empty value and a JSON null stay what they
// are.
func TestARowWithoutDataIsATombstone(t *testing.T) {
	t.Parallel()
	services.EachKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		topic := k.NewTopic(t, "orders", 1)
		store := relay.NewMemStore()
		ids := []uuid.UUID{uuid.New(), uuid.New(), uuid.New(), uuid.New()}
		store.Add(
			relay.Row{ID: ids[0], Topic: topic, Key: key("k"), EventType: "order.paid.v1", Data: []byte(`{}`), Headers: []byte(`{}`)},
			relay.Row{ID: ids[1], Topic: topic, Key: key("k"), EventType: "order.paid.v1", Headers: []byte(`{"trace_id":"t1"}`)},
			relay.Row{ID: ids[2], Topic: topic, Key: key("k"), EventType: "order.paid.v1"},
			relay.Row{ID: ids[3], Topic: topic, Key: key("k"), EventType: "order.paid.v1", Data: []byte("null"), Headers: []byte(`{}`)},
		)
		start(t, relay.Config{Store: store, Sink: kafkaSink(t, k.Brokers), StripRouting: true}).w.publishes(t, 4)
		type record struct {
			Key, Value string
			Null       bool
			Headers    map[string]string
		}
		var got []record
		for _, r := range consume(t, k.Brokers, 4, topic) {
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			got = append(got, record{string(r.Key), string(r.Value), r.Value == nil, headers})
		}
		of := func(i int, more ...string) map[string]string {
			headers := map[string]string{"event_id": ids[i].String(), "event_type": "order.paid.v1"}
			if len(more) == 2 {
				headers[more[0]] = more[1]
			}
			return headers
		}
		want := []record{
			{"k", "{}", false, of(0)},
			{"k", "", true, of(1, "trace_id", "t1")},
			{"k", "", true, of(2)},
			{"k", "null", false, of(3)},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("records (-want +got):\n%s", d)
		}
	})
}
