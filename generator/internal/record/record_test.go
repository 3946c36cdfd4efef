package record_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/generator/internal/example"
	"github.com/outboxgen/outboxgen/generator/internal/record"
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
			for _, data := range []*schema.Value{found.Value, respelled(found.Value)} {
				got := record.Of(e, project.Config.Service, data, true)
				if diff := cmp.Diff(written(t, e, decode, data), got); diff != "" {
					t.Errorf("%s: the example %s is not what the runtime writes (-runtime +example):\n%s", e.GoName, data.JSON(), diff)
				}
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

// respelled returns a value with its numbers in another spelling: 1 is 10e-1, and 1.5 is
// 1.5e0.
func respelled(v *schema.Value) *schema.Value {
	other := *v
	switch {
	case v.Kind == schema.NumberKind && strings.Contains(v.Text, "."):
		other.Text += "e0"
	case v.Kind == schema.NumberKind:
		other.Text += "0e-1"
	}
	other.Items, other.Members = nil, nil
	for _, item := range v.Items {
		other.Items = append(other.Items, respelled(item))
	}
	for _, m := range v.Members {
		other.Members = append(other.Members, schema.Member{Name: m.Name, Value: respelled(m.Value)})
	}
	return &other
}

// Numbers of a record are spelled as the Go type of their schema writes them. Those that
// keep their text in Go do so here.
func TestRecordSpellsNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{ // strict, and validation: spec
		`{type: integer}`:                                            {`100`, `100`},
		`{type: number}`:                                             {`100`, `1e2`},
		`{type: number, format: decimal}`:                            {`1e2`, `1e2`},
		`{allOf: [{type: number}, {type: integer}]}`:                 {`100`, `100`},
		`{anyOf: [{type: integer}, {type: string}]}`:                 {`100`, `100`},
		`{oneOf: [{type: integer}, {type: 'null'}]}`:                 {`100`, `100`},
		`{type: [integer, 'null']}`:                                  {`100`, `100`},
		`{$ref: '#/$defs/n'}`:                                        {`100`, `100`},
		`{minimum: 1}`:                                               {`100`, `1e2`},
		`true`:                                                       {`1e2`, `1e2`},
		`{enum: [1e2, 2]}`:                                           {`100`, `100`},
		`{type: array, items: {type: integer}}`:                      {`[100]`, `[100]`},
		`{type: array, prefixItems: [{type: integer}], items: {}}`:   {`[100]`, `[100]`},
		`{type: object, additionalProperties: {type: integer}}`:      {`{"a":100}`, `{"a":100}`},
		`{type: object, patternProperties: {'^a': {type: integer}}}`: {`{"a":100}`, `{"a":100}`},
		`{type: object, patternProperties: {'^b': {type: integer}}}`: {`{"a":1e2}`, `{"a":1e2}`},
		`{type: object, properties: {a: {}}, additionalProperties: {type: integer}}`: {`{"a":1e2}`, `{"a":1e2}`},
	} {
		data := "1e2"
		switch {
		case strings.Contains(text, "array"):
			data = "[1e2]"
		case strings.Contains(text, "object"):
			data = "{a: 1e2}"
		}
		project, list, err := schema.LoadFS(fstest.MapFS{
			"outboxgen.yaml": {Data: []byte("version: 1\nservice: s\nschemas: [a.yaml]\nout: events\n")},
			"a.yaml": {Data: []byte("title: A\nx-outbox: {version: 1, type: a.v1, envelope: none, aggregate: {type: a}}\ntype: object\n" +
				"properties: {v: " + text + "}\nexamples: [{v: " + data + "}]\n$defs: {n: {type: integer}}\n")},
		}, "outboxgen.yaml")
		if err != nil || list.HasErrors() {
			t.Fatal(err, list.Sorted())
		}
		e := project.Events[0]
		for i, strict := range []bool{true, false} {
			got := record.Of(e, "s", e.Schema.Examples[0], strict).Value
			if want := `{"v":` + want[i] + `}`; got != want {
				t.Errorf("%s, strict %t: the value is %s, want %s", text, strict, got, want)
			}
		}
	}
}

// decoded returns data as the generated type.
func decoded[T outbox.Event](data []byte) (outbox.Event, error) {
	var v T
	err := json.Unmarshal(data, &v)
	return v, err
}

// written returns the record of the runtime. The relay adds the first two headers.
func written(t *testing.T, e *schema.Event, decode func([]byte) (outbox.Event, error), data *schema.Value) *record.Record {
	t.Helper()
	event, err := decode([]byte(data.JSON()))
	if err != nil {
		t.Fatalf("%s: %v", e.GoName, err)
	}
	at, err := time.Parse(time.RFC3339, record.Time)
	if err != nil {
		t.Fatal(err)
	}
	opts := []outbox.Option{outbox.WithID(uuid.MustParse(record.ID)), outbox.WithTime(at)}
	if e.AggregateID == nil {
		opts = append(opts, outbox.WithAggregateID(e.AggregateType+"-1"))
	}
	row, err := event.NewRow(t.Context(), opts...)
	if err != nil {
		t.Fatalf("%s: %v", e.GoName, err)
	}
	r := &record.Record{Key: row.Key, Value: string(row.Data), Headers: []record.Header{{"event_id", row.ID.String()}, {"event_type", row.EventType}}}
	headers := json.NewDecoder(bytes.NewReader(row.Headers))
	for name := text(t, headers); name != ""; name = text(t, headers) {
		r.Headers = append(r.Headers, record.Header{name, text(t, headers)})
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
