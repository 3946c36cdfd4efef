//go:build !outboxfailpoints

package relay

import "time"

// next asks the machine for the next commands.
func (d *driver) next(now time.Duration) ([]command, time.Duration) { return d.m.next(now) }
