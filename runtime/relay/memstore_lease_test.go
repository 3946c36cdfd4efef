package relay

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
)

// Observe implements Store.
func (s *memStore) Observe(context.Context) (LeaseState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.lease
	if s.off("a standby waits until the lease stands still") {
		state.Holder = uuid.Nil
	}
	return state, nil
}

// TakeOver implements Store.
func (s *memStore) TakeOver(_ context.Context, seen LeaseState, holder uuid.UUID) (Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (s.lease.Epoch != seen.Epoch || s.lease.Beat != seen.Beat) && !s.off("a take-over is of the lease that was seen") {
		return Lease{}, ErrLeaseMoved
	}
	if len(s.sharers) > 0 && s.off("a take-over ends the sessions in its way") {
		return Lease{}, errLockTimeout
	}
	for _, end := range s.sharers {
		end()
	}
	s.sharers = nil
	s.flush()
	unclean := s.lease.UncleanEnds
	if s.lease.Holder != uuid.Nil && !s.off("unclean ends raise a suspicion") {
		s.lease.UncleanEnds++
	}
	before := s.lease
	before.UncleanEnds = unclean
	s.lease.Epoch++
	s.lease.Beat++
	s.lease.Holder = holder
	l := Lease{Epoch: s.lease.Epoch, Holder: holder, UncleanEnds: s.lease.UncleanEnds, Suspect: s.lease.Suspect}
	if s.forgets != nil && s.forgets() {
		s.lease = before
	}
	return l, nil
}

var errLockTimeout = errors.New("canceling statement due to lock timeout")

func (s *memStore) holds(l Lease) bool { return s.lease.Epoch == l.Epoch && s.lease.Holder == l.Holder }

// allows returns the condition of every statement under a lease.
func (s *memStore) allows(l Lease) bool {
	return (s.lease.Epoch == l.Epoch || s.off("the epoch is in the lease's conditions") || s.off("epoch or holder are in the lease's conditions")) &&
		(s.lease.Holder == l.Holder || s.off("the holder is in the lease's conditions") || s.off("epoch or holder are in the lease's conditions"))
}

// Renew implements Store.
func (s *memStore) Renew(_ context.Context, l Lease, p Progress) (Renewal, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allows(l) && !s.off("only the holder renews") {
		return Renewal{}, ErrLeaseLost
	}
	if !s.holds(l) && s.onRenew != nil {
		s.onRenew(l)
	}
	s.flush()
	if !s.off("a renewal raises the beat") {
		s.lease.Beat++
	}
	if !s.off("a suspect is named before it is sent") {
		s.lease.Suspect = p.Suspect
	}
	if p.Settled {
		s.progress = s.lease.Epoch
	}
	if p.Settled && !s.off("progress ends a suspicion") {
		s.lease.UncleanEnds = 0
	}
	pauses := s.pausesVersion()
	if s.off("a renewal reports the pauses of operators") {
		pauses = ""
	}
	return Renewal{Pauses: pauses, Decided: slices.ContainsFunc(s.decisions, func(d Decision) bool { return !s.done[d.ID] })}, nil
}

// Release implements Store.
func (s *memStore) Release(_ context.Context, l Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.allows(l) {
		return ErrLeaseLost
	}
	if s.off("a clean end releases the lease") {
		return nil
	}
	s.flush()
	s.lease.Holder, s.lease.Suspect, s.lease.UncleanEnds = uuid.Nil, 0, 0
	return nil
}
