package pgstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// errand is something that may take longer than a caller has: it goes on without its
// callers, and all who come meanwhile wait for the same answer.
type errand struct {
	mu     sync.Mutex
	latest *trip // under way, or over and nobody has heard of it yet; nil: none
}

// trip is one time that an errand is run.
type trip struct {
	done chan struct{}
	// once done
	err      error
	panicked any
	ended    time.Time
}

// keptFor is how long an answer that nobody waited for is kept for the next caller. What
// failed only for the moment is not kept.
const keptFor = 10 * time.Second

// run waits for what do returns, or for ctx to end. When ctx ends first, do goes on as
// one of work, and the next caller gets its answer. A panic of do is the callers'.
func (e *errand) run(ctx context.Context, work *jobs, do func() error) error {
	e.mu.Lock()
	t := e.latest
	if t == nil || t.stale() {
		t = &trip{done: make(chan struct{})}
		e.latest = t
		work.Go(func() { t.make(do) })
	}
	e.mu.Unlock()
	select {
	case <-t.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	e.mu.Lock()
	if e.latest == t {
		e.latest = nil
	}
	e.mu.Unlock()
	if t.panicked != nil {
		panic(t.panicked)
	}
	return t.err
}

var errNoAnswer = errors.New("pgstore: the goroutine ended without an answer")

// make runs do.
func (t *trip) make(do func() error) {
	t.err = errNoAnswer // unless do returns
	defer close(t.done)
	defer func() {
		t.panicked = recover()
		t.ended = time.Now()
	}()
	t.err = do()
}

// stale reports whether nobody who comes now is to get the answer.
func (t *trip) stale() bool {
	select {
	case <-t.done:
	default:
		return false
	}
	setup, needsOperator := errors.AsType[*relay.SetupError](t.err)
	lasts := t.panicked == nil && (t.err == nil || needsOperator && !setup.Transient)
	return !lasts || time.Since(t.ended) >= keptFor
}
