package relay

import (
	"errors"
	"fmt"
)

var (
	// ErrLeaseLost is returned by a Store when a term has ended: another instance
	// leads, or this one released the lease. The relay answers by standing by.
	ErrLeaseLost = errors.New("relay: the lease is lost: another instance leads this outbox")
	// ErrLeaseMoved is returned by Store.TakeOver when the lease row changed since
	// it was seen: its leader is alive after all, or another standby was faster.
	ErrLeaseMoved = errors.New("relay: the lease moved while taking it over")
	// ErrRefused is wrapped by what a Store returns when it was refused something
	// that waiting will not change: a privilege, a table, a function. The relay
	// asks Store.Check for the reason, stops when that is a SetupError, and
	// otherwise tries again at long intervals.
	ErrRefused = errors.New("relay: the store was refused what the relay needs")
)

// SetupError is returned by Store.Check and by Relay.Run for what needs
// operator action: a missing table, a missing privilege, a pooler that breaks sessions.
type SetupError struct {
	// Problem says what was found, and where.
	Problem string
	// Remedy says what to do about it.
	Remedy string
	// Transient says that the condition may also pass by itself: a server is a
	// standby for a while in the middle of a switchover. Run returns such an error
	// when it meets it first of all, since the address may be wrong; once it has
	// found the outbox in order, it logs the error and goes on trying.
	Transient bool
	// Err is the cause, if there is one.
	Err error
}

// Error is the problem, its cause and the remedy in one line.
func (e *SetupError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("relay: %s; %s", e.Problem, e.Remedy)
	}
	return fmt.Sprintf("relay: %s: %v; %s", e.Problem, e.Err, e.Remedy)
}

// Unwrap returns the cause.
func (e *SetupError) Unwrap() error { return e.Err }
