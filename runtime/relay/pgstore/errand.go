package pgstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// errand is work that may take longer than its caller can wait. It continues without
// its callers, and all callers in the meantime wait for the same result.
type errand struct {
	mu     sync.Mutex
	latest *trip // under way, or finished with a result that no caller has seen; nil: none
}

// trip is one run of an errand.
type trip struct {
	done chan struct{}
	// set when done
	err      error
	panicked any
	ended    time.Time
}

// keptFor is how long a result that no caller has seen is kept for the next caller. A
// temporary failure is not kept.
const keptFor = 10 * time.Second

// run waits for the result of do, or for ctx to end. If ctx ends first, do continues as
// one of work, and the next caller gets its result. A panic of do is returned to the
// callers as an error.
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

// stale reports whether the result must not be given to new callers.
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
