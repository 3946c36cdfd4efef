package storeadmin

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/outboxgen/outboxgen/migrations"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin/internal/storedb"
)

// ErrUnsearched is returned if the outbox was moved to a log, and the search of its former rows
// failed afterwards. Rows that somebody unpublished by hand while the outbox moved may not be in the
// log. Call Migrate again: it continues the search.
var ErrUnsearched = errors.New("the outbox was moved, but event_outbox_before was not searched for rows that were unpublished during the move: run the command again")

// searchRows limits the rows that one statement looks at.
const searchRows = 20_000

// search looks for rows up to the low-water mark of a table that are not published although no
// index says so: they were unpublished or restored by hand. There may be many rows up to the mark,
// so it looks before the locks, and again when the move is over.
type search struct {
	ctx  context.Context
	conn *pgx.Conn
	// unfinished is the mark of a former move to a log whose second look has only come to searched.
	searched, unfinished int64
	found                []pgtype.UUID
}

// first looks before the locks.
func (s *search) first(c Config) error {
	var mark int64
	err := pgx.BeginTxFunc(s.ctx, s.conn, moving, func(tx pgx.Tx) error {
		m := move{ctx: s.ctx, tx: tx, q: storedb.New(tx), to: migrations.StoreLog, c: c}
		is, err := actAsOwner(s.ctx, tx, m.q, c.LockTimeout)
		if err != nil {
			return err
		}
		if s.searched, s.unfinished = is.Searched, is.Unsearched; is.IsLog && s.unfinished > 0 {
			return nil
		}
		if err := m.prepare(); err != nil { // before much is read in vain
			return err
		}
		sequence, err := m.q.Sequence(s.ctx)
		if err != nil {
			return fmt.Errorf("read the sequence of seq: %w", err)
		}
		mark = sequence.LowWater
		return nil
	})
	if err != nil {
		return err
	}
	s.found = []pgtype.UUID{} // not NULL
	return s.pages(0, mark, func(q *storedb.Queries, _ pgx.Tx, after int64) (looked, last int64, err error) {
		page, err := q.SearchBelow(s.ctx, storedb.SearchBelowParams{After: after, LowWater: mark, WindowRows: searchRows})
		if err != nil {
			return 0, 0, fmt.Errorf("look for rows that were unpublished by hand: %w", err)
		}
		if s.found = append(s.found, page.Found...); len(s.found) > c.MaxRows {
			return 0, 0, tooMany(c)
		}
		return page.Looked, page.Last, nil
	})
}

// note makes an interrupted move continue with the second look, after a seq.
func note(after, mark int64) string {
	if mark == 0 {
		return `COMMENT ON TABLE event_outbox_before IS NULL`
	}
	return fmt.Sprintf(`COMMENT ON TABLE event_outbox_before IS 'not searched after seq %d up to seq %d'`, after, mark)
}

// second copies the rows that were unpublished after the first look, and returns how many. The
// move is over, so no more can come. It notes each page with it, so that no row is copied twice.
func (s *search) second(after, mark int64) (copied int64, err error) {
	err = s.pages(after, mark, func(q *storedb.Queries, tx pgx.Tx, after int64) (looked, last int64, err error) {
		page, err := q.CopyForgotten(s.ctx, storedb.CopyForgottenParams{After: after, LowWater: mark, WindowRows: searchRows})
		if err == nil {
			copied += page.Copied
			_, err = tx.Exec(s.ctx, note(max(after, page.Last), mark)) // the last page may be empty
		}
		return page.Looked, page.Last, err
	})
	if err == nil && mark > 0 {
		err = s.page(func(_ *storedb.Queries, tx pgx.Tx) error {
			_, err := tx.Exec(s.ctx, note(0, 0))
			return err
		})
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", ErrUnsearched, err)
	}
	return copied, err
}

// pages calls look for one page of the rows after a seq and up to mark after the other.
func (s *search) pages(after, mark int64, look func(q *storedb.Queries, tx pgx.Tx, after int64) (looked, last int64, err error)) error {
	for more := mark > 0; more; {
		err := s.page(func(q *storedb.Queries, tx pgx.Tx) error {
			looked, last, err := look(q, tx, after)
			after, more = last, looked == searchRows
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// page runs do in a transaction as the owner of the tables.
func (s *search) page(do func(q *storedb.Queries, tx pgx.Tx) error) error {
	return pgx.BeginTxFunc(s.ctx, s.conn, moving, func(tx pgx.Tx) error {
		q := storedb.New(tx)
		if _, err := actAsOwner(s.ctx, tx, q, patientLockTimeout); err != nil {
			return err
		}
		return do(q, tx)
	})
}
