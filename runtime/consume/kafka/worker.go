package kafka

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// worker handles the records of one partition in order.
type worker struct {
	run  *run
	p    partition
	log  *slog.Logger
	done chan struct{} // closed when it has ended

	ctx      context.Context    //nolint:containedctx // that of its handlers
	cancel   context.CancelFunc // ends the handler that runs
	stopping chan struct{}      // closed when no further record is to be begun
	once     sync.Once

	mu      sync.Mutex
	waiting []*kgo.Record
	paused  bool
	wake    chan struct{} // holds a token when records were added
}

func newWorker(r *run, p partition) *worker {
	ctx, cancel := context.WithCancel(r.handling)
	w := &worker{
		run: r, p: p, ctx: ctx, cancel: cancel,
		log:      r.cfg.Logger.With("group", r.cfg.Group, "topic", p.topic, "partition", p.id),
		done:     make(chan struct{}),
		stopping: make(chan struct{}),
		wake:     make(chan struct{}, 1),
	}
	go w.work()
	return w
}

func (w *worker) stop() { w.once.Do(func() { close(w.stopping) }) }

func (w *worker) stopped() bool {
	select {
	case <-w.stopping:
		return true
	default:
		return w.ctx.Err() != nil
	}
}

// add queues records, and pauses the partition when enough of them wait. The
// client drops what it had buffered beyond and fetches it again later.
func (w *worker) add(records []*kgo.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, records...)
	if !w.paused && len(w.waiting) > w.run.cfg.BufferRecords {
		w.paused = true
		w.run.client.PauseFetchPartitions(w.partitions())
	}
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) next() *kgo.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused && len(w.waiting) <= w.run.cfg.BufferRecords/2 {
		w.resume()
	}
	if len(w.waiting) == 0 {
		return nil
	}
	record := w.waiting[0]
	w.waiting[0] = nil
	w.waiting = w.waiting[1:]
	return record
}

func (w *worker) resume() {
	w.paused = false
	w.run.client.ResumeFetchPartitions(w.partitions())
}

func (w *worker) partitions() map[string][]int32 { return map[string][]int32{w.p.topic: {w.p.id}} }

func (w *worker) work() {
	defer close(w.done)
	defer w.cancel()
	defer func() { // a partition that comes back must not be paused
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.paused {
			w.resume()
		}
	}()
	for !w.stopped() {
		record := w.next()
		if record == nil {
			select {
			case <-w.wake:
			case <-w.stopping:
			case <-w.ctx.Done():
			}
			continue
		}
		if !w.handle(record) {
			return
		}
		w.run.client.MarkCommitRecords(record)
	}
}

// handle sees to one record until it is done with for good, and reports whether
// it is. False means that the worker stops here.
func (w *worker) handle(record *kgo.Record) bool {
	m := message(record)
	log := w.log.With("offset", m.Offset, "event_type", m.Record().EventType, "event_id", m.Record().EventID)
	if id, ok := m.Header(headerCorrelationID); ok {
		log = log.With("correlation_id", id)
	}
	for attempt := 1; ; attempt++ {
		err := w.attempt(m, attempt)
		if err == nil {
			log.DebugContext(w.ctx, "event handled", "attempt", attempt)
			return true
		}
		if w.ctx.Err() != nil {
			return false // cancelled: nobody can say what became of it
		}
		if consume.Permanent(err) || (w.run.cfg.MaxAttempts > 0 && attempt >= w.run.cfg.MaxAttempts) {
			return w.giveUp(log, m, attempt, err)
		}
		pause := w.pause(attempt)
		log.WarnContext(w.ctx, "handling an event failed; its partition waits", "attempt", attempt, "retry_in", pause, "error", err)
		if !w.wait(pause) {
			return false
		}
	}
}

// giveUp passes the record to the dead letters, skips it, or fails the run.
func (w *worker) giveUp(log *slog.Logger, m consume.Message, attempts int, cause error) bool {
	if w.run.cfg.DeadLetter == nil {
		if w.run.cfg.GiveUp == Skip {
			log.ErrorContext(w.ctx, "an event was skipped", "attempts", attempts, "error", cause)
			return true
		}
		log.ErrorContext(w.ctx, "an event stops this consumer", "attempts", attempts, "error", cause)
		w.run.fail(cause)
		return false
	}
	for attempt := 1; ; attempt++ {
		err := w.run.cfg.DeadLetter(w.ctx, m, cause)
		if err == nil {
			log.ErrorContext(w.ctx, "an event is a dead letter", "attempts", attempts, "error", cause)
			return true
		}
		pause := w.pause(attempt)
		log.ErrorContext(w.ctx, "a dead letter could not be put away; its partition waits",
			"attempt", attempt, "retry_in", pause, "error", errors.Join(err, cause))
		if !w.wait(pause) {
			return false
		}
	}
}

// pause doubles from attempt to attempt, with some jitter so that the members of
// a group do not come back all at once.
func (w *worker) pause(attempt int) time.Duration {
	pause := w.run.cfg.RetryMin
	for range attempt - 1 {
		if pause >= w.run.cfg.RetryMax/2 {
			pause = w.run.cfg.RetryMax
			break
		}
		pause *= 2
	}
	return pause - time.Duration(rand.Int64N(int64(pause)/10+1))
}

// wait reports whether the worker may go on after the pause.
func (w *worker) wait(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.stopping:
		return false
	case <-w.ctx.Done():
		return false
	}
}
