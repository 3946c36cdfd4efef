package kafka_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// refuseCommits makes every commit of offsets fail, until repair.
func (f *fault) refuseCommits(code *kerr.Error) {
	failing := refuseCommits(f.bench.t, f.bench.k, code)
	f.repair = func() { failing.Store(false) }
}

// refuseCommits makes every commit of offsets fail as long as the flag is true.
func refuseCommits(t testing.TB, k *services.KafkaCluster, code *kerr.Error) *atomic.Bool {
	failing := new(atomic.Bool)
	failing.Store(true)
	k.Fake.Control(t, kmsg.OffsetCommit, func(r kmsg.Request) kmsg.Response {
		if !failing.Load() {
			return nil
		}
		resp := r.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
			answer := kmsg.NewOffsetCommitResponseTopic()
			answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				refused := kmsg.NewOffsetCommitResponseTopicPartition()
				refused.Partition, refused.ErrorCode = p.Partition, code.Code
				answer.Partitions = append(answer.Partitions, refused)
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp
	})
	return failing
}

// The brokers refuse the group's offsets, and the client retries commits and logs nothing.
// The consumer warns, continues with the records, and says when commits work again.
func TestCommitsThatFail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code *kerr.Error
		says string
	}{
		"topic not allowed":       {kerr.TopicAuthorizationFailed, "grant this client READ on the topic"},
		"group not allowed":       {kerr.GroupAuthorizationFailed, "grant this client READ on the group"},
		"metadata too large":      {kerr.OffsetMetadataTooLarge, "raise offset.metadata.max.bytes"},
		"another error":           {kerr.InvalidCommitOffsetSize, "offsets not committed, retrying"},
		"one that usually passes": {kerr.RebalanceInProgress, "offsets not committed, retrying"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, services.KFake(t), 1)
			seen, log := newLog(), &lines{}
			router := consume.NewRouter()
			router.Handle("paid", func(ctx context.Context, m consume.Message) error { return seen.handle(ctx, m) })
			// On a busy machine the client may try no commit for seconds. The failures have not ended then.
			cfg := kafka.Impatient(b.config(router), func(t *kafka.Timing) { t.Settle = time.Minute })
			cfg.Logger = log.logger()
			f := &fault{bench: b, cfg: &cfg}
			f.refuseCommits(c.code)
			b.produce(0, "paid", 3)
			consumer, end, _ := launch(t, cfg)
			line := log.await(t, c.says)
			if why, _ := line["error"].(string); line["topic"] != b.topic || line["level"] != "WARN" || !strings.Contains(why, c.code.Message) {
				t.Errorf("the line is %v", line)
			}
			b.produce(0, "paid", 2)
			seen.wait(t, 5)
			await(t, "it is ready, because it reads", func() bool { return consumer.Ready() == nil }, log)
			if at := b.committed(0); at > 0 {
				t.Errorf("the offset is %d, although commits fail", at)
			}
			time.Sleep(window)
			if n := len(log.like(t, "offsets not committed")); n > 3 {
				t.Errorf("%d lines:\n%s", n, log)
			}
			f.repair()
			log.await(t, "offsets are committed again")
			b.waitCommitted(0, 5)
			if err := end(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
