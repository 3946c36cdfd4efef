package site

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/generator/internal/example"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
	outbox "github.com/outboxgen/outboxgen/runtime"
	asyncapi "github.com/outboxgen/outboxgen/testdata/golden/asyncapi/events"
	delivery "github.com/outboxgen/outboxgen/testdata/golden/delivery/events"
	tombstones "github.com/outboxgen/outboxgen/testdata/golden/tombstones/events"
	grading "github.com/outboxgen/outboxgen/testdata/service/events"
)

// The record of an example is byte for byte what the runtime writes for the same data:
// with each envelope, with and without a key, with ids from the data and from the
// caller.
func TestRecordIsThatOfTheRuntime(t *testing.T) {
	t.Parallel()
	for folder, events := range map[string]map[string]func([]byte) (outbox.Event, error){
		"golden/delivery": {
			"BareV1":           decoded[delivery.BareV1],
			"CloudV1":          decoded[delivery.CloudV1],
			"GivenAggregateV1": decoded[delivery.GivenAggregateV1],
			"NestedKeyV1":      decoded[delivery.NestedKeyV1],
			"OptionalKeyV1":    decoded[delivery.OptionalKeyV1],
			"UnkeyedV1":        decoded[delivery.UnkeyedV1],
		},
		"golden/tombstones": {"StockCountedV1": decoded[tombstones.StockCountedV1], "OrderChangedV1": decoded[tombstones.OrderChangedV1]},
		"golden/asyncapi": {
			"OrderPlacedV1":  decoded[asyncapi.OrderPlacedV1],
			"GoldenPricedV1": decoded[asyncapi.GoldenPricedV1],
			"InvoicePaidV2":  decoded[asyncapi.InvoicePaidV2],
		},
		"service": {"EssayGradedV1": decoded[grading.EssayGradedV1]},
	} {
		project := load(t, folder)
		v := validator.New(true)
		checked := 0
		for _, e := range project.Events {
			decode := events[e.GoName]
			if decode == nil {
				continue
			}
			checked++
			found := example.Of(e.Schema, v)
			if found == nil {
				t.Errorf("%s has no example", e.GoName)
				continue
			}
			got := recordOf(e, project.Config.Service, found.Value)
			got.Shown = ""
			if diff := cmp.Diff(written(t, e, decode, found.Value), got); diff != "" {
				t.Errorf("%s: the example is not what the runtime writes (-runtime +example):\n%s", e.GoName, diff)
			}
		}
		if checked != len(events) {
			t.Errorf("%s: %d of %d events are there", folder, checked, len(events))
		}
	}
}

func load(t *testing.T, folder string) *schema.Project {
	t.Helper()
	project, list, err := schema.Load(filepath.Join("..", "..", "..", "testdata", filepath.FromSlash(folder)), "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if list.HasErrors() {
		t.Fatal(list.Sorted())
	}
	return project
}

// decoded returns data as the generated type.
func decoded[T outbox.Event](data []byte) (outbox.Event, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}

// written returns the record of the runtime. The relay adds the first two headers.
func written(t *testing.T, e *schema.Event, decode func([]byte) (outbox.Event, error), data *schema.Value) *record {
	t.Helper()
	event, err := decode([]byte(data.JSON()))
	if err != nil {
		t.Fatalf("%s: %v", e.GoName, err)
	}
	at, err := time.Parse(time.RFC3339, exampleTime)
	if err != nil {
		t.Fatal(err)
	}
	opts := []outbox.Option{outbox.WithID(uuid.MustParse(exampleID)), outbox.WithTime(at)}
	if e.AggregateID == nil {
		opts = append(opts, outbox.WithAggregateID(called(e.AggregateType)))
	}
	row, err := event.NewRow(t.Context(), opts...)
	if err != nil {
		t.Fatalf("%s: %v", e.GoName, err)
	}
	r := &record{Key: row.Key, Value: string(row.Data), Headers: []header{{"event_id", row.ID.String()}, {"event_type", row.EventType}}}
	headers := json.NewDecoder(bytes.NewReader(row.Headers))
	for name := text(t, headers); name != ""; name = text(t, headers) {
		r.Headers = append(r.Headers, header{name, text(t, headers)})
	}
	return r
}

// text returns the next string, or "" at the end.
func text(t *testing.T, d *json.Decoder) string {
	t.Helper()
	for d.More() {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := token.(string); ok {
			return s
		}
	}
	return ""
}
