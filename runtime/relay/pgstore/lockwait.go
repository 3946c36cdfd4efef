package pgstore

import "time"

// How long the functions of a log wait for a lock: see event_outbox_await_locks in log.up.sql
// of package migrations.
const (
	firstLockWait = 100 * time.Millisecond
	// longestLockWait is also the longest that the functions accept.
	longestLockWait = 2 * time.Second
)

// lockWait returns how long to wait for a lock after some attempts in a row that did not get it.
// Writers wait as long behind it. If they overlap all the time, an attempt succeeds only if it
// waits as long as the transaction of a writer takes.
func lockWait(attempts int, statementTimeout time.Duration) time.Duration {
	wait := longestLockWait
	if attempts < 5 {
		wait = min(wait, firstLockWait<<attempts)
	}
	return max(time.Millisecond, min(wait, statementTimeout/8)) // one statement waits for several locks
}
