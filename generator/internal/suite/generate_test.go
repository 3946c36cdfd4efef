package suite_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Code is generated for every schema of the suite, in both modes. TestOfficialSuite
// compiles and runs it.
func TestSuiteGenerates(t *testing.T) {
	if testing.Short() {
		t.Skip("it generates code for the whole suite")
	}
	dir := suiteDir(t)
	remotes := readRemotes(t, dir)
	var projects []*project
	for _, draft := range slices.Sorted(maps.Keys(drafts)) {
		groups := slices.DeleteFunc(readGroups(t, dir, draft), func(g *group) bool { return !strings.HasPrefix(draft+"/"+g.file, *only) })
		for _, p := range projectsOf(draft, remotes, groups) {
			projects = append(projects, p, p.bySpec())
		}
	}
	if err := generate(projects); err != nil {
		t.Fatal(err)
	}
	var problems []string
	for _, p := range projects {
		problems = append(problems, p.dropped...)
		for g, why := range p.problems {
			problems = append(problems, fmt.Sprintf("%s/%s: %s (%s): %s: %s", g.draft, g.file, g.title, p.mode, why.rule, why.detail))
		}
	}
	slices.Sort(problems)
	for _, problem := range slices.Compact(problems) {
		t.Error(problem)
	}
}
