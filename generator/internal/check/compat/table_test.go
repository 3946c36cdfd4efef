package compat_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/check/compat"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

var update = flag.Bool("update", false, "rewrite the changes in testdata/*.cases, not the verdicts")

// A case is two schemas, with the verdicts of its author and the changes found:
//
//	== a name: -+++
//	{"the": "old schema"}
//	{"the": "new schema"}
//	< ID! 1:19 1:1 /pointer
//	> ID …
//
// The verdicts are backward strict, backward lenient, forward strict and
// forward lenient. < is a change backward, > one forward; ! marks one that both
// policies refuse, ~ one that only the strict policy does. The places are those
// in the new and in the old schema, the pointer is into the new one.
type tableCase struct {
	name, verdicts, old, now string
	changes                  []string
}

func readCases(t *testing.T, file string) []tableCase {
	t.Helper()
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []tableCase
	for text := range strings.SplitSeq(strings.TrimSpace(string(src)), "\n\n") {
		lines := strings.Split(text, "\n")
		head, ok := strings.CutPrefix(lines[0], "== ")
		cut := strings.LastIndex(head, ": ")
		if !ok || cut < 0 || len(lines) < 3 {
			t.Fatalf("%s: no case: %s", file, text)
		}
		cases = append(cases, tableCase{name: head[:cut], verdicts: head[cut+2:], old: lines[1], now: lines[2], changes: lines[3:]})
	}
	return cases
}

// dialects is the $schema of the cases in some files. The other files have none.
var dialects = map[string]string{
	"draft-04":      "http://json-schema.org/draft-04/schema#",
	"draft-06":      "http://json-schema.org/draft-06/schema#",
	"draft-07":      "http://json-schema.org/draft-07/schema#",
	"draft-2019-09": "https://json-schema.org/draft/2019-09/schema",
}

// in adds $schema at the end, so that no place moves.
func in(dialect, text string) string {
	body, ok := strings.CutSuffix(text, "}")
	if dialect == "" || !ok {
		return text
	}
	if body != "{" {
		body += ", "
	}
	return fmt.Sprintf("%s%q: %q}", body, "$schema", dialect)
}

func (c tableCase) judge(t *testing.T, dialect string) (verdicts string, changes []string) {
	t.Helper()
	old, now := load(t, "old.json", in(dialect, c.old)), load(t, "new.json", in(dialect, c.now))
	for _, level := range []compat.Level{compat.Backward, compat.Forward} {
		strict := compat.Check(now, []*schema.Schema{old}, level, compat.Strict)
		lenient := compat.Check(now, []*schema.Schema{old}, level, compat.Lenient)
		for _, changes := range [][]finding.Finding{strict, lenient} {
			if compat.Compatible(changes) {
				verdicts += "+"
			} else {
				verdicts += "-"
			}
		}
		for _, change := range strict {
			leniently := slices.ContainsFunc(lenient, func(f finding.Finding) bool {
				return f.Change.Compatible && f.ID == change.ID && f.Pos == change.Pos && f.Old.Pos == change.Old.Pos
			})
			changes = append(changes, line(change, leniently))
		}
		// The policy never changes what is found. Only the ids differ if something is
		// covered or paired under one policy alone.
		if verdict := verdicts[len(verdicts)-2:]; verdict == "+-" {
			t.Errorf("%s: strict allows what lenient does not", c.name)
		}
	}
	return verdicts, changes
}

func line(c finding.Finding, leniently bool) string {
	direction, mark := "<", "!"
	if c.Change.Direction == string(compat.OldReadsNew) {
		direction = ">"
	}
	switch {
	case c.Change.Compatible:
		mark = ""
	case leniently:
		mark = "~"
	}
	return strings.TrimRight(fmt.Sprintf("%s %s%s %d:%d %d:%d %s", direction, c.ID, mark,
		c.Pos.Line, c.Pos.Col, c.Old.Pos.Line, c.Old.Pos.Col, c.Pointer), " ")
}

// Every rule, in both directions, under both policies.
func TestTable(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.cases")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	found := map[string]bool{"comparison-too-large": true} // TestTooLarge
	for _, id := range decodingRules() {
		found[id] = true // TestDecoding
	}
	for _, file := range files {
		cases := readCases(t, file)
		var out strings.Builder
		dialect := dialects[strings.TrimSuffix(filepath.Base(file), ".cases")]
		for _, c := range cases {
			total++
			verdicts, changes := c.judge(t, dialect)
			if verdicts != c.verdicts {
				t.Errorf("%s: %s: verdicts %s, want %s\n%s\n%s\n%s", file, c.name, verdicts, c.verdicts, c.old, c.now, strings.Join(changes, "\n"))
			}
			_, reversed := tableCase{name: c.name, old: c.now, now: c.old}.judge(t, dialect)
			for _, change := range append(reversed, changes...) {
				found[strings.TrimRight(strings.Fields(change)[1], "!~")] = true
			}
			if diff := cmp.Diff(c.changes, changes); diff != "" && !*update && len(c.changes)+len(changes) > 0 {
				t.Errorf("%s: %s: changes (-want +got):\n%s", file, c.name, diff)
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
	}
	if diff := cmp.Diff(finding.IDs(finding.Compat), slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("ids (-of the rules +of the table):\n%s", diff)
	}
	if total < 200 {
		t.Errorf("%d cases, want 200", total)
	}
}
