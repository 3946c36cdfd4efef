package kafka

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// batch is what a lane hands to a batch handler: records of one event type in the order of
// their offsets. Records for which the router has no handler are skipped in between. It
// outlives the lane's goroutine if a handler ends that.
type batch struct {
	handler *consume.Batch
	tasks   []*task // the records that are not handled
	bytes   int64   // of the records
	until   time.Time
	closed  bool // no record is added any more
	attempt int  // of the first record
	called  bool // code of the service is running
}

// begin takes the next record, alone or as the first of a batch, and reports whether there
// is one.
func (l *lane) begin() bool {
	at := l.next()
	if at == nil {
		return false
	}
	t := newTask(at, l.w.run.cfg.RetryTopics)
	if handler, _ := l.w.batchOf(t); handler != nil {
		l.batch = &batch{handler: handler, tasks: []*task{t}, bytes: size(at.record), until: time.Now().Add(handler.Options().MaxWait)}
		return true
	}
	l.task = t
	return true
}

// batchOf returns the batch handler of a record, or nil. skips reports that the record is
// skipped, so that it does not end a batch. A record of a retry topic is handled alone: it
// has failed before.
func (w *worker) batchOf(t *task) (handler *consume.Batch, skips bool) {
	if t.stage >= 0 {
		return nil, false
	}
	if handler, skips = w.batchHandler(t.m); handler != nil && t.ofAnotherGroup(w.run.cfg.Group) {
		return nil, true
	}
	return handler, skips
}

// batchHandler is batchOf for a message, also one that is handled alone.
func (w *worker) batchHandler(m consume.Message) (handler *consume.Batch, skips bool) {
	router, ok := w.run.cfg.Router.(interface {
		Batch(m consume.Message) (handler *consume.Batch, skips bool)
	})
	if !ok {
		return nil, false
	}
	return router.Batch(m)
}

// gather adds the records that wait, and closes the batch if no more are added. It stops
// at a record that is skipped, which becomes the lane's task.
func (l *lane) gather() {
	b := l.batch
	limits := b.handler.Options()
	for {
		if len(b.tasks) >= limits.MaxRecords || b.bytes >= limits.MaxBytes {
			b.closed = true
			return
		}
		at, full := l.peek()
		if at == nil {
			if full || l.w.detached.Load() || !l.more(b.until) {
				b.closed = true
				return
			}
			if l.w.stopped() {
				return
			}
			continue
		}
		t := newTask(at, l.w.run.cfg.RetryTopics)
		handler, skips := l.w.batchOf(t)
		switch n := size(at.record); {
		case skips:
			l.task = t
			l.next()
			return
		case handler != b.handler || b.bytes+n > limits.MaxBytes:
			b.closed = true
			return
		default:
			l.next()
			b.tasks, b.bytes = append(b.tasks, t), b.bytes+n
		}
	}
}

// more waits for something new in the lane, and reports false when the time is over.
func (l *lane) more(until time.Time) bool {
	left := time.Until(until)
	return left > 0 && !l.w.sleep(left, l.wake)
}

// handleBatch calls the batch handler until the batch is done. A record that failed for
// good becomes the lane's task. If the whole batch has, its records are handled one by
// one. It reports false if the worker stops.
func (l *lane) handleBatch() bool {
	w, b := l.w, l.batch
	for {
		l.current.Store(b.tasks[0])
		result := w.callBatch(b)
		w.finishBatch(b, result.Handled)
		if result.Err == nil {
			l.batch = nil
			return true
		}
		if w.ctx.Err() != nil {
			return false // cancelled: the outcome of the rest is unknown
		}
		w.run.stats.failed.Add(1)
		if result.Handled > 0 { // it was the first attempt of the record that is now the first
			b.attempt = 1
		}
		log := w.batchLogger(b, result.Err)
		switch {
		case !w.lastAttempt(b.attempt, result.Err):
			pause := w.pause(b.attempt)
			log.WarnContext(w.ctx, "batch failed, retrying; its partition waits", "attempt", b.attempt, "retry_in", pause.String(), "error", result.Err)
			if !w.wait(pause) {
				return false
			}
		case result.Named:
			l.task = b.tasks[0]
			l.task.failed, l.task.before = result.Err, b.attempt
			if b.tasks, b.attempt = b.tasks[1:], 0; len(b.tasks) == 0 {
				l.batch = nil
			}
			return true
		default:
			log.WarnContext(w.ctx, "batch failed, its events are now handled one by one", "attempts", b.attempt, "error", result.Err)
			for _, t := range b.tasks {
				t.before = b.attempt
			}
			l.alone, l.batch = b.tasks, nil
			return true
		}
	}
}

// callBatch calls the batch handler. If that ends its goroutine, the next goroutine finds
// the error.
func (w *worker) callBatch(b *batch) (result consume.BatchResult) {
	if b.called {
		b.called = false
		w.run.stats.panics.Add(1)
		return failedBatch(b, ErrHandlerExited)
	}
	b.attempt++
	b.called = true
	first := b.tasks[0]
	first.since.Store(int64(uptime()))
	defer first.since.Store(0)
	began := time.Now()
	err := func() (err error) {
		defer consume.RecoverTo(&err) // of a tracer: the router recovers those of handlers
		result = w.tracedBatch(b)
		return nil
	}()
	if err != nil {
		result = failedBatch(b, err)
	}
	took := time.Since(began)
	w.run.observe(w.ctx, func(o Observer) {
		o.Attempted(Attempt{Record: b.tasks[0].m.Record(), Batch: len(b.tasks), Number: b.attempt, Took: took, Err: result.Err})
	})
	b.called = false
	if _, panicked := errors.AsType[*consume.PanicError](result.Err); panicked {
		w.run.stats.panics.Add(1)
	}
	return result
}

// failedBatch is the outcome of a batch that failed as a whole.
func failedBatch(b *batch, err error) consume.BatchResult {
	return consume.BatchResult{Named: len(b.tasks) == 1, Err: &consume.HandlerError{Record: b.tasks[0].m.Record(), Batch: len(b.tasks), Err: err}}
}

// finishBatch finishes the first n records.
func (w *worker) finishBatch(b *batch, n int) {
	if n == 0 {
		return
	}
	w.batchLogger(b, nil).DebugContext(w.ctx, "batch handled", "attempt", b.attempt, "handled", n)
	done := make([]*item, n)
	for i, t := range b.tasks[:n] {
		w.finished(t, Handled, b.attempt)
		done[i] = t.at
	}
	clear(b.tasks[:n]) // they need no memory any more
	b.tasks = b.tasks[n:]
	w.finish(done...)
}

// batchLogger adds the batch to the log lines, and the stack of a panic.
func (w *worker) batchLogger(b *batch, err error) *slog.Logger {
	first, last := b.tasks[0].m, b.tasks[len(b.tasks)-1].m
	return withStack(w.log.With("first_offset", first.Offset, "last_offset", last.Offset, "events", len(b.tasks), "event_type", b.handler.EventType()), err)
}

// dispatch hands the batch over.
func (b *batch) dispatch(ctx context.Context) consume.BatchResult {
	messages := make([]consume.Message, len(b.tasks))
	for i, t := range b.tasks {
		messages[i] = t.m
	}
	return b.handler.Dispatch(ctx, messages)
}
