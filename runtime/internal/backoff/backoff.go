// Package backoff has the pauses between retries.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pause returns how long to wait after a number of failures in a row: shortest after
// the first (failures is 1, or 0), twice as long after each further one, and at most
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

// Jittered returns between half of [Pause] and all of it, so that clients which failed
// together do not retry together.
func Jittered(shortest, longest time.Duration, failures int) time.Duration {
	pause := Pause(shortest, longest, failures)
	return pause/2 + rand.N(pause/2+1)
}

// Sleep waits. It returns false if ctx ends first.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
