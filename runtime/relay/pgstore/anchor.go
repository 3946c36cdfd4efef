package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// anchor is the session of the leases. It observes and renews them; in between it
// listens for notifications to standbys and leaders. Its statements are short, so that
// a lease waits only for other leases.
type anchor struct {
	run     *serverRun
	session *session
	turn    chan struct{} // holds a token while the session is free

	mu        sync.Mutex
	interrupt context.CancelFunc   // ends the wait for notifications; nil: not waiting
	users     int                  // calls that have the turn or wait for it
	idle      chan struct{}        // closed when users falls to 0
	hearers   map[string][]*hearer // by channel
	renewals  renewals
}

var errConnectionClosed = errors.New("the connection was closed")

// noNames leaves the tables to the search_path.
var noNames = &tableNames{}

func newAnchor(r *serverRun, s *session) *anchor {
	a := &anchor{run: r, session: s, turn: make(chan struct{}, 1), hearers: map[string][]*hearer{}}
	a.turn <- struct{}{}
	s.notified = a.tell
	return a
}

// statementLimit limits a statement on the anchor. The server enforces it and not the
// caller's context: pgx closes a connection whose statement is cancelled, which would
// end the terms of all stores.
const statementLimit = 3 * time.Second

// onAnchor runs fn with the anchor's session. If ctx ends, the caller gets its cause,
// and the statement is finished anyway. If the session is lost, the run ends.
func onAnchor[T any](ctx context.Context, a *anchor, names *tableNames, fn func(context.Context, *session) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	if err := a.take(ctx); err != nil {
		return none, err
	}
	done := make(chan result, 1)
	a.run.server.work.Go(func() {
		defer a.giveBack()
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementLimit)
		defer cancel()
		value, err := fn(limited, a.session.seen(names))
		if a.session.lost() {
			a.lose(err)
		}
		done <- result{value, err}
	})
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// take waits for the turn, and ends the wait for notifications.
func (a *anchor) take(ctx context.Context) error {
	a.mu.Lock()
	a.users++
	if a.interrupt != nil {
		a.interrupt()
	}
	a.mu.Unlock()
	var err error
	select {
	case <-a.turn:
		if err = a.run.reason(); err == nil {
			return nil
		}
		a.turn <- struct{}{}
	case <-a.run.done:
		err = a.run.reason()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	a.leave()
	return err
}

func (a *anchor) giveBack() {
	a.turn <- struct{}{}
	a.leave()
}

func (a *anchor) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.users--
	if a.users == 0 && a.idle != nil {
		close(a.idle)
		a.idle = nil
	}
}

// lose ends the run. If the server did not answer, its address is tried last from now
// on.
func (a *anchor) lose(err error) {
	if err == nil { // the statement was done, then the connection was closed
		err = errConnectionClosed
	}
	a.run.server.dial.judge(a.run.target, err)
	a.run.end(fmt.Errorf("the session of the leases was lost: %w", err))
}

// listen waits for notifications whenever the session is free, until the run ends.
func (a *anchor) listen() {
	for {
		ctx, cancel := context.WithCancel(context.Background())
		a.mu.Lock()
		busy := a.users > 0
		idle := a.idle
		if busy && idle == nil {
			idle = make(chan struct{})
			a.idle = idle
		}
		if !busy {
			a.interrupt = cancel
		}
		a.mu.Unlock()
		if busy {
			cancel()
			select {
			case <-idle:
				continue
			case <-a.run.done:
				return
			}
		}
		stop := a.wait(ctx)
		a.mu.Lock()
		a.interrupt = nil
		a.mu.Unlock()
		cancel()
		if stop {
			return
		}
	}
}

// wait waits for one notification, or for ctx to end. It reports whether the run is
// over.
func (a *anchor) wait(ctx context.Context) bool {
	select {
	case <-a.turn:
	case <-a.run.done:
		return true
	case <-ctx.Done():
		return false
	}
	defer func() { a.turn <- struct{}{} }()
	if a.run.reason() != nil {
		return true
	}
	err := a.session.conn.PgConn().WaitForNotification(ctx) // OnNotification handles it
	if a.session.lost() {
		a.lose(err)
		return true
	}
	return false
}

// close closes the session after the run has ended.
func (a *anchor) close() {
	a.mu.Lock()
	if a.interrupt != nil {
		a.interrupt()
	}
	a.mu.Unlock()
	<-a.turn
	a.session.close()
	a.turn <- struct{}{}
}

// hearer gets the notifications on a channel. It must not block.
type hearer struct{ tell func(payload string) }

// hear listens on a channel until forget is called. It returns the error of LISTEN.
func (a *anchor) hear(ctx context.Context, channel string, tell func(payload string)) (forget func(), err error) {
	h := &hearer{tell}
	a.mu.Lock()
	a.hearers[channel] = append(a.hearers[channel], h)
	a.mu.Unlock()
	forget = func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.hearers[channel] = slices.DeleteFunc(a.hearers[channel], func(o *hearer) bool { return o == h })
	}
	// Listening twice is harmless.
	_, err = onAnchor(ctx, a, noNames, func(ctx context.Context, s *session) (struct{}, error) {
		_, err := s.conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize())
		return struct{}{}, err
	})
	if err != nil {
		forget()
		return nil, fmt.Errorf("listen on %s: %w", channel, err)
	}
	return forget, nil
}

func (a *anchor) tell(n *pgconn.Notification) {
	a.mu.Lock()
	hearers := slices.Clone(a.hearers[n.Channel])
	a.mu.Unlock()
	for _, h := range hearers {
		h.tell(n.Payload)
	}
}
