package golden_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/golden/asyncapi/events"
)

// The rows of events that are messages of AsyncAPI: the payload is the value of the
// record, unless x-outbox asks for an envelope. The Kafka binding gives the key, and
// correlationId the correlation id.
func TestAsyncAPIRows(t *testing.T) {
	t.Parallel()
	order := uuid.MustParse("018fd0a0-0000-7000-8000-000000000001")
	amount, trace := int64(250), "trace-1"
	type row struct{ Type, Topic, Key, Aggregate, Correlation, Value string }
	for want, event := range map[row]outbox.Event{
		{"golden.priced.v1", "golden.prices", "tea", "price tea", "", `["tea",250]`}:                                   events.GoldenPricedV1{SKU: "tea", Amount: &amount},
		{"golden.invoice_paid.v2", "golden.invoices", "i-7", "invoice i-7", "", `{"invoice":"i-7","amount":1}`}:        events.InvoicePaidV2{Invoice: "i-7", Amount: 1},
		{"golden.order_placed.v1", "golden.orders", "c-1", "order " + order.String(), "trace-1", "golden_service c-1"}: events.OrderPlacedV1{OrderID: order, Customer: "c-1", Trace: &trace},
	} {
		got, err := event.NewRow(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		value, correlation := string(got.Data), ""
		if event, ok := event.(events.OrderPlacedV1); ok { // it has an envelope
			var envelope struct {
				Source string               `json:"source_service"`
				Data   events.OrderPlacedV1 `json:"data"`
			}
			if err := json.Unmarshal(got.Data, &envelope); err != nil {
				t.Fatal(err)
			}
			value, correlation = envelope.Source+" "+envelope.Data.Customer, got.CorrelationID
			if *envelope.Data.Trace != *event.Trace {
				t.Errorf("trace is %s", *envelope.Data.Trace)
			}
		}
		if diff := cmp.Diff(want, row{got.EventType, got.Topic, *got.Key, got.AggregateType + " " + got.AggregateID, correlation, value}); diff != "" {
			t.Errorf("row (-want +got):\n%s", diff)
		}
	}
	if err := (events.InvoicePaidV2{Invoice: "i-7"}).Validate(); err == nil {
		t.Error("an amount of 0 is valid, although draft-04 excludes it")
	}
}
