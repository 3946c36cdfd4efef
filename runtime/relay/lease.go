package relay

import (
	"errors"
	"time"

	"github.com/google/uuid"
)

// seenLease is the lease as a relay that stands by sees it.
type seenLease struct {
	cfg     *Config
	state   LeaseState
	known   bool
	since   time.Duration // when the state was first seen, by the own clock
	take    bool          // take over from the state
	lookAt  time.Duration
	reached bool // the store answered once
}

// forget begins anew: whoever holds the lease has the whole term from now on.
func (l *seenLease) forget(lookAt time.Duration) { l.known, l.lookAt = false, lookAt }

func (l *seenLease) observed(now time.Duration, state LeaseState, err error) {
	l.lookAt = now + l.pauseAfter(err)
	if err != nil {
		return
	}
	l.reached = true
	switch {
	case state.Holder == uuid.Nil:
		l.take = true
	case !l.known || state.Epoch != l.state.Epoch || state.Beat != l.state.Beat:
		l.since = now
	case now-l.since >= l.cfg.Term:
		l.take = true
	}
	l.state, l.known = state, true
	if !l.take {
		if left := l.since + l.cfg.Term; left > now {
			l.lookAt = min(l.lookAt, left)
		}
	}
}

// refusedPause is how long the lease waits after a call that the store refused:
// somebody has to change something first.
const refusedPause = 10 * time.Second

// pauseAfter is how long to wait until the lease row is looked at again.
func (l *seenLease) pauseAfter(err error) time.Duration {
	if errors.Is(err, ErrRefused) {
		return max(refusedPause, l.cfg.ObserveEvery)
	}
	return l.cfg.ObserveEvery
}

// ownLease is the lease of the relay's own term.
type ownLease struct {
	cfg      *Config
	lease    Lease
	deadline time.Duration // past it, nothing is produced or settled any more
	renewAt  time.Duration
	// The last renewal failed: the next one waits until renewAt, even one that
	// has a row to name.
	renewFailed bool
	giveBack    *Lease // of a term that is over
}

// begin takes a lease that was asked for at a time.
func (l *ownLease) begin(lease Lease, sentAt time.Duration) {
	l.lease = lease
	l.renewed(0, sentAt, nil)
}

// renewed takes the answer to a renewal.
func (l *ownLease) renewed(now, sentAt time.Duration, err error) {
	l.renewFailed = err != nil
	if l.renewFailed {
		l.renewAt = now + l.cfg.RenewEvery/4
		return
	}
	l.deadline = sentAt + l.cfg.Term - l.cfg.TermMargin
	l.renewAt = sentAt + l.cfg.RenewEvery
}

// expired reports whether the own deadline has passed. Workers ask as well,
// right before they send or settle.
func (l *ownLease) expired(now time.Duration) bool { return now >= l.deadline }

// toRenew reports whether it is time. A row that is to be named does not wait.
func (l *ownLease) toRenew(n *agenda, name bool) bool {
	return name && !l.renewFailed || n.due(l.renewAt)
}
