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

// longestWindow bounds any such statement: vacuum keeps what was deleted since it
// began.
const longestWindow = 4 * time.Second

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

// errSequenceLocked says that somebody has locked the sequence.
var errSequenceLocked = errors.New("pgstore: the sequence of seq is locked by another session")

// errLogged says that the server logs every wait that is worth while.
var errLogged = errors.New("pgstore: the server logs statements as slow that take less than it is worth waiting for inserts")

// mostLooks is how many statements wait at once: one for those who wait, and one for
// those who came after it began.
const mostLooks = 2

// inserts waits for inserts into the idle outboxes of a database, for all of them
// in one statement. See sql/idle.sql for why that misses none.
type inserts struct {
	run *serverRun

	mu      sync.Mutex
	waiters map[*waiter]struct{}
	looks   int // goroutines at it
}

// waiter is one idle outbox.
type waiter struct {
	sequence uint32        // its oid
	known    int64         // where it stood
	open     []uint64      // transactions that may have inserted and are not over
	window   time.Duration // a statement must not take longer, or the server logs it as slow
	until    time.Time
	look     *look       // is under way for it; nil: none
	answer   chan answer // holds one
}

// look is one statement under way.
type look struct {
	cancel  context.CancelFunc
	waiters int // that have not left; the last one ends the look
}

type answer struct {
	moved bool
	err   error
}

// wait returns true when rows may be there to be read, false when none are after
// about limit.
func (i *inserts) wait(ctx context.Context, w *waiter, limit time.Duration) (bool, error) {
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
	if i.looks < mostLooks {
		i.looks++
		i.run.server.work.Go(i.lookOn)
	}
	i.mu.Unlock()
	select {
	case a := <-w.answer:
		return a.moved, a.err
	case <-i.run.done:
		i.leave(w)
		return false, i.run.reason()
	case <-ctx.Done():
		i.leave(w)
		return false, context.Cause(ctx)
	}
}

// leave takes out a waiter that gave up. A look for nobody ends at once, for it keeps
// others from theirs and the server from vacuuming.
func (i *inserts) leave(w *waiter) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.waiters, w)
	if w.look == nil {
		return
	}
	w.look.waiters--
	if w.look.waiters == 0 {
		w.look.cancel()
	}
	w.look = nil
}

// lookOn looks for as long as somebody waits for whom no other look is under way.
func (i *inserts) lookOn() {
	for i.lookOnce() {
	}
}

// lookOnce looks once, and reports whether to look again.
func (i *inserts) lookOnce() bool {
	ctx, cancel := context.WithCancel(i.run.server.ctx)
	defer cancel()
	i.mu.Lock()
	l := &look{cancel: cancel}
	var waiting []*waiter
	for w := range i.waiters {
		if w.look == nil {
			w.look = l
			l.waiters++
			waiting = append(waiting, w)
		}
	}
	if len(waiting) == 0 || i.run.reason() != nil {
		i.looks--
		i.mu.Unlock()
		return false
	}
	// Another outbox that becomes idle has to wait for the end of the statement,
	// unless there is none.
	alone := len(waiting) == i.run.leading()
	i.mu.Unlock()

	row, err := i.ask(ctx, waiting, alone)
	var blocked []uint32
	if isLockTimeout(err) {
		blocked, err = i.blocked(ctx, waiting)
		row = pgdb.WaitForInsertsRow{} // nothing is known
	} else if err != nil && len(waiting) > 1 && i.run.reason() == nil && ctx.Err() == nil {
		row, err = i.ask(ctx, waiting, false) // a schema that went meanwhile is passed over
	}
	i.answer(waiting, row, blocked, err)
	return true
}

// answer tells those for whom something has moved, and those whose time is nearly
// over: so they come back together.
func (i *inserts) answer(waiting []*waiter, row pgdb.WaitForInsertsRow, blocked []uint32, err error) {
	soon := time.Now().Add(sharedWindow)
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, w := range waiting {
		w.look = nil
		var moved bool
		err := err
		switch {
		case err != nil:
		case slices.Contains(blocked, w.sequence):
			err = errSequenceLocked
		case len(row.Standing) > 0:
			moved = row.Standing[n] != w.known || slices.ContainsFunc(row.Ended, func(id uint64) bool { return slices.Contains(w.open, id) })
		}
		if _, still := i.waiters[w]; still && (err != nil || moved || w.until.Before(soon)) {
			delete(i.waiters, w)
			w.answer <- answer{moved, err}
		}
	}
}

// blocked lists the sequences that cannot be looked at because somebody has locked
// them.
func (i *inserts) blocked(ctx context.Context, waiting []*waiter) (sequences []uint32, err error) {
	for _, w := range waiting {
		sequences = append(sequences, w.sequence)
	}
	ctx, cancel := context.WithTimeout(ctx, i.run.server.cfg.StatementTimeout)
	defer cancel()
	err = i.run.work(ctx, useForWaiting, noNames, func(se *session) (err error) {
		sequences, err = se.q.BlockedSequences(ctx, sequences)
		return err
	})
	return sequences, err
}

// ask has the server look until something has moved or the first of the waiters
// has waited for long enough.
func (i *inserts) ask(ctx context.Context, waiting []*waiter, alone bool) (row pgdb.WaitForInsertsRow, err error) {
	limit := i.run.server.cfg.StatementTimeout
	window := min(longestWindow, limit*3/4)
	if !alone {
		window = min(window, sharedWindow)
	}
	p := pgdb.WaitForInsertsParams{OpenThen: []uint64{}, StepSeconds: lookEvery.Seconds()}
	for _, w := range waiting {
		window = min(window, w.window, time.Until(w.until))
		p.Sequences = append(p.Sequences, w.sequence)
		p.Known = append(p.Known, w.known)
		p.OpenThen = append(p.OpenThen, w.open...)
	}
	p.WindowSeconds = window.Seconds()
	ctx, cancel := context.WithTimeout(ctx, window+limit)
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
