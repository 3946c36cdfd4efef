package kafka

import (
	"context"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// worker handles the records of one partition. Its lanes handle records at the same time;
// the records of one key have the same lane, which handles them in order.
type worker struct {
	run       *run
	p         partition
	topic     topicID // zero if the brokers have no ids
	log       *slog.Logger
	lanes     []*lane
	running   atomic.Int32    // lanes that have not ended
	done      chan struct{}   // closed when the worker has ended
	after     <-chan struct{} // closed when it may start; nil: immediately
	ctx       context.Context // the context of its handlers
	cancel    context.CancelFunc
	stopping  chan struct{} // closed when it must not start another record
	once      sync.Once
	abandoned atomic.Bool // its handler does not return: it marks no offset
	detached  atomic.Bool // its topic was deleted: it handles what it has and ends
	marking   sync.Mutex  // held while an offset is marked: a detached worker marks none

	mu      sync.Mutex
	open    []*item // in the order of their offsets: waiting, or handled before an earlier one
	waiting int     // of these, not started
	bytes   int64   // of the records that are not handled
	paused  bool
}

// item is a record that has no committed offset yet.
type item struct {
	record  *kgo.Record // once handled, without key, value and headers
	handled bool
}

// lane handles records one after the other.
type lane struct {
	w       *worker
	task    *task                // the record that is handled; only its goroutine uses this and the next two
	batch   *batch               // the batch that is handled, after task
	alone   []*task              // records of a batch that failed, to be handled one by one, after task
	current atomic.Pointer[task] // for watch.handlers: the last task, or the first one of the last batch
	waiting []*item              // guarded by the worker's lock
	wake    chan struct{}        // holds a token when there is something new
}

// newWorker returns a worker. The caller starts it.
func newWorker(r *run, p partition, topic topicID, after <-chan struct{}) *worker {
	ctx, cancel := context.WithCancel(r.handling)
	w := &worker{
		run: r, p: p, topic: topic, after: after, ctx: ctx, cancel: cancel,
		log:      r.log.With("topic", p.topic, "partition", p.id),
		done:     make(chan struct{}),
		stopping: make(chan struct{}),
	}
	for range r.cfg.concurrency(p.topic) {
		w.lanes = append(w.lanes, &lane{w: w, wake: make(chan struct{}, 1)})
	}
	w.running.Store(int32(len(w.lanes)))
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

// detach lets it handle what it has without marking offsets, because these would belong
// to another topic with the same name. Then it ends.
func (w *worker) detach() {
	w.marking.Lock()
	w.detached.Store(true)
	w.marking.Unlock()
	for _, l := range w.lanes {
		l.notify()
	}
}

func (l *lane) notify() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// laneOf returns the lane of a record: the same for all records of a key. Records without a
// key have no order.
func (w *worker) laneOf(r *kgo.Record) *lane {
	n := uint64(len(w.lanes))
	if n == 1 {
		return w.lanes[0]
	}
	if r.Key == nil {
		return w.lanes[uint64(r.Offset)%n]
	}
	hash := fnv.New64a()
	_, _ = hash.Write(r.Key) // a hash takes everything
	return w.lanes[hash.Sum64()%n]
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
	for _, r := range records {
		at := &item{record: r}
		w.open = append(w.open, at)
		l := w.laneOf(r)
		l.waiting = append(l.waiting, at)
		l.notify()
	}
	w.waiting += len(records)
	w.bytes += bytes
	if most := w.run.cfg.BufferRecords; !w.paused && (w.waiting > most || len(w.open) > most+len(w.lanes) || w.run.budget.full(w.bytes)) {
		w.paused = true
		w.run.gate.shut(w.p, holdFull)
		for _, l := range w.lanes { // a batch waits no longer for more
			l.notify()
		}
	}
}

// peek returns the next record without taking it. If there is none, full reports that
// none comes before others are handled.
func (l *lane) peek() (at *item, full bool) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if len(l.waiting) > 0 {
		return l.waiting[0], false
	}
	return nil, l.w.paused
}

func (l *lane) next() *item {
	w := l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if few := w.run.cfg.BufferRecords / 2; w.paused && w.waiting <= few && len(w.open) <= few+len(w.lanes) && w.run.budget.roomy(w.bytes) {
		w.resume()
	}
	if len(l.waiting) == 0 {
		return nil
	}
	at := l.waiting[0]
	l.waiting[0] = nil
	l.waiting = l.waiting[1:]
	w.waiting--
	return at
}

// finish gives back the memory of handled records, and marks the offsets up to the first
// record that is not handled.
func (w *worker) finish(done ...*item) {
	var n int64
	for _, at := range done {
		n += size(at.record)
	}
	w.run.budget.add(-len(done), -n)
	w.marking.Lock()
	defer w.marking.Unlock()
	if last := w.pop(done, n); last != nil && !w.detached.Load() && !w.abandoned.Load() {
		w.run.client.MarkCommitRecords(last)
		w.run.positions.handled(w.p, last.Offset)
	}
}

// pop removes the records at the front that are handled, and returns the last of them.
func (w *worker) pop(done []*item, bytes int64) (last *kgo.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytes -= bytes
	for _, at := range done {
		at.handled = true
	}
	for len(w.open) > 0 && w.open[0].handled {
		last = w.open[0].record
		w.open[0] = nil
		w.open = w.open[1:]
	}
	for _, at := range done {
		if r := at.record; last == nil || r.Offset > last.Offset { // an earlier one is not handled: only its place is remembered
			at.record = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, LeaderEpoch: r.LeaderEpoch}
		}
	}
	return last
}

