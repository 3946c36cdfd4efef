package outbox

import (
	"context"
	"sync"
	"time"
)

// deadlines makes contexts for COMMIT, which end after a timeout. Contexts that begin
// within a short time share a timer: to start one for each transaction wakes a thread,
// which costs the client more than it takes to build an event. It is safe for concurrent
// use.
type deadlines struct {
	timeout time.Duration

	mu     sync.Mutex
	shared context.Context    // ends after timeout, or a little later
	cancel context.CancelFunc // of shared; never called, because transactions that use it may be under way
	until  time.Time          // contexts that begin later need another one
}

// sharedFor is the part of the timeout for which contexts share a timer. They end that
// much later at most.
const sharedFor = 16

// context returns a context that has the values of ctx, is not cancelled with it, and
// ends after the timeout.
func (d *deadlines) context(ctx context.Context) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); d.shared == nil || !now.Before(d.until) {
		d.until = now.Add(d.timeout / sharedFor)
		d.shared, d.cancel = context.WithDeadline(context.Background(), d.until.Add(d.timeout))
	}
	return detached{d.shared, ctx}
}

// detached has the values of one context, and the deadline of another one without values.
type detached struct {
	context.Context
	values context.Context
}

// Value asks the deadline first: package context looks there for its own value, and
// starts a goroutine for each call of Postgres if it does not find it.
func (c detached) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.values.Value(key)
}
