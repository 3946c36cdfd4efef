package deadletter

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

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

// Nothing is sent to a topic while no broker tells whether it is compacted, as during a
// restart. Only if this client may not read the settings, records are sent.
func TestRedriveWithoutTheSettingsOfTheTopic(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var code, times atomic.Int32 // answers to requests for settings, and how many more of them
	k.Fake.Control(t, kmsg.DescribeConfigs, func(r kmsg.Request) kmsg.Response {
		if times.Add(-1) < 0 {
			return nil // the fake answers
		}
		request := r.(*kmsg.DescribeConfigsRequest)
		response := request.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, asked := range request.Resources {
			resource := kmsg.NewDescribeConfigsResponseResource()
			resource.ResourceType, resource.ResourceName, resource.ErrorCode = asked.ResourceType, asked.ResourceName, int16(code.Load())
			response.Resources = append(response.Resources, resource)
		}
		return response
	})
	type outcome struct {
		Sum Summary
		Err string
	}
	const forEver = 1000
	refused, sent := Summary{Chosen: 1}, Summary{Chosen: 1, Sent: 1}
	got, want := map[string]outcome{}, map[string]outcome{}
	for _, test := range []struct {
		code  *kerr.Error
		times int32
		sum   Summary
		err   string
	}{
		{kerr.RequestTimedOut, 3, refused, "deadletter: topic DEAD: topic TO is compacted, so that a record that is sent back would replace the newer ones of its key: " +
			"choose a topic that is not compacted, for instance a retry topic of the group"},
		{kerr.UnknownServerError, forEver, refused, "deadletter: topic DEAD: the settings of topic TO cannot be read, and if it is compacted, " +
			"a record that is sent back would replace the newer ones of its key: look at the brokers, and call it again: " + kerr.UnknownServerError.Error()},
		{kerr.TopicAuthorizationFailed, forEver, sent, "<nil>"},
		{kerr.ClusterAuthorizationFailed, forEver, sent, "<nil>"},
	} {
		dead, topic := k.NewTopic(t, "dead", 1), k.NewTopic(t, "orders", 1, "cleanup.policy=compact")
		letter := Letter{Topic: topic, Group: "mailer", Attempts: 3, Error: "no"}
		record := kgo.Record{Topic: dead, Key: []byte("k"), Value: []byte("1"), Headers: letter.Headers(nil)}
		if err := client.ProduceSync(t.Context(), &record).FirstErr(); err != nil {
			t.Fatal(err)
		}
		code.Store(int32(test.code.Code))
		times.Store(test.times)
		sum, err := Redrive(t.Context(), Config{Topic: dead, Options: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}})
		got[test.code.Message] = outcome{sum, strings.NewReplacer(dead, "DEAD", topic, "TO").Replace(fmt.Sprint(err))}
		want[test.code.Message] = outcome{test.sum, test.err}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A Kafka that tells the settings of topics to no client, and a client that may not ask for
// them (kgo.MaxVersions), do not stop Redrive.
func TestRedriveWhereNoSettingsCanBeAsked(t *testing.T) {
	t.Parallel()
	withoutSettings := kversion.Stable()
	withoutSettings.SetMaxKeyVersion(kmsg.DescribeConfigs.Int16(), -1)
	for name, test := range map[string]struct {
		told   bool // the broker lists the request in its versions
		code   *kerr.Error
		option kgo.Opt
	}{
		"the broker does not list the request":         {told: false, option: kgo.ClientID("mailer")},
		"the broker does not support its version":      {told: true, code: kerr.UnsupportedVersion, option: kgo.ClientID("mailer")},
		"the client is limited to versions without it": {told: true, option: kgo.MaxVersions(withoutSettings)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := services.KFake(t)
			client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			dead, topic := k.NewTopic(t, "dead", 1), k.NewTopic(t, "orders", 1)
			letter := Letter{Topic: topic, Group: "mailer", Attempts: 3, Error: "no"}
			if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: dead, Value: []byte("1"), Headers: letter.Headers(nil)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if !test.told {
				hideDescribeConfigs(t, k, client)
			}
			if test.code != nil {
				k.Fake.Control(t, kmsg.DescribeConfigs, func(r kmsg.Request) kmsg.Response {
					response := r.ResponseKind().(*kmsg.DescribeConfigsResponse)
					for _, asked := range r.(*kmsg.DescribeConfigsRequest).Resources {
						resource := kmsg.NewDescribeConfigsResponseResource()
						resource.ResourceType, resource.ResourceName, resource.ErrorCode = asked.ResourceType, asked.ResourceName, test.code.Code
						response.Resources = append(response.Resources, resource)
					}
					return response
				})
			}
			sum, err := Redrive(t.Context(), Config{Topic: dead, Options: []kgo.Opt{kgo.SeedBrokers(k.Brokers...), test.option}})
			if diff := cmp.Diff(Summary{Chosen: 1, Sent: 1}, sum); diff != "" || err != nil {
				t.Errorf("%v; the summary (-want +got):\n%s", err, diff)
			}
		})
	}
}

// hideDescribeConfigs leaves the request for settings out of the versions that the fake lists.
func hideDescribeConfigs(t *testing.T, k *services.KafkaCluster, client *kgo.Client) {
	t.Helper()
	versions, err := kadm.NewClient(client).ApiVersions(t.Context())
	if err != nil || len(versions) == 0 {
		t.Fatalf("%d brokers tell their versions, %v", len(versions), err)
	}
	var keys []kmsg.ApiVersionsResponseApiKey
	for _, v := range versions.Sorted() {
		keys = slices.DeleteFunc(slices.Clone(v.Raw().ApiKeys), func(key kmsg.ApiVersionsResponseApiKey) bool { return key.ApiKey == kmsg.DescribeConfigs.Int16() })
	}
	k.Fake.Control(t, kmsg.ApiVersions, func(r kmsg.Request) kmsg.Response {
		response := r.ResponseKind().(*kmsg.ApiVersionsResponse)
		response.ApiKeys = keys
		return response
	})
}

// Redrive says what to do if there is no such topic, and if the brokers do not answer.
func TestRedriveOfATopicThatCannotBeRead(t *testing.T) {
	t.Parallel()
	k := services.KFake(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	got := map[string]string{}
	for name, brokers := range map[string][]string{"no such topic": k.Brokers, "no answer": {silent.Addr().String()}} {
		_, err := Redrive(t.Context(), Config{Topic: "mailer.daed", Options: []kgo.Opt{kgo.SeedBrokers(brokers...)}, quiet: time.Second})
		got[name] = fmt.Sprint(err)
	}
	want := map[string]string{
		"no such topic": "deadletter: topic mailer.daed: it does not exist: check its name: " + kerr.UnknownTopicOrPartition.Error(),
		"no answer":     "deadletter: topic mailer.daed: the brokers did not answer within 1s: look at them, and call it again: context deadline exceeded",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
