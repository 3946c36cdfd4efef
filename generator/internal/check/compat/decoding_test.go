package compat_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// decodingRules are the rules that only the policy generated applies.
func decodingRules() []string {
	var ids []string
	for _, g := range finding.Groups() {
		for _, r := range g.Rules {
			if g.Title == "What generated readers decode and check" {
				ids = append(ids, r.ID)
			}
		}
	}
	return ids
}

// What generated readers decode and check, in both directions. The form is that of
// TestTable, with two verdicts of the author: backward and forward.
func TestDecoding(t *testing.T) {
	t.Parallel()
	const file = "testdata/generated.txt"
	var out strings.Builder
	found := map[string]bool{}
	for _, c := range readCases(t, file) {
		old, now := load(t, "old.json", c.old), load(t, "new.json", c.now)
		verdicts := ""
		var changes []string
		for _, level := range []compat.Level{compat.Backward, compat.Forward} {
			all := compat.Check(now, []*schema.Schema{old}, level, compat.Generated)
			if compat.Compatible(all) {
				verdicts += "+"
			} else {
				verdicts += "-"
			}
			for _, change := range all {
				changes = append(changes, line(change, false))
				found[change.ID] = true
			}
			if same := compat.Check(now, []*schema.Schema{now}, level, compat.Generated); len(same) > 0 {
				t.Errorf("%s: the new schema differs from itself: %v", c.name, same)
			}
		}
		if verdicts != c.verdicts {
			t.Errorf("%s: verdicts %s, want %s\n%s\n%s\n%s", c.name, verdicts, c.verdicts, c.old, c.now, strings.Join(changes, "\n"))
		}
		if diff := cmp.Diff(c.changes, changes); diff != "" && !*update && len(c.changes)+len(changes) > 0 {
			t.Errorf("%s: changes (-want +got):\n%s", c.name, diff)
		}
		fmt.Fprintf(&out, "== %s: %s\n%s\n%s\n", c.name, c.verdicts, c.old, c.now)
		for _, change := range changes {
			out.WriteString(change + "\n")
		}
		out.WriteString("\n")
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range decodingRules() {
		if !found[id] {
			t.Errorf("no case has %s; the cases have %s", id, slices.Sorted(maps.Keys(found)))
		}
	}
}
