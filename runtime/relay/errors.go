package relay

import (
	"errors"
	"fmt"
)

var (
	// ErrLeaseLost is returned by a Store when a term has ended: another instance
	// leads, or this one released the lease, or the store needs a new term. The relay then
	// stands by.
	ErrLeaseLost = errors.New("relay: the lease is lost: this instance does not lead the outbox any more")
	// ErrLeaseMoved is returned by Store.TakeOver when the lease row has changed since
	// it was observed: its leader is alive, or another standby was faster.
	ErrLeaseMoved = errors.New("relay: the lease changed during the take-over")
	// ErrRefused is wrapped by a Store's error when the store was refused something
	// that waiting does not change: a privilege, a table, a function. The relay calls
	// Store.Check for the reason. If that returns a SetupError, the relay stops;
	// otherwise it retries at long intervals.
	ErrRefused = errors.New("relay: the database refused what the relay needs")
	// ErrCredentials is wrapped by an error of a Sink or Producer when the broker refuses the
	// credentials.
	ErrCredentials = errors.New("relay: the broker refuses the credentials")
)

// SetupError is returned by Store.Check and Relay.Run for problems that need operator
// action: a missing table, a missing privilege, a pooler that breaks sessions.
type SetupError struct {
	// Problem says what was found, and where.
	Problem string
	// Remedy says what to do.
	Remedy string
	// Transient is true if the problem may go away without action, for example a server that
	// is a standby during a switchover. Run returns a transient error only before it has
	// found the outbox in order, because the address may be wrong. After that it logs the
	// error and retries.
	Transient bool
	// Err is the cause, or nil.
	Err error
}

// Error returns the problem, its cause and the remedy in one line.
func (e *SetupError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("relay: %s; %s", e.Problem, e.Remedy)
	}
	return fmt.Sprintf("relay: %s: %v; %s", e.Problem, e.Err, e.Remedy)
}

// Unwrap returns the cause.
func (e *SetupError) Unwrap() error { return e.Err }
