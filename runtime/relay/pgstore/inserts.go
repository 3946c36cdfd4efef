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
	// lookEvery is how often the server checks, within one statement, whether a
	// sequence has moved. It is the longest wait of an event in an idle outbox.
	lookEvery = 25 * time.Millisecond
	// sharedWindow limits such a statement while several outboxes share it, because
	// another outbox can only join the next one.
	sharedWindow = 200 * time.Millisecond
)

// longestWindow limits every such statement: while it runs, vacuum keeps the rows that
// were deleted after it began.
const longestWindow = 4 * time.Second

// windowBelow returns how long a statement may take if the server logs statements from
// slow on.
func windowBelow(slow time.Duration) time.Duration {
	if slow <= 0 {
		return math.MaxInt64
	}
	return slow * 3 / 4
}

// leastWindow is the shortest statement that is worth waiting in; below it, polling is
// cheaper.
const leastWindow = 200 * time.Millisecond

// errNoSpare means that no session is free for waiting.
var errNoSpare = errors.New("pgstore: no session can be spared to wait for inserts")

// errSequenceLocked means that another session has locked the sequence.
var errSequenceLocked = errors.New("pgstore: the sequence of seq is locked by another session")

// errLogged means that the server would log every wait that is long enough.
var errLogged = errors.New("pgstore: the server logs statements as slow that take less than it is worth waiting for inserts")

// mostLooks is how many statements wait at once: one for the current waiters, and one
// for those who came after it began.
const mostLooks = 2

// inserts waits for inserts into all idle outboxes of a database in one statement.
// sql/idle.sql says why it misses none.
type inserts struct {
	run *serverRun

	mu      sync.Mutex
	waiters map[*waiter]struct{}
	looks   int // running goroutines
}

// waiter is one idle outbox.
type waiter struct {
	sequence uint32        // its oid
	known    int64         // its last known value
	open     []uint64      // transactions that may have inserted and have not ended
	window   time.Duration // longest statement that the server does not log as slow
	until    time.Time
	look     *look       // under way for it; nil: none
	answer   chan answer // holds one
}

// look is one statement that runs.
type look struct {
	cancel  context.CancelFunc
	waiters int // waiters that have not left; the last one ends the look
}

type answer struct {
	moved bool
	err   error
}

// wait returns true when there may be rows to read, and false if there were none within
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

// leave removes a waiter that gave up. A look without waiters ends immediately, because it
// delays other looks and vacuum.
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

// lookOn runs looks as long as there are waiters that no other look serves.
func (i *inserts) lookOn() {
	for i.lookOnce() {
	}
}

// lookOnce runs one look, and reports whether to run another.
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
	// Another outbox that becomes idle would have to wait for the end of the statement,
	// unless there is no other.
	alone := len(waiting) == i.run.leading()
	i.mu.Unlock()

	row, err := i.ask(ctx, waiting, alone)
	var blocked []uint32
	if isLockTimeout(err) {
		blocked, err = i.blocked(ctx, waiting)
		row = pgdb.WaitForInsertsRow{} // nothing is known
	} else if err != nil && len(waiting) > 1 && i.run.reason() == nil && ctx.Err() == nil {
		row, err = i.ask(ctx, waiting, false) // a schema that was dropped meanwhile is left out
	}
	i.answer(waiting, row, blocked, err)
	return true
}

// answer tells the waiters whose sequence or transactions have moved, and those whose
// time is nearly over, so that they come back together.
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

// blocked returns the sequences that cannot be read because another session has locked
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

// ask makes the server check until something has moved or the first waiter has waited
// long enough.
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
