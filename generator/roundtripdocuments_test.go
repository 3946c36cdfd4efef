package generator_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator"
	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// A validator of JSON Schema accepts and rejects the same records by the schemas of a
// project, by the payloads of the exported document, and by the schemas of the project
// that imports it: the sample records, and each of them with one value missing or of
// another type.
func TestAsyncAPIRoundTripOfDocuments(t *testing.T) {
	t.Parallel()
	const dir = "../schemas/huleedu"
	before, list, err := schema.Load(dir, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	document := exportAsyncAPI(t, dir, generator.AsyncAPIOptions{JSON: true})
	after, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: importing(t, dir, "asyncapi.json")}, "asyncapi.json": {Data: document},
	}, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	validators := map[string][]judge{} // by event type
	for i, e := range before.Events {
		validators[e.Type] = []judge{
			{"the project", record(t, e)},
			{"the exported document", payload(t, document, e.GoName)},
			{"the importing project", record(t, after.Events[i])},
		}
	}
	samples, err := filepath.Glob(dir + "/examples/*.json")
	if err != nil || len(samples) == 0 {
		t.Fatal("no sample records", err)
	}
	accepted, rejected := 0, 0
	for _, sample := range samples {
		text, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		value := decodeJSON(t, text)
		kind := value.(map[string]any)["event_type"].(string)
		for _, v := range validators[kind] {
			if err := v.schema.Validate(value); err != nil {
				t.Errorf("%s: %s rejects the sample: %v", sample, v.of, err)
			}
		}
		for _, mutant := range mutants(value) {
			// Only the document says what correlation_id: uuid of the project asks for.
			if o, ok := mutant.(map[string]any); ok && o["correlation_id"] != value.(map[string]any)["correlation_id"] {
				if _, text := o["correlation_id"].(string); text {
					continue
				}
			}
			first := validators[kind][0].schema.Validate(mutant)
			for _, v := range validators[kind][1:] {
				if err := v.schema.Validate(mutant); (err == nil) != (first == nil) {
					text, _ := json.Marshal(mutant)
					t.Errorf("%s: the project says %v, %s says %v:\n%s", sample, first, v.of, err, text)
				}
			}
			if first == nil {
				accepted++
			} else {
				rejected++
			}
		}
	}
	if accepted < 100 || rejected < 100 {
		t.Errorf("%d changed records are accepted and %d rejected; that is too few to compare", accepted, rejected)
	}
}

type judge struct {
	of     string
	schema *jsonschema.Schema
}

// record compiles the schema of the event's records.
func record(t *testing.T, e *schema.Event) *jsonschema.Schema {
	t.Helper()
	text, err := bundle.Record(e)
	if err != nil {
		t.Fatal(err)
	}
	return compiled(t, decodeJSON(t, text), "")
}

// payload compiles the payload of a message in a document of AsyncAPI.
func payload(t *testing.T, document []byte, message string) *jsonschema.Schema {
	t.Helper()
	return compiled(t, decodeJSON(t, document), "#/components/messages/"+message+"/payload")
}

func compiled(t *testing.T, document any, pointer string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if pointer != "" {
		c.DefaultDraft(jsonschema.Draft7)
	}
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decodeJSON(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// mutants returns value with one value inside it missing, or replaced by another one.
func mutants(value any) []any {
	all := []any{nil, true, json.Number("-1"), json.Number("1.5"), "", strings.Repeat("x", 300), []any{}, map[string]any{}}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			without := maps.Clone(v)
			delete(without, name)
			all = append(all, without)
			for _, inner := range mutants(v[name]) {
				with := maps.Clone(v)
				with[name] = inner
				all = append(all, with)
			}
		}
	case []any:
		for i := range v {
			for _, inner := range mutants(v[i]) {
				with := slices.Clone(v)
				with[i] = inner
				all = append(all, with)
			}
		}
	}
	return all
}
