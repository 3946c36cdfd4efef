package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// term is the store's state for a relay.Lease, valid as long as the server's run
// continues.
type term struct {
	lease relay.Lease
	run   *serverRun

	mu       sync.Mutex
	ended    error      // nil while the term continues
	known    []backend  // the sessions in the lease row
	adopted  bool       // rows of another cluster were looked for
	last     pgSnapshot // the latest snapshot taken
	filled   string     // end of the write-ahead log after that; "": no snapshot yet
	flushed  string     // the last value of filled that is known to be on disk
	watching watched    // zero: not looked up yet
	low      lowWater
	search   search
	tickEnd  tickEnd // of the tick that is read in several pages
}

func newTerm(lease relay.Lease, run *serverRun, known ...backend) *term {
	run.lead(1)
	return &term{lease: lease, run: run, known: known}
}

// is reports whether this is the term of the lease.
func (t *term) is(l relay.Lease) bool {
	return t != nil && t.lease.Epoch == l.Epoch && t.lease.Holder == l.Holder
}

// reason returns why the term ended, or nil while it continues.
func (t *term) reason() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == nil {
		if err := t.run.reason(); err != nil { // the run no longer counts its terms
			t.ended = fmt.Errorf("%w: %w", relay.ErrLeaseLost, err)
		}
	}
	return t.ended
}

// end ends the term: from now on every call gets the reason.
func (t *term) end(reason error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended == nil {
		t.ended = reason
		t.run.lead(-1)
	}
}

// judge returns what an error means for the term: the lease is lost if the answer says
// so, or if the run of the server has ended.
func (t *term) judge(err error) error {
	if errors.Is(err, relay.ErrLeaseLost) {
		t.end(err)
	}
	if err == nil {
		return nil
	}
	if ended := t.reason(); ended != nil && !errors.Is(err, relay.ErrLeaseLost) {
		return fmt.Errorf("%w: %w", err, relay.ErrLeaseLost)
	}
	return err
}

// register writes a session into the lease row before it locks the row for the first
// time, so that a successor can end it.
func (t *term) register(ctx context.Context, s *Store, se *session) error {
	t.mu.Lock()
	known := slices.Contains(t.known, se.backend)
	t.mu.Unlock()
	if known {
		return nil
	}
	// The anchor runs one statement at a time, so two sessions that register at once
	// are both in the row in the end.
	_, err := onAnchor(ctx, t.run.anchor, s.names, func(ctx context.Context, a *session) (struct{}, error) {
		backends := t.mayLock(se.backend)
		n, err := a.q.RegisterBackends(ctx, pgdb.RegisterBackendsParams{
			Backends: marshalBackends(backends), Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder,
		})
		if err = lostUnless(n > 0, err); err == nil {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.known = backends
		}
		return struct{}{}, err
	})
	if err != nil {
		return fmt.Errorf("register a session: %w", err)
	}
	return nil
}

// mayLock returns the sessions of the term that may lock the lease row, and one more.
// Sessions that were closed while unused cannot.
func (t *term) mayLock(more backend) []backend {
	t.mu.Lock()
	known := slices.Clone(t.known)
	t.mu.Unlock()
	known = slices.DeleteFunc(known, func(b backend) bool { return b == more || !t.run.mayLock(b) })
	return append(known, more)
}

// logFilled returns up to where the write-ahead log has to be on disk for all snapshots
// of the term: the end at the latest one.
func (t *term) logFilled() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.filled
}

// isFlushed reports whether a value of logFilled is known to be on disk.
func (t *term) isFlushed(filled string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return filled != "" && filled == t.flushed
}

func (t *term) noteFlushed(filled string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.flushed = filled
}
