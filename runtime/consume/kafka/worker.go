package kafka

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// worker handles the records of one partition in order.
type worker struct {
	run   *run
	p     partition
	topic topicID // zero if the brokers have no ids
	log   *slog.Logger
	done  chan struct{}   // closed when the worker has ended
	after <-chan struct{} // closed when it may start; nil: at once

	ctx       context.Context    // the context of its handlers
	cancel    context.CancelFunc // ends the running handler
	stopping  chan struct{}      // closed when it must not start another record
	once      sync.Once
	abandoned atomic.Bool  // its handler does not return: it marks no offset
	offset    atomic.Int64 // of the current record, or the last one
	detached  atomic.Bool  // its topic was deleted: it handles what it has and ends
	marking   sync.Mutex   // held while an offset is marked: a detached worker marks none

	task *task // the current record; only its goroutine uses it

	mu      sync.Mutex
	waiting []*kgo.Record
	bytes   int64 // of the waiting records and the current one
	paused  bool
	wake    chan struct{} // holds a token when there is something new
}

// newWorker returns a worker. The caller starts it.
func newWorker(r *run, p partition, topic topicID, after <-chan struct{}) *worker {
	ctx, cancel := context.WithCancel(r.handling)
	return &worker{
		run: r, p: p, topic: topic, after: after, ctx: ctx, cancel: cancel,
		log:      r.log.With("topic", p.topic, "partition", p.id),
		done:     make(chan struct{}),
		stopping: make(chan struct{}),
		wake:     make(chan struct{}, 1),
	}
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

// detach lets it handle what it has without marking offsets, because these would belong
// to another topic with the same name. Then it ends.
func (w *worker) detach() {
	w.marking.Lock()
	w.detached.Store(true)
	w.marking.Unlock()
	w.notify()
}

func (w *worker) mark(record *kgo.Record) {
	w.marking.Lock()
	defer w.marking.Unlock()
	if !w.detached.Load() && !w.abandoned.Load() {
		w.run.client.MarkCommitRecords(record)
		w.run.progress.handled(w.p, record.Offset)
	}
}

func (w *worker) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// add queues records, and pauses the partition when enough of them wait. The client
// drops the records that it has fetched beyond these and fetches them again later.
func (w *worker) add(records []*kgo.Record) {
	var bytes int64
	for _, r := range records {
		bytes += size(r)
	}
	w.run.budget.add(len(records), bytes)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, records...)
	w.bytes += bytes
	if !w.paused && (len(w.waiting) > w.run.cfg.BufferRecords || w.run.budget.full(w.bytes)) {
		w.paused = true
		w.run.gate.shut(w.p, holdFull)
	}
	w.notify()
}

func (w *worker) next() *kgo.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused && len(w.waiting) <= w.run.cfg.BufferRecords/2 && w.run.budget.roomy(w.bytes) {
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

// release gives back the memory of a finished record.
func (w *worker) release(r *kgo.Record) {
	n := size(r)
	w.run.budget.add(-1, -n)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes -= n
}

func (w *worker) resume() {
	w.paused = false
	if !w.detached.Load() && !w.abandoned.Load() {
		w.run.gate.open(w.p, holdFull)
	}
}

// work runs the worker. If a handler ends the goroutine, it continues in another one.
func (w *worker) work() {
	returned := false
	defer func() {
		if !returned {
			go w.work()
			return
		}
		w.end()
	}()
	w.loop()
	returned = true
}

func (w *worker) loop() {
	if w.after != nil {
		select {
		case <-w.after:
		case <-w.stopping:
		case <-w.ctx.Done():
		}
	}
	for !w.stopped() {
		if w.task == nil {
			record := w.next()
			if record == nil {
				if w.detached.Load() {
					return
				}
				select {
				case <-w.wake:
				case <-w.stopping:
				case <-w.ctx.Done():
				}
				continue
			}
			w.task = newTask(record, w.run.cfg.RetryTopics)
			w.offset.Store(record.Offset)
		}
		if !w.handle(w.task) {
			return
		}
		record := w.task.record
		w.task = nil
		w.release(record)
		w.mark(record)
	}
}

// end drops the remaining records. Another member reads them, or this one when the
// partition comes back.
func (w *worker) end() {
	defer close(w.done)
	w.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	left := len(w.waiting)
	if w.task != nil {
		left++
	}
	w.run.budget.add(-left, -w.bytes)
	w.waiting, w.bytes = nil, 0
	if w.paused { // a partition that comes back must not be paused
		w.resume()
	}
	if left > 0 && w.detached.Load() {
		w.log.WarnContext(w.ctx, "events of a deleted topic were not handled: the consumer ended first, and they cannot be read again", "events", left)
	}
}

// pause doubles from attempt to attempt, with jitter so that the members of a group do
// not retry at the same time.
func (w *worker) pause(attempt int) time.Duration {
	pause := backoff.Pause(w.run.cfg.RetryMin, w.run.cfg.RetryMax, attempt)
	return pause - time.Duration(rand.Int64N(int64(pause)/10+1))
}

// wait waits, and reports whether the worker may continue.
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
