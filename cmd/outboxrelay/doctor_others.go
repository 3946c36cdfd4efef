package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/runbook"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// doctorPatience limits each call to Kafka, Redis and the registry.
const doctorPatience = 10 * time.Second

func sortedKeys(ms ...map[string]string) []string {
	all := map[string]bool{}
	for _, m := range ms {
		for k := range m {
			all[k] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// checkKafka asks the brokers about the topics of the rows, as the relay does. The topics are
// known if the outbox could be read.
func (d *doctor) checkKafka(ctx context.Context, topics []admin.TopicFacts, known bool) {
	if d.o.toStdout {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	infos, err := d.describe(ctx, topics)
	if err != nil {
		d.addIncident(incidentOfKafka(err), broken, "kafka", fmt.Sprintf("Kafka at %s: %v", strings.Join(d.o.kafka.brokers, ", "), err), "all rows wait; nothing is lost",
			d.o.kafka.advice(err))
		return
	}
	d.ok("kafka", "the brokers at %s answer", strings.Join(d.o.kafka.brokers, ", "))
	writable := 0
	for i, info := range infos {
		if d.checkTopic(topics[i], info) {
			writable++
		}
	}
	switch {
	case !known: // neither was looked at
	case len(topics) == 0:
		d.ok("topics", "the outbox has no rows, so no topic was looked at")
	case writable == 0: // a finding says it of each
	case writable < len(topics):
		d.ok("topics", "topics of the rows that can be written: %d of %d", writable, len(topics))
		d.ok("row size", "the largest rows that wait fit into their topics")
	default:
		d.ok("topics", "each topic of the rows can be written: %d", writable)
		d.ok("row size", "the largest rows that wait fit into their topics")
	}
}

// describe describes the topics with a producer of its own, which sends nothing.
func (d *doctor) describe(ctx context.Context, topics []admin.TopicFacts) ([]relay.TopicInfo, error) {
	sink, err := d.o.kafkaSink()
	if err != nil {
		return nil, err
	}
	producer, err := sink.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	if len(topics) == 0 { // to Kafka, no names mean all topics
		return nil, d.pingKafka(ctx)
	}
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Topic
	}
	return producer.Topics(ctx, names)
}

func (d *doctor) pingKafka(ctx context.Context) error {
	client, err := kgo.NewClient(d.o.kafka.options()...)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping(ctx)
}

// waitingRows says how many rows wait for a topic. Not all rows were looked at.
func waitingRows(n int64) string {
	if n == 1 {
		return "at least 1 row waits for it"
	}
	return fmt.Sprintf("at least %d rows wait for it", n)
}

// checkTopic reports whether the topic can be written.
func (d *doctor) checkTopic(t admin.TopicFacts, info relay.TopicInfo) bool {
	bad, waits := broken, waitingRows(t.Waiting)
	if t.Waiting == 0 { // it may be retired
		bad, waits = notable, "no row is known to wait for it"
	}
	switch {
	case info.Problem.Class != relay.ClassOK:
		fix := "grant the relay DESCRIBE and WRITE on the topic"
		if errors.Is(info.Problem.Err, kerr.UnknownTopicOrPartition) {
			fix = fmt.Sprintf("kafka-topics.sh --create --topic %s --partitions … --replication-factor … %s", quoted(t.Topic), d.bootstrap())
		}
		d.addIncident(runbook.TopicMissing, bad, "topics", fmt.Sprintf("topic %s: %v", t.Topic, info.Problem.Err), waits, fix)
		return false
	case len(info.Unavailable) > 0:
		d.addIncident(runbook.BrokerDown, bad, "topics", fmt.Sprintf("topic %s: %d of %d partitions have no leader", t.Topic, len(info.Unavailable), info.Partitions), waits,
			"bring back the brokers that have these partitions: kafka-topics.sh --describe --topic "+quoted(t.Topic)+" "+d.bootstrap())
	}
	if info.Unread.Class != relay.ClassOK {
		d.add(notable, "topics", fmt.Sprintf("the settings of topic %s cannot be read: %v", t.Topic, info.Unread.Err),
			fmt.Sprintf("the relay assumes %d bytes for max.message.bytes", info.MaxBatchBytes), "grant the relay DESCRIBE_CONFIGS on the topic")
	}
	if n := len(info.UnderReplicated); n > 0 {
		d.addIncident(runbook.BrokerDown, bad, "topics", fmt.Sprintf("topic %s: %d of %d partitions have fewer replicas in sync than min.insync.replicas", t.Topic, n, info.Partitions),
			"Kafka acknowledges no record there; "+waits, "bring back the brokers that have these partitions, or lower min.insync.replicas of the topic")
	}
	limit := int64(info.MaxBatchBytes)
	writable := len(info.Unavailable)+len(info.UnderReplicated) == 0
	if limit == 0 || t.Largest == 0 {
		return writable
	}
	switch size := t.Largest + relay.BatchOverhead; {
	case size > limit && d.o.kafka.compresses():
		d.addIncident(runbook.PoisonRecord, risky, "row size", fmt.Sprintf("event %s has about %d bytes before compression, and topic %s takes %d (max.message.bytes)", t.LargestID, size, t.Topic, limit),
			"Kafka rejects the row if it is still larger than that after compression, and after max_attempts it is dead",
			"raise max.message.bytes of the topic, or make the events smaller")
	case size > limit:
		d.addIncident(runbook.PoisonRecord, broken, "row size", fmt.Sprintf("event %s has about %d bytes, and topic %s takes %d (max.message.bytes)", t.LargestID, size, t.Topic, limit),
			"Kafka rejects the row, and after max_attempts it is dead", fmt.Sprintf(
				"kafka-configs.sh %s --alter --entity-type topics --entity-name %s --add-config max.message.bytes=%d; consumers may need a larger max.partition.fetch.bytes",
				d.bootstrap(), quoted(t.Topic), roundUp(size)))
	case size > limit*9/10 && !d.o.kafka.compresses():
		d.addIncident(runbook.PoisonRecord, risky, "row size", fmt.Sprintf("event %s has about %d bytes, and topic %s takes %d (max.message.bytes)", t.LargestID, size, t.Topic, limit),
			"a slightly larger one will be rejected", "raise max.message.bytes of the topic, or make the events smaller")
	}
	return writable
}

// bootstrap is the flag of Kafka's own tools that says where the brokers are.
func (d *doctor) bootstrap() string {
	return "--bootstrap-server " + quoted(strings.Join(d.o.kafka.brokers, ","))
}

// roundUp returns twice the size, in whole MiB.
func roundUp(size int64) int64 { return (2*size>>20 + 1) << 20 }

// checkRegistry looks for the schema of one event of each topic.
func (d *doctor) checkRegistry(ctx context.Context, topics []admin.TopicFacts) {
	if d.o.registry == nil || len(topics) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	config := *d.o.registry
	config.Logger = slog.New(slog.DiscardHandler)
	for _, t := range topics {
		if err := framing.Find(ctx, config, t.Topic, t.EventType); err != nil {
			bad := broken
			if t.Waiting == 0 {
				bad = notable
			}
			d.add(bad, "registry", err.Error(), fmt.Sprintf("rows of topic %s wait, for example of %s", t.Topic, t.EventType),
				"outboxgen register, or correct the settings registry-url and registry-subject")
		}
	}
	d.ok("registry", "it has the schemas of %s", several(int64(len(topics)), "topic"))
}

// checkRedis sends a PING to the Redis that transports wake-ups.
func (d *doctor) checkRedis(ctx context.Context) {
	if d.o.unheard {
		d.add(risky, "wake-ups", "redis-url is set but not used", "rows are found by polling", "set the service's name (setting service)")
	}
	if d.o.wake != "redis" {
		if !d.o.unheard {
			d.ok("wake-ups", "setting wake is %s", d.o.wake)
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	source := wake.RedisSource(d.o.redis, d.o.service, wake.SourceOptions{Logger: slog.New(slog.DiscardHandler)})
	defer source.Close()
	if err := source.Check(ctx); err != nil {
		d.add(risky, "wake-ups", "Redis: "+err.Error(), "rows are found by polling, within poll-max; nothing is lost", "start Redis, or correct the setting redis-url")
		return
	}
	d.ok("wake-ups", "Redis answers")
}
