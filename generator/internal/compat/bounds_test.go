package compat

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

func loadText(t testing.TB, text string) *schema.Schema {
	t.Helper()
	p, list, err := schema.LoadFile(fstest.MapFS{"a.json": {Data: []byte(text)}}, "a.json")
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

// Pairs that are made to take long do not.
func TestHostilePairs(t *testing.T) {
	t.Parallel()
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
	for name, pair := range map[string][2]string{
		"variants that moved":    {variants(400, 0), variants(400, 1)},
		"thousands of variants":  {variants(3000, 0), variants(3000, 5000)},
		"a tangle":               {tangle(40, `{"type": "integer"}`), tangle(40, `{"type": "string"}`)},
		"a tangle that holds":    {tangle(40, `{"type": "integer"}`), tangle(40, `{"type": "number"}`)},
		"doubling":               {doubled(2000, `{"type": "integer"}`), doubled(2000, `{"type": "string"}`)},
		"a long chain":           {chain(20000, `{"type": "integer"}`), chain(20000, `{"type": "string"}`)},
		"large enums":            {enum(100000, 0), enum(100000, 50000)},
		"a matching in the way":  {strs(300, `{"type": "string", "maxLength": %d}`), strs(300, `{"type": "string", "minLength": 1, "maxLength": %d}`)},
		"nested matching":        {strs(300, `{"type": "string", "maxLength": %d}`), strs(299, `{"type": "string", "maxLength": %d}`)},
		"patterns by properties": {patterns(1000), `{"type": "object", "additionalProperties": false}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, now := loadText(t, pair[0]), loadText(t, pair[1])
			start := time.Now()
			changes := Check(now, []*schema.Schema{old}, Full, Strict)
			took := time.Since(start)
			t.Logf("%d changes in %v", len(changes), took)
			if took > time.Minute { // seconds, were the machine idle
				t.Errorf("the comparison took %v", took)
			}
			if len(changes) == 0 {
				t.Error("there are no changes")
			}
		})
	}
}

// A comparison beyond its bounds counts as incompatible, and says so.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := loadText(t, `{"anyOf": [{"minLength": 1}, {"minLength": 2}]}`)
	changes := compare(s, s, NewReadsOld, Strict, 3)
	if len(changes) != 1 || changes[0].ID != "COMPARISON_TOO_LARGE" || changes[0].Compatible || changes[0].Pos != s.Pos {
		t.Errorf("changes: %v", changes)
	}
}
