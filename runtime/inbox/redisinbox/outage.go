package redisinbox

import (
	"context"
	"sync"
	"time"
)

// outage records that Redis is unavailable, so that it is logged once and not for each
// event.
type outage struct {
	mu     sync.Mutex
	since  time.Time // zero: Redis answers
	missed int       // commands that failed since
}

// missed logs what the outage means for the event, unless it was logged already.
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
