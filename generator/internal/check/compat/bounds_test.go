package compat

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

func loadText(t testing.TB, text string) *schema.Schema {
	t.Helper()
	p, list, err := schema.LoadFile(fstest.MapFS{"a.json": {Data: []byte(text)}}, "a.json", schema.Draft202012)
	if err != nil {
		t.Fatal(err)
	}
	if list.HasErrors() {
		t.Fatal(list.Sorted()[0])
	}
	return p.Document("a.json").Root
}

// repeated is n texts, each made from its number, with commas between them.
func repeated(n int, format func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = format(i)
	}
	return strings.Join(parts, ", ")
}

// Pairs that are made to take long are compared quickly.
func TestHostilePairs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("its schemas take long")
	}
	variants := func(n, shift int) string {
		return `{"oneOf": [` + repeated(n, func(i int) string {
			return fmt.Sprintf(`{"type": "object", "properties": {"kind": {"const": %d}, "x": {"type": "string", "maxLength": %d}}}`, i+shift, 10)
		}) + `]}`
	}
	// Every definition refers to every other, by two ways.
	tangle := func(n int, leaf string) string {
		return `{"$ref": "#/$defs/d0", "$defs": {` + repeated(n, func(i int) string {
			return fmt.Sprintf(`"d%d": {"anyOf": [%s, {"type": "object", "properties": {%s}}]}`, i, leaf,
				repeated(n, func(j int) string {
					return fmt.Sprintf(`"p%d": {"oneOf": [{"$ref": "#/$defs/d%d"}, {"type": "null"}]}`, j, (i+j)%n)
				}))
		}) + `}}`
	}
	// Each level refers twice to the next.
	doubled := func(n int, leaf string) string {
		return `{"$ref": "#/$defs/d0", "$defs": {` + repeated(n, func(i int) string {
			return fmt.Sprintf(`"d%d": {"type": "object", "properties": {"a": {"$ref": "#/$defs/d%d"}, "b": {"allOf": [{"$ref": "#/$defs/d%d"}]}}}`, i, i+1, i+1)
		}) + fmt.Sprintf(`, "d%d": %s}}`, n, leaf)
	}
	chain := func(n int, leaf string) string {
		return `{"$ref": "#/$defs/d0", "$defs": {` + repeated(n, func(i int) string {
			return fmt.Sprintf(`"d%d": {"type": "array", "items": {"$ref": "#/$defs/d%d"}}`, i, i+1)
		}) + fmt.Sprintf(`, "d%d": %s}}`, n, leaf)
	}
	enum := func(n, shift int) string {
		return `{"enum": [` + repeated(n, func(i int) string { return fmt.Sprint(i + shift) }) + `]}`
	}
	strs := func(n int, format string) string {
		return `{"anyOf": [` + repeated(n, func(i int) string { return fmt.Sprintf(format, i+1) }) + `]}`
	}
	patterns := func(n int) string {
		return `{"type": "object", "patternProperties": {` + repeated(n, func(i int) string { return fmt.Sprintf(`"^(a|b)*x%d$": {}`, i) }) +
			`}, "properties": {` + repeated(n, func(i int) string { return fmt.Sprintf(`"p%d": {}`, i) }) + `}}`
	}
	// Nothing separates the variants, so each may overlap with each.
	untagged := func(n int, leaf string) string {
		return `{"oneOf": [` + repeated(n, func(i int) string {
			return fmt.Sprintf(`{"type": "object", "required": ["r%d"], "properties": {"r%d": {"$ref": "#/$defs/d0"}}}`, i, i)
		}) + `], ` + strings.TrimPrefix(tangle(20, leaf), `{"$ref": "#/$defs/d0", `)
	}
	// The parts of a chain of bases look at each other.
	bases := func(n int, leaf string) string {
		return `{"$ref": "#/$defs/d0", "$defs": {` + repeated(n, func(i int) string {
			return fmt.Sprintf(`"d%d": {"$ref": "#/$defs/d%d", "required": ["p%d"], "properties": {"p%d": {"type": "string"}}}`, i, i+1, i, i)
		}) + fmt.Sprintf(`, "d%d": %s}}`, n, leaf)
	}
	// Each property begins at another place of such a chain.
	starts := func(n int, leaf string) string {
		return `{"type": "object", "properties": {` + repeated(n, func(i int) string { return fmt.Sprintf(`"p%d": {"$ref": "#/$defs/d%d"}`, i, i) }) + `}, ` +
			strings.TrimPrefix(bases(n, leaf), `{"$ref": "#/$defs/d0", `)
	}
	consts := func(n int, more string) string {
		return `{"oneOf": [{"type": "string", "pattern": "^x"}, ` + repeated(n, func(i int) string { return fmt.Sprintf(`{"const": "v%d"}`, i) }) + more + `]}`
	}
	for name, test := range map[string]struct {
		old, now string
		most     int // looks at a pair, both directions together
	}{
		"variants that moved":    {variants(400, 0), variants(400, 1), 60_000},
		"thousands of variants":  {variants(3000, 0), variants(3000, 5000), 120_000},
		"a tangle":               {tangle(40, `{"type": "integer"}`), tangle(40, `{"type": "string"}`), 400_000},
		"a tangle that holds":    {tangle(40, `{"type": "integer"}`), tangle(40, `{"type": "number"}`), 300_000},
		"doubling":               {doubled(2000, `{"type": "integer"}`), doubled(2000, `{"type": "string"}`), 200_000},
		"a long chain":           {chain(8000, `{"type": "integer"}`), chain(8000, `{"type": "string"}`), 120_000},
		"large enums":            {enum(100000, 0), enum(100000, 50000), 600_000},
		"a matching in the way":  {strs(300, `{"type": "string", "maxLength": %d}`), strs(300, `{"type": "string", "minLength": 1, "maxLength": %d}`), 8_000_000},
		"nested matching":        {strs(300, `{"type": "string", "maxLength": %d}`), strs(299, `{"type": "string", "maxLength": %d}`), 600_000},
		"patterns by properties": {patterns(1000), `{"type": "object", "additionalProperties": false}`, 1000},

		"generated: thousands of variants":     {variants(3000, 0), variants(3000, 5000), 500_000},
		"generated: variants that may overlap": {untagged(300, `{"type": "integer"}`), untagged(301, `{"type": "number"}`), 20_000_000},
		"generated: too many that may overlap": {untagged(720, `{"type": "integer"}`), untagged(721, `{"type": "number"}`), 2*mostWork + 100_000},
		"generated: a chain of bases":          {bases(300, `{"type": "object"}`), bases(300, `{"type": "object", "required": ["x"]}`), 2_000_000},
		"generated: many starts in a chain":    {starts(2000, `{"type": "object"}`), starts(2000, `{"type": "object", "required": ["x"]}`), 2*mostWork + 400_000},
		"generated: consts in a oneOf":         {consts(1000, ""), consts(1000, `, {"const": true}`), 20_000_000},
		"generated: a tangle":                  {tangle(40, `{"type": "integer"}`), tangle(40, `{"type": "string"}`), 2_000_000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := Strict
			if strings.HasPrefix(name, "generated: ") {
				policy = Generated
			}
			work, changes := workOf(t, policy, test.old, test.now)
			t.Logf("%d changes, %d looks", changes, work)
			if work > test.most {
				t.Errorf("%d looks at a pair, want at most %d", work, test.most)
			}
			if changes == 0 {
				t.Error("there are no changes")
			}
		})
	}
}

