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
	if from < 0 {
		return done, errors.New("the seq from which events are sent again must not be negative; 1 is everything")
	}
	options := pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
	err := pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
		q := storedb.New(tx)
		is, err := begin(ctx, tx, q, adoptLockTimeout)
		switch {
		case err != nil:
			return err
		case !is.IsLog:
			return errors.New("event_outbox is a table, which has no cursor: a relay finds the rows that are not published")
		}
		// Before anything changes. The times are kept for another call until the cursor is written.
		if err := refuseYoung(ctx, q, from); err != nil {
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
		number, err := adoptFrom(ctx, q, &done)
		if err != nil {
			return err
		}
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
		if err := q.AdoptCursor(ctx, storedb.AdoptCursorParams{N: number + 1, Seq: done.From - 1, Ahead: encoded(decided)}); err != nil {
			return fmt.Errorf("write the cursor: %w", err)
		}
		return nil
	})
	return done, err
}

// refuseYoung returns an error if the former cursor seems to have passed rows that were inserted
// after it was written, and no seq is given.
func refuseYoung(ctx context.Context, q *storedb.Queries, from int64) error {
	if from > 0 {
		return nil
	}
	former, err := q.ReadCursor(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // adoptFrom refuses
	}
	if err != nil {
		return fmt.Errorf("read the cursor: %w", err)
	}
	young, err := q.YoungRows(ctx, former.Floor)
	if err != nil {
		return fmt.Errorf("look for rows that are younger than the cursor: %w", err)
	}
	if len(young) > 0 {
		return fmt.Errorf("the row with seq %d was inserted after the last time of the cursor, which says that all rows up to seq %d are published: "+
			"the sequence started over, as it does with logical replication; give the seq from which to send again; 1 is everything", young[0], former.Floor)
	}
	return nil
}

// adoptFrom finds out from which seq on events are sent again, and returns the number of the
// former cursor.
func adoptFrom(ctx context.Context, q *storedb.Queries, done *Adopted) (number int64, err error) {
	former, err := q.ReadCursor(ctx)
	switch {
	case errors.Is(err, pgx.ErrNoRows) && done.From == 0:
		return 0, errors.New("event_outbox_cursor has no row that says from where to send again: give the seq; 1 is everything")
	case errors.Is(err, pgx.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("read the cursor: %w", err)
	case done.From > 0:
		return former.N, nil
	}
	sequence, err := q.Sequence(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the sequence of seq: %w", err)
	}
	done.From = former.Floor + 1
	if sequence.Standing < former.Floor { // it started over
		done.From = 1
	}
	return former.N, nil
}

// adoptLockTimeout is how long a statement waits for rows that a relay has locked.
const adoptLockTimeout = 10 * time.Second

// encoded returns seqs as event_outbox_cursor has them.
func encoded(seqs []int64) []byte {
	slices.Sort(seqs)
	return logcursor.Encode(seqs)
}
