package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// Observer gets reports of what a consumer does, for metrics (package
// consume/kafka/metrics). Methods must return quickly and must not keep the slices of
// their arguments. Several goroutines call them. A panic of a method is logged and
// counted in Stats.Panics, and has no other effect.
type Observer interface {
	// Attempted reports a call of the router with a record, or of a batch handler.
	Attempted(a Attempt)
	// Finished reports, once for each record, that the consumer is done with it: its
	// offset can be committed.
	Finished(f Finished)
	// Status reports the state after each check of the cluster: every 10 s, and more
	// often while the consumer is not ready.
	Status(s Status)
}

// Attempt is one call of the router with a record, or of a batch handler.
type Attempt struct {
	Record consume.Record // the first one of a batch
	Batch  int            // number of records if it is a batch; 0: a single record
	Number int            // 1 for the first; the count continues in retry topics
	Took   time.Duration  // includes middleware and inbox
	Err    error          // nil: it succeeded
}

// Outcome is the outcome of a record.
type Outcome string

// The outcomes.
const (
	Handled           Outcome = "handled"             // its handler succeeded
	SkippedNoHandler  Outcome = "skipped_no_handler"  // the router has no handler for it
	SkippedFailed     Outcome = "skipped_failed"      // it could not be handled, and Config.GiveUp is Skip
	SkippedOtherGroup Outcome = "skipped_other_group" // it was sent back for another group, or waits in its retry topic
	Delayed           Outcome = "delayed"             // it failed, and is stored in a retry topic
	DeadLettered      Outcome = "dead_lettered"       // it could not be handled, and the dead letter is stored
)

// Finished describes a finished record.
type Finished struct {
	Record   consume.Record
	Outcome  Outcome
	Attempts int           // calls of the router, in retry topics too
	Age      time.Duration // since the record's timestamp, by this machine's clock
}

// Status is the state of a consumer.
type Status struct {
	Ready   bool
	Reasons []string // why it is not ready
	Lag     []Lag    // of each partition of this member; nil: not known now
	Stats   Stats
}

// Lag is how far a member is behind in a partition.
type Lag struct {
	Topic     string
	Partition int32
	Records   int64 // number of offsets from the next record to handle to the end of the partition
}

// observe calls the observer, if there is one.
func (r *run) observe(ctx context.Context, tell func(Observer)) {
	if r.cfg.Observer == nil {
		return
	}
	err := func() (err error) {
		defer consume.RecoverTo(&err)
		tell(r.cfg.Observer)
		return nil
	}()
	if caught, ok := err.(*consume.PanicError); ok { //nolint:errorlint // RecoverTo gives this or nil
		r.stats.panics.Add(1)
		r.notices.report(ctx, subject{kind: kindObserver}, -1, false, "Config.Observer panicked; its metrics may be wrong", err, "stack", string(caught.Stack))
	}
}

func (w *worker) attempted(t *task, took time.Duration, err error) {
	w.run.observe(w.ctx, func(o Observer) {
		o.Attempted(Attempt{Record: t.m.Record(), Number: t.before + t.attempt, Took: took, Err: err})
	})
}

// finished counts a record that is done with.
func (w *worker) finished(t *task, outcome Outcome, attempts int) {
	stats := w.run.stats
	switch outcome {
	case Handled, SkippedNoHandler, SkippedOtherGroup:
		stats.handled.Add(1)
	case SkippedFailed:
		stats.skipped.Add(1)
	case Delayed:
		stats.delayed.Add(1)
	case DeadLettered:
		stats.deadLettered.Add(1)
	default:
		panic(fmt.Sprintf("consume/kafka: outcome %q", outcome))
	}
	w.run.observe(w.ctx, func(o Observer) {
		o.Finished(Finished{Record: t.m.Record(), Outcome: outcome, Attempts: attempts, Age: max(0, time.Since(t.m.Timestamp))})
	})
}
