package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/safeerr"
)

// quietFor is how long repeated wake-up failures are not logged.
const quietFor = time.Minute

// alarm sends the wake-ups of an Outbox, one at a time. Commits that happen during a
// wake-up share the next one: the relay may have read before their rows were visible.
// No transaction waits for a wake-up, so a waker that hangs delays none.
type alarm struct {
	waker   Waker
	logger  *slog.Logger
	timeout time.Duration

	mu      sync.Mutex
	ringing bool
	again   bool
	closed  bool
	done    sync.WaitGroup

	// Only the goroutine in run uses these.
	failures  int       // since the last log line
	troubled  bool      // a failure was logged, and no wake-up has worked since
	complains time.Time // when the last failure was logged
}

// ring sends a wake-up. If one is under way, another follows it.
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

// run sends a wake-up, and another one if there was a commit meanwhile.
func (a *alarm) run() {
	returned := false
	defer func() {
		if !returned { // the waker called runtime.Goexit
			a.logger.Warn("wake-up failed: the waker ended its goroutine with runtime.Goexit")
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.ringing, a.again = a.again, false
		if a.ringing {
			a.done.Go(a.run)
		}
	}()
	a.wake()
	returned = true
}

func (a *alarm) wake() {
	// The caller's context does not apply: its transaction is committed.
	ctx, cancel := context.WithTimeout(context.Background(), a.timeout)
	defer cancel()
	err := a.call(ctx)
	if err == nil {
		if a.troubled {
			a.logger.Info("wake-ups work again", "failures", a.failures)
			a.troubled, a.failures = false, 0
		}
		return
	}
	a.failures++
	if !a.complains.IsZero() && time.Since(a.complains) <= quietFor { // even if some work in between
		return
	}
	a.complains = time.Now()
	a.logger.Warn("wake-up failed; the events are committed, and the relay finds them at its next poll",
		"error", err, "failures", a.failures, stackOf(err))
	a.troubled = true
}

// call calls the waker and returns its panic, or that of its error, as an error.
func (a *alarm) call(ctx context.Context) (err error) {
	defer func() {
		if p := recovered(recover()); p != nil {
			err = fmt.Errorf("the waker panicked: %w", p)
		}
	}()
	err = a.waker.Wake(ctx)
	safeerr.Use(err)
	return err
}

// close waits for the wake-up under way and allows no others.
func (a *alarm) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.done.Wait()
}
