package generator_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/generator"
	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// A project that is exported to AsyncAPI and imported from there into a new project is
// the same: its events have the same properties, and every declaration of the Go
// package is the same, with its comments and its code. So the same documents are valid.
// Only places in the schema files differ, and the Go file that declares a type.
func TestAsyncAPIRoundTrip(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{"huleedu": "../schemas/huleedu", "service": "../testdata/service"}
	for _, name := range []string{
		"presence", "pointers", "comparable", "forgotten", "zeros", "constraints", "collections", "tuples",
		"matching", "values", "defaults", "eventunions", "delivery", "tombstones",
	} {
		dirs[name] = "../testdata/golden/" + name
	}
	for name, dir := range dirs {
		for _, asJSON := range []bool{false, true} {
			file := "asyncapi.yaml"
			if asJSON {
				file = "asyncapi.json"
			}
			t.Run(name+"/"+file, func(t *testing.T) {
				t.Parallel()
				before, list, err := schema.Load(dir, "outboxgen.yaml")
				if err != nil || list.HasErrors() {
					t.Fatal(err, list.Sorted())
				}
				document := exportAsyncAPI(t, dir, generator.AsyncAPIOptions{JSON: asJSON})

				after, list, err := schema.LoadFS(fstest.MapFS{
					"outboxgen.yaml": {Data: importing(t, dir, file)},
					file:             {Data: document},
				}, "outboxgen.yaml")

				if err != nil || list.HasErrors() {
					t.Fatal(err, list.Sorted())
				}
				for _, f := range list.Sorted() {
					t.Errorf("importing reports %s", f)
				}
				if diff := cmp.Diff(before.Events, after.Events, cmpopts.IgnoreUnexported(schema.Event{}),
					cmpopts.IgnoreFields(schema.Event{}, "Schema", "Within", "Description"), cmpopts.IgnoreTypes(finding.Pos{})); diff != "" {
					t.Errorf("events (-before +after):\n%s", diff)
				}
				if diff := cmp.Diff(declarations(t, before), declarations(t, after)); diff != "" {
					t.Errorf("Go declarations (-before +after):\n%s", diff)
				}

				// A second export is the same document.
				again := t.TempDir()
				for name, content := range map[string][]byte{"outboxgen.yaml": importing(t, dir, file), file: document} {
					if err := os.WriteFile(filepath.Join(again, name), content, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if diff := cmp.Diff(string(document), string(exportAsyncAPI(t, again, generator.AsyncAPIOptions{JSON: asJSON}))); diff != "" {
					t.Errorf("second export (-first +second):\n%s", diff)
				}
			})
		}
	}
}

func exportAsyncAPI(t *testing.T, dir string, o generator.AsyncAPIOptions) []byte {
	t.Helper()
	exported, err := generator.ExportAsyncAPI(generator.Config{Dir: dir}, o)
	if err != nil || exported.Failed() {
		t.Fatal(err, exported)
	}
	return exported.Files[0].Content
}

// importing returns the project file of dir, with the document as its only schema.
func importing(t *testing.T, dir, document string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "outboxgen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for _, of := range []string{"events", "sqlc", "lint", "dialects"} {
		delete(config, of)
	}
	config["schemas"] = []string{document}
	if text, err = yaml.Marshal(config); err != nil {
		t.Fatal(err)
	}
	return text
}

// place matches the place of a schema in generated code: its file, and its pointer.
var place = regexp.MustCompile(`"[^"]*\.(yaml|json)#[^"]*"`)

// declarations returns the Go declarations of a project by their names, without places.
func declarations(t *testing.T, p *schema.Project) map[string]string {
	t.Helper()
	files, list, err := emit.Package(p, emit.Options{OutboxDB: "example.com/events/outboxdb"})
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	all := map[string]string{}
	for _, file := range files {
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, file.Path, file.Content, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
				continue
			}
			content := file.Content[fset.Position(start(decl)).Offset:fset.Position(decl.End()).Offset]
			// How gofmt breaks the lines depends on the lengths of the places.
			text := strings.Join(strings.Fields(place.ReplaceAllString(string(content), `"PLACE"`)), " ")
			text = strings.NewReplacer(", }", "}", "{ ", "{", " }", "}").Replace(text)
			name := strings.TrimPrefix(string(content[fset.Position(decl.Pos()).Offset-fset.Position(start(decl)).Offset:]), "const (\n")
			name, _, _ = strings.Cut(strings.TrimSpace(name), "\n")
			name, _, _ = strings.Cut(name, "{")
			all[strings.Join(strings.Fields(place.ReplaceAllString(name, "PLACE")), " ")] += text + "\n"
		}
	}
	if len(all) == 0 {
		t.Fatal("there are no declarations")
	}
	return all
}

// start returns the beginning of a declaration, with its comment.
func start(decl ast.Decl) token.Pos {
	switch d := decl.(type) {
	case *ast.GenDecl:
		if d.Doc != nil {
			return d.Doc.Pos()
		}
	case *ast.FuncDecl:
		if d.Doc != nil {
			return d.Doc.Pos()
		}
	}
	return decl.Pos()
}
