package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka/deadletter"
)

// forwardTimeout is how long the brokers have to acknowledge a record in a retry topic
// or the dead-letter topic, before it is written again.
const forwardTimeout = 30 * time.Second

// largestForward is the client's limit for one record: what was read has to be written,
// whatever the topic allows.
const largestForward = 64 << 20

// destination is where a record goes whose handler is not called again now. The zero
// value is nowhere.
type destination struct {
	topic string
	delay time.Duration // of a retry topic; 0: the dead-letter topic
	call  bool          // Config.DeadLetter
}

// destination of a record whose handler has failed for good, or for now.
func (w *worker) destination(t *task, permanent bool) destination {
	cfg := &w.run.cfg
	switch next := t.stage + 1; {
	case !permanent && next < len(cfg.RetryTopics):
		return destination{topic: cfg.RetryTopics[next].Topic, delay: cfg.RetryTopics[next].Delay}
	case cfg.DeadLetterTopic != "":
		return destination{topic: cfg.DeadLetterTopic}
	}
	return destination{call: cfg.DeadLetter != nil}
}

// failed returns the log text for a record that was not stored.
func (d destination) failed() string {
	switch {
	case d.call:
		return "DeadLetter failed, retrying; the event's partition waits"
	case d.delay > 0:
		return "event not stored in its retry topic, retrying; its partition waits"
	}
	return "event not stored in the dead-letter topic, retrying; its partition waits"
}

// forward writes a record that was given up to its destination, and returns when that is
// acknowledged.
func (w *worker) forward(t *task) error {
	if t.to.call {
		return w.deadLetter(t)
	}
	letter := deadletter.Letter{
		Topic: t.m.Topic, Partition: t.m.Partition, Offset: t.m.Offset, Timestamp: t.m.Timestamp,
		Group: w.run.cfg.Group, Attempts: t.tries, Error: t.cause.Error(), ErrorType: errorType(t.cause),
	}
	if caught, ok := errors.AsType[*consume.PanicError](t.cause); ok {
		letter.Stack = string(caught.Stack)
	}
	if t.to.delay > 0 {
		letter.NotBefore = time.Now().Add(t.to.delay)
	}
	record := &kgo.Record{Topic: t.to.topic, Key: t.record.Key, Value: t.record.Value, Headers: letter.Headers(t.record.Headers)}
	if err := w.run.produce(w.ctx, record); err != nil {
		return fmt.Errorf("consume/kafka: write the record to topic %s: %s: %w", t.to.topic, produceHint(err), err)
	}
	return nil
}

// errorType returns the type of the service's own error.
func errorType(err error) string {
	for {
		switch wrapping := err.(type) { //nolint:errorlint // what these wrap is looked for
		case *consume.HandlerError:
			err = wrapping.Err
		case *consume.DecodeError:
			err = wrapping.Err
		default:
			return fmt.Sprintf("%T", err)
		}
	}
}

// produce writes one record at a time: records of several partitions in one batch could
// be too large together.
func (r *run) produce(ctx context.Context, record *kgo.Record) error {
	select {
	case r.producing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.producing }()
	writing, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	acked := make(chan error, 1)
	r.client.Produce(writing, record, func(_ *kgo.Record, err error) { acked <- err })
	select {
	case err := <-acked:
		return err
	case <-writing.Done(): // the client may keep a record that was sent; it may have been written
		return writing.Err()
	}
}
