package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore/pgdb"
)

// Idle waits until something may have been committed that the snapshot read does not
// show.
func (s *Store) Idle(ctx context.Context, read relay.Snapshot, limit time.Duration) (bool, error) {
	const what = "wait for inserts"
	t := s.currentTerm()
	if t == nil {
		return false, s.wrap(what, relay.ErrLeaseLost)
	}
	if err := t.reason(); err != nil {
		return false, s.wrap(what, err)
	}
	earlier, err := parseSnapshot(read)
	if err != nil {
		return false, s.wrap(what, err)
	}
	if !t.run.maySpare() {
		return false, errNoSpare
	}
	var w *waiter
	err = t.judge(t.run.work(ctx, useForReading, s.names, func(se *session) (err error) {
		w, err = t.waitFor(ctx, s, se, earlier)
		return err
	}))
	if err != nil || w == nil {
		return w == nil, s.wrap(what, err)
	}
	moved, err := t.run.inserts.wait(ctx, w, limit)
	return moved, s.wrap(what, t.judge(err))
}

// waitFor returns what to wait for; nil means that there are rows to read. The order of
// its statements matters, see sql/idle.sql.
func (t *term) waitFor(ctx context.Context, s *Store, se *session, read pgSnapshot) (*waiter, error) {
	seen, err := t.watched(ctx, se)
	if err != nil {
		return nil, err
	}
	standing, err := se.q.SequenceStanding(ctx, seen.sequence)
	switch {
	case isLockTimeout(err):
		return nil, errSequenceLocked
	case err != nil:
		return nil, err
	}
	writers, err := se.q.Writers(ctx, seen.outbox)
	if err != nil {
		return nil, err
	}
	snapshot, unread, err := s.unread(ctx, se, read)
	if err != nil || unread {
		return nil, err
	}
	now, err := parseSnapshot(relay.Snapshot(snapshot))
	if err != nil {
		return nil, err
	}
	w := &waiter{sequence: seen.sequence, known: standing, window: seen.window}
	for _, id := range writers {
		if id := now.withEpoch(uint32(id)); !now.ended(id) { // without its epoch an id has 32 bits
			w.open = append(w.open, id)
		}
	}
	return w, nil
}

// tableUnread asks whether there are rows that a snapshot does not show.
func tableUnread(ctx context.Context, se *session, read pgSnapshot) (snapshot string, unread bool, err error) {
	row, err := se.q.Unread(ctx, pgdb.UnreadParams{ReadXmax: read.xmax, ReadOpen: append([]uint64{}, read.open...)})
	return row.Snapshot, row.Unread, err
}

// errSeqFirst is the error for a table, created by hand, in which a writer may draw its
// seq before it has a transaction id, so that waiting could miss the row.
var errSeqFirst = errors.New("pgstore: the column tx does not stand before seq in event_outbox")

// watched is what a term waits for. It does not change during the term.
type watched struct {
	outbox, sequence uint32        // oids
	window           time.Duration // longest statement that the server does not log as slow
}

func (t *term) watched(ctx context.Context, se *session) (watched, error) {
	t.mu.Lock()
	known := t.watching
	t.mu.Unlock()
	if known.sequence != 0 {
		return known, nil
	}
	d, err := se.q.DescribeSequence(ctx)
	if err != nil {
		return watched{}, err
	}
	if !d.TxFirst {
		return watched{}, errSeqFirst
	}
	known = watched{outbox: d.Outbox, sequence: d.Sequence, window: windowBelow(time.Duration(d.SlowMs) * time.Millisecond)}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watching = known
	return known, nil
}
