package golden_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	tombstones "github.com/outboxgen/outboxgen/testdata/golden/tombstones/events"
)

// noting returns a handler that notes its keys.
func noting[Key any](handled *[]string, what string) func(context.Context, Key) error {
	return func(_ context.Context, key Key) error {
		*handled = append(*handled, fmt.Sprintf("%s %T %v", what, key, key))
		return nil
	}
}

// Every generated function for tombstones inserts a row without data, whose key is that of
// the events, and the generated handlers get the key in its type.
func TestTombstonesAreInsertedAndHandled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	pg := services.Postgres(t)
	conn := pg.Connect(ctx)
	if err := migrations.Up(ctx, conn); err != nil {
		t.Fatal(err)
	}
	order := uuid.MustParse("018fd0a0-0000-7000-8000-00000000000a")
	events := []outbox.Event{
		tombstones.OrderChangedV1{OrderID: order, Tombstone: tombstones.OrderChangedV1TombstoneType{Why: "moved"}},
		tombstones.StockCountedV1{Warehouse: "w", Item: tombstones.StockCountedV1Item{Number: -7}},
		outbox.With(tombstones.PriceSetV1{Amount: 1}, outbox.WithAggregateID("p")),
		tombstones.RegionOpenedV1{Region: tombstones.RegionOpenedV1RegionNorth},
		tombstones.CustomerV1{Number: 1<<64 - 1},
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var batch pgx.Batch
		return errors.Join(
			tombstones.InsertAll(ctx, tx, events...),
			tombstones.InsertOrderChangedV1Tombstone(ctx, tx, order),
			tombstones.InsertAll(ctx, tx, tombstones.StockCountedV1Tombstone{Key: -7}, outbox.With(tombstones.PriceSetV1Tombstone{Key: "p"}, outbox.WithHeader("why", "old"))),
			tombstones.QueueRegionOpenedV1Tombstone(ctx, &batch, tombstones.RegionOpenedV1RegionNorth),
			tombstones.QueueCustomerV1Tombstone(ctx, &batch, 1<<64-1),
			tombstones.QueueParcelMovedV1Tombstone(ctx, &batch, order),
			tx.SendBatch(ctx, &batch).Close(),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	var handled []string
	router := consume.NewRouter()
	tombstones.OnOrderChangedV1Tombstone(router, noting[uuid.UUID](&handled, "order"))
	tombstones.OnStockCountedV1Tombstone(router, noting[int64](&handled, "stock"))
	tombstones.OnPriceSetV1Tombstone(router, noting[string](&handled, "price"))
	tombstones.OnRegionOpenedV1Tombstone(router, noting[tombstones.RegionOpenedV1Region](&handled, "region"))
	tombstones.OnCustomerV1Tombstone(router, noting[uint64](&handled, "customer"))
	tombstones.OnParcelMovedV1Tombstone(router, noting[uuid.UUID](&handled, "parcel"))

	type line struct {
		Topic, Key string
		Tombstone  bool
	}
	var got []line
	for _, row := range outboxtest.Pending(t, conn) {
		got = append(got, line{row.Topic, *row.Key, row.Data == nil})
		m := consume.Message{Topic: row.Topic, Key: []byte(*row.Key), Value: row.Data, Headers: []outbox.Header{{Key: "event_type", Value: []byte(row.EventType)}}}
		if err := router.Dispatch(ctx, m); err != nil {
			t.Error(err)
		}
	}
	const number = "18446744073709551615"
	want := []line{
		{"golden.orders", order.String(), false}, {"golden.stock.v1", "-7", false}, {"golden.price.v1", "p", false},
		{"golden.region.v1", "north", false}, {"golden.customer.v1", number, false},
		{"golden.orders", order.String(), true}, {"golden.stock.v1", "-7", true}, {"golden.price.v1", "p", true},
		{"golden.region.v1", "north", true}, {"golden.customer.v1", number, true}, {"golden.parcel.v1", order.String(), true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	wantHandled := []string{
		"order uuid.UUID " + order.String(), "stock int64 -7", "price string p", "region events.RegionOpenedV1Region north", "customer uint64 " + number,
		"parcel uuid.UUID " + order.String(),
	}
	if diff := cmp.Diff(wantHandled, handled); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// The handler of tombstones that another service publishes gets the key in its type.
func TestTombstonesOfAnotherServiceAreHandled(t *testing.T) {
	t.Parallel()
	var handled []string
	router := consume.NewRouter()
	tombstones.OnPalletSeenV1Tombstone(router, noting[int64](&handled, "pallet"))
	m := consume.Message{Topic: "golden.pallet.v1", Key: []byte("12"), Headers: []outbox.Header{{Key: "event_type", Value: []byte("golden.pallet.v1")}}}
	if err := router.Dispatch(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"pallet int64 12"}, handled); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// A key that was probably forgotten is refused, as it is in an event.
func TestForgottenKeyOfATombstone(t *testing.T) {
	t.Parallel()
	rec := outboxtest.NewRecorder(t)
	err := tombstones.InsertOrderChangedV1Tombstone(t.Context(), rec, uuid.UUID{})
	if _, ok := errors.AsType[*outbox.InsertError](err); !ok {
		t.Errorf("the zero UUID: %v", err)
	}
	err = tombstones.InsertDeviceSeenV1Tombstone(t.Context(), rec, uuid.UUID{}) // the data need not have it, but a tombstone must
	if err == nil || !strings.Contains(err.Error(), "the key of the tombstone is the zero UUID; it was probably not set") {
		t.Errorf("the zero UUID as an optional key: %v", err)
	}
	if err := tombstones.InsertPriceSetV1Tombstone(t.Context(), rec, ""); err == nil {
		t.Error("an empty key is accepted")
	}
	if err := tombstones.InsertStockCountedV1Tombstone(t.Context(), rec, 0); err != nil { // a number like any other
		t.Error(err)
	}
	if got := outboxtest.One[tombstones.StockCountedV1Tombstone](t, rec); got.Data.Key != 0 || got.Row.Data != nil {
		t.Errorf("%+v", got)
	}
}
