// Package wait waits for a time, or for a condition.
package wait

import (
	"context"
	"time"
)

// For waits for a time. It returns false if ctx ended first.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Until asks again and again, after pauses, until a condition holds. It returns the
// error of the condition, or the cause if ctx ended first.
func Until(ctx context.Context, pause time.Duration, holds func() (bool, error)) error {
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		if !For(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}
