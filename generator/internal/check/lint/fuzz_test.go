package lint_test

import (
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/check/lint"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// FuzzLint lints everything that loads, with or without errors. It never panics, every
// finding has a rule and a place, and a second run gives the same findings.
func FuzzLint(f *testing.F) {
	files, err := filepath.Glob("testdata/cases/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, one := range archive.Files {
			if filepath.Ext(one.Name) == ".yaml" && one.Name != "outboxgen.yaml" {
				f.Add(string(one.Data))
			}
		}
	}
	for _, id := range finding.IDs(finding.Lint) {
		r, _ := finding.Lookup(id)
		f.Add(event(r.Before + "\n"))
	}
	f.Add("properties: {a: 7, b: {$ref: nowhere.yaml, default: {}}}\nallOf: [null]\nrequired: 1")
	f.Add("$defs: {a: {allOf: [{$ref: '#/$defs/b'}], default: 1}, b: {allOf: [{$ref: '#/$defs/a'}]}}")
	f.Fuzz(func(t *testing.T, text string) {
		p, _, err := schema.LoadFS(fstest.MapFS{
			"outboxgen.yaml": {Data: []byte("version: 1\nservice: shop\nschemas: [a.yaml]\nout: events\n")},
			"a.yaml":         {Data: []byte(text)},
		}, "outboxgen.yaml")
		if err != nil {
			t.Fatal(err)
		}
		findings := lint.Lint(p)
		for _, found := range findings {
			if r, ok := finding.Lookup(found.ID); !ok || r.Area != finding.Lint || found.Message == "" || found.Hint == "" || found.Pos.Line == 0 || found.Pos.File == "" {
				t.Errorf("%+v", found)
			}
		}
		if again := lint.Lint(p); !slices.Equal(findings, again) {
			t.Errorf("not the same twice: %v, then %v", findings, again)
		}
	})
}
