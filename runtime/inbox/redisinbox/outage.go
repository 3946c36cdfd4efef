package redisinbox

import (
	"context"
	"sync"
	"time"
)

// outage records that Redis is unavailable, so that it is logged once and not for each
// event. If Redis comes and goes, only the first outages of a minute are logged.
type outage struct {
	mu     sync.Mutex
	since  time.Time // zero: Redis answers, or the outage was not logged
	missed int       // commands that failed since, or since the last logged outage
	minute time.Time // when the minute began
	logged int       // outages in it
}

const mostLogged = 5 // outages in a minute

// missed logs what the outage means for the event, unless it was logged already.
func (l *lease) missed(ctx context.Context, text string, err error) {
	o := &l.inbox.outage
	o.mu.Lock()
	defer o.mu.Unlock()
	o.missed++
	now := time.Now()
	if now.Sub(o.minute) > time.Minute {
		o.minute, o.logged = now, 0
	}
	if !o.since.IsZero() || o.logged >= mostLogged {
		return
	}
	o.logged++
	o.since = now
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
	i.options.Logger.InfoContext(ctx, "Redis answers again; events that were handled meanwhile may be handled again",
		"consumer", i.consumer, "missed", o.missed, "away_for", time.Since(o.since).Round(time.Millisecond))
	o.since, o.missed = time.Time{}, 0
}
