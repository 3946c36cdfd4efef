package redisinbox

import (
	"context"
	"sync"
	"time"
)

// outage is what an inbox remembers of Redis being away, so that it says so once
// and not once for each event.
type outage struct {
	mu     sync.Mutex
	since  time.Time // zero: Redis answers
	missed int       // what could not be asked or recorded since
}

// missed says what Redis's absence means for the event, if it is the first one.
func (l *lease) missed(ctx context.Context, text string, err error) {
	o := &l.inbox.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	o.missed++
	if !o.since.IsZero() {
		return
	}
	o.since = time.Now()
	l.warn(ctx, text, "error", err, "note", "what else is missed is counted until Redis answers again")
}

// answered ends an outage, if there is one.
func (i *Inbox) answered(ctx context.Context) {
	o := &i.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return
	}
	i.options.Logger.InfoContext(ctx, "Redis answers again: what it missed may be handled twice",
		"consumer", i.consumer, "missed", o.missed, "away_for", time.Since(o.since).Round(time.Millisecond))
	o.since, o.missed = time.Time{}, 0
}
