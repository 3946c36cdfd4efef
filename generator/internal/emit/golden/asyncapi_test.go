package golden_test

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/testdata/golden/asyncapi/events"
	delivery "github.com/outboxgen/outboxgen/testdata/golden/delivery/events"
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

// An event that the service only receives can be decoded and handled, also its tombstones,
// but not inserted.
func TestAsyncAPIReceives(t *testing.T) {
	t.Parallel()
	id := uuid.MustParse("018fd0a0-0000-7000-8000-000000000001")
	if _, inserts := any(events.PaymentReceivedV1{}).(outbox.Event); inserts {
		t.Error("the event can be inserted")
	}
	value := []byte(`{"specversion":"1.0","id":"` + id.String() + `","source":"bank","type":"golden.payment_received.v1",` +
		`"time":"2026-01-15T09:30:00Z","data":{"payment_id":"` + id.String() + `","paid_at":"2026-01-15T09:30:00Z"}}`)
	var handled []string
	r := consume.NewRouter()
	events.OnPaymentReceivedV1(r, func(_ context.Context, e outbox.Envelope[events.PaymentReceivedV1]) error {
		handled = append(handled, e.SourceService+" "+e.Data.PaymentID.String())
		return nil
	})
	events.OnPaymentReceivedV1Tombstone(r, func(_ context.Context, key uuid.UUID) error {
		handled = append(handled, "deleted "+key.String())
		return nil
	})
	for _, m := range []consume.Message{
		{Value: value},
		{Key: []byte(id.String()), Headers: []outbox.Header{{Key: "event_type", Value: []byte("golden.payment_received.v1")}, {Key: "event_id", Value: []byte(id.String())}}},
	} {
		if err := r.Dispatch(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"bank " + id.String(), "deleted " + id.String()}
	if diff := cmp.Diff(want, handled); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
}

// The exported document describes the records that the relay sends: every attribute of
// their envelopes, every header, the key, and the place of the correlation id.
func TestAsyncAPIDescribesRecords(t *testing.T) {
	t.Parallel()
	project, list, err := schema.Load(filepath.Join(root, "testdata/golden/delivery"), "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	text, _, err := bundle.AsyncAPI(bundle.Service{Name: "golden", Version: "1.0.0"}, project.Events)
	if err != nil {
		t.Fatal(err)
	}
	exported, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.MustParse("018fd0a0-0000-7000-8000-000000000001")
	for name, event := range map[string]outbox.Event{
		"BareV1":      delivery.BareV1{ID: id, Kind: "one", Part: delivery.BareV1Part{Key: "k"}},
		"CloudV1":     delivery.CloudV1{ID: id, Kind: "one", Part: delivery.CloudV1Part{Key: "k"}},
		"NestedKeyV1": delivery.NestedKeyV1{ID: id, Kind: "one", Part: delivery.NestedKeyV1Part{Key: "k"}},
	} {
		row, err := event.NewRow(t.Context(), outbox.WithCausationID("cause-1"), outbox.WithMetadata("a", 1))
		if err != nil {
			t.Fatal(err)
		}
		value, headers := document(t, row.Data), document(t, row.Headers).(map[string]any)
		headers["event_id"], headers["event_type"] = row.ID.String(), row.EventType // the relay adds them
		message := "#/components/messages/" + name

		validPart(t, exported, message+"/payload", value)
		validPart(t, exported, message+"/headers", headers)
		validPart(t, exported, message+"/bindings/kafka/key", *row.Key)
		for header := range headers {
			at(t, exported, "#/components/schemas/RecordHeaders/properties/"+header)
		}
		base := map[string]string{"CloudV1": "CloudEvent", "NestedKeyV1": "OutboxEnvelope"}[name]
		for member := range value.(map[string]any) {
			if base != "" && member != "data" {
				at(t, exported, "#/components/schemas/"+base+"/properties/"+member)
			}
		}
		place := at(t, exported, message+"/correlationId/location").(string)
		var got any
		if pointer, ok := strings.CutPrefix(place, "$message.payload#"); ok {
			got = at(t, value, "#"+pointer)
		} else {
			got = at(t, headers, "#"+strings.TrimPrefix(place, "$message.header#"))
		}
		if got != row.CorrelationID {
			t.Errorf("%s: at %s there is %v, but the correlation id is %s", name, place, got, row.CorrelationID)
		}
	}
}

// validPart checks a value against a schema in a document.
func validPart(t *testing.T, in any, pointer string, value any) {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	if err := c.AddResource("asyncapi.json", in); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("asyncapi.json" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(value); err != nil {
		t.Errorf("%s: %v", pointer, err)
	}
}

// at returns the value at a pointer, through references.
func at(t *testing.T, in any, pointer string) any {
	t.Helper()
	v := in
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		object, _ := v.(map[string]any)
		if ref, ok := object["$ref"].(string); ok {
			object, _ = at(t, in, ref).(map[string]any)
		}
		inner, ok := object[token]
		if !ok {
			t.Fatalf("nothing at %s: no %s", pointer, token)
		}
		v = inner
	}
	return v
}
