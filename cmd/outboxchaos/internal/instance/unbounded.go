package instance

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
)

// unbounded is the producer of a relay without waves: records go to the client immediately,
// even if earlier ones have failed.
type unbounded struct {
	relay.Producer // for Topics
	client         *kgo.Client
}

func newUnbounded(inner *kafkasink.Sink, opts []kgo.Opt) (relay.Producer, error) {
	topics, err := inner.Open(context.Background())
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt(nil), opts...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(2*time.Second))...)
	if err != nil {
		topics.Close()
		return nil, err
	}
	return &unbounded{topics, client}, nil
}

func (u *unbounded) Send(ctx context.Context, wave []relay.Record, results []relay.Result) {
	var all sync.WaitGroup
	for i := range wave {
		r := &wave[i]
		k := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		all.Add(1)
		u.client.Produce(context.WithoutCancel(ctx), k, func(_ *kgo.Record, err error) {
			results[i] = relay.Result{Class: kafkasink.Classify(err), Err: err}
			all.Done()
		})
	}
	all.Wait()
}

func (u *unbounded) Close() {
	u.client.Close()
	u.Producer.Close()
}
