package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/internal/insertdb"
	"github.com/outboxgen/outboxgen/runtime/internal/link"
	"github.com/outboxgen/outboxgen/runtime/internal/sqlstate"
)

// delayedTable is the table in which delayed events wait.
const delayedTable = "event_outbox_delayed"

// CancelDelayed deletes a delayed event that is still waiting for its time (see
// WithDeliverAt), and reports whether there was one. It is part of the transaction: if
// that is rolled back, the event waits again. The event's id can then be used again.
//
// It returns false if no event with this id waits: there was none, it was cancelled
// before, or its time has come and the relay has moved it. Then it is published, and
// CancelDelayed cannot prevent that. If the relay is moving it at this moment,
// CancelDelayed waits for the result.
//
// If the relay moves the event after the first statement of a REPEATABLE READ or
// SERIALIZABLE transaction, the transaction still sees the event but cannot delete it.
// Then CancelDelayed returns an error (SQLSTATE 40001), and the transaction has to run
// again: SafeToRetry is true for the error, and InTx runs the function again if
// Options.MaxRetries allows it. The next run gets false.
//
// While the transaction is open, the relay does not move the event and later delayed
// events of its topic and key, even if they are due. So keep the transaction short.
//
// The table is found by the search_path, as in package inbox. If outboxgen.yaml has
// sqlc.schema, call CancelDelayed of the generated package, which uses the table of its
// insert functions.
func CancelDelayed(ctx context.Context, tx Transaction, id uuid.UUID) (bool, error) {
	return cancelDelayed(ctx, tx, insertdb.CancelDelayed, id)
}

// cancelDelayed is CancelDelayed with the statement for a schema.
func cancelDelayed(ctx context.Context, tx Transaction, sql string, id uuid.UUID) (bool, error) {
	if r, ok := tx.(link.Canceler); ok {
		return r.CancelDelayed(id)
	}
	tag, err := tx.Exec(ctx, sql, id)
	if err != nil {
		hint := remedy(err, sessionOf(connOf(tx)))
		if sqlstate.Code(err) == sqlstate.SerializationFailure {
			hint = " (the event was taken by the relay, or changed, after this transaction took its snapshot: " +
				"run the transaction again, as InTx does with Options.MaxRetries)"
		}
		return false, fmt.Errorf("outbox: cancel the delayed event %s: %w%s", id, err, hint)
	}
	if tag.RowsAffected() == 0 {
		return false, nil
	}
	switch tx := tx.(type) {
	case *Tx:
		tx.kept.cancel(id)
	case link.Ledgered:
		tx.Ledger().(*ledger).kept.cancel(id)
	}
	return true, nil
}

// delayed reports whether the event is inserted into the table of delayed events.
func (r *Row) delayed() bool { return !r.DeliverAt.IsZero() }

// lastYear is the last one whose text has the form of RFC 3339.
const lastYear = 9999

// deliverTime returns the time of WithDeliverAt as the column holds it: in microseconds,
// rounded up, so that the event is never early.
func (o *rowOptions) deliverTime() (time.Time, error) {
	if o.deliverAt.IsZero() {
		return time.Time{}, nil
	}
	at := o.deliverAt.UTC().Add(time.Microsecond - 1).Truncate(time.Microsecond)
	if at.Year() < 1 || at.Year() > lastYear {
		return time.Time{}, errors.New("the time given by WithDeliverAt is not in the years 1 to 9999")
	}
	return at, nil
}

// deliverTimes returns the times of delayed events, as an argument of their statement.
func deliverTimes(list []built) []string {
	times := make([]string, len(list))
	for i, b := range list {
		times[i] = b.Row.DeliverAt.Format(time.RFC3339Nano)
	}
	return times
}
