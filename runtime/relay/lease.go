package relay

import (
	"errors"
	"time"

	"github.com/google/uuid"
)

// seenLease is the lease as a standby sees it.
type seenLease struct {
	cfg     *Config
	state   LeaseState
	known   bool
	since   time.Duration // when the state was first seen, on this relay's clock
	take    bool          // take over from the state
	lookAt  time.Duration
	reached bool // the store has answered once
}

// forget starts again: whoever holds the lease has a whole term from now on.
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

// refusedPause is how long the lease waits after the store was refused something: an
// operator has to change that first.
const refusedPause = 10 * time.Second

// pauseAfter returns how long to wait before the next look at the lease row.
func (l *seenLease) pauseAfter(err error) time.Duration {
	if errors.Is(err, ErrRefused) {
		return max(refusedPause, l.cfg.ObserveEvery)
	}
	return l.cfg.ObserveEvery
}

// ownLease is the lease of this relay's term.
type ownLease struct {
	cfg      *Config
	lease    Lease
	deadline time.Duration // after it, nothing is sent or settled
	renewAt  time.Duration
	// renewFailed says that the last renewal failed. The next one waits until renewAt,
	// even if it has a row to name.
	renewFailed bool
	giveBack    *Lease // lease of a term that is over
}

// begin starts a term with a lease that was requested at sentAt.
func (l *ownLease) begin(lease Lease, sentAt time.Duration) {
	l.lease = lease
	l.renewed(0, sentAt, nil)
}

// renewed handles the result of a renewal.
func (l *ownLease) renewed(now, sentAt time.Duration, err error) {
	l.renewFailed = err != nil
	if l.renewFailed {
		l.renewAt = now + l.cfg.RenewEvery/4
		return
	}
	l.deadline = sentAt + l.cfg.Term - l.cfg.TermMargin
	l.renewAt = sentAt + l.cfg.RenewEvery
}

// expired reports whether the deadline has passed. Goroutines of commands check it too,
// right before they send or settle.
func (l *ownLease) expired(now time.Duration) bool { return now >= l.deadline }

// toRenew reports whether to renew now. A row that has to be named does not wait.
func (l *ownLease) toRenew(n *agenda, name bool) bool {
	return name && !l.renewFailed || n.due(l.renewAt)
}
