package emit_test

import (
	"path/filepath"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Every document of package schema's tests either has an error, or generates code.
// Package emit formats its output, so it parses.
func TestAsyncAPIDocumentsGenerate(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../schema/testdata/asyncapi/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no documents", err)
	}
	generated := 0
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		project := fstest.MapFS{"outboxgen.yaml": {Data: []byte("version: 1\nservice: sample\nschemas: [\"asyncapi.*\"]\nout: events\n")}}
		for _, f := range archive.Files {
			project[f.Name] = &fstest.MapFile{Data: f.Data}
		}
		loaded, list, err := schema.LoadFS(project, "outboxgen.yaml")
		if err != nil {
			t.Fatal(err)
		}
		if list.HasErrors() {
			continue
		}
		code, list, err := emit.Package(loaded, emit.Options{OutboxDB: "example.com/events/outboxdb"})
		if err != nil || list.HasErrors() {
			t.Errorf("%s: %v %v", file, err, list.Sorted())
		}
		if len(code) <= len(loaded.Events) {
			t.Errorf("%s: %d files for %d events", file, len(code), len(loaded.Events))
		}
		generated++
	}
	if generated < 15 {
		t.Errorf("only %d documents generate code", generated)
	}
}
