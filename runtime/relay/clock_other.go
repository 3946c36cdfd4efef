//go:build !linux

package relay

import "time"

var processStart = time.Now()

// bootTime is Go's monotonic clock, which some systems stop while they are suspended.
// There, a leader that was suspended learns from the store that its term is over. It
// may send rows a second time, but settles nothing.
func bootTime() time.Duration { return time.Since(processStart) }
