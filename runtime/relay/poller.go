package relay

import "time"

// poller decides when to look whether rows have come.
type poller struct {
	cfg     *Config
	idles   bool // the store can wait for rows
	pause   time.Duration
	at      time.Duration // the next look
	soon    int           // looks left that follow a wake-up closely
	waiting bool          // the store is to say when to look again
	noIdle  time.Duration // it could not lately: poll until then
}

func newPoller(cfg *Config, idles bool, now time.Duration) poller {
	return poller{cfg: cfg, idles: idles, pause: cfg.PollMin, at: now}
}

// afterWake are the pauses after a wake-up that found nothing: it may have been
// sent before its COMMIT.
var afterWake = [...]time.Duration{2 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond}

// woken notes that a look follows a wake-up.
func (p *poller) woken() {
	p.soon = len(afterWake)
	p.waiting = false
}

// due reports whether it is time for a look.
func (p *poller) due(n *agenda) bool { return !p.waiting && n.due(p.at) }

// lookAt sets the time of the next look.
func (p *poller) lookAt(at time.Duration) { p.at = at }

// found notes that a look brought rows: the next one follows at once.
func (p *poller) found(now time.Duration) {
	p.pause, p.at, p.soon = p.cfg.PollMin, now, 0
}

// foundNothing waits for the next look: soon after a wake-up, else longer each time, and
// in the end for the store.
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

// waited takes what the store says. Also when nothing has moved the relay looks
// itself: a row whose seq was not drawn from the sequence, as a restore of single rows
// may bring, moves nothing that the store looks at.
func (p *poller) waited(now time.Duration, moved bool, err error) {
	if err != nil {
		p.noIdle = now + p.cfg.OutageMax
	}
	if moved {
		p.pause = p.cfg.PollMin // what has moved may not be committed yet
	}
	if p.waiting || moved {
		p.waiting = false
		p.at = now
	}
}
