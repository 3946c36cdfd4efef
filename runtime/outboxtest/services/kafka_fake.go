package services

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services/fakeproto"
)

// KFakeOption changes a fake Kafka.
type KFakeOption func(*fakeproto.Cluster)

// FakeBrokers sets the number of the fake's brokers. Default: 3.
func FakeBrokers(n int) KFakeOption {
	return func(c *fakeproto.Cluster) { c.Ports = make([]int, n) }
}

// FakeTopic adds a topic to the fake that is there from the start.
func FakeTopic(name string, partitions int32) KFakeOption {
	return func(c *fakeproto.Cluster) {
		if c.Topics == nil {
			c.Topics = map[string]int32{}
		}
		c.Topics[name] = partitions
	}
}

// KFake returns the test's own fake Kafka: franz-go's kfake, in a process that the
// tests of this binary share.
func KFake(t testing.TB, opts ...KFakeOption) *KafkaCluster {
	t.Helper()
	skipShort(t)
	source, err := findFakeSource()
	var host *fakeHost
	if err == nil {
		host, err = use(t, string(choiceFake), source.start)
	}
	if err != nil {
		giveUp(t, string(choiceFake), err)
	}
	k, err := host.cluster(opts)
	if err != nil {
		t.Fatalf("services: kfake does not start: %v", err)
	}
	closeAfter(t, k)
	return k
}

// StartKFake starts a fake Kafka in a process of its own. The caller closes it.
// It keeps everything in memory, over Stop and Start too. The error wraps
// [ErrNotFound] outside outboxgen's repository: the fake is built there.
func StartKFake(opts ...KFakeOption) (*KafkaCluster, error) {
	source, err := findFakeSource()
	if err != nil {
		return nil, err
	}
	host, err := source.start()
	if err != nil {
		return nil, err
	}
	k, err := host.cluster(opts)
	if err != nil {
		return nil, errors.Join(err, host.Close())
	}
	k.own = ownHost{k.own, host}
	return k, nil
}

// ownHost is a server with a process that is its alone.
type ownHost struct {
	kafkaServer
	host io.Closer
}

func (o ownHost) Close() error { return errors.Join(o.kafkaServer.Close(), o.host.Close()) }

// FakeKafka makes a fake Kafka fail.
type FakeKafka struct {
	host *fakeHost
	id   int64
}

// Fault is an error that a fake Kafka answers requests with.
type Fault struct {
	Request    kmsg.Key
	Topic      string  // "" means every topic
	Partitions []int32 // nil means all of the topic
	Err        *kerr.Error
	Lasting    bool // until it is repaired; otherwise one request gets the error
}

// Fault makes requests fail. The function that it returns repairs it.
func (f *FakeKafka) Fault(t testing.TB, fault Fault) (repair func()) {
	t.Helper()
	count := 1
	if fault.Lasting {
		count = -1
	}
	number := f.host.number()
	f.must(t, "Break", fakeproto.Fault{
		Cluster: f.id, Number: number, Key: int16(fault.Request), Topic: fault.Topic, Partitions: fault.Partitions,
		Code: fault.Err.Code, Count: count,
	})
	return func() {
		t.Helper()
		f.must(t, "Repair", number)
	}
}

func (f *FakeKafka) must(t testing.TB, method string, argument any) {
	t.Helper()
	if err := f.host.do(method, argument); err != nil {
		t.Fatalf("services: %v", err)
	}
}

// Control calls answer for each request of a kind before the fake handles it. If answer
// returns a response, the fake sends it; if it returns nil, the fake answers itself.
// The fake handles nothing else meanwhile.
func (f *FakeKafka) Control(t testing.TB, key kmsg.Key, answer func(kmsg.Request) kmsg.Response) {
	t.Helper()
	c := fakeproto.Control{Cluster: f.id, Key: int16(key)}
	f.host.controls.Store(c, answer)
	f.must(t, "Control", c)
}

// The methods of a kafkaServer.

func (f *FakeKafka) start(context.Context) error { return f.host.do("Open", f.id) }
func (f *FakeKafka) stop() error                 { return f.host.do("Shut", f.id) }
func (f *FakeKafka) kill() error                 { return f.host.do("Shut", f.id) }

// Close ends the fake.
func (f *FakeKafka) Close() error { return f.host.do("Close", f.id) }
