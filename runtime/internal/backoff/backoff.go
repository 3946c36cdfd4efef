// Package backoff has the pauses between one try and the next.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Pause is how long to wait after failures in a row: the shortest pause after the first
// (failures is 1, or 0), twice as long after each further one, and never longer than
// longest.
func Pause(shortest, longest time.Duration, failures int) time.Duration {
	pause := min(shortest, longest)
	for range failures - 1 {
		if pause >= longest-pause {
			return longest
		}
		pause *= 2
	}
	return pause
}

// Jittered is between half of [Pause] and all of it, so that many who failed together do
// not come back together.
func Jittered(shortest, longest time.Duration, failures int) time.Duration {
	pause := Pause(shortest, longest, failures)
	return pause/2 + rand.N(pause/2+1)
}
