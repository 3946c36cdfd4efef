package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// takeOverAttempts is how often a take-over tries to lock the lease row. After each
// failure it ends the sessions of the former term.
const takeOverAttempts = 5

// leaseChannel is the channel that tells standbys about released leases: the oid of the
// lease table and the lease's name.
const leaseChannel = "outbox_lease"

// leaseLockTimeout limits how long a statement on the anchor waits for a lock, because
// other leases wait for it.
const leaseLockTimeout = 25 * time.Millisecond

// Observe reads the lease row, and creates it if there is none.
func (s *Store) Observe(ctx context.Context) (relay.LeaseState, error) {
	state, err := withAnchor(ctx, s, s.observe)
	if err == nil {
		s.hear(ctx)
	}
	return state, s.wrap("read the lease", err)
}

func (s *Store) observe(ctx context.Context, se *session) (relay.LeaseState, error) {
	row, err := se.q.ObserveLease(ctx, s.cfg.Name)
	if errors.Is(err, pgx.ErrNoRows) {
		if err := se.q.CreateLease(ctx, s.cfg.Name); err != nil {
			return relay.LeaseState{}, err
		}
		row, err = se.q.ObserveLease(ctx, s.cfg.Name)
	}
	if err != nil {
		return relay.LeaseState{}, err
	}
	return relay.LeaseState{
		Epoch: row.Epoch, Beat: row.Beat, Holder: orZero(row.Holder),
		Suspect: orZero(row.SuspectSeq), UncleanEnds: int(row.UncleanEnds), Led: readLed(row.Led),
	}, nil
}

// withAnchor runs fn with the session of the leases.
func withAnchor[T any](ctx context.Context, s *Store, fn func(context.Context, *session) (T, error)) (value T, err error) {
	if err := s.open(); err != nil {
		return value, err
	}
	err = s.server.with(ctx, func(r *serverRun) (err error) {
		value, err = onAnchor(ctx, r.anchor, s.names, fn)
		return err
	})
	return value, err
}

// Released tells a standby that the lease was released, so that it need not look often.
// A hint may be missing or false.
func (s *Store) Released() <-chan struct{} { return s.released }

// hear starts listening for released leases, once for each run of the server.
func (s *Store) hear(ctx context.Context) {
	run, _, err := s.server.current(ctx)
	if err != nil {
		return
	}
	s.mu.Lock()
	there := s.hearing == run || s.closed
	if !there {
		s.hearing = run
		if s.unhear != nil {
			s.unhear()
			s.unhear = nil
		}
	}
	s.mu.Unlock()
	if there {
		return
	}
	lease, err := onAnchor(ctx, run.anchor, s.names, func(ctx context.Context, se *session) (uint32, error) { return se.q.DescribeLease(ctx) })
	var forget func()
	if err == nil {
		want := fmt.Sprintf("%d %s", lease, s.cfg.Name)
		forget, err = run.anchor.hear(ctx, leaseChannel, func(payload string) {
			if payload == want {
				s.hint()
			}
		})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.hearing == run:
		s.hearing = nil // the next look tries again
	case err != nil:
	case s.hearing == run && !s.closed:
		s.unhear = forget
	default:
		forget()
	}
}

func (s *Store) hint() {
	select {
	case s.released <- struct{}{}:
	default: // one is waiting already
	}
}

// TakeOver begins a term.
func (s *Store) TakeOver(ctx context.Context, seen relay.LeaseState, holder uuid.UUID) (relay.Lease, error) {
	const what = "take over the lease"
	s.swapTerm(nil, relay.ErrLeaseLost)
	if err := s.open(); err != nil {
		return relay.Lease{}, s.wrap(what, err)
	}
	run, _, err := s.server.current(ctx)
	if err != nil {
		return relay.Lease{}, s.wrap(what, err)
	}
	var begun *term
	err = run.work(ctx, useForSettling, s.names, func(se *session) error {
		known := []backend{run.anchor.session.backend, se.backend}
		lease, err := s.takeOver(ctx, se, known, seen, holder)
		if err == nil {
			begun = newTerm(lease, run, known...)
		}
		return err
	})
	if err != nil {
		if refusesWrites(err) {
			run.end(err)
			err = writesError(err)
		}
		return relay.Lease{}, s.wrap(what, err)
	}
	s.sweep.reset()
	s.held.reset()
	s.delayed.reset()
	s.swapTerm(begun, relay.ErrLeaseLost)
	return begun.lease, nil
}

