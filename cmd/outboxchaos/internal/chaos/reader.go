package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/history"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
)

// reader reads every record of a topic with a plain client, for the history.
type reader struct {
	client  *kgo.Client
	done    sync.WaitGroup
	cancel  context.CancelFunc
	problem func(error)
}

// startReader reads a topic from its beginning until it is deleted. It calls problem for
// a record that is not a valid event.
func startReader(brokers []string, topic string, incarnation int, h *history.History, problem func(error)) (*reader, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(200*time.Millisecond), kgo.MetadataMinAge(100*time.Millisecond), kgo.KeepControlRecords(),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &reader{client: client, cancel: cancel, problem: problem}
	r.done.Go(func() { r.read(ctx, incarnation, h) })
	return r, nil
}

func (r *reader) close() {
	r.cancel()
	r.done.Wait()
	r.client.Close()
}

func (r *reader) read(ctx context.Context, incarnation int, h *history.History) {
	for ctx.Err() == nil {
		// Errors mean that the broker or the topic is not available. The client
		// retries.
		r.client.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			d, err := delivery(rec, incarnation)
			if err != nil {
				r.problem(err)
				return
			}
			h.Delivered(d)
		})
	}
}

func delivery(rec *kgo.Record, incarnation int) (history.Delivery, error) {
	d := history.Delivery{
		Topic: rec.Topic, Key: string(rec.Key), Keyed: rec.Key != nil, Incarnation: incarnation,
		Partition: rec.Partition, Offset: rec.Offset, Sum: history.Sum(rec.Value), At: rec.Timestamp,
	}
	labelled := false
	for _, h := range rec.Headers {
		if h.Key == "event_id" {
			id, err := uuid.ParseBytes(h.Value)
			if err != nil {
				return d, fmt.Errorf("the record %s/%d@%d has the event id %q: %w", rec.Topic, rec.Partition, rec.Offset, h.Value, err)
			}
			d.ID = id
		}
		if l, ok := instance.ParseLabel(h.Key, h.Value); ok {
			d.Label, labelled = l, true
		}
	}
	if d.ID == uuid.Nil || !labelled {
		return d, fmt.Errorf("the record %s/%d@%d lacks the header event_id, or that of its wave", rec.Topic, rec.Partition, rec.Offset)
	}
	return d, nil
}
