package schema_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

var update = flag.Bool("update", false, "write the diagnostics that come out as those that are wanted")

const plainConfig = `version: 1
service: sample
schemas: ["*.yaml", "*.json"]
out: events
`

// Each archive under testdata/diagnostics is a project. Its last file, want, has every
// diagnostic of loading it. If an archive has no outboxgen.yaml, every YAML and JSON
// file of its top folder is a schema.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases found: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			project, want := fstest.MapFS{}, ""
			patterns := map[string]bool{}
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				project[f.Name] = &fstest.MapFile{Data: f.Data}
				if !strings.Contains(f.Name, "/") {
					patterns["*"+filepath.Ext(f.Name)] = true
				}
			}
			if project["outboxgen.yaml"] == nil {
				config := plainConfig
				for _, pattern := range []string{"*.yaml", "*.json"} {
					if !patterns[pattern] {
						config = strings.NewReplacer(`"`+pattern+`", `, "", `, "`+pattern+`"`, "").Replace(config)
					}
				}
				project["outboxgen.yaml"] = &fstest.MapFile{Data: []byte(config)}
			}

			got := loadWithIDs(t, project)

			if *update {
				for i := range archive.Files {
					if archive.Files[i].Name == "want" {
						archive.Files[i].Data = []byte(got)
					}
				}
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

// idOfLine matches the id at the end of a line.
var idOfLine = regexp.MustCompile(`(?m) \[[a-z0-9-]+\]$`)

// load returns the diagnostics of a project without their ids, one per line.
func load(t *testing.T, project fstest.MapFS) string {
	t.Helper()
	return idOfLine.ReplaceAllString(loadWithIDs(t, project), "")
}

// loadWithIDs returns the diagnostics of a project, one per line.
func loadWithIDs(t *testing.T, project fstest.MapFS) string {
	t.Helper()
	_, list, err := schema.LoadFS(project, "outboxgen.yaml")
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
	var b strings.Builder
	for _, f := range list.Sorted() {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}
