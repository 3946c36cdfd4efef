package instance

import "time"

// clock is skewed: it has its own origin and its own rate.
type clock struct {
	start time.Time
	rate  float64
}

func (c clock) Now() time.Duration { return time.Duration(float64(time.Since(c.start)) * c.rate) }
