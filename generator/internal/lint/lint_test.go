package lint_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/lint"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

const config = "version: 1\nservice: shop\nschemas: [\"*.v1.yaml\"]\nout: events\n"

// load reads a project that must be sound.
func load(t testing.TB, files map[string]string) *schema.Project {
	t.Helper()
	fsys := fstest.MapFS{"outboxgen.yaml": {Data: []byte(config)}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	p, list, err := schema.LoadFS(fsys, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Sorted() {
		if f.Severity == diag.Error {
			t.Fatalf("%s in %v", f, files)
		}
	}
	return p
}

// event is an event schema in which lint finds nothing, with some of its
// members given otherwise; a name without a value leaves the member out.
func event(members string) string {
	var b strings.Builder
	for _, member := range []string{
		"$id: https://schemas.example.com/order_placed.v1",
		"title: OrderPlaced",
		"description: A customer confirmed an order.",
		"x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order}}",
		"type: object",
	} {
		name, _, _ := strings.Cut(member, ":")
		if !strings.HasPrefix(members, name+":") && !strings.Contains(members, "\n"+name+":") {
			b.WriteString(member + "\n")
		}
	}
	for line := range strings.Lines(members) {
		if line != "$id:\n" && line != "description:\n" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The example of every rule is found under its id alone, and corrected it is
// clean.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, id := range lint.IDs() {
		e, ok := lint.Explain(id)
		if !ok || e.What == "" || e.Why == "" || e.Bad == "" || e.Good == "" || e.Instead == "" {
			t.Errorf("%s is explained badly: %+v", id, e)
			continue
		}
		for _, f := range lint.Lint(load(t, map[string]string{"a.v1.yaml": event(e.Good)})) {
			if f.Severity != diag.Note {
				t.Errorf("the good example of %s: %s %s", id, f.ID, f)
			}
		}
		var found []string
		for _, f := range lint.Lint(load(t, map[string]string{"a.v1.yaml": event(e.Bad)})) {
			if f.Severity != diag.Note || f.ID == id {
				found = append(found, f.ID)
			}
			if f.ID == id && f.Severity != e.Severity {
				t.Errorf("%s is a %s, want %s", id, f.Severity, e.Severity)
			}
		}
		if !slices.Equal(found, []string{id}) {
			t.Errorf("the bad example of %s has %v", id, found)
		}
	}
}

func TestExplainTakesAnySpelling(t *testing.T) {
	t.Parallel()
	if e, ok := lint.Explain("money-as-float"); !ok || e.ID != "MONEY_AS_FLOAT" {
		t.Errorf("money-as-float is explained as %+v, %t", e, ok)
	}
	if _, ok := lint.Explain("MONEY"); ok {
		t.Error("MONEY is explained")
	}
}
