package suite_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const differencesFile = "testdata/differences.json"

// difference is one difference from the suite: a group without code, or a document with
// another verdict.
type difference struct {
	mode  string
	rule  string // the kind of difference
	file  string // such as draft7/optional/bignum
	title string // of the group, and of the document
}

// listedRule is the entry of the list for one kind of difference: in both modes or in
// one of them, by file and title.
type listedRule struct {
	Rule   string              `json:"rule"`
	Mode   string              `json:"mode"` // strict | spec | both
	Reason string              `json:"reason"`
	Cases  map[string][]string `json:"cases"`
}

func modesOf(mode string) []string {
	if mode == "both" {
		return []string{"strict", "spec"}
	}
	return []string{mode}
}

func readDifferences(t *testing.T) (map[difference]bool, map[string]string) {
	t.Helper()
	content, err := os.ReadFile(differencesFile)
	if err != nil {
		t.Fatal(err)
	}
	var rules []listedRule
	if err := json.Unmarshal(content, &rules); err != nil {
		t.Fatalf("%s: %v", differencesFile, err)
	}
	listed, reasons := map[difference]bool{}, map[string]string{}
	for _, r := range rules {
		reasons[r.Rule] = r.Reason
		for file, titles := range r.Cases {
			for _, title := range titles {
				for _, mode := range modesOf(r.Mode) {
					listed[difference{mode, r.Rule, file, title}] = true
				}
			}
		}
	}
	return listed, reasons
}

// writeDifferences writes a new list and keeps the reasons.
func writeDifferences(t *testing.T, found map[difference]string, reasons map[string]string) {
	t.Helper()
	byRule := map[[2]string]*listedRule{}
	for d := range found {
		mode := d.mode
		other := d
		if other.mode = "spec"; d.mode == "spec" {
			other.mode = "strict"
		}
		if _, both := found[other]; both {
			if d.mode == "spec" {
				continue
			}
			mode = "both"
		}
		r := byRule[[2]string{d.rule, mode}]
		if r == nil {
			r = &listedRule{Rule: d.rule, Mode: mode, Reason: reasons[d.rule], Cases: map[string][]string{}}
			byRule[[2]string{d.rule, mode}] = r
		}
		r.Cases[d.file] = append(r.Cases[d.file], d.title)
	}
	rules := slices.SortedFunc(maps.Values(byRule), func(a, b *listedRule) int {
		return cmp.Or(strings.Compare(a.Rule, b.Rule), strings.Compare(a.Mode, b.Mode))
	})
	for _, r := range rules {
		for _, titles := range r.Cases {
			slices.Sort(titles)
		}
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(rules); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(differencesFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(differencesFile, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// compareDifferences fails for each difference that is not listed, for each listed one
// that no longer occurs, and for rules without a reason. selected reports whether a
// file was run.
func compareDifferences(t *testing.T, found map[difference]string, selected func(file string) bool) {
	t.Helper()
	listed, reasons := readDifferences(t)
	var problems []string
	for d, detail := range found {
		if !listed[d] {
			problems = append(problems, fmt.Sprintf("%s: %s (%s): %s, which is not listed\n\t%s", d.file, d.title, d.mode, d.rule, detail))
		}
	}
	for d := range listed {
		if _, still := found[d]; !still && selected(d.file) {
			problems = append(problems, fmt.Sprintf("%s: %s (%s): no longer %q: take it off the list", d.file, d.title, d.mode, d.rule))
		}
	}
	for rule, reason := range reasons {
		if strings.TrimSpace(reason) == "" {
			problems = append(problems, fmt.Sprintf("%s: the rule %q has no reason", differencesFile, rule))
		}
	}
	slices.Sort(problems)
	const shown = 100
	for _, problem := range problems[:min(shown, len(problems))] {
		t.Error(problem)
	}
	if len(problems) > shown {
		t.Errorf("and %d more", len(problems)-shown)
	}
	if len(problems) > 0 {
		t.Log(`"make suite ARGS=-update" writes the list anew`)
	}
}
