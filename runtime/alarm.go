package outbox

import (
	"context"
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
	for more := true; more; {
		a.wake()
		a.mu.Lock()
		more = a.again
		a.again = false
		a.ringing = more
		a.mu.Unlock()
	}
}

func (a *alarm) wake() {
	// The caller's context does not matter: its transaction is committed.
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	err := a.waker.Wake(ctx)
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
			"error", err, "failures", a.failures)
	}
}

// close waits for the wake-up under way and allows no other.
func (a *alarm) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.done.Wait()
}
