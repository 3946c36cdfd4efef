package bundle_test

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/crossing"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// An independent validator gives the same verdicts with the schemas in a document of
// AsyncAPI, in draft-07, as with the files of the project. If a warning says that the
// document omits something, it only accepts more.
func TestAsyncAPISameVerdicts(t *testing.T) {
	t.Parallel()
	projects, err := filepath.Glob(filepath.Join(root, "testdata/golden/*/outboxgen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range append(projects, filepath.Join(root, "schemas/huleedu/outboxgen.yaml")) {
		t.Run(filepath.Base(filepath.Dir(config)), func(t *testing.T) {
			t.Parallel()
			if testing.Short() && filepath.Base(filepath.Dir(config)) == "shapes" {
				t.Skip("the project is large")
			}
			project, findings, err := schema.Load(filepath.Dir(config), "outboxgen.yaml")
			if err != nil || findings.HasErrors() {
				t.Fatal(err, findings.Sorted())
			}
			content, list, err := bundle.AsyncAPI(bundle.Service{Name: "golden", Version: "1.0.0"}, project.Events)
			if err != nil {
				t.Fatal(err)
			}
			wider := map[string]bool{} // files of which the document omits something
			for _, f := range list.Sorted() {
				wider[f.Pos.File] = true
			}
			judged := 0
			for _, e := range project.Events {
				document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
				if err != nil {
					t.Fatal(err)
				}
				component := document.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)[e.GoName]
				if component == nil {
					continue // another event has the same schema
				}
				c := compiler(files{})
				c.DefaultDraft(jsonschema.Draft7)
				add(t, c, "asyncapi.json", document)
				got, err := c.Compile("asyncapi.json#/components/schemas/" + e.GoName)
				if err != nil {
					t.Fatalf("%s: %v", e.Type, err)
				}
				want := original(t, project, e)
				values, err := crossing.NewLarge(document).Documents(component, got)
				if err != nil {
					t.Fatal(err)
				}
				for _, text := range values {
					value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
					if err != nil {
						t.Fatal(err)
					}
					byFiles, byDocument := want.Validate(value), got.Validate(value)
					if byFiles == nil && byDocument != nil || byFiles != nil && byDocument == nil && !wider[e.Schema.Doc.Path] {
						t.Fatalf("%s: %s\nwith the files: %v\nwith the document: %v", e.Type, text, byFiles, byDocument)
					}
				}
				judged += len(values)
			}
			if judged == 0 {
				t.Errorf("no document of %d events was judged", len(project.Events))
			}
		})
	}
}
