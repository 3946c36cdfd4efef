package relay

import "time"

// Clock is the time as the relay needs it. Now must never go back and must go on
// while the machine is suspended, so that a leader that slept knows that its
// term is over; its origin does not matter.
type Clock interface {
	Now() time.Duration
}

// systemClock is the clock of the machine the relay runs on.
type systemClock struct{}

func (systemClock) Now() time.Duration { return bootTime() }
