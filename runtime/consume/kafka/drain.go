package kafka

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// AbandonedError is returned by [Consumer.Run] when handlers did not return within
// Config.DrainTimeout, and then not within 5s after their context was cancelled. They
// may still be running. The offsets of their records are not committed, so the records
// are delivered again.
type AbandonedError struct {
	Group   string
	Records []consume.Record // topic, partition and offset of the first one of each partition
}

func (e *AbandonedError) Error() string {
	var records []string
	for _, r := range e.Records {
		records = append(records, r.String())
	}
	return fmt.Sprintf("consume/kafka: group %s: handlers ignore that their context was cancelled, and were left running: %s; "+
		"let handlers return when their context is done", e.Group, strings.Join(records, ", "))
}

// drain lets the workers finish their current record. It cancels handlers that take
// longer than wait, or until ctx ends, and returns the workers whose handlers do not
// return even then.
func (r *run) drain(ctx context.Context, workers []*worker, wait time.Duration) (abandoned []*worker) {
	for _, w := range workers {
		w.stop()
	}
	if ended(ctx, workers, wait) {
		return nil
	}
	for _, w := range workers {
		w.cancel()
	}
	if ended(context.WithoutCancel(ctx), workers, r.cfg.timing.abandon) {
		return nil
	}
	for _, w := range workers {
		select {
		case <-w.done:
		default:
			w.abandon()
			abandoned = append(abandoned, w)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range abandoned { // a partition that comes back waits for it
		r.keep(w)
	}
	return abandoned
}

// ended waits until the workers have ended, and reports whether they did.
func ended(ctx context.Context, workers []*worker, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for _, w := range workers {
		select {
		case <-w.done:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// abandon leaves a worker behind whose handler does not return. It marks no offset any
// more: the partition may be another member's.
func (w *worker) abandon() {
	w.marking.Lock()
	before := w.abandoned.Swap(true)
	w.marking.Unlock()
	if before {
		return
	}
	w.log.ErrorContext(context.WithoutCancel(w.ctx), "handler ignores that its context was cancelled and is left running; its record is delivered again, perhaps at the same time",
		"offset", w.oldest())
}

// stopAll ends all workers when Run ends.
func (r *run) stopAll() error {
	abandoned := r.drain(context.Background(), r.everyWorker(), r.cfg.DrainTimeout)
	r.mu.Lock()
	clear(r.workers)
	r.mu.Unlock()
	if len(abandoned) == 0 {
		return nil
	}
	err := &AbandonedError{Group: r.cfg.Group}
	for _, w := range abandoned {
		err.Records = append(err.Records, consume.Record{Topic: w.p.topic, Partition: w.p.id, Offset: w.oldest()})
	}
	return err
}
