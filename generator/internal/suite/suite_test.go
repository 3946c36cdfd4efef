package suite_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var (
	update = flag.Bool("update", false, "write testdata/differences.json anew, of the files that are looked at; the reasons stay")
	only   = flag.String("only", "", "look at the files of the suite that begin so, such as draft7/ref, and say what differs")
)

// Generated code agrees with the official test suite, except for listed differences,
// each with its reason.
func TestOfficialSuite(t *testing.T) {
	if testing.Short() {
		t.Skip("it generates and compiles code for the whole suite")
	}
	dir, began := suiteDir(t), time.Now()
	selected := func(file string) bool { return strings.HasPrefix(file, *only) }
	remotes := readRemotes(t, dir)
	var strict []*project
	for _, draft := range slices.Sorted(maps.Keys(drafts)) {
		groups := slices.DeleteFunc(readGroups(t, dir, draft), func(g *group) bool { return !selected(g.draft + "/" + g.file) })
		strict = append(strict, projectsOf(draft, remotes, groups)...)
	}
	if len(strict) == 0 {
		t.Fatalf("no file of the suite begins with %q", *only)
	}
	spec, err := run(t.Context(), t.TempDir(), strict)
	if err != nil {
		t.Fatal(err)
	}
	projects := slices.Concat(strict, spec)
	r := &report{rows: map[[3]string]*row{}, differences: map[difference]string{}}
	for _, p := range projects {
		r.judge(p)
	}
	t.Logf("%d projects in %s\n%s", len(projects), time.Since(began).Round(time.Second), r.table())
	if dropped := droppedRemotes(projects); len(dropped) > 0 {
		t.Logf("some of the files that the suite expects at an address cannot be read:\n\t%s", strings.Join(dropped, "\n\t"))
	}
	if *update {
		listed, reasons := readDifferences(t)
		for d := range listed {
			if !selected(d.file) {
				r.differences[d] = ""
			}
		}
		writeDifferences(t, r.differences, reasons)
		return
	}
	compareDifferences(t, r.differences, selected)
	if *only != "" {
		for _, d := range slices.SortedFunc(maps.Keys(r.differences), difference.compare) {
			t.Logf("%s: %s (%s): %s\n\t%s", d.file, d.title, d.mode, d.rule, r.differences[d])
		}
	}
}

// droppedRemotes returns the findings about remotes, each once.
func droppedRemotes(projects []*project) []string {
	var all []string
	for _, p := range projects {
		all = append(all, p.dropped...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// row counts the results of a part of the suite.
type row struct {
	groups, refused, broken, internal    int
	tests, invalidAccepted, validRefused int
}

type report struct {
	rows        map[[3]string]*row // by mode, draft and kind
	differences map[difference]string
}

// judge compares the answers of a project with the suite's.
func (r *report) judge(p *project) {
	for g, why := range p.problems {
		row := r.row(p.mode, g)
		row.groups++
		row.tests += len(g.tests)
		switch why.rule {
		case "does not compile":
			row.broken++
		case "internal error":
			row.internal++
		default:
			row.refused++
		}
		r.differences[difference{p.mode, why.rule, g.draft + "/" + g.file, g.title}] = why.detail
	}
	for _, g := range p.groups {
		row := r.row(p.mode, g)
		row.groups++
		for i, test := range g.tests {
			row.tests++
			refusal := p.answers[g][i].Refusal()
			var rule string
			switch {
			case test.Valid && refusal != "":
				rule = "valid refused by " + brokenRule(refusal)
				row.validRefused++
			case !test.Valid && refusal == "":
				rule = "invalid accepted"
				if g.formats() {
					rule += " by the format " + path.Base(g.file)
				}
				row.invalidAccepted++
			default:
				continue
			}
			d := difference{p.mode, rule, g.draft + "/" + g.file, g.title + " / " + test.Description}
			r.differences[d] = strings.TrimSpace(fmt.Sprintf("%s %s: %s", g.schema, test.Data, refusal))
		}
	}
}

// violated finds the keyword in the text of a violation: the whole text if decoding
// found it, else the end of its place in the schemas.
var violated = regexp.MustCompile(`\((?:(\w+)\) at byte \d+|\S*/([^/()\s]+)\))`)

// brokenRule returns the first keyword that a refusal names.
func brokenRule(refusal string) string {
	match := violated.FindStringSubmatch(refusal)
	if match == nil {
		return "a crash"
	}
	return match[1] + match[2]
}

func (r *report) row(mode string, g *group) *row {
	key := [3]string{mode, g.draft, g.kind()}
	if r.rows[key] == nil {
		r.rows[key] = &row{}
	}
	return r.rows[key]
}

// table returns the counts, and how often each kind of difference occurs.
func (r *report) table() string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "validation\tdraft\tpart\tgroups\trefused\tdo not compile\tinternal errors\tdocuments\tinvalid accepted\tvalid refused")
	keys := slices.SortedFunc(maps.Keys(r.rows), func(a, b [3]string) int {
		return cmp.Or(-strings.Compare(a[0], b[0]), slices.Compare([]string{draftOrder(a[1]), a[2]}, []string{draftOrder(b[1]), b[2]}))
	})
	for _, key := range keys {
		row := r.rows[key]
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", key[0], key[1], key[2],
			row.groups, row.refused, row.broken, row.internal, row.tests, row.invalidAccepted, row.validRefused)
	}
	fmt.Fprintln(w)
	counts := map[string]map[string]int{}
	for d := range r.differences {
		if counts[d.rule] == nil {
			counts[d.rule] = map[string]int{}
		}
		counts[d.rule][d.mode]++
	}
	fmt.Fprintln(w, "difference\tstrict\tspec")
	for _, rule := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%s\t%d\t%d\n", rule, counts[rule]["strict"], counts[rule]["spec"])
	}
	_ = w.Flush() // into memory
	return text.String()
}

// draftOrder sorts draft4 before draft2019-09.
func draftOrder(draft string) string { return fmt.Sprintf("%16s", draft) }

func (d difference) compare(e difference) int {
	return cmp.Or(strings.Compare(d.file, e.file), strings.Compare(d.title, e.title), strings.Compare(d.mode, e.mode), strings.Compare(d.rule, e.rule))
}
