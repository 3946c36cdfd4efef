package lint_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/check/lint"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

var update = flag.Bool("update", false, "write the findings that come out as those that are wanted")

// Each archive under testdata/cases is a project. Its last file, want, has all
// findings. If an archive has no outboxgen.yaml, its schemas are *.yaml and *.json.
// Each id has an archive with its name, in which at least one file has this finding and
// at least one does not.
func TestCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	withOwn := map[string]bool{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		withOwn[name] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			findings, schemas := lintArchive(t, archive)
			var got strings.Builder
			hit := map[string]bool{}
			for _, f := range findings {
				got.WriteString(f.Line())
				if f.HasPointer {
					fmt.Fprintf(&got, " [#%s]", f.Pointer)
				}
				got.WriteString("\n")
				if f.ID == name && f.Pos.File != "outboxgen.yaml" {
					hit[f.Pos.File] = true
				}
			}
			if _, ok := finding.Lookup(name); ok && (len(hit) == 0 || len(hit) >= schemas) {
				t.Errorf("%d of %d files have a %s; it takes one that has and one that has not", len(hit), schemas, name)
			}
			want := &archive.Files[len(archive.Files)-1]
			if *update {
				want.Data = []byte(got.String())
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want.Data), got.String()); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
	for _, id := range finding.IDs(finding.Lint) {
		if !withOwn[id] {
			t.Errorf("testdata/cases has no archive for %s", id)
		}
	}
}

// lintArchive lints the project in an archive, which must have no errors, and
// counts its schema files.
func lintArchive(t *testing.T, archive *txtar.Archive) (findings []finding.Finding, schemas int) {
	t.Helper()
	project := fstest.MapFS{}
	var patterns []string
	for _, f := range archive.Files {
		if f.Name == "want" {
			continue
		}
		project[f.Name] = &fstest.MapFile{Data: f.Data}
		if f.Name != "outboxgen.yaml" {
			patterns = append(patterns, f.Name)
		}
	}
	if project["outboxgen.yaml"] == nil {
		project["outboxgen.yaml"] = &fstest.MapFile{Data: fmt.Appendf(nil, "version: 1\nservice: shop\nout: events\nschemas: [%s]\n", strings.Join(patterns, ", "))}
	}
	p, list, err := schema.LoadFS(project, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Sorted() {
		if f.Severity == finding.Error {
			t.Errorf("the case is broken: %s", f)
		}
	}
	return lint.Lint(p), len(patterns)
}
