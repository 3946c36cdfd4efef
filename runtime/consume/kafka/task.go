package kafka

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/consume"
)

// task is the record that a worker handles. It outlives the worker's goroutine if a
// handler ends that.
type task struct {
	at      *item
	record  *kgo.Record
	m       consume.Message
	attempt int          // of the handler, or of storing the record elsewhere once there is a cause
	before  int          // attempts before the record came to the retry topic that it is read from, or as a part of a batch
	tries   int          // all attempts of the handler, once there is a cause
	failed  error        // it failed for good as a part of a batch
	cause   error        // why the handler is not called again
	to      destination  // where the record goes, once there is a cause
	stage   int          // index of the retry topic that it is read from; -1: none
	due     time.Time    // when to handle it, if it is read from a retry topic
	called  bool         // code of the service is running
	outcome Outcome      // of the attempt that succeeded
	since   atomic.Int64 // since when code of the service is running, on [uptime]; 0: none is
}

func newTask(at *item, retries []RetryTopic) *task {
	t := &task{at: at, record: at.record, m: message(at.record)}
	t.delayed(retries)
	return t
}

// handle handles one record until it is done, and reports whether it is. False means
// that the worker stops.
func (w *worker) handle(t *task) bool {
	if t.ofAnotherGroup(w.run.cfg.Group) {
		w.finished(t, SkippedOtherGroup, t.before)
		return true
	}
	if pause := time.Until(t.due); pause > 0 && !w.wait(pause) {
		return false
	}
	if t.failed != nil && t.cause == nil && !w.leave(t, t.failed) {
		return w.giveUp(t, t.failed)
	}
	for {
		err := w.call(t)
		switch {
		case err == nil && t.cause == nil:
			w.logger(t, nil).DebugContext(w.ctx, "event handled", "attempt", t.before+t.attempt)
			w.finished(t, t.outcome, t.before+t.attempt)
			return true
		case err == nil && t.to.delay > 0:
			w.logger(t, t.cause).WarnContext(w.ctx, "event failed, to be retried from its retry topic; later events continue", "attempts", t.tries,
				"retry_topic", t.to.topic, "retry_in", t.to.delay.String(), "error", t.cause)
			w.finished(t, Delayed, t.tries)
			return true
		case err == nil:
			var where []any
			if !t.to.call {
				where = []any{"dead_letter_topic", t.to.topic}
			}
			w.logger(t, t.cause).ErrorContext(w.ctx, "event dead-lettered", append(where, "attempts", t.tries, "error", t.cause)...)
			w.finished(t, DeadLettered, t.tries)
			return true
		case w.ctx.Err() != nil:
			return false // cancelled: the outcome is unknown
		case t.cause != nil:
			pause := w.pause(t.attempt)
			w.logger(t, err).ErrorContext(w.ctx, t.to.failed(),
				"attempt", t.attempt, "retry_in", pause.String(), "error", errors.Join(err, t.cause))
			if !w.wait(pause) {
				return false
			}
			continue
		}
		w.run.stats.failed.Add(1)
		if w.lastAttempt(t.attempt, err) {
			if !w.leave(t, err) {
				return w.giveUp(t, err)
			}
			continue
		}
		pause := w.pause(t.attempt)
		w.logger(t, err).WarnContext(w.ctx, "event failed, retrying; its partition waits", "attempt", t.before+t.attempt, "retry_in", pause.String(), "error", err)
		if !w.wait(pause) {
			return false
		}
	}
}

// lastAttempt reports whether the handler is not called again after this attempt.
func (w *worker) lastAttempt(attempt int, err error) bool {
	return consume.Permanent(err) || w.run.cfg.MaxAttempts > 0 && attempt >= w.run.cfg.MaxAttempts
}

// leave sets where a record goes that failed for good, and reports whether there is such
// a place.
func (w *worker) leave(t *task, err error) bool {
	to := w.destination(t, consume.Permanent(err))
	if to == (destination{}) {
		return false
	}
	t.cause, t.to, t.tries, t.attempt = err, to, t.before+t.attempt, 0
	return true
}

// call calls the handler, or stores the record elsewhere once there is a cause. If the
// handler ends its goroutine, the next goroutine finds the error.
func (w *worker) call(t *task) error {
	if t.called {
		t.called = false
		w.run.stats.panics.Add(1)
		return &consume.HandlerError{Record: t.m.Record(), Err: ErrHandlerExited}
	}
	t.attempt++
	t.called = true
	t.since.Store(int64(uptime()))
	defer t.since.Store(0)
	var err error
	if t.cause == nil {
		began := time.Now()
		err = w.attempt(t)
		w.attempted(t, time.Since(began), err)
	} else {
		err = w.forward(t)
	}
	t.called = false
	if _, panicked := errors.AsType[*consume.PanicError](err); panicked {
		w.run.stats.panics.Add(1)
	}
	return err
}

func (w *worker) deadLetter(t *task) (err error) {
	defer consume.RecoverTo(&err)
	return w.run.cfg.DeadLetter(w.ctx, t.m, t.cause)
}

// giveUp skips the record, or stops the run.
func (w *worker) giveUp(t *task, cause error) bool {
	log := w.logger(t, cause)
	if w.run.cfg.GiveUp == Skip {
		log.ErrorContext(w.ctx, "event skipped", "attempts", t.before+t.attempt, "error", cause)
		w.finished(t, SkippedFailed, t.before+t.attempt)
		return true
	}
	log.ErrorContext(w.ctx, "event failed, the consumer stops", "attempts", t.before+t.attempt, "error", cause)
	w.run.fail(cause)
	return false
}

// logger adds the record to the log lines, and the stack of a panic.
func (w *worker) logger(t *task, err error) *slog.Logger {
	record := t.m.Record()
	if handler, ok := errors.AsType[*consume.HandlerError](err); ok && handler.Record.EventType != "" {
		record = handler.Record
	}
	log := w.log.With("offset", record.Offset, "event_type", record.EventType, "event_id", record.EventID)
	if id, ok := t.m.Header(headerCorrelationID); ok {
		log = log.With("correlation_id", id)
	}
	return withStack(log, err)
}

func withStack(log *slog.Logger, err error) *slog.Logger {
	if caught, ok := errors.AsType[*consume.PanicError](err); ok {
		return log.With("stack", string(caught.Stack))
	}
	return log
}
