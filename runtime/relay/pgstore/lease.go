package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// takeOverAttempts is how often a take-over meets a locked lease row before it
// gives up; each meeting ends the sessions of the term before.
const takeOverAttempts = 5

// Observe reads the lease row, creating it when there is none.
func (s *Store) Observe(ctx context.Context) (relay.LeaseState, error) {
	var state relay.LeaseState
	err := s.watch(ctx, func(se *session) error {
		row, err := se.q.ObserveLease(ctx, s.cfg.Name)
		if errors.Is(err, pgx.ErrNoRows) {
			if err := se.q.CreateLease(ctx, s.cfg.Name); err != nil {
				return err
			}
			row, err = se.q.ObserveLease(ctx, s.cfg.Name)
		}
		if err != nil {
			return err
		}
		state = relay.LeaseState{
			Epoch: row.Epoch, Beat: row.Beat, Holder: orZero(row.Holder),
			Suspect: orZero(row.SuspectSeq), UncleanEnds: int(row.UncleanEnds),
		}
		return nil
	})
	return state, s.wrap("read the lease", err)
}

// TakeOver begins a term and opens its sessions.
func (s *Store) TakeOver(ctx context.Context, seen relay.LeaseState, holder uuid.UUID) (relay.Lease, error) {
	const what = "take over the lease"
	s.swapTerm(nil, relay.ErrLeaseLost)
	sessions, err := s.openTerm(ctx)
	if err != nil {
		return relay.Lease{}, s.wrap(what, err)
	}
	lease, err := s.takeOver(ctx, sessions, seen, holder)
	if err != nil {
		for _, opened := range sessions {
			opened.close()
		}
		return relay.Lease{}, s.wrap(what, err)
	}
	s.sweep.reset()
	s.swapTerm(newTerm(lease, sessions), relay.ErrLeaseLost)
	return lease, nil
}

func (s *Store) takeOver(ctx context.Context, sessions []*session, seen relay.LeaseState, holder uuid.UUID) (relay.Lease, error) {
	var backends []backend
	for _, opened := range sessions {
		backends = append(backends, opened.backend)
		if opened.serverStarted != sessions[0].serverStarted {
			return relay.Lease{}, errors.New("the sessions ended up on different servers: point the relay at the primary alone")
		}
	}
	keeper := sessions[0]
	arg := pgdb.TakeOverLeaseParams{
		Holder: holder, Backends: marshalBackends(backends), Name: s.cfg.Name, Epoch: seen.Epoch, Beat: seen.Beat,
	}
	for attempt := 1; ; attempt++ {
		row, err := keeper.q.TakeOverLease(ctx, arg)
		switch {
		case err == nil:
			return relay.Lease{
				Epoch: row.Epoch, Holder: holder,
				UncleanEnds: int(row.UncleanEnds), Suspect: orZero(row.SuspectSeq),
			}, nil
		case errors.Is(err, pgx.ErrNoRows):
			return relay.Lease{}, relay.ErrLeaseMoved
		case !isLockTimeout(err):
			return relay.Lease{}, err
		case attempt == takeOverAttempts:
			return relay.Lease{}, fmt.Errorf("the lease row stayed locked after the sessions of the former term were ended; "+
				"look in pg_locks for who locks event_outbox_lease: %w", err)
		}
		// A statement of the former term holds the row and does not end: its
		// client was frozen half-way, or cut off. Its rows stay unsettled.
		ended, err := keeper.q.TerminateBackends(ctx, pgdb.TerminateBackendsParams{Name: s.cfg.Name, Epoch: seen.Epoch})
		if err != nil {
			return relay.Lease{}, fmt.Errorf("end the sessions of the former term: %w", err)
		}
		s.cfg.Logger.WarnContext(ctx, "the former leader's sessions hold the lease row; they were ended",
			"lease", s.cfg.Name, "epoch", seen.Epoch, "sessions", len(ended))
	}
}

// Renew raises the beat.
func (s *Store) Renew(ctx context.Context, l relay.Lease, progress relay.Progress) error {
	const what = "renew the lease"
	t := s.currentTerm()
	if t == nil || t.lease.Epoch != l.Epoch || t.lease.Holder != l.Holder {
		return s.wrap(what, relay.ErrLeaseLost)
	}
	return s.wrap(what, t.keep(func(keeper *session) error {
		n, err := keeper.q.RenewLease(ctx, pgdb.RenewLeaseParams{
			Progress: progress.Settled, Suspect: progress.Suspect, State: progress.State,
			Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder,
		})
		return lostUnless(n, err)
	}))
}

// Release ends the term. It works after the term's sessions were lost too: the
// lease is still this holder's until another takes it over.
func (s *Store) Release(ctx context.Context, l relay.Lease) error {
	s.mu.Lock()
	t := s.term
	if t != nil && t.lease.Epoch == l.Epoch && t.lease.Holder == l.Holder {
		s.term = nil
	} else {
		t = nil
	}
	s.mu.Unlock()
	if t != nil {
		t.shut(relay.ErrLeaseLost)
	}
	return s.wrap("release the lease", s.watch(ctx, func(se *session) error {
		n, err := se.q.ReleaseLease(ctx, pgdb.ReleaseLeaseParams{Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder})
		return lostUnless(n, err)
	}))
}

func lostUnless(rows int64, err error) error {
	if err == nil && rows == 0 {
		return relay.ErrLeaseLost
	}
	return err
}

// orZero is what a nullable column holds, or the zero value for NULL.
func orZero[T any](v *T) T {
	if v == nil {
		var zero T
		return zero
	}
	return *v
}

func isLockTimeout(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == lockNotAvailable
}

// lockNotAvailable is the SQLSTATE of a lock_timeout that ran out.
const lockNotAvailable = "55P03"
