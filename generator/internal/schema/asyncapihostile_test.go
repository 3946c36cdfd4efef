package schema

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
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
	loads, turn := 0, 0
	for i, name := range documents {
		if testing.Short() && i%2 != 0 {
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
			values := wrong
			if testing.Short() { // each place has one of them
				turn = (turn + 1) % len(wrong)
				values = wrong[turn : turn+1]
			}
			for _, other := range values {
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

// A large trait that many messages have takes memory once, whatever is merged with it.
func TestAsyncAPIWithALargeTrait(t *testing.T) {
	const messages, most = 150, 200 << 20
	bomb := "a0: &a0 {k: v, n: null}\n"
	for i := range 4 {
		alias := fmt.Sprintf("*a%d", i)
		bomb += fmt.Sprintf("  a%d: &a%d {", i+1, i+1)
		for j := range 10 {
			bomb += fmt.Sprintf("k%d: %s, ", j, alias)
		}
		bomb += "}\n"
	}
	for _, version := range []string{"2.6.0", "3.0.0"} {
		for name, traits := range map[string]string{"one": "[{$ref: '#/components/messageTraits/a'}]", "two": "[{$ref: '#/components/messageTraits/a'}, {$ref: '#/components/messageTraits/b'}]"} {
			document := "asyncapi: " + version + "\ninfo: {title: A, version: '1'}\nx-parts:\n  " + bomb +
				"components:\n  messageTraits: {a: {x-big: *a4}, b: {x-big: *a3, x-other: *a4}}\n  messages:\n"
			for i := range messages {
				document += fmt.Sprintf("    m%d: {traits: %s, payload: {type: object}, x-big: {own: 1, k0: *a1}}\n", i, traits)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, list, err := LoadFS(fstest.MapFS{
				"outboxgen.yaml": &fstest.MapFile{Data: []byte("version: 1\nservice: a\nout: events\nschemas: ['asyncapi.*']\n")},
				"asyncapi.yaml":  &fstest.MapFile{Data: []byte(document)},
			}, "outboxgen.yaml")
			runtime.ReadMemStats(&after)
			if err != nil || list.HasErrors() {
				t.Fatal(err, list.Sorted())
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("%s, %s: %d MB", version, name, used>>20)
			}
		}
	}
}

// Traits that cannot share what is merged are an error once the messages are too large.
func TestAsyncAPIWithManyLargeMessages(t *testing.T) {
	t.Parallel()
	const messages, members = 1500, 5000
	var document strings.Builder
	document.WriteString("asyncapi: 3.0.0\ninfo: {title: A, version: '1'}\ncomponents:\n  messageTraits: {a: {x-big: {")
	for i := range members {
		fmt.Fprintf(&document, "k%d: 1, ", i)
	}
	document.WriteString("}}}\n  messages:\n")
	for i := range messages {
		fmt.Fprintf(&document, "    m%d: {traits: [{$ref: '#/components/messageTraits/a'}], payload: {type: object}, x-big: {own: 1}}\n", i)
	}
	_, list, err := LoadFS(fstest.MapFS{
		"outboxgen.yaml": &fstest.MapFile{Data: []byte("version: 1\nservice: a\nout: events\nschemas: ['asyncapi.*']\n")},
		"asyncapi.yaml":  &fstest.MapFile{Data: []byte(document.String())},
	}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range list.Sorted() {
		if f.Severity == finding.Error {
			ids = append(ids, f.ID)
		}
	}
	if diff := cmp.Diff([]string{"too-many-values"}, ids); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
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
