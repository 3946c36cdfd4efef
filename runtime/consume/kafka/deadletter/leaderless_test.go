package deadletter

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// A partition without a leader does not stop Redrive for ever. The record that it could
// not send is not recorded as sent.
func TestRedriveWithoutALeader(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	dead, topic := k.NewTopic(t, "dead", 1), k.NewTopic(t, "orders", 1)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	letter := Letter{Topic: topic, Group: "mailer", Attempts: 3, Error: "no"}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: dead, Value: []byte("1"), Headers: letter.Headers(nil)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	k.Fake.Control(t, kmsg.Produce, func(r kmsg.Request) kmsg.Response {
		request := r.(*kmsg.ProduceRequest)
		response := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, rt := range request.Topics {
			st := kmsg.NewProduceResponseTopic()
			st.Topic, st.TopicID = rt.Topic, rt.TopicID
			for _, rp := range rt.Partitions {
				sp := kmsg.NewProduceResponseTopicPartition()
				sp.Partition, sp.ErrorCode = rp.Partition, kerr.LeaderNotAvailable.Code
				st.Partitions = append(st.Partitions, sp)
			}
			response.Topics = append(response.Topics, st)
		}
		return response
	})
	sum, err := Redrive(t.Context(), Config{Topic: dead, Options: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, quiet: 10 * time.Second})
	want := "deadletter: topic " + dead + ": send the record at offset 0 to topic " + topic + ": no broker accepted it for 10s: " +
		"look whether each partition of the topic has a leader and enough replicas, and call it again: " + kgo.ErrRecordTimeout.Error()
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("the error (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Summary{Chosen: 1}, sum); diff != "" {
		t.Errorf("the summary (-want +got):\n%s", diff)
	}
}
