package golden_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/migrations"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/outboxtest"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	eventunions "github.com/outboxgen/outboxgen/testdata/golden/eventunions/events"
)

// eventUnionDocuments holds valid documents with every branch.
var eventUnionDocuments = map[string][]string{
	"order": {
		`{"order_id":7,"customer":{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11","more":1},"trace_id":"t","change":"placed","lines":["a"]}`,
		`{"order_id":7,"customer":{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"},"change":"shipped","carrier":"c",
		"part_of":{"order_id":8,"customer":{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"},"change":"refused","reason":"r"}}`,
		`{"order_id":7,"customer":{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"},"change":"cancelled"}`,
	},
	"contact": {`{"id":"1","mail":"a@b.se","phone":"no"}`, `{"id":"1","phone":"12"}`, `{"id":"1","phone":"12","mail":"a@b.se"}`},
	"parcel":  {`{"kind":"loaded","parcel":"p","truck":"t","more":[1]}`, `{"kind":"unloaded","parcel":"p","shelf":3}`},
}

// Event data that is one of several objects is decoded and encoded without a change.
func TestEventUnionsRoundTrip(t *testing.T) {
	t.Parallel()
	for _, document := range eventUnionDocuments["order"] {
		roundTrip[eventunions.OrderChangedV1](t, []byte(document))
	}
	for _, document := range eventUnionDocuments["contact"] {
		roundTrip[eventunions.ContactGivenV1](t, []byte(document))
	}
	for _, document := range eventUnionDocuments["parcel"] {
		roundTrip[eventunions.ParcelMovedV1](t, []byte(document))
		roundTrip[eventunions.ParcelReturnedV1](t, []byte(document))
	}
	expect[eventunions.OrderChangedV1](t, `{"order_id":7,"change":"lost"}`, []string{" oneOf"})
	expectDecodeError[eventunions.OrderChangedV1](t, `null`, " type")
}

// Each branch of event data is inserted with its own id and key, and reaches
// the handler of the event.
func TestEventUnionInsertedAndHandled(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	conn := services.Postgres(t).Connect(ctx)
	if err := migrations.Up(ctx, conn); err != nil {
		t.Fatal(err)
	}
	customer := uuid.New()
	placed := eventunions.OrderChangedV1{Value: eventunions.NewOrderPlaced(eventunions.OrderPlaced{
		OrderID: 7, Customer: eventunions.OrderChangedV1Customer{ID: customer}, Lines: []string{"a"},
	})}
	cancelled := eventunions.OrderChangedV1{Value: eventunions.OrderChangedV1Cancelled{
		OrderID: 8, Customer: eventunions.OrderChangedV1Customer{ID: customer}, Change: eventunions.OrderChangedV1CancelledChangeCancelled,
	}}
	contact, err := eventunions.ContactGivenV1FromPhoneContact(eventunions.PhoneContact{ID: "c", Phone: "12"})
	if err != nil {
		t.Fatal(err)
	}
	loaded := eventunions.ParcelMovedV1{Value: eventunions.NewLoaded(eventunions.Loaded{Parcel: "p", Truck: "t"})}

	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // does nothing after the commit
	if err := eventunions.InsertOrderChangedV1(ctx, tx, placed); err != nil {
		t.Fatal(err)
	}
	if err := eventunions.InsertAll(ctx, tx, cancelled, contact, loaded); err != nil {
		t.Fatal(err)
	}
	var invalid *outbox.ValidationError
	if err := eventunions.InsertOrderChangedV1(ctx, tx, eventunions.OrderChangedV1{}); !errors.As(err, &invalid) {
		t.Errorf("data that is not set: %v", err)
	}
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}

	type line struct {
		Aggregate string
		Key       *string
	}
	var got []line
	var handled []any
	router := consume.NewRouter(consume.OnUnknown(consume.Skip))
	eventunions.OnOrderChangedV1(router, func(_ context.Context, e outbox.Envelope[eventunions.OrderChangedV1]) error {
		handled = append(handled, e.Data)
		return nil
	})
	eventunions.OnContactGivenV1(router, func(_ context.Context, e outbox.Envelope[eventunions.ContactGivenV1]) error {
		handled = append(handled, e.Data)
		return nil
	})
	for _, row := range outboxtest.Pending(t, conn) {
		got = append(got, line{row.AggregateID, row.Key})
		if err := router.Dispatch(ctx, consume.Message{Topic: row.Topic, Value: row.Data}); err != nil {
			t.Error(err)
		}
	}
	want := []line{{"7", new(customer.String())}, {"8", new(customer.String())}, {"c", new("c")}, {"p", new("p")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]any{placed, cancelled, contact}, handled); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// The data of an envelope is read with a type switch.
func TestEventUnionDecoded(t *testing.T) {
	t.Parallel()
	customer := eventunions.OrderChangedV1Customer{ID: uuid.MustParse("3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11")}
	data := eventunions.OrderChangedV1{Value: eventunions.NewOrderPlaced(eventunions.OrderPlaced{OrderID: 7, Customer: customer, Lines: []string{"a"}})}
	row, err := data.NewRow(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e, err := eventunions.DecodeOrderChangedV1(row.Data)
	if err != nil {
		t.Fatal(err)
	}
	switch data := e.Data.Value.(type) {
	case eventunions.OrderPlaced:
		if diff := cmp.Diff([]string{"a"}, data.Lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	default:
		t.Errorf("%T", data)
	}
	var raw json.RawMessage
	if raw, err = json.Marshal(data); err != nil || string(raw) != `{"order_id":7,"customer":{"id":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"},"change":"placed","lines":["a"]}` {
		t.Errorf("%s, %v", raw, err)
	}
}
