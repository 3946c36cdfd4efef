package outbox

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// A context for COMMIT ends after the timeout and at most a sixteenth later, has the
// values of the caller's context, and is not cancelled with it.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout = 16 * time.Second
		d := deadlines{timeout: timeout}
		type key struct{}
		caller, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "v"))
		first := d.context(caller)
		cancel()
		if err := first.Err(); err != nil {
			t.Fatalf("it ended with the caller's context: %v", err)
		}
		if got := first.Value(key{}); got != "v" {
			t.Errorf("its value is %v", got)
		}
		time.Sleep(timeout/sharedFor - 1)
		if next := d.context(t.Context()); next.Done() != first.Done() {
			t.Error("a context that begins soon after does not share the timer")
		}
		time.Sleep(time.Nanosecond)
		later := d.context(t.Context())
		began := time.Now()
		if later.Done() == first.Done() {
			t.Error("contexts share a timer for too long")
		}
		<-first.Done()
		if err := first.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		<-later.Done()
		if took := time.Since(began); took < timeout || took > timeout+timeout/sharedFor {
			t.Errorf("a context ended after %s", took)
		}
	})
}

// pgx watches the context of each call. Package context needs no goroutine for that if it
// finds its own value behind the values of the caller.
func TestDeadlinesNeedNoGoroutine(t *testing.T) {
	d := deadlines{timeout: time.Minute}
	caller, cancel := context.WithCancel(t.Context())
	defer cancel()
	type key struct{}
	ctx := context.WithValue(d.context(caller), key{}, "of a tracer")
	fewest := 1 << 20 // of several tries, because other goroutines begin too
	for range 10 {
		before := runtime.NumGoroutine()
		stop := context.AfterFunc(ctx, func() {})
		fewest = min(fewest, runtime.NumGoroutine()-before)
		stop()
	}
	if fewest > 0 {
		t.Errorf("%d goroutines more", fewest)
	}
}
