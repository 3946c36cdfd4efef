package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// kept is what a transaction remembers about its events. A Tx and the nested
// ones within it share one, because they share the connection: an event belongs
// to the innermost savepoint that is open when it is inserted, whichever Tx it
// is inserted on.
type kept struct {
	now   func() time.Time
	newID func() (uuid.UUID, error)
	// maxRecordBytes is that of the Outbox.
	maxRecordBytes int

	entries []entry
	ids     map[uuid.UUID]struct{} // of all events so far
	marks   []mark                 // open savepoints, outermost first
	// eager is set by the first raw SAVEPOINT. From then on the database alone
	// keeps the books: events are inserted at once.
	eager bool
	// misuse is set when the function tried to end the transaction.
	misuse error
	closed bool
}

// entry is one statement of the transaction's events.
type entry struct {
	statement
	// queued is set for events that came in a batch of the caller's.
	queued *queuedEvents
	// sent is true once the statement has run; inserted is then its row count.
	sent     bool
	inserted int64
	// level is how many savepoints were open when the statement ran.
	level int
	// path is the search_path when the event was inserted, as the server reports
	// it; "" when it does not.
	path string
}

// mark is an open savepoint.
type mark struct {
	name string // of a raw SAVEPOINT; "" for a nested Tx
	at   int    // how many entries came before it
}

// rowCount is how many of the entry's events were inserted; all of them, where
// nobody has looked.
func (e *entry) rowCount() int64 {
	switch {
	case e.queued == nil:
		return e.inserted
	case e.queued.known:
		return e.queued.inserted
	}
	return int64(len(e.built))
}

// events counts the events that are kept.
func (k *kept) events() int {
	n := 0
	for _, e := range k.entries {
		n += len(e.built)
	}
	return n
}

// unsent lists the entries whose statements have still to run.
func (k *kept) unsent() []*entry {
	var list []*entry
	for i := range k.entries {
		if e := &k.entries[i]; !e.sent {
			list = append(list, e)
		}
	}
	return list
}

// fresh checks the ids of events that are to be kept. A generated one that was
// there before is a fault of NewID which the table could only swallow, and which
// would show only after the commit.
func (k *kept) fresh(events []built) error {
	if k.ids == nil {
		k.ids = make(map[uuid.UUID]struct{}, len(events))
	}
	for _, e := range events {
		if _, twice := k.ids[e.Row.ID]; twice && !e.IDGiven {
			return insertError([]built{e}, fmt.Errorf("the id was generated for an earlier event of the transaction: %w", errIDRepeats))
		}
		k.ids[e.Row.ID] = struct{}{}
	}
	return nil
}

// add keeps events.
func (k *kept) add(statements []statement, conn *pgx.Conn) {
	for _, s := range statements {
		k.entries = append(k.entries, entry{statement: s, path: searchPath(conn)})
	}
}

// flush runs what is still to run, in one round trip.
func (k *kept) flush(ctx context.Context, tx pgx.Tx) error {
	unsent := k.unsent()
	if len(unsent) == 0 {
		return nil
	}
	var batch pgx.Batch
	steps := queueInserts(&batch, unsent, searchPath(tx.Conn()))
	if len(steps) == 1 {
		e := steps[0]
		tag, err := tx.Exec(ctx, e.sql, e.args...)
		return k.ran(e, tag, err, tx.Conn())
	}
	results := tx.SendBatch(ctx, &batch)
	for _, e := range steps {
		tag, err := results.Exec()
		if e == nil && err == nil {
			continue // the search_path is set
		}
		if e == nil {
			e = unsent[0]
		}
		if err := k.ran(e, tag, err, tx.Conn()); err != nil {
			_ = results.Close() // it has no other error to tell
			return err
		}
	}
	if err := results.Close(); err != nil {
		return fmt.Errorf("outbox: insert %d events: %w", len(unsent), err)
	}
	return nil
}

// ran notes what became of an entry's statement.
func (k *kept) ran(e *entry, tag pgconn.CommandTag, err error, conn *pgx.Conn) error {
	if err != nil {
		return refused(e.built, err, conn)
	}
	e.sent, e.inserted, e.level = true, tag.RowsAffected(), len(k.marks)
	return resolve(e.built, e.inserted)
}

// open notes a savepoint and returns how many are open with it.
func (k *kept) open(name string) int {
	k.marks = append(k.marks, mark{name: name, at: len(k.entries)})
	return len(k.marks)
}

// release merges the savepoint at the level, and those within it, into what is
// around it.
func (k *kept) release(level int) {
	if level > len(k.marks) {
		return
	}
	k.marks = k.marks[:level-1]
	for i := range k.entries {
		k.entries[i].level = min(k.entries[i].level, level-1)
	}
}

// rollback drops the events since the savepoint at the level. Events from before
// it whose statements ran only behind it (a raw SAVEPOINT sent them) have still
// to run.
func (k *kept) rollback(level int) {
	if level > len(k.marks) {
		return
	}
	m := k.marks[level-1]
	clear(k.entries[m.at:])
	k.entries = k.entries[:m.at]
	k.marks = k.marks[:level]
	for i := range k.entries {
		if e := &k.entries[i]; e.level >= level {
			e.sent, e.level = false, 0
		}
	}
}

// named is the level of the innermost raw savepoint of that name, or 0.
func (k *kept) named(name string) int {
	for i := len(k.marks) - 1; i >= 0; i-- {
		if k.marks[i].name == name {
			return i + 1
		}
	}
	return 0
}

// before looks at SQL that is about to run.
func (k *kept) before(ctx context.Context, tx pgx.Tx, sql string) error {
	_, known := preparedOn(tx.Conn())[sql]
	if (known || mayBePrepared(sql)) && len(k.unsent()) > 0 {
		text, err := preparedText(ctx, tx, sql)
		if err != nil {
			return err
		}
		sql = text
	}
	scanner := sqlScanner{text: sql, backslash: tx.Conn().PgConn().ParameterStatus("standard_conforming_strings") == "off"}
	for _, c := range scanner.controls(len(k.entries) > 0) {
		switch c.kind {
		case controlEnd:
			k.misuse = ErrTransactionControl
			return k.misuse
		case controlMeaning:
			if err := k.flush(ctx, tx); err != nil {
				return err
			}
		case controlSavepoint:
			if err := k.flush(ctx, tx); err != nil {
				return err
			}
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
	}
	return nil
}