// workOf compares two schemas in both directions, and counts looks and changes.
func workOf(t *testing.T, policy Policy, oldText, newText string) (work, changes int) {
	t.Helper()
	old, now := loadText(t, oldText), loadText(t, newText)
	for _, direction := range Full.directions() {
		c := newComparison(direction, policy)
		changes += len(c.compare(old, now, mostWork))
		work += c.work
	}
	return work, changes
}

// The search for variants that overlap reaches the limits, too.
func TestOverlapsTooLarge(t *testing.T) {
	t.Parallel()
	old := loadText(t, `{"oneOf": [{"type": "integer"}, {"type": "string"}]}`)
	now := loadText(t, `{"oneOf": [{"type": "integer"}, {"type": "number"}, {"type": "string"}]}`)
	c := newComparison(NewReadsOld, Generated)
	c.pair(c.shape(old), c.shape(now))
	c.judgeAll(mostWork)
	for most, want := range map[int]string{c.work: "comparison-too-large", mostWork: "variant-overlaps"} {
		changes := compare(old, now, NewReadsOld, Generated, most)
		if got := changes[len(changes)-1].ID; got != want {
			t.Errorf("at most %d looks: %v, want %s", most, changes, want)
		}
	}
}

// A comparison that reaches its limits counts as incompatible, and the finding says so.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := loadText(t, `{"anyOf": [{"minLength": 1}, {"minLength": 2}]}`)
	changes := compare(s, s, NewReadsOld, Strict, 3)
	if len(changes) != 1 || changes[0].ID != "comparison-too-large" || changes[0].Change.Compatible || changes[0].Pos != s.Pos {
		t.Errorf("changes: %v", changes)
	}
}
