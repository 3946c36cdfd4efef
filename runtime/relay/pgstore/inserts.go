package pgstore

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

const (
	// lookEvery is how often the server looks whether a sequence has moved, in one
	// statement: what an event waits at most in an outbox that was idle.
	lookEvery = 25 * time.Millisecond
	// sharedWindow bounds one such statement while several outboxes share it, since
	// another one can only join the next.
	sharedWindow = 200 * time.Millisecond
)

// windowBelow is how long a statement may take so that a server that logs statements
// from slow on as slow does not log it.
func windowBelow(slow time.Duration) time.Duration {
	if slow <= 0 {
		return math.MaxInt64
	}
	return slow * 3 / 4
}

// leastWindow is the shortest statement that is worth waiting in: below it, polling
// costs less.
const leastWindow = 200 * time.Millisecond

// errNoSpare says that no session can be spared for waiting.
var errNoSpare = errors.New("pgstore: no session can be spared to wait for inserts")

// errLogged says that the server logs every wait that is worth while.
var errLogged = errors.New("pgstore: the server logs statements as slow that take less than it is worth waiting for inserts")

// inserts waits for inserts into the idle outboxes of a database, for all of them
// in one statement. See sql/idle.sql for why that misses none.
type inserts struct {
	run *serverRun

	mu      sync.Mutex
	waiters map[*waiter]struct{}
	looking bool // a goroutine is at it
}

// waiter is one idle outbox.
type waiter struct {
	sequence uint32        // its oid
	known    int64         // where it stood before the latest snapshot was taken
	open     []uint64      // transactions that may have inserted, and were open then
	window   time.Duration // a statement must not take longer, or the server logs it as slow
	until    time.Time
	answer   chan answer // holds one
}

type answer struct {
	moved bool
	err   error
}

// wait returns true when rows may be there to be read, false when none are after
// limit.
func (i *inserts) wait(ctx context.Context, w *waiter, limit time.Duration) (bool, error) {
	if !i.run.maySpare() {
		return false, errNoSpare
	}
	if w.window < leastWindow {
		return false, errLogged
	}
	w.until = time.Now().Add(limit)
	w.answer = make(chan answer, 1)
	i.mu.Lock()
	if i.waiters == nil {
		i.waiters = map[*waiter]struct{}{}
	}
	i.waiters[w] = struct{}{}
	if !i.looking {
		i.looking = true
		i.run.server.work.Go(i.look)
	}
	i.mu.Unlock()
	select {
	case a := <-w.answer:
		return a.moved, a.err
	case <-i.run.done:
		return false, i.run.reason()
	case <-ctx.Done():
		i.mu.Lock()
		delete(i.waiters, w)
		i.mu.Unlock()
		return false, context.Cause(ctx)
	}
}

// look looks for as long as somebody waits.
func (i *inserts) look() {
	for {
		i.mu.Lock()
		if len(i.waiters) == 0 || i.run.reason() != nil {
			i.looking = false
			i.mu.Unlock()
			return
		}
		var waiting []*waiter
		for w := range i.waiters {
			waiting = append(waiting, w)
		}
		i.mu.Unlock()

		row, err := i.ask(waiting)
		now := time.Now()
		i.mu.Lock()
		for n, w := range waiting {
			var moved bool
			if err == nil {
				moved = row.Standing[n] != w.known || slices.ContainsFunc(row.Ended, func(id uint64) bool { return slices.Contains(w.open, id) })
			}
			if _, still := i.waiters[w]; still && (err != nil || moved || !now.Before(w.until)) {
				delete(i.waiters, w)
				w.answer <- answer{moved, err}
			}
		}
		i.mu.Unlock()
	}
}

// ask has the server look until something has moved or the first of the waiters
// has waited for long enough.
func (i *inserts) ask(waiting []*waiter) (row pgdb.WaitForInsertsRow, err error) {
	window := time.Until(waiting[0].until)
	p := pgdb.WaitForInsertsParams{OpenThen: []uint64{}, StepSeconds: lookEvery.Seconds()}
	for _, w := range waiting {
		window = min(window, w.window, time.Until(w.until))
		p.Sequences = append(p.Sequences, w.sequence)
		p.Known = append(p.Known, w.known)
		p.OpenThen = append(p.OpenThen, w.open...)
	}
	if i.run.server.shared() {
		window = min(window, sharedWindow)
	}
	p.Looks = int32(max(1, (window+lookEvery-1)/lookEvery)) // not a last look in a statement of its own
	ctx, cancel := context.WithTimeout(i.run.server.ctx, window+i.run.server.cfg.StatementTimeout)
	defer cancel()
	err = i.run.work(ctx, useForWaiting, noNames, func(se *session) error {
		var err error
		row, err = se.q.WaitForInserts(ctx, p)
		if err == nil && len(row.Standing) != len(waiting) {
			err = errors.New("the server answers for another number of sequences than it was asked for")
		}
		return err
	})
	return row, err
}
