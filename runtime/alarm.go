package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// quietFor is how long a failing waker is not complained about again.
const quietFor = time.Minute

// alarm sends the wake-ups of an Outbox, one at a time. Commits that happen while
// one is under way share the next: a relay that read after the first may have
// missed them, so one more is needed, and no more than one. Nobody waits for it,
// so a hanging waker delays no transaction.
type alarm struct {
	waker   Waker
	logger  *slog.Logger
	timeout time.Duration

	mu      sync.Mutex
	ringing bool
	again   bool
	closed  bool
	done    sync.WaitGroup

	// Only the goroutine that rings touches these.
	failures  int
	complains time.Time // when it complained last
}

// ring sends a wake-up, or has the one under way followed by another.
func (a *alarm) ring() {
	if a.waker == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
	case a.ringing:
		a.again = true
	default:
		a.ringing = true
		a.done.Go(a.run)
	}
}

// run ends when no commit has come since its last wake-up began.
func (a *alarm) run() {
	returned := false
	defer func() {
		if !returned { // the waker called runtime.Goexit
			a.logger.Warn("wake-up failed: the waker ended its goroutine by runtime.Goexit")
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.ringing = a.again; a.again {
				a.again = false
				a.done.Go(a.run)
			}
		}
	}()
	for more := true; more; {
		a.wake()
		a.mu.Lock()
		more = a.again
		a.again = false
		a.ringing = more
		a.mu.Unlock()
	}
	returned = true
}

func (a *alarm) wake() {
	// The caller's context does not matter: its transaction is committed.
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	err := a.call(ctx)
	if err == nil {
		if a.failures > 0 {
			a.logger.Info("wake-ups work again", "failures", a.failures)
		}
		a.failures = 0
		return
	}
	a.failures++
	if a.failures == 1 || time.Since(a.complains) > quietFor {
		a.complains = time.Now()
		a.logger.Warn("wake-up failed; the events are committed, and the relay finds them at its next poll",
			"error", err, "failures", a.failures, stackOf(err))
	}
}

// call calls the waker; a panic of it is an error like any other.
func (a *alarm) call(ctx context.Context) (err error) {
	defer func() {
		if p := recovered(recover()); p != nil {
			err = fmt.Errorf("the waker panicked: %w", p)
		}
	}()
	return a.waker.Wake(ctx)
}

// close waits for the wake-up under way and allows no other.
func (a *alarm) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.done.Wait()
}
