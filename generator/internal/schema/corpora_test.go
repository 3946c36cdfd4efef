package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// corpora returns the folder of real schemas that are not part of this repository:
// OUTBOXGEN_CORPORA, else ../shared/corpora beside the repository.
func corpora(t *testing.T, parts ...string) string {
	t.Helper()
	dir := os.Getenv("OUTBOXGEN_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpora")
	}
	dir = filepath.Join(append([]string{dir}, parts...)...)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here; OUTBOXGEN_CORPORA names the folder of the corpora", filepath.Join(parts...))
	}
	return dir
}

// Every CDEvents schema loads as it is, described in the config.
func TestCDEvents(t *testing.T) {
	t.Parallel()
	project := fstest.MapFS{}
	dir := corpora(t, "cdevents")
	var files []string
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".json" || strings.HasPrefix(name, "conformance/") || name == "custom/conformance.json" {
			return err
		}
		src, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		project["vendor/"+name] = &fstest.MapFile{Data: src}
		files = append(files, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	config.WriteString("version: 1\nservice: ci\nout: events\nschemas: [vendor/schemas/links/*.json, vendor/schemas/registry/*.json, vendor/schemas/_defs/*.json]\nevents:\n")
	events := 0
	for _, name := range files {
		if path.Dir(name) != "schemas" && name != "custom/schema.json" {
			continue
		}
		events++
		fmt.Fprintf(&config, "  - schema: vendor/%s\n    version: 1\n    type: dev.cdevents.%s\n    aggregate: {type: subject, id: /subject/id}\n    correlation: /context/chainId\n",
			name, strings.TrimSuffix(path.Base(name), ".json"))
	}
	project["outboxgen.yaml"] = &fstest.MapFile{Data: []byte(config.String())}

	p, list, err := schema.LoadFS(project, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}

	// The glossary in _defs has members of its own, one of them close to a keyword.
	for _, f := range list.Sorted() {
		if f.Severity != finding.Warning || f.ID != "unknown-keyword" || !strings.HasPrefix(f.Pos.File, "vendor/schemas/_defs/") {
			t.Errorf("unexpected: %s", f)
		}
	}
	if n := len(list.Sorted()); n == 0 {
		t.Error("the members of the glossary are not mentioned")
	}
	if len(p.Events) != events || events != 49 {
		t.Errorf("%d events of %d, want 49", len(p.Events), events)
	}
	links := property(t, property(t, p.Document("vendor/schemas/buildfinished.json").Root, "context"), "links")
	if got := links.Resolved(); got != p.Document("vendor/schemas/links/embeddedlinksarray.json").Root {
		t.Errorf("links resolves to %v, want the root of embeddedlinksarray.json", got)
	}
	t.Logf("%d schema files, %d events", len(p.Documents), len(p.Events))
}

func property(t *testing.T, s *schema.Schema, name string) *schema.Schema {
	t.Helper()
	i := slices.IndexFunc(s.Properties, func(p schema.Property) bool { return p.Name == name })
	if i < 0 {
		t.Fatalf("no property %s at %v", name, s.Pos)
	}
	return s.Properties[i].Schema
}

// Every schema of the compatibility corpus loads without a config, except those that
// are refused for a listed reason.
func TestCompatibilityCorpus(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile(filepath.Join(corpora(t, "compatibility"), "apicurio-jsonschema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var corpus struct {
		Tests []struct {
			ID                string
			Original, Updated json.RawMessage
		}
	}
	if err := json.Unmarshal(src, &corpus); err != nil {
		t.Fatal(err)
	}
	loaded := 0
	var got []string
	for _, pair := range corpus.Tests {
		for side, text := range map[string]json.RawMessage{"original": pair.Original, "updated": pair.Updated} {
			p, list, err := schema.LoadFile(fstest.MapFS{"a.json": {Data: text}}, "a.json", schema.Draft202012)
			if err != nil {
				t.Fatal(err)
			}
			if p.Document("a.json").Root == nil {
				t.Errorf("%s, %s: no schema", pair.ID, side)
			}
			loaded++
			for _, f := range list.Sorted() {
				if f.Severity == finding.Error {
					got = append(got, fmt.Sprintf("%s, %s: %s", pair.ID, side, f))
				}
			}
		}
	}
	slices.Sort(got)
	var want []string
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if loaded != 290 {
		t.Errorf("loaded %d schemas, want 290", loaded)
	}
}
