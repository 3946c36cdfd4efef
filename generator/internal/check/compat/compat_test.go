package compat_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// load reads one schema, which must have no errors.
func load(t testing.TB, file, text string) *schema.Schema {
	t.Helper()
	p, list, err := schema.LoadFile(fstest.MapFS{file: {Data: []byte(text)}}, file, schema.Draft202012)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Sorted() {
		if f.Severity == finding.Error {
			t.Fatalf("%s in %s", f, text)
		}
	}
	return p.Document(file).Root
}

// The example of every rule gives a finding with its id, and no other incompatible
// finding.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, id := range finding.IDs(finding.Compat) {
		if id == "comparison-too-large" {
			continue // TestTooLarge
		}
		e, _ := finding.Lookup(id)
		strict, lenient := e.Allowed == finding.Always, e.Allowed != finding.Never
		if e.Before == "" || e.After == "" || (e.Fix == "") != (strict && e.Generated) {
			t.Errorf("%s is explained badly: %+v", id, e)
			continue
		}
		verdicts := map[compat.Policy]bool{compat.Strict: strict, compat.Lenient: lenient}
		if slices.Contains(decodingRules(), id) {
			verdicts = map[compat.Policy]bool{compat.Generated: e.Generated}
		}
		for policy, compatible := range verdicts {
			changes := compat.Check(load(t, "new.json", e.After), []*schema.Schema{load(t, "old.json", e.Before)}, compat.Backward, policy)
			i := slices.IndexFunc(changes, func(c finding.Finding) bool { return c.ID == id })
			if i < 0 {
				t.Errorf("%s is not found in its example: %v", id, changes)
				continue
			}
			if changes[i].Change.Compatible != compatible {
				t.Errorf("%s is compatible %v under %s, want %v", id, changes[i].Change.Compatible, policy, compatible)
			}
			if strict && !compat.Compatible(changes) {
				t.Errorf("the example of %s breaks: %v", id, changes)
			}
		}
	}
}
