package pgstore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// workers is how many sessions of a term read, settle, sweep and count: one for
// each of these, which the relay does at the same time, so that none waits for the
// session of another.
const workers = 4

// term is the store's side of a relay.Lease: its sessions, and what is known
// only as long as they live.
type term struct {
	lease         relay.Lease
	serverStarted string

	keeping sync.Mutex // held while keeper is in use
	keeper  *session   // renews the lease; its loss ends the term

	free chan *worker
	done chan struct{}

	mu      sync.Mutex
	ended   error      // nil while the term lasts
	workers []*worker  // all of them
	adopted bool       // rows of another cluster were looked for
	last    pgSnapshot // the latest snapshot taken
	filled  string     // up to where the write-ahead log was filled then; "": no snapshot yet
	flushed string     // the latest value of filled known to be on disk
}

// worker is the place of one session. The session belongs to whoever took the
// worker from term.free; backend is guarded by term.mu.
type worker struct {
	session *session // nil: lost, to be replaced
	backend backend
}

func newTerm(lease relay.Lease, sessions []*session) *term {
	t := &term{
		lease:         lease,
		serverStarted: sessions[0].serverStarted,
		keeper:        sessions[0],
		free:          make(chan *worker, len(sessions)-1),
		done:          make(chan struct{}),
	}
	for _, s := range sessions[1:] {
		w := &worker{session: s, backend: s.backend}
		t.workers = append(t.workers, w)
		t.free <- w
	}
	return t
}

// use runs fn with one of the term's sessions.
func (t *term) use(ctx context.Context, s *Store, fn func(*session) error) error {
	var w *worker
	select {
	case w = <-t.free:
	case <-t.done:
		return t.reason()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer t.giveBack(w)
	if w.session == nil {
		if err := t.replace(ctx, s, w); err != nil {
			return err
		}
	}
	err := fn(w.session)
	if w.session.conn.IsClosed() {
		w.session = nil
	}
	if errors.Is(err, relay.ErrLeaseLost) {
		t.end(err)
	}
	return err
}

// replace opens a session in the place of a lost one. What the term knows (its
// snapshots, the meaning of a seq) holds for one run of one server, so the new
// session must be on a server that started when the first one did, and the
// keeper's session, which cannot outlive a crash, must still answer after the
// new session was opened.
func (t *term) replace(ctx context.Context, s *Store, w *worker) error {
	opened, err := s.connect(ctx, 0)
	if err != nil {
		return fmt.Errorf("replace a lost session: %w", err)
	}
	if opened.serverStarted != t.serverStarted {
		opened.close()
		err := fmt.Errorf("a session was lost, and the server is another one or was restarted "+
			"(it started %s, not %s), so that the term's snapshots mean nothing: %w",
			opened.serverStarted, t.serverStarted, relay.ErrLeaseLost)
		t.end(err)
		return err
	}
	t.mu.Lock()
	w.backend = opened.backend
	backends := marshalBackends(t.backends())
	t.mu.Unlock()
	err = t.keep(func(keeper *session) error {
		n, err := keeper.q.RegisterBackends(ctx, pgdb.RegisterBackendsParams{
			Backends: backends, Name: s.cfg.Name, Epoch: t.lease.Epoch, Holder: t.lease.Holder,
		})
		if err == nil && n == 0 {
			err = relay.ErrLeaseLost
		}
		return err
	})
	if err != nil {
		opened.close()
		return fmt.Errorf("register a session that replaces a lost one: %w", err)
	}
	w.session = opened
	return nil
}

// keep runs fn with the keeper's session. Losing that session ends the term.
func (t *term) keep(fn func(*session) error) error {
	t.keeping.Lock()
	defer t.keeping.Unlock()
	if err := t.reason(); err != nil {
		return err
	}
	err := fn(t.keeper)
	switch {
	case errors.Is(err, relay.ErrLeaseLost):
		t.end(err)
	case t.keeper.conn.IsClosed():
		t.end(fmt.Errorf("the session that renews the lease was lost (%w): %w", err, relay.ErrLeaseLost))
	}
	return err
}

// backends lists the term's sessions for the lease row; the caller holds t.mu.
func (t *term) backends() []backend {
	list := []backend{t.keeper.backend}
	for _, w := range t.workers {
		list = append(list, w.backend)
	}
	return list
}

// reason is why the term ended, or nil while it lasts.
func (t *term) reason() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

// logFilled is up to where the write-ahead log has to be on disk for what any
// snapshot of the term shows: where the latest one found it.
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

// end ends the term: from now on every call gets the reason. Sessions in use are
// closed when they are given back.
func (t *term) end(reason error) {
	t.mu.Lock()
	if t.ended != nil {
		t.mu.Unlock()
		return
	}
	t.ended = reason
	close(t.done)
	t.mu.Unlock()
	for {
		select {
		case w := <-t.free:
			w.close()
		default:
			return
		}
	}
}

// shut ends the term and closes the keeper's session too.
func (t *term) shut(reason error) {
	t.end(reason)
	t.keeping.Lock()
	defer t.keeping.Unlock()
	t.keeper.close()
}

func (t *term) giveBack(w *worker) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended != nil {
		w.close()
		return
	}
	t.free <- w
}

func (w *worker) close() {
	if w.session != nil {
		w.session.close()
		w.session = nil
	}
}
