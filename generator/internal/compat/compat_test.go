package compat_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/compat"
	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// load reads one schema that must be sound.
func load(t testing.TB, file, text string) *schema.Schema {
	t.Helper()
	p, list, err := schema.LoadFile(fstest.MapFS{file: {Data: []byte(text)}}, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Sorted() {
		if f.Severity == diag.Error {
			t.Fatalf("%s in %s", f, text)
		}
	}
	return p.Document(file).Root
}

// The example of every rule is found under its id, and nothing breaks in it
// but what the rule says.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, id := range compat.IDs() {
		if id == "COMPARISON_TOO_LARGE" {
			continue // TestTooLarge
		}
		e, ok := compat.Explain(id)
		if !ok || e.Why == "" || e.Old == "" || e.New == "" || (e.Instead == "") != e.Strict {
			t.Errorf("%s is explained badly: %+v", id, e)
			continue
		}
		for policy, compatible := range map[compat.Policy]bool{compat.Strict: e.Strict, compat.Lenient: e.Lenient} {
			changes := compat.Check(load(t, "new.json", e.New), []*schema.Schema{load(t, "old.json", e.Old)}, compat.Backward, policy)
			i := slices.IndexFunc(changes, func(c compat.Change) bool { return c.ID == id })
			if i < 0 {
				t.Errorf("%s is not found in its example: %v", id, changes)
				continue
			}
			if changes[i].Compatible != compatible {
				t.Errorf("%s is compatible %v under %s, want %v", id, changes[i].Compatible, policy, compatible)
			}
			if e.Strict && !compat.Compatible(changes) {
				t.Errorf("the example of %s breaks: %v", id, changes)
			}
		}
	}
}
