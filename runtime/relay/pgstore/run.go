package pgstore

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// serverRun is one run of one server, from a start to a stop or crash, and the sessions
// on it. A term's snapshots, and the meaning of a seq, are valid for one run only. The
// anchor's session proves that the run continues, because no session survives a crash.
// When that session is lost, the run ends for all stores, and they start again on the
// next one. Every other session is a worker: opened when needed, closed when unused,
// replaced when lost.
type serverRun struct {
	server       *Server
	target       pgdial.Target
	started      string // when the server started
	anchor       *anchor
	inserts      inserts
	surroundings surroundings
	ctx          context.Context // ends with the run; cancels what the callers of the run left behind
	cancel       context.CancelCauseFunc
	done         <-chan struct{} // of ctx

	mu       sync.Mutex
	ended    error // nil while the run continues
	free     []*session
	workers  int           // open or being opened
	readers  int           // uses that are not for settling
	terms    int           // terms that these sessions lead
	changed  chan struct{} // closed when a worker becomes free or is closed
	trimming *time.Timer
	opened   map[backend]bool // workers, except those that were closed while unused

	// Results of opening the latest worker.
	refusals int       // in a row
	refusal  error     // the last error
	noMore   time.Time // open no more before then
}

// use says what a session is needed for.
type use int

const (
	// useForReading reads rows and does whatever else a leader needs to continue.
	useForReading use = iota
	// useForSettling records outcomes. One session is reserved for it. Otherwise sent
	// rows would have to wait for a slow read, and would be sent twice if the relay
	// died meanwhile.
	useForSettling
	// useForKeeping counts and sweeps. It waits for a session instead of opening one.
	useForKeeping
	// useForWaiting waits for inserts, which may take long.
	useForWaiting
)

const (
	// idleFor is how long an unused worker stays open.
	idleFor = time.Minute
	// waitingSessions is how many sessions are needed before one is used for waiting:
	// with fewer, a read would have to wait for it.
	waitingSessions = 4
)

func newRun(s *Server, first *session, at pgdial.Target) *serverRun {
	r := &serverRun{server: s, target: at, started: first.serverStarted, changed: make(chan struct{}), opened: map[backend]bool{}}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	r.done = r.ctx.Done()
	r.anchor = newAnchor(r, first)
	r.inserts.run = r
	r.surroundings.run = r
	return r
}

// start starts the run's goroutine.
func (r *serverRun) start() { r.server.work.Go(r.anchor.listen) }

// reason returns why the run ended, or nil while it continues.
func (r *serverRun) reason() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// end ends the run: from now on every call gets the reason. Sessions in use are closed
// when they are returned.
func (r *serverRun) end(reason error) {
	r.mu.Lock()
	if r.ended != nil {
		r.mu.Unlock()
		return
	}
	r.ended = reason
	r.cancel(reason)
	free := r.free
	r.free = nil
	r.workers -= len(free)
	if r.trimming != nil {
		r.trimming.Stop()
	}
	r.mu.Unlock()
	for _, w := range free {
		r.server.work.Go(w.close)
	}
	r.server.work.Go(r.anchor.close)
}

