package endtoend_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	tombstones "github.com/outboxgen/outboxgen/testdata/golden/tombstones/events"
)

// An event and its tombstone go through the generated functions to the typed handlers of a
// consumer, in this order. The record of the tombstone has the key of the event and a null
// value.
func TestAnEventAndItsTombstone(t *testing.T) {
	t.Parallel()
	const orders = "golden.orders"
	each(t, func(p *path) {
		order := tombstones.OrderChangedV1{OrderID: uuid.New(), Tombstone: tombstones.OrderChangedV1TombstoneType{Why: "moved"}}
		must(p.t, p.ob.InTx(p.t.Context(), func(ctx context.Context, tx *outbox.Tx) error {
			return tombstones.InsertOrderChangedV1(ctx, tx, order, outbox.WithPartition(2))
		}))
		deleted := outbox.ContextWithCorrelationID(p.t.Context(), "deletion")
		must(p.t, p.ob.InTx(deleted, func(ctx context.Context, tx *outbox.Tx) error {
			return tombstones.InsertOrderChangedV1Tombstone(ctx, tx, order.OrderID, outbox.WithPartition(2))
		}))
		p.relay()
		p.published(2)
		p.requireNothingCounted()

		rows := p.rowsOf(orders)
		var got []wireRow
		for _, r := range p.records(orders) {
			if r.Partition == 2 && string(r.Key) == order.OrderID.String() { // other tests of this Kafka write here too
				got = append(got, ofRecord(r))
				if tombstone := r.Value == nil; tombstone != (len(got) == 2) {
					p.t.Errorf("record %d is a tombstone: %v", len(got), tombstone)
				}
			}
		}
		equal(p.t, "records", rows, got)

		type handled struct {
			What        string
			Order       uuid.UUID
			Correlation string
		}
		done := make(chan handled, 2)
		router := consume.NewRouter()
		tombstones.OnOrderChangedV1(router, func(_ context.Context, e outbox.Envelope[tombstones.OrderChangedV1]) error {
			if e.Data.OrderID == order.OrderID {
				done <- handled{"changed", e.Data.OrderID, ""}
			}
			return nil
		})
		tombstones.OnOrderChangedV1Tombstone(router, func(ctx context.Context, key uuid.UUID) error {
			if key == order.OrderID {
				done <- handled{"deleted", key, outbox.CorrelationIDFromContext(ctx)}
			}
			return nil
		})
		p.consume(router, orders)
		for _, want := range []handled{{"changed", order.OrderID, ""}, {"deleted", order.OrderID, "deletion"}} {
			equal(p.t, "handled", want, <-done)
		}
	}, orders)
}

// rowsOf returns what the records of a topic's rows have to be.
func (p *path) rowsOf(topic string) (out []wireRow) {
	p.t.Helper()
	for _, r := range p.rows() {
		if r.Topic == topic {
			out = append(out, p.ofRow(r))
		}
	}
	return out
}
