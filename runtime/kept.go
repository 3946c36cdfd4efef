package outbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// kept holds the events of a transaction. A Tx and its nested ones share one, because
// they share the connection: an event belongs to the innermost open savepoint,
// whichever Tx it is inserted on.
type kept struct {
	options []Option // before those of each event

	entries []entry
	ids     idSet       // of all events so far
	cancels []cancelled // events of the transaction that it cancelled again
	marks   []mark      // open savepoints, outermost first
	// eager is set by the first raw SAVEPOINT. From then on events are inserted at
	// once, and the database keeps track of them.
	eager bool
	// misuse is set when the function tried to end the transaction.
	misuse error
	closed bool

	last    pgx.Batch // with COMMIT
	queries [2]*pgx.QueuedQuery
}

// entry is one statement that inserts events of the transaction.
type entry struct {
	statement
	// queued is set for events in a batch of the caller.
	queued *queuedEvents
	// sent is true once the statement has run. Then inserted is its row count.
	sent     bool
	inserted int64
	// level is the number of savepoints that were open when the statement ran.
	level int
	// path is the search_path that the server reported when the event was inserted; ""
	// if it reports none.
	path string
}

// cancelled is a delayed event that the transaction inserted and cancelled.
type cancelled struct {
	entry int // its index
	id    uuid.UUID
}

// mark is an open savepoint.
type mark struct {
	name    string // of a raw SAVEPOINT; "" for a nested Tx
	at      int    // number of entries before it
	cancels int    // number of cancelled events before it
}

// rowCount returns the number of events of the entry that were inserted. It is all of
// them if the result was not read.
func (e *entry) rowCount() int64 {
	switch {
	case e.queued == nil:
		return e.inserted
	case e.queued.known:
		return e.queued.inserted
	}
	return int64(len(e.built))
}

// events counts the kept events.
func (k *kept) events() int {
	n := -len(k.cancels)
	for _, e := range k.entries {
		n += len(e.built)
	}
	return n
}

// committed counts the events that the transaction left in the outbox.
func (k *kept) committed() (n int) {
	for i := range k.entries {
		if e := &k.entries[i]; e.rowCount() == int64(len(e.built)) {
			n += len(k.left(i))
		}
	}
	return n
}

// types lists the types of the events that the transaction left in the outbox, each once.
func (k *kept) types() (types []string) {
	for i := range k.entries {
		if e := &k.entries[i]; e.rowCount() != int64(len(e.built)) {
			continue
		}
		for _, b := range k.left(i) {
			if !slices.Contains(types, b.Row.EventType) {
				types = append(types, b.Row.EventType)
			}
		}
	}
	return types
}

// cancel records that the event with this id was cancelled, if the transaction inserted
// it. An id can be inserted again after that, so the last insert counts.
func (k *kept) cancel(id uuid.UUID) {
	for i := len(k.entries) - 1; i >= 0; i-- {
		e := &k.entries[i]
		if e.rowCount() > 0 && slices.ContainsFunc(e.built, func(b built) bool { return b.Row.ID == id }) {
			k.cancels = append(k.cancels, cancelled{i, id})
			return
		}
	}
}

// left returns the events of an entry that were not cancelled.
func (k *kept) left(entry int) []built {
	list := k.entries[entry].built
	if len(k.cancels) == 0 {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(b built) bool {
		return slices.Contains(k.cancels, cancelled{entry, b.Row.ID})
	})
}

// statementsAtHand is how many statements a transaction usually has at most: lists of so
// many are on the stack.
const statementsAtHand = 4

// unsent appends the entries whose statements have not run yet to list.
func (k *kept) unsent(list []*entry) []*entry {
	for i := range k.entries {
		if e := &k.entries[i]; !e.sent {
			list = append(list, e)
		}
	}
	return list
}

// waits reports whether a statement has not run yet.
func (k *kept) waits() bool {
	for i := range k.entries {
		if !k.entries[i].sent {
			return true
		}
	}
	return false
}

// build builds events for the transaction, unless that is closed.
func (k *kept) build(ctx context.Context, events []Event, closed bool) ([]built, error) {
	list, err := build(ctx, k.options, events)
	switch {
	case err != nil:
		return nil, err
	case closed:
		return nil, errTxClosed
	}
	return list, k.fresh(list)
}

// fresh checks the ids of new events. A generated id that was used before is a fault of
// NewID. The table would ignore the second row, and the fault would show only after the
// commit.
func (k *kept) fresh(events []built) error {
	for i := range events {
		e := &events[i]
		if twice := !k.ids.add(e.Row.ID); twice && !e.IDGiven {
			return refused([]built{*e}, fmt.Errorf("the id was generated for an earlier event of the transaction: %w", errIDRepeats), nil)
		}
	}
	return nil
}

// idSet is a set of ids. The first ones need no allocation.
type idSet struct {
	few  [4]uuid.UUID
	n    int // of few
	more map[uuid.UUID]struct{}
}

// add adds an id, and reports whether it is new.
func (s *idSet) add(id uuid.UUID) bool {
	if slices.Contains(s.few[:s.n], id) {
		return false
	}
	if s.n < len(s.few) {
		s.few[s.n] = id
		s.n++
		return true
	}
	if _, known := s.more[id]; known {
		return false
	}
	if s.more == nil {
		s.more = map[uuid.UUID]struct{}{}
	}
	s.more[id] = struct{}{}
	return true
}

