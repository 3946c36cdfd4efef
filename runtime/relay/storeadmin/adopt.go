package storeadmin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/internal/logcursor"
	"github.com/outboxgen/outboxgen/runtime/relay/storeadmin/internal/storedb"
)

// Adopted is what Adopt has done.
type Adopted struct {
	From    int64 // the seq from which events are sent again
	Foreign int64 // rows with transaction ids of another cluster
}

// Adopt makes the cursor of a log valid in this database: the events with seq from and higher
// are sent again, those before count as published, except those that failed or that wait in
// event_outbox_late. Events that failed are sent as their copies say, dead ones stay dead, and
// discarded ones stay discarded. If from is 0, it is the first one that the former cursor does not say is
// published. Adopt ends the leader's term. Relays refuse to start until it is done. If it
// returns an error, call it again.
func Adopt(ctx context.Context, conn *pgx.Conn, from int64) (Adopted, error) {
	done, err := adopt(ctx, conn, from)
	if err != nil {
		err = fmt.Errorf("storeadmin: %w", err)
	}
	return done, err
}

func adopt(ctx context.Context, conn *pgx.Conn, from int64) (Adopted, error) {
	done := Adopted{From: from}
	options := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
	err := pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
		q := storedb.New(tx)
		if err := beginAdopt(ctx, tx, q, from); err != nil {
			return err
		}
		// Before anything changes. The times are kept for another call until the cursor is written.
		if _, _, err := adoptFrom(ctx, q, from); err != nil {
			return err
		}
		steps := []struct {
			what string
			do   func(context.Context) error
		}{
			{"end the leader's term", q.EndTerms},
			{"invalidate the cursor", q.SpoilCursor},
			{"remove entries of another cluster that are there twice", q.ForgetDoubleLate},
			{"remove copies of another cluster that are there twice", q.ForgetDoubleCopies},
			{"change the rows of another cluster", func(ctx context.Context) (err error) { done.Foreign, err = q.OwnRows(ctx); return err }},
		}
		for _, step := range steps {
			if err := step.do(ctx); err != nil {
				return fmt.Errorf("%s: %w", step.what, err)
			}
		}
		return nil
	})
	if err != nil {
		return done, err
	}
	// In a transaction of its own, so that its snapshot shows the rows that were changed.
	err = pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
		q := storedb.New(tx)
		if _, err := begin(ctx, tx, q, adoptLockTimeout); err != nil {
			return err
		}
		// Rows that are inserted from now on are sent: adoptFrom may not see them.
		shown, err := q.Snapshot(ctx)
		if err != nil {
			return fmt.Errorf("read the snapshot: %w", err)
		}
		number, first, err := adoptFrom(ctx, q, from)
		if err != nil {
			return err
		}
		done.From = first
		if err := q.ForgetTimes(ctx); err != nil {
			return fmt.Errorf("remove the times of publication: %w", err)
		}
		if err := q.ForgetLate(ctx, done.From); err != nil {
			return fmt.Errorf("forget the rows that waited: %w", err)
		}
		if err := q.ForgetCopies(ctx, done.From); err != nil {
			return fmt.Errorf("forget the copies of rows: %w", err)
		}
		decided, err := q.Decided(ctx, done.From)
		if err != nil {
			return fmt.Errorf("read what was decided about rows: %w", err)
		}
		if err := q.ForgetCursor(ctx); err != nil {
			return fmt.Errorf("remove the former cursor: %w", err)
		}
		if err := q.AdoptCursor(ctx, storedb.AdoptCursorParams{N: number + 1, Shown: shown, Seq: done.From - 1, Ahead: encoded(decided)}); err != nil {
			return fmt.Errorf("write the cursor: %w", err)
		}
		return nil
	})
	return done, err
}

// beginAdopt begins a transaction, and refuses what has no cursor.
func beginAdopt(ctx context.Context, tx pgx.Tx, q *storedb.Queries, from int64) error {
	if from < 0 {
		return errors.New("the seq from which events are sent again must not be negative; 1 is everything")
	}
	is, err := begin(ctx, tx, q, adoptLockTimeout)
	if err == nil && !is.IsLog {
		err = errors.New("event_outbox is a table, which has no cursor: a relay finds the rows that are not published")
	}
	return err
}

// adoptFrom finds out from which seq on events are sent again, and returns the number of the
// former cursor. It returns an error if rows would count as published that cannot be.
func adoptFrom(ctx context.Context, q *storedb.Queries, from int64) (number, first int64, err error) {
	former, err := q.ReadCursor(ctx)
	switch {
	case errors.Is(err, pgx.ErrNoRows) && from == 0:
		return 0, 0, errors.New("event_outbox_cursor has no row that says from where to send again: give the seq; 1 is everything")
	case errors.Is(err, pgx.ErrNoRows):
		return 0, from, nil
	case err != nil:
		return 0, 0, fmt.Errorf("read the cursor: %w", err)
	}
	young, err := q.YoungRows(ctx, storedb.YoungRowsParams{Floor: former.Floor, FromSeq: from})
	switch {
	case err != nil:
		return 0, 0, fmt.Errorf("look for rows that are younger than the cursor: %w", err)
	case len(young) > 0 && (from == 0 || from > young[0]):
		return 0, 0, fmt.Errorf("the row with seq %[1]d was inserted after the last time of the cursor, so it cannot count as published: "+
			"the sequence started over, as it does with logical replication; give at most %[1]d as the seq from which to send again (--from-seq); 1 is everything; "+
			"if that row was published, its created_at is wrong: correct that first", young[0])
	case from > 0:
		return former.N, from, nil
	}
	sequence, err := q.Sequence(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the sequence of seq: %w", err)
	}
	if sequence.Standing >= former.Floor {
		return former.N, former.Floor + 1, nil
	}
	old, err := q.CountUpTo(ctx, former.Floor)
	if err != nil {
		return 0, 0, fmt.Errorf("count the events: %w", err)
	}
	return 0, 0, fmt.Errorf("the sequence of seq started over, as it does with logical replication: it stands at %d, and the cursor says that all events up to seq %d are published; "+
		"the log has %d of them: with --from-seq 1 all are sent again, with --from-seq %d none", sequence.Standing, former.Floor, old, former.Floor+1)
}

// adoptLockTimeout is how long a statement waits for rows that a relay has locked.
const adoptLockTimeout = 10 * time.Second

// encoded returns seqs as event_outbox_cursor has them.
func encoded(seqs []int64) []byte {
	slices.Sort(seqs)
	return logcursor.Encode(seqs)
}