// oldest is the offset of the first record that is not handled, or -1.
func (w *worker) oldest() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.open) == 0 {
		return -1
	}
	return w.open[0].record.Offset
}

func (w *worker) resume() {
	w.paused = false
	if !w.detached.Load() && !w.abandoned.Load() {
		w.run.gate.open(w.p, holdFull)
	}
}

// work starts the lanes.
func (w *worker) work() {
	for _, l := range w.lanes {
		go l.work()
	}
}

// work runs the lane. If a handler ends the goroutine, it continues in another one.
func (l *lane) work() {
	returned := false
	defer func() {
		if !returned {
			go l.work()
			return
		}
		if l.w.running.Add(-1) == 0 {
			l.w.end()
		}
	}()
	l.loop()
	returned = true
}

func (l *lane) loop() {
	w := l.w
	if w.after != nil {
		select {
		case <-w.after:
		case <-w.stopping:
		case <-w.ctx.Done():
		}
	}
	for !w.stopped() {
		switch {
		case l.task != nil:
			l.current.Store(l.task)
			if !w.handle(l.task) {
				return
			}
			at := l.task.at
			l.task = nil
			w.finish(at)
		case len(l.alone) > 0:
			l.task, l.alone = l.alone[0], l.alone[1:]
		case l.batch != nil && !l.batch.closed:
			l.gather()
		case l.batch != nil:
			if !l.handleBatch() {
				return
			}
		case l.begin():
		case w.detached.Load():
			return
		default:
			select {
			case <-l.wake:
			case <-w.stopping:
			case <-w.ctx.Done():
			}
		}
	}
}

// end drops the remaining records. Another member reads them, or this one when the
// partition comes back.
func (w *worker) end() {
	defer close(w.done)
	w.cancel()
	w.mu.Lock()
	defer w.mu.Unlock()
	left := 0
	for _, at := range w.open {
		if !at.handled {
			left++
		}
	}
	w.run.budget.add(-left, -w.bytes)
	w.open, w.waiting, w.bytes = nil, 0, 0
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
func (w *worker) wait(pause time.Duration) bool { return w.sleep(pause, nil) }

// sleep waits, and reports whether it did so to the end: it was not woken, and the worker
// does not stop.
func (w *worker) sleep(d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-wake:
	case <-w.stopping:
	case <-w.ctx.Done():
	}
	return false
}
