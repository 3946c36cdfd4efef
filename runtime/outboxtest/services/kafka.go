package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// KafkaCluster is a running Kafka: the real one or franz-go's fake.
// One of Stop, Kill, Start and Close may run at a time.
type KafkaCluster struct {
	// Brokers are the addresses to give to a client. They stay the same over Stop,
	// Kill and Start.
	Brokers []string
	// Fake makes a fake Kafka fail; nil for a real one.
	Fake *FakeKafka

	own     kafkaServer // nil for the one that KAFKA_BROKERS names
	control bool        // whether Stop, Kill and Start are allowed
	down    bool        // between Stop or Kill and Start
}

// kafkaServer is one of our own: a JVM, or kfake.
type kafkaServer interface {
	io.Closer
	start(ctx context.Context) error
	stop() error
	kill() error
}

// StartKafka finds or starts a Kafka; the package documentation says in which
// order. The caller closes it. The error wraps [ErrNotFound] when OUTBOXGEN_KAFKA
// asks for the real one and there is none.
func StartKafka(ctx context.Context) (*KafkaCluster, error) {
	choice, err := kafkaChoice()
	if err != nil {
		return nil, err
	}
	if choice == choiceFake {
		return StartKFake()
	}
	k, err := StartRealKafka(ctx)
	if errors.Is(err, ErrNotFound) && choice == choiceAny {
		return StartKFake()
	}
	return k, err
}

// StartRealKafka is [StartKafka] that never falls back to kfake. With settings of the
// broker, such as "message.max.bytes=1000000", it always starts a Kafka, and ignores
// KAFKA_BROKERS. The error wraps [ErrNotFound] when there is no real Kafka.
func StartRealKafka(ctx context.Context, settings ...string) (*KafkaCluster, error) {
	if list := os.Getenv("KAFKA_BROKERS"); list != "" && len(settings) == 0 {
		k := &KafkaCluster{Brokers: strings.Split(list, ",")}
		if err := k.ping(ctx); err != nil {
			return nil, fmt.Errorf("the brokers that KAFKA_BROKERS names: %w", err)
		}
		return k, nil
	}
	return startBroker(ctx, settings...)
}

type kafkaKind string

const (
	choiceAny  kafkaKind = ""
	choiceReal kafkaKind = "kafka"
	choiceFake kafkaKind = "kfake"
)

// kafkaChoice returns what OUTBOXGEN_KAFKA says.
func kafkaChoice() (kafkaKind, error) {
	switch choice := kafkaKind(os.Getenv("OUTBOXGEN_KAFKA")); choice {
	case choiceFake:
		if required("kafka") {
			return "", errors.New("OUTBOXGEN_KAFKA asks for kfake and OUTBOXGEN_REQUIRE for kafka: unset one of them")
		}
		return choice, nil
	case choiceAny, choiceReal:
		return choice, nil
	default:
		return "", fmt.Errorf("OUTBOXGEN_KAFKA is %q; it must be kafka, kfake or unset", choice)
	}
}

// Kafka returns a Kafka for the test: the real one if available, which tests share,
// else the test's own kfake.
func Kafka(t testing.TB) *KafkaCluster {
	t.Helper()
	choice, err := kafkaChoice()
	if err != nil {
		giveUp(t, "kafka", err)
	}
	if choice == choiceFake {
		return KFake(t)
	}
	k, err := sharedReal(t)
	if errors.Is(err, ErrNotFound) && choice == choiceAny && !required("kafka") {
		t.Logf("services: kfake stands in for Kafka: %v", err)
		return KFake(t)
	}
	if err != nil {
		giveUp(t, "kafka", err)
	}
	return k
}

// RealKafka returns the real Kafka, which tests share.
func RealKafka(t testing.TB) *KafkaCluster {
	t.Helper()
	k, err := sharedReal(t)
	if err != nil {
		giveUp(t, "kafka", err)
	}
	return k
}

func sharedReal(t testing.TB) (*KafkaCluster, error) {
	t.Helper()
	skipShort(t)
	return use(t, "kafka", func() (*KafkaCluster, error) {
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		k, err := StartRealKafka(ctx)
		if err == nil {
			k.control = false
		}
		return k, err
	})
}

// PrivateKafka returns the test's own real Kafka, which it may Stop, Kill and Start. It
// takes some seconds to start. Settings of the broker are like
// "message.max.bytes=1000000", and may contain other ones, as in
// "listeners=${listeners},SECURE://127.0.0.1:9093". KAFKA_BROKERS has no effect on it.
func PrivateKafka(t testing.TB, settings ...string) *KafkaCluster {
	t.Helper()
	skipShort(t)
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	k, err := startBroker(ctx, settings...)
	if err != nil {
		giveUp(t, "kafka", err)
	}
	closeAfter(t, k)
	return k
}

// EachKafka runs the test as a subtest on kfake and on the real Kafka that is
// shared. OUTBOXGEN_KAFKA picks one of them.
func EachKafka(t *testing.T, test func(t *testing.T, k *KafkaCluster)) {
	t.Helper()
	eachKafka(t, RealKafka, test)
}

