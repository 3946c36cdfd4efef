package relay

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime reads the clock that counts while the machine is suspended. Go's monotonic
// clock does not.
func bootTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(processStart)
	}
	return time.Duration(ts.Nano())
}

var processStart = time.Now()