// during returns a context that ends with ctx or with the run.
func (r *serverRun) during(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(r.ctx, func() { cancel(context.Cause(r.ctx)) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// work runs fn with a worker's session, with the table names of a store.
func (r *serverRun) work(ctx context.Context, what use, names *tableNames, fn func(*session) error) error {
	r.server.work.begin()
	defer r.server.work.end()
	w, err := r.acquire(ctx, what)
	if err != nil {
		return err
	}
	defer r.giveBack(w, what)
	return fn(w.seen(names))
}

// acquire returns a free worker, opens one, or waits.
func (r *serverRun) acquire(ctx context.Context, what use) (*session, error) {
	counted := false
	for {
		most := r.server.maxSessions() - 1
		r.mu.Lock()
		switch {
		case r.ended != nil:
			defer r.mu.Unlock()
			return nil, r.ended
		case !counted && what != useForSettling && r.readers >= max(1, most-1):
			// One is reserved for settling.
		case len(r.free) > 0:
			defer r.mu.Unlock()
			last := len(r.free) - 1
			w := r.free[last]
			r.free = r.free[:last]
			if !counted && what != useForSettling {
				r.readers++
			}
			return w, nil
		case r.workers == 0 && time.Now().Before(r.noMore):
			defer r.mu.Unlock()
			if counted {
				r.uncount(what)
			}
			return nil, r.refusal
		case r.workers == 0, r.workers < most && what != useForKeeping && time.Now().After(r.noMore):
			r.workers++
			if !counted && what != useForSettling {
				r.readers++
			}
			counted = true
			r.mu.Unlock()
			w, err := r.open(ctx)
			if err == nil {
				return w, nil
			}
			if r.makesDo(ctx) {
				continue
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.uncount(what)
			return nil, err
		}
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
			continue
		case <-r.done:
		case <-ctx.Done():
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if counted {
			r.uncount(what)
		}
		if r.ended != nil {
			return nil, r.ended
		}
		return nil, context.Cause(ctx)
	}
}

// uncount ends a use. It requires r.mu.
func (r *serverRun) uncount(what use) {
	if what != useForSettling {
		r.readers--
	}
	r.tell()
}

// tell wakes the calls that wait for a worker. It requires r.mu.
func (r *serverRun) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// lead counts the terms that the run's sessions lead.
func (r *serverRun) lead(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.terms += n
}

func (r *serverRun) leading() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.terms
}

// maySpare reports whether a session is free for waiting.
func (r *serverRun) maySpare() bool {
	most := r.server.maxSessions()
	r.mu.Lock()
	defer r.mu.Unlock()
	return most >= waitingSessions && !time.Now().Before(r.noMore)
}

// open opens a worker's session. It must be on the same run of the same server, and the
// anchor must still answer after it was opened.
func (r *serverRun) open(ctx context.Context) (*session, error) {
	opened, err := r.server.dial.open(ctx, r.target, 0)
	if err == nil && opened.serverStarted != r.started {
		opened.close()
		err = fmt.Errorf("the server is another one or was restarted (it started %s, not %s), so that the term's snapshots mean nothing: %w",
			opened.serverStarted, r.started, relay.ErrLeaseLost)
		r.end(err)
	}
	if err == nil {
		_, err = onAnchor(ctx, r.anchor, noNames, func(ctx context.Context, a *session) (struct{}, error) { return struct{}{}, a.conn.Ping(ctx) })
		if err != nil {
			opened.close()
			err = fmt.Errorf("the session of the leases does not answer: %w", err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.refusals, r.refusal, r.noMore = 0, nil, time.Time{}
		r.opened[opened.backend] = true
		return opened, nil
	}
	r.workers--
	err = fmt.Errorf("open a session: %w", err)
	if ctx.Err() == nil {
		if r.refusals == 0 && r.workers > 0 {
			r.server.cfg.Logger.WarnContext(ctx, "no further session can be opened; the relay continues with those it has",
				slog.Int("sessions", r.workers+1), slog.Any("error", err))
		}
		r.noMore = time.Now().Add(pgdial.PauseAfter(err, r.refusals))
		r.refusals++
		r.refusal = err
	}
	r.tell()
	return nil, err
}

// mayLock reports whether a session may be running a statement: it is open, or it was
// lost and the server may not know yet.
func (r *serverRun) mayLock(b backend) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.opened[b] || b == r.anchor.session.backend
}

// makesDo reports whether the run continues with its workers although it could not open
// another.
func (r *serverRun) makesDo(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended == nil && r.workers > 0 && ctx.Err() == nil
}

func (r *serverRun) giveBack(w *session, what use) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.uncount(what)
	if r.ended != nil || w.lost() {
		r.workers--
		r.server.work.Go(w.close)
		return
	}
	w.freed = time.Now()
	r.free = append(r.free, w)
	if r.trimming == nil {
		r.trimming = time.AfterFunc(idleFor, r.trim)
	}
}

// trim closes workers that were not used for a while.
func (r *serverRun) trim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trimming = nil
	if r.ended != nil {
		return
	}
	unused := func(w *session) bool { return time.Since(w.freed) >= idleFor }
	for _, w := range r.free {
		if unused(w) {
			r.workers--
			delete(r.opened, w.backend)
			r.server.work.Go(w.close)
		}
	}
	r.free = slices.DeleteFunc(r.free, unused)
	if len(r.free) > 0 {
		r.trimming = time.AfterFunc(time.Until(r.free[0].freed.Add(idleFor))+time.Second, r.trim)
	}
}