// EachPrivateKafka is [EachKafka] with a real Kafka that is the test's own.
func EachPrivateKafka(t *testing.T, test func(t *testing.T, k *KafkaCluster)) {
	t.Helper()
	eachKafka(t, func(t testing.TB) *KafkaCluster { return PrivateKafka(t) }, test)
}

func eachKafka(t *testing.T, realKafka func(testing.TB) *KafkaCluster, test func(t *testing.T, k *KafkaCluster)) {
	t.Helper()
	choice, err := kafkaChoice()
	if err != nil {
		giveUp(t, "kafka", err)
	}
	if choice != choiceReal {
		t.Run("kfake", func(t *testing.T) { test(t, KFake(t)) })
	}
	if choice != choiceFake {
		t.Run("kafka", func(t *testing.T) { test(t, realKafka(t)) })
	}
}

// controlled returns an error for a Kafka that others use too.
func (k *KafkaCluster) controlled() error {
	if k.control {
		return nil
	}
	return errShared("Kafka", "services.PrivateKafka(t) or services.KFake(t)")
}

// Stop stops the brokers cleanly. Nothing listens at their addresses until Start.
func (k *KafkaCluster) Stop() error {
	if err := k.controlled(); err != nil {
		return err
	}
	k.down = true
	return k.own.stop()
}

// Kill ends the brokers immediately. What they acknowledged is there after Start.
func (k *KafkaCluster) Kill() error {
	if err := k.controlled(); err != nil {
		return err
	}
	k.down = true
	return k.own.kill()
}

// Start starts the brokers again after Stop or Kill, and returns when they
// answer.
func (k *KafkaCluster) Start(ctx context.Context) error {
	if err := k.controlled(); err != nil {
		return err
	}
	if err := k.own.start(ctx); err != nil {
		return err
	}
	k.down = false
	return k.ping(ctx)
}

// Close stops the brokers and removes their data. It does nothing to those in
// KAFKA_BROKERS.
func (k *KafkaCluster) Close() error {
	if k.own == nil {
		return nil
	}
	return k.own.Close()
}

// admin runs the function with a client for administration.
func (k *KafkaCluster) admin(do func(*kadm.Client) error) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	return do(kadm.NewClient(client))
}

func (k *KafkaCluster) ping(ctx context.Context) error {
	const limit = time.Minute
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return k.admin(func(admin *kadm.Client) error {
		brokers, err := admin.ListBrokers(ctx)
		if err == nil && len(brokers) == 0 {
			err = errors.New("no broker has registered")
		}
		return err
	})
}

// NewTopic creates a topic that no other test uses and returns its name: the
// given one with a suffix. Settings are like "max.message.bytes=1000". The topic
// is deleted when the test ends.
func (k *KafkaCluster) NewTopic(t testing.TB, name string, partitions int32, settings ...string) string {
	t.Helper()
	name += "." + uniqueName(t, "-", 100)
	k.CreateTopic(t, name, partitions, settings...)
	return name
}

// CreateTopic creates a topic of exactly that name, and fails the test when it
// is there already. On a Kafka that is shared, two tests must not use one name
// at the same time: see [KafkaCluster.NewTopic]. The topic is deleted when the
// test ends.
func (k *KafkaCluster) CreateTopic(t testing.TB, name string, partitions int32, settings ...string) {
	t.Helper()
	configs := map[string]*string{}
	for _, setting := range settings {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			t.Fatalf("services: the topic setting %q is not like name=value", setting)
		}
		configs[key] = &value
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	err := k.admin(func(admin *kadm.Client) error {
		if err := createTopic(ctx, admin, name, partitions, configs); err != nil {
			return err
		}
		return waitForLeaders(ctx, admin, name)
	})
	if err != nil {
		t.Fatalf("services: create the topic %s: %v", name, err)
	}
	t.Cleanup(func() {
		if k.down {
			return // it goes with the cluster
		}
		ctx, cancel := context.WithTimeout(context.Background(), startLimit)
		defer cancel()
		err := k.admin(func(admin *kadm.Client) error {
			_, err := admin.DeleteTopic(ctx, name)
			return err
		})
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("services: delete the topic %s: %v", name, err)
		}
	})
}

// createTopic creates a topic. While the only broker has no session with its controller, because
// the machine is busy, Kafka says that the replication factor is larger than the number of brokers.
func createTopic(ctx context.Context, admin *kadm.Client, name string, partitions int32, configs map[string]*string) error {
	const pause = 100 * time.Millisecond
	for {
		_, err := admin.CreateTopic(ctx, partitions, 1, configs, name)
		if !errors.Is(err, kerr.InvalidReplicationFactor) {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// waitForLeaders returns when every partition of a new topic can be written.
func waitForLeaders(ctx context.Context, admin *kadm.Client, topic string) error {
	const pause = 5 * time.Millisecond
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		topics, err := admin.ListTopics(ctx, topic)
		if err != nil {
			return err
		}
		ready := topics[topic].Err == nil
		for _, partition := range topics[topic].Partitions {
			ready = ready && partition.Err == nil && partition.Leader >= 0
		}
		if ready {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("it has no leaders yet: %w", context.Cause(ctx))
		}
	}
}
