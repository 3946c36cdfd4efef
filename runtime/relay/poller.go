package relay

import "time"

// poller decides when to look for new rows.
type poller struct {
	cfg     *Config
	idles   bool // the store can wait for rows
	pause   time.Duration
	at      time.Duration // the next look
	soon    int           // remaining looks soon after a wake-up
	waiting bool          // the store will say when to look again
	noIdle  time.Duration // the store failed to wait: poll until then
}

func newPoller(cfg *Config, idles bool, now time.Duration) poller {
	return poller{cfg: cfg, idles: idles, pause: cfg.PollMin, at: now}
}

// afterWake are the pauses after a wake-up that found nothing: it may have been sent
// before its COMMIT.
var afterWake = [...]time.Duration{2 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond}

// woken records that the next look follows a wake-up.
func (p *poller) woken() {
	p.soon = len(afterWake)
	p.waiting = false
}

// due reports whether it is time for a look.
func (p *poller) due(n *agenda) bool { return !p.waiting && n.due(p.at) }

// lookAt sets the time of the next look.
func (p *poller) lookAt(at time.Duration) { p.at = at }

// found records that a look found rows: the next one follows immediately.
func (p *poller) found(now time.Duration) {
	p.pause, p.at, p.soon = p.cfg.PollMin, now, 0
}

// foundNothing sets the next look: soon after a wake-up, otherwise after a growing
// pause, and in the end when the store says so.
func (p *poller) foundNothing(now time.Duration) {
	if p.soon > 0 {
		p.at = now + afterWake[len(afterWake)-p.soon]
		p.soon--
		return
	}
	p.at = now + p.pause
	if p.pause < p.cfg.PollMax {
		p.pause = min(2*p.pause, p.cfg.PollMax)
		return
	}
	if p.idles && p.cfg.IdleWait > 0 && now >= p.noIdle {
		p.waiting = true
	}
}

// waited handles the store's answer. The relay looks even if nothing has moved: a row
// whose seq was not drawn from the sequence, for example a restored row, moves nothing
// that the store watches.
func (p *poller) waited(now time.Duration, moved bool, err error) {
	if err != nil {
		p.noIdle = now + p.cfg.OutageMax
	}
	if moved {
		p.pause = p.cfg.PollMin // the rows may not be committed yet
	}
	if p.waiting || moved {
		p.waiting = false
		p.at = now
	}
}
