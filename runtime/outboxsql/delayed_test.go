package outboxsql_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/gen"
	"github.com/outboxgen/outboxgen/runtime/internal/querymode"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
)

// Delayed events are inserted and cancelled in every mode of the driver, and their
// outcomes and savepoints are as for other events.
func TestDelayedEventsInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range append([]string{"cache_statement"}, querymode.Others...) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			db := open(t, querymode.In(t, s.URL, mode))
			ob, seen := newOutbox(t, db, outbox.Options{})
			at := time.Date(2999, 1, 2, 3, 4, 5, 678_000, time.FixedZone("", 3600))
			id := outbox.WithID(uuid.UUID{15: 1})
			var first, again outbox.Outcome
			var cancelled bool
			err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
				var events []outbox.Event
				for _, text := range hard {
					events = append(events, outbox.With(Paid{text}, outbox.WithDeliverAt(at), outbox.WithHeader("note", text)))
				}
				err := errors.Join(
					gen.InsertAll(ctx, tx, insertRows, events...),
					gen.Insert(ctx, tx, insertRows, Paid{"past"}, outbox.WithDeliverAt(time.Unix(0, 0))),
					gen.Insert(ctx, tx, insertRows, Paid{"gone"}, id, outbox.WithDeliverAt(at), outbox.WithOutcome(&first)),
					gen.Insert(ctx, tx, insertRows, Paid{"gone"}, id, outbox.WithDeliverAt(at), outbox.WithOutcome(&again)),
				)
				dropped := errors.New("dropped")
				failed := tx.Savepoint(ctx, func(ctx context.Context, tx *outboxsql.Tx) error {
					return errors.Join(gen.Insert(ctx, tx, insertRows, Paid{"dropped"}, outbox.WithDeliverAt(at)), dropped)
				})
				if !errors.Is(failed, dropped) {
					err = errors.Join(err, failed)
				}
				found, cancelErr := outbox.CancelDelayed(ctx, tx, uuid.UUID{15: 1})
				cancelled = found
				return errors.Join(err, cancelErr)
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]bool{true, false, true}, []bool{first.Inserted, again.Inserted, cancelled}); diff != "" {
				t.Errorf("inserted, inserted again, cancelled (-want +got):\n%s", diff)
			}
			var got []string
			for _, r := range outboxtest.Delayed(t, outboxsql.DB(db)) {
				if !r.DeliverAt.Equal(at.Truncate(time.Microsecond)) {
					t.Errorf("%s is due at %s, want %s", r.AggregateID, r.DeliverAt, at)
				}
				got = append(got, r.AggregateID)
			}
			if diff := cmp.Diff(hard, got); diff != "" {
				t.Errorf("delayed (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append(slices.Clone(hard), "past"), seen.committed()); diff != "" { // not what was cancelled
				t.Errorf("logged (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"past"}, s.kept(t).Events); diff != "" {
				t.Errorf("not delayed (-want +got):\n%s", diff)
			}
		})
	}
}
