package schema

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// A document of AsyncAPI with any value in any place loads without a panic, and every
// finding has a place that exists.
func TestAsyncAPIWithAnyValueAnywhere(t *testing.T) {
	t.Parallel()
	documents, err := filepath.Glob("testdata/asyncapi/*.txtar")
	if err != nil || len(documents) == 0 {
		t.Fatal("no documents of AsyncAPI", err)
	}
	wrong := []*Value{
		{Kind: Null},
		{Kind: Bool, Bool: true},
		{Kind: Bool},
		{Kind: NumberKind, Text: "7"},
		{Kind: String, Text: "a\tb/{c}"},
		{Kind: Array, Items: []*Value{{Kind: Null}}},
		{Kind: Object},
		{Kind: Object, Members: []Member{{Name: "$ref", Value: &Value{Kind: String, Text: "#"}}}},
		{Kind: Object, Members: []Member{{Name: "$ref", Value: &Value{Kind: String, Text: "#/channels"}}}},
		{Kind: Object, Members: []Member{
			{Name: "schemaFormat", Value: &Value{Kind: String, Text: "application/schema+json;version=draft-04"}},
			{Name: "schema", Value: &Value{Kind: Object, Members: []Member{{Name: "$ref", Value: &Value{Kind: String, Text: "#/components"}}}}},
		}},
	}
	loads := 0
	for i, name := range documents {
		if testing.Short() && i%8 != 0 {
			continue
		}
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		project, main := fstest.MapFS{}, ""
		for _, f := range archive.Files {
			if f.Name == "want" {
				continue
			}
			project[f.Name] = &fstest.MapFile{Data: f.Data}
			if filepath.Base(f.Name) == "asyncapi.yaml" || f.Name == "asyncapi.json" {
				main = f.Name
			}
		}
		if project["outboxgen.yaml"] == nil {
			project["outboxgen.yaml"] = &fstest.MapFile{Data: []byte("version: 1\nservice: a\nout: events\nschemas: ['asyncapi.*']\n")}
		}
		v, _ := readValue(main, project[main].Data, &finding.List{})
		places(v, func(at *Value) {
			before := *at
			for _, other := range wrong {
				*at = *other
				project[main] = &fstest.MapFile{Data: []byte(v.JSON())}
				sources := map[string][]byte{}
				for file, content := range project {
					sources[file] = content.Data
				}
				_, list, err := LoadFS(project, "outboxgen.yaml")
				if err != nil {
					t.Fatal(err)
				}
				checkPlaces(t, sources, list)
				loads++
			}
			*at = before
		})
	}
	if loads < 1000 {
		t.Errorf("only %d documents", loads)
	}
}

// Choices whose branches lead to the same choice take no time that doubles with each layer.
func TestAsyncAPIWithLayersOfChoices(t *testing.T) {
	t.Parallel()
	var document strings.Builder
	document.WriteString("asyncapi: 2.6.0\ninfo: {title: A, version: '1'}\nchannels: {c: {subscribe: {message: {$ref: '#/components/messages/m0'}}}}\ncomponents:\n  messages:\n")
	const layers = 60
	for i := range layers {
		next := fmt.Sprintf("{$ref: '#/components/messages/m%d'}", i+1)
		fmt.Fprintf(&document, "    m%d: {oneOf: [%s, %s]}\n", i, next, next)
	}
	fmt.Fprintf(&document, "    m%d: {payload: {type: object}, x-outbox: {aggregate: {type: order}}}\n", layers)
	project, list, err := LoadFS(fstest.MapFS{
		"outboxgen.yaml": &fstest.MapFile{Data: []byte("version: 1\nservice: a\nout: events\nschemas: ['asyncapi.*']\n")},
		"asyncapi.yaml":  &fstest.MapFile{Data: []byte(document.String())},
	}, "outboxgen.yaml")
	if err != nil || len(list.Sorted()) > 0 || len(project.Events) != 1 {
		t.Errorf("%v, %v", err, list.Sorted())
	}
}

// Pointers that lead through references take no time that doubles with each of them.
func TestAsyncAPIWithPointersThroughReferences(t *testing.T) {
	t.Parallel()
	const layers = 60
	var document strings.Builder
	document.WriteString("asyncapi: 3.0.0\ninfo: {title: A, version: '1'}\ncomponents:\n  messages:\n    D0: {payload: {type: object}, x-outbox: {aggregate: {type: order}}}\n")
	message := func(name string, n int) string { return fmt.Sprintf("{$ref: '#/components/messages/%s%d'}", name, n) }
	for n := range layers {
		fmt.Fprintf(&document, "    A%d: {$ref: '#/components/messages/A%d/x/y'}\n", n+1, n+2)
		fmt.Fprintf(&document, "    D%d: {x: %s, y: %s}\n", n+1, message("A", n+1), message("D", n))
	}
	fmt.Fprintf(&document, "    A%d: %s\n    D%d: {x: {y: %s}}\n", layers+1, message("D", layers+1), layers+1, message("D", layers))
	document.WriteString("    Z: " + message("A", 1) + "\n")
	project, list, err := LoadFS(fstest.MapFS{
		"outboxgen.yaml": &fstest.MapFile{Data: []byte("version: 1\nservice: a\nout: events\nschemas: ['asyncapi.*']\n")},
		"asyncapi.yaml":  &fstest.MapFile{Data: []byte(document.String())},
	}, "outboxgen.yaml")
	if err != nil || list.HasErrors() || len(project.Events) != 1 {
		t.Errorf("%d events, %v, %v", len(project.Events), err, list.Sorted())
	}
}

// places calls visit for each value inside v.
func places(v *Value, visit func(*Value)) {
	for _, m := range v.Members {
		visit(m.Value)
		places(m.Value, visit)
	}
	for _, item := range v.Items {
		visit(item)
		places(item, visit)
	}
}