// flush runs the remaining statements in one round trip.
func (k *kept) flush(ctx context.Context, tx pgx.Tx) error {
	unsent := k.unsent(nil)
	if len(unsent) == 0 {
		return nil
	}
	var batch pgx.Batch
	steps := queueInserts(&batch, unsent, searchPath(tx.Conn()), nil)
	if len(steps) == 1 {
		e := steps[0]
		tag, err := tx.Exec(ctx, e.sql, e.args...)
		return k.ran(e, tag, err, tx.Conn())
	}
	results := tx.SendBatch(ctx, &batch)
	for _, e := range steps {
		tag, err := results.Exec()
		if e == nil && err == nil {
			continue // this statement sets the search_path
		}
		if e == nil {
			e = unsent[0]
		}
		if err := k.ran(e, tag, err, tx.Conn()); err != nil {
			_ = results.Close() // the error was read already
			return err
		}
	}
	if err := results.Close(); err != nil {
		return fmt.Errorf("outbox: insert %d events: %w", len(unsent), err)
	}
	return nil
}

// ran records the result of an entry's statement.
func (k *kept) ran(e *entry, tag pgconn.CommandTag, err error, conn *pgx.Conn) error {
	if err != nil {
		return refused(e.built, err, conn)
	}
	e.sent, e.inserted, e.level = true, tag.RowsAffected(), len(k.marks)
	return resolve(e.built, e.inserted)
}

// open adds a savepoint and returns how many are open now.
func (k *kept) open(name string) int {
	k.marks = append(k.marks, mark{name: name, at: len(k.entries), cancels: len(k.cancels)})
	return len(k.marks)
}

// release merges the savepoint at the level, and those inside it, into the one around
// it.
func (k *kept) release(level int) {
	if level > len(k.marks) {
		return
	}
	k.marks = k.marks[:level-1]
	for i := range k.entries {
		k.entries[i].level = min(k.entries[i].level, level-1)
	}
}

// rollback drops the events since the savepoint at the level. Events from before the
// savepoint whose statements ran after it (a raw SAVEPOINT sent them) have to run
// again.
func (k *kept) rollback(level int) {
	if level > len(k.marks) {
		return
	}
	m := k.marks[level-1]
	clear(k.entries[m.at:])
	k.entries = k.entries[:m.at]
	k.cancels = k.cancels[:m.cancels]
	k.marks = k.marks[:level]
	for i := range k.entries {
		if e := &k.entries[i]; e.level >= level {
			e.sent, e.level = false, 0
		}
	}
}

// named returns the level of the innermost raw savepoint of that name, or 0.
func (k *kept) named(name string) int {
	for i := len(k.marks) - 1; i >= 0; i-- {
		if k.marks[i].name == name {
			return i + 1
		}
	}
	return 0
}

// before handles SQL that is about to run. If the SQL fails, call undo, unless it is
// nil: the server refuses SAVEPOINT and RELEASE after a statement that failed, and then
// the savepoints are those from before.
func (k *kept) before(ctx context.Context, tx pgx.Tx, sql string) (undo func(), err error) {
	if k.waits() {
		if _, known := preparedOn(tx.Conn())[sql]; known || mayBePrepared(sql) {
			if sql, err = preparedText(ctx, tx, sql); err != nil {
				return nil, err
			}
		}
	}
	scanner := sqlScanner{text: sql, backslash: tx.Conn().PgConn().ParameterStatus("standard_conforming_strings") == "off"}
	for _, c := range scanner.controls(len(k.entries) > 0) {
		if c.kind == controlMeaning || c.kind == controlSavepoint {
			if err := k.flush(ctx, tx); err != nil {
				return nil, err
			}
		}
		switch {
		case c.kind == controlRollbackTo: // if it fails, only a rollback to an outer savepoint can follow
			undo = nil
		case undo == nil:
			undo = k.restoring(c)
		}
		if err := k.follow(c); err != nil {
			return nil, err
		}
	}
	return undo, nil
}

// restoring returns a function that restores the savepoints from before a SAVEPOINT or
// RELEASE; nil for other statements.
func (k *kept) restoring(c control) func() {
	if c.kind != controlSavepoint && c.kind != controlRelease {
		return nil
	}
	marks, levels := slices.Clone(k.marks), make([]int, len(k.entries))
	for i := range k.entries {
		levels[i] = k.entries[i].level
	}
	return func() {
		k.marks = marks
		for i := range min(len(levels), len(k.entries)) {
			k.entries[i].level = levels[i]
		}
	}
}

// end records that the function tried to end the transaction, and returns the error.
func (k *kept) end() error {
	k.misuse = ErrTransactionControl
	return k.misuse
}

// follow records what a statement that is about to run does to the transaction. Events
// that wait were inserted before, where that is necessary.
func (k *kept) follow(c control) error {
	switch c.kind {
	case controlEnd:
		return k.end()
	case controlSavepoint:
		k.eager = true
		k.open(c.name)
	case controlRelease:
		if level := k.named(c.name); level > 0 {
			k.release(level)
		}
	case controlRollbackTo:
		if level := k.named(c.name); level > 0 {
			k.rollback(level)
		}
	}
	return nil
}
