//go:build !linux

package relay

import "time"

var processStart = time.Now()

// bootTime is Go's monotonic clock, which stands still during suspension on some
// systems; there, a leader that slept learns from the store that its term is
// over: it may send rows a second time, and settles nothing.
func bootTime() time.Duration { return time.Since(processStart) }
