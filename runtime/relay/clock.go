package relay

import "time"

// Clock is the relay's clock. Now must never go back, and must continue while the
// machine is suspended, so that a leader that was suspended knows that its term is
// over. Its origin does not matter.
type Clock interface {
	Now() time.Duration
}

// systemClock is the clock of this machine.
type systemClock struct{}

func (systemClock) Now() time.Duration { return bootTime() }
