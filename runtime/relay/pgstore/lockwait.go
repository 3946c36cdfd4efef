package pgstore

import (
	"sync/atomic"
	"time"
)

// How long the functions of a log wait for a lock: see event_outbox_await_locks in log.up.sql
// of package migrations.
const (
	firstLockWait = 100 * time.Millisecond
	// longestLockWait is also the longest that the functions accept.
	longestLockWait = 2 * time.Second
)

// attempts counts attempts in a row that did not get their locks.
type attempts struct{ n atomic.Int32 }

func (a *attempts) failed() { a.n.Add(1) }

// got notes an attempt that got its locks, whatever it did with them.
func (a *attempts) got() { a.n.Store(0) }

// wait returns how long the next attempt waits for a lock. Writers wait as long behind it. If they
// overlap all the time, an attempt succeeds only if it waits as long as the transaction of a writer takes.
func (a *attempts) wait(statementTimeout time.Duration) time.Duration {
	wait := longestLockWait
	if n := a.n.Load(); n < 5 {
		wait = min(wait, firstLockWait<<n)
	}
	return max(time.Millisecond, min(wait, statementTimeout/8)) // one statement waits for several locks
}
