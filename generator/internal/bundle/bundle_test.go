package bundle_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/generator/internal/bundle"
	"github.com/outboxgen/outboxgen/generator/internal/crossing"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

const root = "../../.."

// An independent validator gives the same verdicts with the one document as with the
// files of the project. The document refers to nothing outside itself.
func TestSameVerdicts(t *testing.T) {
	t.Parallel()
	projects, err := filepath.Glob(filepath.Join(root, "testdata/golden/*/outboxgen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	projects = append(projects, filepath.Join(root, "schemas/huleedu/outboxgen.yaml"))
	for _, config := range projects {
		t.Run(filepath.Base(filepath.Dir(config)), func(t *testing.T) {
			t.Parallel()
			if testing.Short() && filepath.Base(filepath.Dir(config)) == "shapes" {
				t.Skip("the project is large")
			}
			project, findings, err := schema.Load(filepath.Dir(config), "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if findings.HasErrors() {
				t.Fatal(findings.Sorted())
			}
			judged := 0
			for _, e := range project.Events {
				judged += requireSameVerdicts(t, project, e)
			}
			if judged == 0 {
				t.Errorf("no document of %d events was judged", len(project.Events))
			}
		})
	}
}

// requireSameVerdicts compares verdicts, and returns how many values it tried.
func requireSameVerdicts(t *testing.T, project *schema.Project, e *schema.Event) int {
	t.Helper()
	content, err := bundle.Document(e, schema.Exported)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := bundle.Document(e, schema.Exported); err != nil || !bytes.Equal(content, again) {
		t.Errorf("%s: another document the second time (%v):\n%s", e.Type, err, cmp.Diff(string(content), string(again)))
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		t.Fatalf("%s: %v\n%s", e.Type, err, content)
	}
	bundled := compiler(files{})
	add(t, bundled, "bundle.json", document)
	got, err := bundled.Compile("bundle.json")
	if err != nil {
		t.Fatalf("%s: %v\n%s", e.Type, err, content)
	}
	want := original(t, project, e)
	documents, err := crossing.NewLarge(document).Documents(document, got)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(d))
		if err != nil {
			t.Fatal(err)
		}
		byFiles, byDocument := want.Validate(value), got.Validate(value)
		if (byFiles == nil) != (byDocument == nil) {
			t.Fatalf("%s: %s\nwith the files: %v\nwith the document: %v", e.Type, d, byFiles, byDocument)
		}
	}
	return len(documents)
}

// files are the schemas of a project by address.
type files map[string]any

func (f files) Load(address string) (any, error) {
	if s, ok := f[strings.TrimSuffix(address, "#")]; ok {
		return s, nil
	}
	return nil, fmt.Errorf("no file for %s", address)
}

const base = "file:///project/"

// original compiles the schema of an event from the files of its project.
func original(t *testing.T, project *schema.Project, e *schema.Event) *jsonschema.Schema {
	t.Helper()
	all := files{}
	for _, d := range project.Documents {
		var node yaml.Node
		if err := yaml.Unmarshal(d.Source, &node); err != nil {
			t.Fatal(err)
		}
		value := plain(t, node.Content[0])
		object, ok := value.(map[string]any)
		if !ok {
			continue
		}
		if object["$schema"] == nil {
			object["$schema"] = dialects[d.Dialect]
		}
		all[base+d.Path] = value
		for _, word := range []string{"$id", "id"} {
			if id, ok := object[word].(string); ok {
				all[strings.TrimSuffix(id, "#")] = value
			}
		}
	}
	address := base + e.Schema.Doc.Path + "#" + e.Schema.Pointer
	if dialect := formatted[e.Type]; dialect != "" { // the validator knows no schemaFormat
		of := all[base+e.Schema.Doc.Path]
		for token := range strings.SplitSeq(e.Schema.Pointer[1:], "/") {
			of = of.(map[string]any)[token]
		}
		of.(map[string]any)["$schema"] = dialects[dialect]
		address = base + "payload.json"
		all[address] = of
	}
	c := compiler(all)
	s, err := c.Compile(address)
	if err != nil {
		t.Fatalf("%s: %v", e.Type, err)
	}
	return s
}

// formatted are the events whose messages of AsyncAPI have a schemaFormat, with its
// dialect.
var formatted = map[string]schema.Dialect{"golden.priced.v1": schema.Draft202012, "golden.invoice_paid.v2": schema.Draft4}

// plain returns a YAML value in the form that the validator accepts, with numbers as
// they were written.
func plain(t *testing.T, node *yaml.Node) any {
	t.Helper()
	switch node.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i < len(node.Content); i += 2 {
			object[node.Content[i].Value] = plain(t, node.Content[i+1])
		}
		return object
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			list = append(list, plain(t, item))
		}
		return list
	}
	switch node.Tag {
	case "!!int", "!!float":
		return json.Number(node.Value)
	case "!!bool":
		return node.Value == "true"
	case "!!null":
		return nil
	}
	return node.Value
}

// compiler returns the independent validator with these files. A pattern that it cannot
// compile allows every string.
func compiler(f files) *jsonschema.Compiler {
	c := verdict.Asserting()
	c.UseLoader(f)
	c.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		compiled, err := regexp.Compile(pattern)
		if err != nil {
			return regexp.MustCompile(""), nil //nolint:nilerr // both sides get the same
		}
		return compiled, nil
	})
	return c
}

var dialects = map[schema.Dialect]string{
	schema.Draft202012: "https://json-schema.org/draft/2020-12/schema",
	schema.Draft201909: "https://json-schema.org/draft/2019-09/schema",
	schema.Draft7:      "http://json-schema.org/draft-07/schema#",
	schema.Draft6:      "http://json-schema.org/draft-06/schema#",
	schema.Draft4:      "http://json-schema.org/draft-04/schema#",
}

func add(t *testing.T, c *jsonschema.Compiler, name string, value any) {
	t.Helper()
	if err := c.AddResource(name, value); err != nil {
		t.Fatal(err)
	}
}
