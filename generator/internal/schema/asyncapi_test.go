package schema_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

const apiConfig = `version: 1
service: sample
schemas: ["asyncapi.*"]
out: events
`

// Each archive under testdata/asyncapi is a project with a document of AsyncAPI. Its
// last file, want, has the events that its messages become, and every diagnostic.
// README.md in that folder has a table of them.
func TestAsyncAPI(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/asyncapi/*.txtar")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cases found: %v", len(files), err)
	}
	table := &strings.Builder{}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		project, want := fstest.MapFS{"outboxgen.yaml": &fstest.MapFile{Data: []byte(apiConfig)}}, ""
		for _, f := range archive.Files {
			if f.Name == "want" {
				want = string(f.Data)
				continue
			}
			project[f.Name] = &fstest.MapFile{Data: f.Data}
		}

		events, diagnostics := loadEvents(t, project)

		got := events + diagnostics
		fmt.Fprintf(table, "| `%s` | %s | %s |\n", filepath.Base(file), strings.Join(strings.Fields(string(archive.Comment)), " "), summary(events, diagnostics))
		if *update {
			archive.Files[len(archive.Files)-1].Data = []byte(got)
			if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
	const readme = "testdata/asyncapi/README.md"
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(text), "| file |")
	if !ok {
		t.Fatalf("%s has no table", readme)
	}
	full := head + "| file | shows | becomes |\n| --- | --- | --- |\n" + table.String()
	if *update {
		if err := os.WriteFile(readme, []byte(full), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(text), full); diff != "" {
		t.Errorf("%s (-want +got):\n%s", readme, diff)
	}
}

// loadEvents returns the events of a project and its diagnostics, one per line.
func loadEvents(t *testing.T, project fstest.MapFS) (events, diagnostics string) {
	t.Helper()
	p, list, err := schema.LoadFS(project, "outboxgen.yaml")
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
	var b, d strings.Builder
	for _, e := range p.Events {
		fmt.Fprintf(&b, "%s: %s version %d, type %q, topic %q, envelope %s, aggregate %q", e.Pos, e.GoName, e.Version, e.Type, e.Topic, e.Envelope, e.AggregateType)
		for _, pointer := range []struct {
			what string
			at   *schema.Name
		}{{"id", e.AggregateID}, {"key", e.Key}, {"correlation", e.Correlation}} {
			if pointer.at != nil {
				fmt.Fprintf(&b, ", %s %s", pointer.what, pointer.at.Text)
			}
		}
		if !e.Keyed {
			b.WriteString(", no key")
		}
		if e.Tombstone {
			b.WriteString(", tombstone")
		}
		if e.Consumed {
			b.WriteString(", consumed")
		}
		fmt.Fprintf(&b, ", data %s#%s (%s)\n", e.Schema.Doc.Path, e.Schema.Pointer, e.Schema.Dialect())
	}
	for _, f := range list.Sorted() {
		d.WriteString(f.String() + "\n")
	}
	return b.String(), d.String()
}

// summary returns the names of the events and the ids of the diagnostics, for a table.
func summary(events, diagnostics string) string {
	var parts []string
	for line := range strings.Lines(events) {
		_, rest, _ := strings.Cut(line, ": ")
		name, rest, _ := strings.Cut(rest, " ")
		_, rest, _ = strings.Cut(rest, "topic ")
		topic, _, _ := strings.Cut(rest, ",")
		name += " on " + strings.Trim(topic, `"`)
		if strings.Contains(rest, ", consumed") {
			name += " (consumed)"
		}
		parts = append(parts, name)
	}
	seen := map[string]int{}
	var ids []string
	for line := range strings.Lines(diagnostics) {
		severity := "error"
		for _, s := range []string{"warning", "note"} {
			if strings.Contains(line, ": "+s+": ") {
				severity = s
			}
		}
		id := severity + " `" + strings.TrimSuffix(line[strings.LastIndex(line, "[")+1:], "]\n") + "`"
		if seen[id]++; seen[id] == 1 {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if seen[id] > 1 {
			id += fmt.Sprintf(" (%d times)", seen[id])
		}
		parts = append(parts, id)
	}
	return strings.Join(parts, ", ")
}
