package compat

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// union returns a oneOf of n branches, each made from its number.
func union(n int, format func(i int) string) string {
	return `{"oneOf": [` + repeated(n, format) + `]}`
}

// Twice the variants take twice the work, for every way to distinguish variants and for
// every change of them.
func TestUnionsAreLinear(t *testing.T) {
	t.Parallel()
	tags := map[string]string{
		"const":                  `{"const": "%d"}`,
		"const of a type":        `{"type": "string", "const": "%d"}`,
		"enum of one value":      `{"enum": ["%d"]}`,
		"enum of one and a type": `{"type": "string", "enum": ["%d"]}`,
	}
	changes := map[string]func(i, n int) (tag int, maximum int){
		"all replaced":  func(i, n int) (int, int) { return i + n, 1 },
		"all reversed":  func(i, n int) (int, int) { return n - 1 - i, 1 },
		"all moved":     func(i, n int) (int, int) { return (i + n/2) % n, 1 },
		"all narrowed":  func(i, _ int) (int, int) { return i, 0 },
		"half replaced": func(i, n int) (int, int) { return i + i%2*n, 1 },
	}
	for tagName, tag := range tags {
		for changeName, change := range changes {
			t.Run(tagName+", "+changeName, func(t *testing.T) {
				t.Parallel()
				variant := func(tagged, maximum int) string {
					return fmt.Sprintf(`{"type": "object", "properties": {"version": {"const": 1}, "kind": `+tag+`, "x": {"type": "string", "maxLength": %d}}}`, tagged, maximum)
				}
				work := func(n int) int {
					work, _ := workOf(t, Strict, union(n, func(i int) string { return variant(i, 1) }),
						union(n, func(i int) string { return variant(change(i, n)) }))
					return work
				}
				if once, twice := work(100), work(200); twice > once*5/2 {
					t.Errorf("100 variants are %d looks, 200 are %d", once, twice)
				}
			})
		}
	}
}

// The index finds every branch that a search through all of them finds. What counts as
// two variants is incompatible.
func TestCandidates(t *testing.T) {
	t.Parallel()
	const seed = 20
	random := rand.New(rand.NewPCG(seed, seed))
	kinds := []func() string{
		func() string { return `{"type": "string"}` },
		func() string { return `{"type": "null"}` },
		func() string { return `{}` },
		func() string { return `false` },
		func() string { return fmt.Sprintf(`{"const": %d}`, random.IntN(3)) },
		func() string { return fmt.Sprintf(`{"enum": [%d]}`, random.IntN(3)) },
		func() string { return fmt.Sprintf(`{"enum": [%d, 5]}`, random.IntN(3)) },
		func() string { return fmt.Sprintf(`{"type": "integer", "const": %d}`, random.IntN(3)) },
		func() string { return fmt.Sprintf(`{"type": "integer", "enum": [%d]}`, random.IntN(3)) },
		func() string { return fmt.Sprintf(`{"const": %d, "enum": [%d]}`, random.IntN(3), random.IntN(3)) },
		func() string { return fmt.Sprintf(`{"type": ["integer", "null"], "const": %d}`, random.IntN(3)) },
	}
	object := func() string {
		return fmt.Sprintf(`{"type": "object", "properties": {%s}}`, repeated(random.IntN(4), func(i int) string {
			return fmt.Sprintf(`"p%d": %s`, i, kinds[random.IntN(len(kinds))]())
		}))
	}
	branch := func(int) string {
		switch random.IntN(6) {
		case 0:
			return kinds[random.IntN(len(kinds))]()
		case 1:
			return fmt.Sprintf(`{"allOf": [%s, %s]}`, object(), object())
		default:
			return object()
		}
	}
	for range 100 {
		texts := [2]string{union(12, branch), union(12, branch)}
		c := newComparison(NewReadsOld, Strict)
		writer, reader := c.shape(loadText(t, texts[0])), c.shape(loadText(t, texts[1]))
		after := c.branches(reader)
		index := c.indexed(after)
		for _, before := range c.branches(writer) {
			root := c.pair(before, before)
			candidates := index.candidates(c, before)
			if !slices.IsSorted(candidates) {
				t.Fatalf("not in order: %v", candidates)
			}
			var scanned, found []int
			for j := range after {
				if _, ok := c.readable(root, before, after[j]); ok {
					scanned = append(scanned, j)
				}
			}
			for j, other := range after {
				if before.kind == objectKind && other.kind == objectKind && c.discriminated(before, other) &&
					Compatible(newComparison(NewReadsOld, Lenient).compare(before.s, other.s, mostWork)) {
					t.Fatalf("%s and branch %d count as different variants and are compatible:\n%s\n%s", before.at.pointer, j, texts[0], texts[1])
				}
			}
			for _, j := range candidates {
				if _, ok := c.readable(root, before, after[j]); ok {
					found = append(found, j)
				}
			}
			if diff := cmp.Diff(scanned, found); diff != "" {
				t.Fatalf("readers of %s (-all +candidates):\n%s\n%s\n%s", before.at.pointer, diff, texts[0], texts[1])
			}
		}
	}
}
