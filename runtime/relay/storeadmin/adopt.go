package storeadmin

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		f, err := adoptFrom(ctx, q, from)
		if err != nil {
			return err
		}
		steps := []struct {
			what string
			do   func(context.Context) error
		}{
			{"end the leader's term", q.EndTerms},
			{"invalidate the cursor", func(ctx context.Context) error { return q.SpoilCursor(ctx, spoiled(f.wasHere)) }},
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
		if _, err := actAsOwner(ctx, tx, q, patientLockTimeout); err != nil {
			return err
		}
		// Rows that are inserted from now on are sent: adoptFrom may not see them.
		shown, err := q.Snapshot(ctx)
		if err != nil {
			return fmt.Errorf("read the snapshot: %w", err)
		}
		f, err := adoptFrom(ctx, q, from)
		if err != nil {
			return err
		}
		done.From = f.first
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
		if err := q.AdoptCursor(ctx, storedb.AdoptCursorParams{N: f.number + 1, Shown: shown, Seq: done.From - 1, Ahead: encoded(decided)}); err != nil {
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
	is, err := actAsOwner(ctx, tx, q, patientLockTimeout)
	if err == nil && !is.IsLog {
		err = errors.New("event_outbox is a table, which has no cursor: a relay finds the rows that are not published")
	}
	return err
}

// former is what the former cursor says.
type former struct {
	number  int64 // of the cursor
	wasHere bool  // it is about this database
	first   int64 // the seq from which events are sent again
}

// adoptFrom finds out from which seq on events are sent again. It returns an error if rows would
// count as published that cannot be.
func adoptFrom(ctx context.Context, q *storedb.Queries, from int64) (f former, err error) {
	c, err := q.ReadCursor(ctx)
	switch {
	case errors.Is(err, pgx.ErrNoRows) && from == 0:
		return f, errors.New("event_outbox_cursor has no row that says from where to send again: give the seq; 1 is everything")
	case errors.Is(err, pgx.ErrNoRows):
		return former{first: from}, nil
	case err != nil:
		return f, fmt.Errorf("read the cursor: %w", err)
	}
	here, err := q.Place(ctx)
	if err != nil {
		return f, fmt.Errorf("look at the database: %w", err)
	}
	f = former{
		number: c.N, first: from,
		wasHere: here.NextTx >= c.BaseTx && (c.System == here.System && c.Database == here.Database || c.System == spoiledSystem && c.Database == spoiledHere),
	}
	if err := refuseYoung(ctx, q, c, here, f); err != nil {
		return f, err
	}
	if f.wasHere {
		err := adoptAgain(ctx, q, c, &f)
		return f, err
	}
	if from > 0 {
		return f, nil
	}
	if f.first = c.Floor + 1; here.Standing >= c.Floor {
		return f, nil
	}
	old, err := q.CountUpTo(ctx, c.Floor)
	if err != nil {
		return f, fmt.Errorf("count the events: %w", err)
	}
	return f, fmt.Errorf("the sequence of seq started over, as it does with logical replication: it stands at %d, and the cursor says that all events up to seq %d are published; "+
		"the log has %d of them: with --from-seq 1 all are sent again, with --from-seq %d none", here.Standing, c.Floor, old, c.Floor+1)
}

// refuseYoung returns an error if a row would count as published that was inserted after the cursor was written.
func refuseYoung(ctx context.Context, q *storedb.Queries, c storedb.ReadCursorRow, here storedb.PlaceRow, f former) error {
	sequence, err := q.Sequence(ctx)
	if err != nil {
		return fmt.Errorf("read the sequence of seq: %w", err)
	}
	var begun int64 // rows up to it may be of a sequence that started over here
	if !f.wasHere && here.Standing < max(c.Floor, sequence.Highest) {
		begun = here.Standing
	}
	young, err := q.YoungRows(ctx, storedb.YoungRowsParams{Floor: c.Floor, FromSeq: f.first, Begun: begun})
	switch {
	case err != nil:
		return fmt.Errorf("look for rows that are younger than the cursor: %w", err)
	case len(young) == 0 || f.first > 0 && f.first <= young[0]:
		return nil
	case young[0] <= begun:
		return fmt.Errorf("the sequence of seq started over, as it does with logical replication: it stands at %d, so the row with seq %[2]d may have been inserted here, "+
			"and cannot count as published: give at most %[2]d as the seq from which to send again (--from-seq); 1 is everything", here.Standing, young[0])
	}
	return fmt.Errorf("the row with seq %[1]d was inserted after the last time of the cursor: it was not yet noted as published, or not published; to send it again is safe: "+
		"give at most %[1]d as the seq from which to send again (--from-seq); 1 is everything; if it was published, its created_at may be wrong", young[0])
}

// adoptAgain finds it out if the cursor is about this database, perhaps after an adoption whose answer
// was lost. Rows that were inserted since cannot count as published.
func adoptAgain(ctx context.Context, q *storedb.Queries, c storedb.ReadCursorRow, f *former) error {
	switch {
	case f.first > 0:
	case c.Base == adoptedBase:
		f.first = c.Seq + 1
	default:
		f.first = c.Floor + 1
	}
	unseen, err := q.UnseenRows(ctx, storedb.UnseenRowsParams{Shown: c.Shown, Base: c.Base, Floor: c.Floor, FromSeq: f.first})
	if err != nil {
		return fmt.Errorf("look for rows that are younger than the cursor: %w", err)
	}
	if len(unseen) > 0 {
		return fmt.Errorf("the row with seq %[1]d was inserted after the cursor was written in this database, perhaps by an earlier call, so it cannot count as published: "+
			"if relays can start, nothing is to be done; else give at most %[1]d as the seq from which to send again (--from-seq); 1 is everything", unseen[0])
	}
	return nil
}

// A cursor that is about no cluster is one whose adoption has begun: no relay starts with it. Its database says
// whether it was about this one.
const (
	spoiledSystem    = 1
	spoiledElsewhere = 1
	spoiledHere      = 2
)

func spoiled(wasHere bool) storedb.SpoilCursorParams {
	p := storedb.SpoilCursorParams{System: spoiledSystem, Database: spoiledElsewhere}
	if wasHere {
		p.Database = spoiledHere
	}
	return p
}

// adoptedBase is the base of a cursor after an adoption: it shows nothing.
const adoptedBase = "3:3:"

// encoded returns seqs as event_outbox_cursor has them.
func encoded(seqs []int64) []byte {
	slices.Sort(seqs)
	return logcursor.Encode(seqs)
}
