package emit_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// The sample events, rewritten in each older dialect, give the same code as in 2020-12,
// except for the places of keywords.
func TestOlderDialectsGiveTheSameCode(t *testing.T) {
	t.Parallel()
	project := sampleProject(t)
	want := generateFS(t, project)
	if len(want) < 10 {
		t.Fatalf("%d files", len(want))
	}
	for _, dialect := range []schema.Dialect{schema.Draft201909, schema.Draft7, schema.Draft6, schema.Draft4} {
		t.Run(string(dialect), func(t *testing.T) {
			t.Parallel()
			older := fstest.MapFS{}
			for name, file := range project {
				if name != "outboxgen.yaml" {
					file = &fstest.MapFile{Data: translated(t, file.Data, dialect)}
				}
				older[name] = file
			}
			if diff := cmp.Diff(withoutPlaces(want), withoutPlaces(generateFS(t, older))); diff != "" {
				t.Errorf("generated code (-2020-12 +%s):\n%s", dialect, diff)
			}
		})
	}
}

// places matches the code with the places of schemas, which differ between dialects.
var places = regexp.MustCompile(`(?m)^\tc\.Schema\([^()]*\)\n|c\.Schema\([^()]*\)|^var \w+Places = [^{]*{\n(?:\t.*\n)*}\n*`)

func withoutPlaces(files map[string]string) map[string]string {
	out := map[string]string{}
	for name, content := range files {
		out[name] = strings.TrimSpace(places.ReplaceAllString(content, ""))
	}
	return out
}

// sampleProject returns the project of the sample events.
func sampleProject(t *testing.T) fstest.MapFS {
	t.Helper()
	project := fstest.MapFS{}
	for _, pattern := range []string{"outboxgen.yaml", "*.v*.yaml", "common/*.yaml"} {
		names, err := filepath.Glob(filepath.Join(root, "schemas/huleedu", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range names {
			name, err := filepath.Rel(filepath.Join(root, "schemas/huleedu"), path)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			project[filepath.ToSlash(name)] = &fstest.MapFile{Data: text}
		}
	}
	return project
}

// generateFS generates a project that loads without findings. It returns the files and
// the findings.
func generateFS(t *testing.T, project fstest.MapFS) map[string]string {
	t.Helper()
	loaded, findings, err := schema.LoadFS(project, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings.Sorted() {
		t.Errorf("loading: %s", f)
	}
	files, list, err := emit.Package(loaded, emit.Options{OutboxDB: module + "/outboxdb"})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range list.Sorted() {
		out["findings"] += f.Message + "\n"
	}
	if list.HasErrors() {
		t.Errorf("generating:\n%s", out["findings"])
	}
	for _, f := range files {
		out[f.Path] = string(f.Content)
	}
	return out
}

// translated returns a YAML schema of 2020-12 in an older dialect. The order of
// members, which the order of Go fields follows, stays.
func translated(t *testing.T, text []byte, dialect schema.Dialect) []byte {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	older(&doc, dialect)
	out, err := yaml.Marshal(&doc)
	if err != nil {
		t.Fatal(err)
	}
	if dialect != schema.Draft201909 && regexp.MustCompile(`\$defs|\$anchor|prefixItems|dependent[RS]`).Match(out) {
		t.Fatalf("the translation keeps words of 2020-12:\n%s", out)
	}
	return out
}

func older(n *yaml.Node, dialect schema.Dialect) {
	for _, child := range n.Content {
		older(child, dialect)
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	at := func(name string) int {
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == name {
				return i
			}
		}
		return -1
	}
	if i := at("$schema"); i >= 0 {
		n.Content[i+1].Value = "http://json-schema.org/" + string(dialect) + "/schema#"
		if dialect == schema.Draft201909 {
			n.Content[i+1].Value = "https://json-schema.org/draft/2019-09/schema"
		}
	}
	if dialect == schema.Draft201909 {
		return
	}
	if i := at("$defs"); i >= 0 {
		n.Content[i].Value = "definitions"
	}
	if i := at("$ref"); i >= 0 && n.Content[i+1].Kind == yaml.ScalarNode {
		n.Content[i+1].Value = strings.Replace(n.Content[i+1].Value, "#/$defs/", "#/definitions/", 1)
		if len(n.Content) > 2 {
			ref := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{n.Content[i], n.Content[i+1]}}
			n.Content[i] = &yaml.Node{Kind: yaml.ScalarNode, Value: "allOf"}
			n.Content[i+1] = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{ref}}
		}
	}
	if dialect != schema.Draft4 {
		return
	}
	if i := at("$id"); i >= 0 {
		n.Content[i].Value = "id"
	}
	if i := at("const"); i >= 0 {
		n.Content[i].Value = "enum"
		n.Content[i+1] = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n.Content[i+1]}}
	}
	if i := at("exclusiveMinimum"); i >= 0 {
		n.Content[i].Value = "minimum"
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: "exclusiveMinimum"}, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	}
}
