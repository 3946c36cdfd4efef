package emit_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

var update = flag.Bool("update", false, "write the golden packages instead of comparing with them")

const (
	root   = "../../.."
	module = "github.com/outboxgen/outboxgen"
)

// golden is one project and the folder that holds its generated package.
type golden struct {
	name    string
	project string // relative to the repository
	out     string
}

func goldens(t *testing.T) []golden {
	t.Helper()
	all := []golden{{"huleedu", "schemas/huleedu", "testdata/golden/huleedu/events"}}
	configs, err := filepath.Glob(filepath.Join(root, "testdata/golden/*/outboxgen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, config := range configs {
		dir := "testdata/golden/" + filepath.Base(filepath.Dir(config))
		all = append(all, golden{filepath.Base(dir), dir, dir + "/events"})
	}
	return all
}

// generate runs the generator over a project of the repository.
func generate(t *testing.T, g golden) ([]emit.File, *finding.List) {
	t.Helper()
	project, findings, err := schema.Load(filepath.Join(root, g.project), "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if findings.HasErrors() {
		t.Fatalf("findings: %v", findings.Sorted())
	}
	files, list, err := emit.Package(project, emit.Options{
		OutboxDB: module + "/testdata/golden/huleedu/events/outboxdb",
		Dir:      filepath.Join(root, g.out),
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings.Sorted() {
		list.Add(f)
	}
	return files, list
}

// Every golden package is equal to what the generator writes.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			files, list := generate(t, g)
			if list.HasErrors() {
				t.Fatalf("findings: %v", list.Sorted())
			}
			want := map[string]string{}
			for _, f := range files {
				want[f.Path] = string(f.Content)
			}
			var findings bytes.Buffer
			for _, f := range list.Sorted() {
				findings.WriteString(f.String() + "\n")
			}
			dir := filepath.Join(root, g.out)
			if *update {
				write(t, dir, want)
			}
			if diff := cmp.Diff(read(t, dir), want); diff != "" {
				t.Errorf("the golden package differs from what is generated (go test -update writes it): (-golden +generated)\n%s", diff)
			}
			findingsFile := filepath.Join(root, "testdata/golden", g.name, "findings.txt")
			if *update {
				if err := os.WriteFile(findingsFile, findings.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(findingsFile)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(golden), findings.String()); diff != "" {
				t.Errorf("findings: (-golden +generated)\n%s", diff)
			}
		})
	}
}

// read returns the generated files of a folder.
func read(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(content), emit.Header) {
			files[filepath.Base(path)] = string(content)
		}
	}
	return files
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name := range read(t, dir) {
		if _, ok := files[name]; !ok {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
