package generator_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/generator"
	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

var update = flag.Bool("update", false, "write what the tests find as what is wanted")

// A project that is exported to AsyncAPI and imported from there into a new project is
// the same: its events have the same properties, the catalogue says the same of them, and
// every declaration of the Go package is the same, with its comments and its code. So the
// same documents are valid. Only places in the schema files differ, and the Go file that declares a type.
//
// testdata/roundtrip.txt lists the differences of the projects that use what AsyncAPI
// cannot say; "go test ./generator -run TestAsyncAPIRoundTrip -update" writes it.
func TestAsyncAPIRoundTrip(t *testing.T) {
	t.Parallel()
	dirs := map[string]string{"huleedu": "../schemas/huleedu", "service": "../testdata/service"}
	projects, err := filepath.Glob("../testdata/golden/*/outboxgen.yaml")
	if err != nil || len(projects) < 20 {
		t.Fatalf("%d golden projects: %v", len(projects), err)
	}
	for _, project := range projects {
		dirs["golden/"+filepath.Base(filepath.Dir(project))] = filepath.Dir(project)
	}
	for _, name := range []string{"people", "letters"} {
		dirs[name] = "testdata/roundtrip/" + name
	}
	inJSON := []string{"huleedu", "service", "golden/constraints", "golden/values"}
	if testing.Short() && !*update {
		few := []string{"service", "people", "letters", "golden/values"}
		maps.DeleteFunc(dirs, func(name, _ string) bool { return !slices.Contains(few, name) })
		inJSON = []string{"service"}
	}
	var mu sync.Mutex
	differences := map[string]string{}
	t.Run("projects", func(t *testing.T) {
		test := func(name, dir string, o generator.AsyncAPIOptions) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				found := roundTrip(t, dir, o)
				mu.Lock()
				defer mu.Unlock()
				differences[name] = found
			})
		}
		for name, dir := range dirs {
			test(name, dir, generator.AsyncAPIOptions{})
		}
		for _, name := range inJSON {
			test(name+" in JSON", dirs[name], generator.AsyncAPIOptions{JSON: true})
		}
	})
	const file = "testdata/roundtrip.txt"
	if *update {
		var got strings.Builder
		for _, name := range slices.Sorted(maps.Keys(differences)) {
			if differences[name] != "" {
				got.WriteString(name + "\n" + differences[name])
			}
		}
		if err := os.WriteFile(file, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]string{} // by the name of the project
	name := ""
	for line := range strings.Lines(string(want)) {
		if strings.HasPrefix(line, " ") {
			wanted[name] += line
		} else {
			name = strings.TrimSuffix(line, "\n")
		}
	}
	for name := range differences {
		if wanted[name] == "" {
			wanted[name] = "" // of most projects there are none
		}
	}
	if testing.Short() {
		maps.DeleteFunc(wanted, func(name, _ string) bool { _, played := differences[name]; return !played })
	}
	if diff := cmp.Diff(wanted, differences); diff != "" {
		t.Errorf("differences after export and import (-want +got):\n%s", diff)
	}
}

// roundTrip exports a project and imports it, and returns the differences, one per line:
// what the export and the import report, the events, and the Go declarations.
func roundTrip(t *testing.T, dir string, o generator.AsyncAPIOptions) string {
	t.Helper()
	before, list, err := schema.Load(dir, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	file := "asyncapi.yaml"
	if o.JSON {
		file = "asyncapi.json"
	}
	exported, err := generator.ExportAsyncAPI(generator.Config{Dir: dir}, o)
	if err != nil || exported.Failed() {
		t.Fatal(err, exported)
	}
	document := exported.Files[0].Content

	after, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: importing(t, dir, file)},
		file:             {Data: document},
	}, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}

	reported := map[string]int{}
	for _, f := range exported.Findings {
		if f.ID == "asyncapi-export-loses" {
			reported["export reports "+f.ID]++
		}
	}
	for _, f := range list.Sorted() {
		reported["import reports "+f.ID]++
	}
	var lines []string
	for what, times := range reported {
		lines = append(lines, fmt.Sprintf("  %s, %d times\n", what, times))
	}
	if diff := cmp.Diff(before.Events, after.Events, cmpopts.IgnoreUnexported(schema.Event{}),
		cmpopts.IgnoreFields(schema.Event{}, "Schema", "Within", "AlsoWithin", "Title", "Description", "Examples"), cmpopts.IgnoreTypes(finding.Pos{})); diff != "" {
		t.Errorf("events (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(said(before), said(after)); diff != "" {
		t.Errorf("what people read (-before +after):\n%s", diff)
	}
	former, latter := declarations(t, before), declarations(t, after)
	for name, text := range former {
		if latter[name] == "" {
			lines = append(lines, "  only before: "+name+"\n")
		} else if latter[name] != text {
			lines = append(lines, "  changed: "+name+"\n")
		}
	}
	for name := range latter {
		if former[name] == "" {
			lines = append(lines, "  only after: "+name+"\n")
		}
	}

	// A second export is the same document.
	again := t.TempDir()
	for name, content := range map[string][]byte{"outboxgen.yaml": importing(t, dir, file), file: document} {
		if err := os.WriteFile(filepath.Join(again, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if string(document) != string(exportAsyncAPI(t, again, o)) {
		lines = append(lines, "  a second export is another document\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// told is what the catalogue tells people about an event.
type told struct {
	Title, Description string
	Examples           []string // that are valid
}

// said returns what the catalogue tells people about a project: about the service, and about
// each event by its Go name.
func said(p *schema.Project) map[string]told {
	all := map[string]told{"the service": {Title: p.Config.About.Owner, Description: p.Config.About.Description}}
	v := validator.New(p.Config.Validation != schema.SpecValidation)
	for _, e := range p.Events {
		of := told{Title: e.ShownTitle(), Description: e.ShownDescription()}
		if of.Title == "" {
			of.Title = strings.TrimSuffix(e.GoName, fmt.Sprintf("V%d", e.Version))
		}
		for _, example := range e.Examples {
			if v.Check(e.Schema, example) != validator.Invalid {
				of.Examples = append(of.Examples, example.Canonical())
			}
		}
		all[e.GoName] = of
	}
	return all
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
	for _, of := range []string{"events", "sqlc", "lint", "dialects", "owner", "description"} {
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
