package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

const partitions = 8

// kafka is the Kafka of one measurement, which has the topic.
type kafka struct {
	addrs  []string
	client *kgo.Client // for looking at it
	admin  *kadm.Client
	before int64 // records of earlier measurements
	fake   *kfake.Cluster
}

// kafka starts an empty kfake.
func (l *lab) kafka() (*kafka, error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		return nil, err
	}
	k, err := lookAt(cluster.ListenAddrs())
	if err != nil {
		cluster.Close()
		return nil, err
	}
	k.fake = cluster
	return k, nil
}

func lookAt(addrs []string) (*kafka, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...))
	if err != nil {
		return nil, err
	}
	return &kafka{addrs: addrs, client: client, admin: kadm.NewClient(client)}, nil
}

// realKafka returns the real Kafka, which all scenarios share. They are skipped where there
// is none. It is a broker of our own, for which a setting asks: others may use the topic of
// the sample on the brokers that KAFKA_BROKERS names.
func (l *lab) realKafka(ctx context.Context) (_ *kafka, err error) {
	if l.broker == nil {
		l.broker, err = services.StartRealKafka(ctx, "auto.create.topics.enable=false")
		if errors.Is(err, services.ErrNotFound) {
			return nil, skip(err.Error())
		}
		if err != nil {
			return nil, err
		}
		l.cleanup = append(l.cleanup, l.broker.Close)
	}
	k, err := lookAt(l.broker.Brokers)
	if err != nil {
		return nil, err
	}
	if _, err := k.admin.CreateTopic(ctx, partitions, 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		k.close()
		return nil, fmt.Errorf("create the topic: %w", err)
	}
	if k.before, err = k.records(ctx); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *kafka) close() {
	k.client.Close()
	if k.fake != nil {
		k.fake.Close()
	}
}

// records returns how many records the sample's topic has had since this measurement began.
func (k *kafka) records(ctx context.Context) (int64, error) {
	n, err := k.count(ctx, topic)
	return n - k.before, err
}

// count returns how many records a topic has had.
func (k *kafka) count(ctx context.Context, topic string) (sum int64, err error) {
	offsets, err := k.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	if err := offsets.Error(); err != nil {
		return 0, err
	}
	offsets.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, nil
}
