package crossing_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/crossing"
)

var (
	full   = flag.Bool("full", false, "run all schemas, not a selection")
	update = flag.Bool("update", false, "write testdata/expected.txt anew")
	from   = flag.Int("from", 0, "leave out so many of the schemas, to go on with a run that was stopped")
	only   = flag.String("only", "", "run the schemas whose \"constraint in place\" matches this `regexp`")
	report = flag.String("report", "", "write every failure, with its detail, to this `file`")
)

const expectedFile = "testdata/expected.txt"

// An ordinary run takes every 31st schema. The number is prime, and divides neither the
// number of places nor that of constraints, so each of them occurs several times.
const step = 31

// For every kind of constraint in every place, code is generated, compiles, and gives
// the verdicts of the validator, except for listed differences.
func TestCrossing(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles hundreds of packages")
	}
	text, err := os.ReadFile(expectedFile)
	if err != nil {
		t.Fatal(err)
	}
	expected, err := crossing.ParseExpected(string(text))
	if err != nil {
		t.Fatal(err)
	}
	ran := selected(t)
	failures := run(t, ran)
	if *update {
		expected.Update(ran, failures)
		if err := os.WriteFile(expectedFile, []byte(expected.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	const most = 50
	unlisted := 0
	for _, f := range failures {
		if f.Kind.Documented() || expected.Has(f.Kind, f.Schema) {
			continue
		}
		if unlisted++; unlisted <= most {
			t.Errorf("%s: %s\n%s\n\t%s", f.Schema.Name(), f.Kind, f.Schema.Text, f.Detail)
		}
	}
	if unlisted > most {
		t.Errorf("and %d more", unlisted-most)
	}
	for _, name := range expected.Fixed(ran, failures) {
		t.Errorf("listed in %s, and no longer so: %s", expectedFile, name)
	}
	if t.Failed() {
		t.Log("to list what is right, or right for now: make crossing ARGS=-update, and give each new group a reason")
	}
}

// selected returns the schemas to run.
func selected(t *testing.T) []crossing.Schema {
	t.Helper()
	all, err := crossing.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	var out []crossing.Schema
	for i, s := range all {
		if *only != "" && wanted.MatchString(s.Name()) || *only == "" && (*full || i%step == 0) {
			out = append(out, s)
		}
	}
	return out[min(*from, len(out)):]
}

// run runs schemas in parts, and reports how many fail in which way.
func run(t *testing.T, schemas []crossing.Schema) []crossing.Failure {
	t.Helper()
	var failures []crossing.Failure
	var count crossing.Count
	done, unknown := 0, 0
	take := crossing.Run
	if *full {
		take = crossing.RunShared // the selection also shows the failures of single packages
	}
	for part := range slices.Chunk(schemas, 400) {
		found, n, err := take(t.Context(), t.TempDir(), part)
		if err != nil {
			t.Fatal(err)
		}
		failures, count, done = append(failures, found...), count.Add(n), done+len(part)
		for _, f := range found {
			if !f.Kind.Documented() {
				unknown++
				fmt.Printf("crossing: %s: %s\n", f.Schema.Name(), f.Kind)
			}
		}
		if len(schemas) > 400 {
			fmt.Printf("crossing: %d of %d schemas: %d failures, and %d of documented kinds\n", done, len(schemas), unknown, len(failures)-unknown)
		}
	}
	tally(t, count, failures)
	return failures
}

// tally logs how many schemas fail in which way, and writes the report.
func tally(t *testing.T, count crossing.Count, failures []crossing.Failure) {
	t.Helper()
	kinds := map[crossing.Kind]int{}
	failed := map[string]bool{}
	details := ""
	for _, f := range failures {
		kinds[f.Kind]++
		if !f.Kind.Documented() {
			failed[f.Schema.Name()] = true
		}
		details += fmt.Sprintf("%s: %s\n%s\n\t%s\n", f.Schema.Name(), f.Kind, f.Schema.Text, f.Detail)
	}
	t.Logf("%v; %d schemas fail", count, len(failed))
	for _, kind := range slices.SortedFunc(maps.Keys(kinds), func(a, b crossing.Kind) int {
		return cmp.Or(cmp.Compare(kinds[b], kinds[a]), cmp.Compare(a, b))
	}) {
		t.Logf("%6d %s", kinds[kind], kind)
	}
	if *report != "" {
		if err := os.WriteFile(*report, []byte(details), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// There are enough schemas. Within a constraint each has its own name and text. The
// selection has every constraint and every place.
func TestTheSelectionMeetsEverything(t *testing.T) {
	t.Parallel()
	all, err := crossing.Schemas()
	if err != nil {
		t.Fatal(err)
	}
	names, constraints, places := map[string]bool{}, map[string]int{}, map[string]int{}
	for i, s := range all {
		if names[s.Name()] {
			t.Errorf("%s is there twice", s.Name())
		}
		names[s.Name()] = true
		if i%step == 0 {
			constraints[s.Constraint]++
			places[s.Place]++
		}
	}
	if len(all) < 4000 {
		t.Errorf("only %d schemas", len(all))
	}
	for _, c := range crossing.Constraints() {
		if constraints[c.Name] == 0 {
			t.Errorf("the selection leaves out the constraint %s", c.Name)
		}
	}
	for _, p := range crossing.Places() {
		if places[p.Name] == 0 {
			t.Errorf("the selection leaves out the place %s", p.Name)
		}
	}
}

func TestExpectedIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	a, b := crossing.Schema{Constraint: "a", Place: "p"}, crossing.Schema{Constraint: "b", Place: "p>q"}
	text := "# What the crossing test knows to fail: [kind] reason, then the places of each\n" +
		"# constraint. `make crossing ARGS=-update` writes it anew; reasons are kept.\n" +
		"\n[changes] It is rounded.\na: o p\nb: p>q\n\n[go vet] Not clean.\na: p\n"
	e, err := crossing.ParseExpected(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(text, e.String()); diff != "" {
		t.Errorf("(-read +written):\n%s", diff)
	}
	failures := []crossing.Failure{{Schema: a, Kind: "changes"}, {Schema: b, Kind: "crashes"}}
	if diff := gocmp.Diff([]string{"changes: b in p>q", "go vet: a in p"}, e.Fixed([]crossing.Schema{a, b}, failures)); diff != "" {
		t.Errorf("fixed (-want +got):\n%s", diff)
	}
	e.Update([]crossing.Schema{a, b}, failures)
	want := "# What the crossing test knows to fail: [kind] reason, then the places of each\n" +
		"# constraint. `make crossing ARGS=-update` writes it anew; reasons are kept.\n" +
		"\n[changes] It is rounded.\na: o p\n\n[crashes] TODO: say why\nb: p>q\n"
	if diff := gocmp.Diff(want, e.String()); diff != "" {
		t.Errorf("updated (-want +got):\n%s", diff)
	}
	if _, err := crossing.ParseExpected(want); err == nil {
		t.Error("want an error for a group without a reason")
	}
}
