package normal

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// The normal form of an allOf of many unions has nodes for each union, not for each
// pair.
func TestManyUnionsMakeFewNodes(t *testing.T) {
	t.Parallel()
	nodes := func(unions int) int {
		var parts []string
		for i := range unions {
			parts = append(parts, fmt.Sprintf(`{"anyOf":[{"properties":{"a%d":{"type":"string"}}},{"properties":{"b%d":{"type":"integer"}}}]}`, i, i))
		}
		g := New(Options{})
		g.Node(load(t, `{"type":"object","allOf":[`+strings.Join(parts, ",")+`]}`)).Form()
		return len(g.nodes)
	}
	if few, many := nodes(20), nodes(40); many > 2*few+10 {
		t.Errorf("20 unions make %d nodes, 40 make %d: want about twice as many", few, many)
	}
}

// If each definition refers to the next one twice, each is still normalized once. There
// are 2^64 paths to the last one.
func TestDefinitionsThatManyWaysLeadTo(t *testing.T) {
	t.Parallel()
	for _, keyword := range []string{"allOf", "oneOf"} {
		const steps = 64
		var definitions []string
		for i := range steps {
			definitions = append(definitions, fmt.Sprintf(`"d%d":{%q:[{"$ref":"#/$defs/d%d"},{"not":{"$ref":"#/$defs/d%d"}}]}`, i, keyword, i+1, i+1))
		}
		text := `{"type":["object","null"],"not":{"$ref":"#/$defs/d0"},"$defs":{` + strings.Join(definitions, ",") + fmt.Sprintf(`,"d%d":{"type":"string"}}}`, steps)
		g := New(Options{})
		if f := g.Node(load(t, text)).Form(); f.Nullable != (keyword == "allOf") {
			t.Errorf("%s: null is valid: %v", keyword, f.Nullable)
		}
	}
}

// An anyOf has each branch once, even if several references lead to it. In a oneOf they
// count as several branches.
func TestBranchesThatManyWaysLeadTo(t *testing.T) {
	t.Parallel()
	ladder := func(keyword, other string, steps int) string {
		var definitions []string
		for i := range steps {
			definitions = append(definitions, fmt.Sprintf(`"d%d":{%q:[{"$ref":"#/$defs/d%d"},%s]}`, i, keyword, i+1, strings.ReplaceAll(other, "NEXT", fmt.Sprint(i+1))))
		}
		return `{"$ref":"#/$defs/d0","$defs":{` + strings.Join(definitions, ",") + fmt.Sprintf(`,"d%d":{%q:[{"type":"string"},{"type":"integer"}]}}}`, steps, keyword)
	}
	branches := func(text string) int {
		f := New(Options{}).Node(load(t, text)).Form()
		for f.Same != nil {
			f = f.Same.Form()
		}
		return len(f.Union.Branches)
	}
	same, inside := `{"$ref":"#/$defs/dNEXT"}`, `{"anyOf":[{"$ref":"#/$defs/dNEXT"},{"type":"boolean"}]}`
	got := map[string]int{
		"the next one twice":              branches(ladder("anyOf", same, 24)),
		"the next one inside another one": branches(ladder("anyOf", inside, 24)),
		"twice in a oneOf":                branches(ladder("oneOf", same, 3)),
	}
	want := map[string]int{"the next one twice": 2, "the next one inside another one": 26, "twice in a oneOf": 16}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("branches (-want +got):\n%s", diff)
	}
}

// load returns the schema of the only event of a project.
func load(t *testing.T, text string) *schema.Schema {
	t.Helper()
	project, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: forms\nschemas: []\nout: events\nenvelope: none\nevents:\n" +
			"  - schema: thing.json\n    name: Thing\n    version: 1\n    type: forms.thing.v1\n    aggregate: {type: thing}\n")},
		"thing.json": {Data: []byte(text)},
	}, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	return project.Events[0].Schema
}