func (s *Store) takeOver(ctx context.Context, se *session, known []backend, seen relay.LeaseState, holder uuid.UUID) (relay.Lease, error) {
	arg := pgdb.TakeOverLeaseParams{
		Holder: holder, Backends: marshalBackends(known), Name: s.cfg.Name, Epoch: seen.Epoch, Beat: seen.Beat,
	}
	for attempt := 1; ; attempt++ {
		row, err := s.tryTakeOver(ctx, se, arg)
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
			return relay.Lease{}, fmt.Errorf("the lease row stayed locked for %s; "+
				"look in pg_locks for who locks event_outbox_lease: %w", takeOverAttempts*s.cfg.LockTimeout, err)
		}
		// A statement of the former term holds the row and does not end: its client was
		// suspended in the middle, or lost its connection. Its rows stay unsettled.
		ended, err := se.q.TerminateBackends(ctx, pgdb.TerminateBackendsParams{Name: s.cfg.Name, Epoch: seen.Epoch})
		if err != nil {
			return relay.Lease{}, fmt.Errorf("end the sessions of the former term: %w", err)
		}
		if len(ended) > 0 {
			s.cfg.Logger.WarnContext(ctx, "the former leader's sessions locked the lease row and were terminated",
				"lease", s.cfg.Name, "epoch", seen.Epoch, "sessions", len(ended))
		}
	}
}

// tryTakeOver waits for the lease row at most for the lock timeout, which it sets for
// this statement only.
func (s *Store) tryTakeOver(ctx context.Context, se *session, arg pgdb.TakeOverLeaseParams) (pgdb.TakeOverLeaseRow, error) {
	tx, err := se.conn.Begin(ctx)
	if err != nil {
		return pgdb.TakeOverLeaseRow{}, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after a commit
	if err := pgdb.New(unpreparedDB{tx}).SetLockTimeout(ctx, milliseconds(s.cfg.LockTimeout)); err != nil {
		return pgdb.TakeOverLeaseRow{}, err
	}
	row, err := pgdb.New(s.names.qualify(tx)).TakeOverLease(ctx, arg)
	if err != nil {
		return row, err
	}
	return row, tx.Commit(ctx)
}

// Renew raises the beat, and returns whether an operator has made a decision and when
// the next delayed event is due.
func (s *Store) Renew(ctx context.Context, l relay.Lease, progress relay.Progress) (relay.Renewal, error) {
	const what = "renew the lease"
	var renewal relay.Renewal
	t, err := s.ofLease(l)
	if err != nil {
		return renewal, s.wrap(what, err)
	}
	row, err := t.run.anchor.renew(ctx, s.names, pgdb.RenewLeaseParams{
		Progress: progress.Settled, Suspect: progress.Suspect, State: progress.State,
		Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, LookedAt: s.delayed.from(),
	})
	switch {
	case err != nil:
	case row.Held == 0:
		err = relay.ErrLeaseLost
	case row.Renewed == 0:
		err = errLeaseLocked
	}
	renewal.Decided, renewal.Pauses, renewal.Next = row.Decided, row.Pauses, dueIn(row.DueInUs)
	return renewal, s.wrap(what, t.judge(err))
}

// Release ends the term. It works after the term's sessions were lost too: the lease
// belongs to this holder until another takes it over.
func (s *Store) Release(ctx context.Context, l relay.Lease) error {
	s.mu.Lock()
	t := s.term
	if t.is(l) {
		s.term = nil
	} else {
		t = nil
	}
	s.mu.Unlock()
	if t != nil {
		t.end(relay.ErrLeaseLost)
	}
	_, err := withAnchor(ctx, s, func(ctx context.Context, se *session) (struct{}, error) {
		row, err := se.q.ReleaseLease(ctx, pgdb.ReleaseLeaseParams{
			Name: s.cfg.Name, Epoch: l.Epoch, Holder: l.Holder, Channel: leaseChannel,
		})
		return struct{}{}, lostUnless(row.Leases > 0, err)
	})
	return s.wrap("release the lease", err)
}

func lostUnless(found bool, err error) error {
	if err == nil && !found {
		return relay.ErrLeaseLost
	}
	return err
}

// orZero returns the value of a nullable column, or the zero value for NULL.
func orZero[T any](v *T) T {
	if v == nil {
		var zero T
		return zero
	}
	return *v
}

func isLockTimeout(err error) bool { return sqlState(err) == sqlstate.LockNotAvailable }
