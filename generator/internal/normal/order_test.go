package normal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Recursive schemas have the same forms and warnings in any order of reading.
func TestFormsDoNotDependOnWhatIsMetFirst(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"$defs":{"a":{"type":"object","required":["b"],"properties":{"b":{"$ref":"#/$defs/b"}}},"b":{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/$defs/a"}}}}}`,
		`{"$defs":{"a":{"oneOf":[{"$ref":"#/$defs/b"},{"type":"string"}]},"b":{"oneOf":[{"$ref":"#/$defs/a"},{"type":"integer"}]}}}`,
		`{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"},{"type":"null"}]},"b":{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/$defs/a"}}}}}`,
		`{"$defs":{"a":{"oneOf":[{"type":"object","required":["x"],"properties":{"x":{"$ref":"#/$defs/a"}}},{"type":"object","required":["y"],"properties":{"y":{"$ref":"#/$defs/b"}}}]},
			"b":{"allOf":[{"$ref":"#/$defs/a"},{"required":["x"],"properties":{"x":{"type":"string"}}}]}}}`,
		`{"$defs":{"a":{"type":"array","minItems":1,"items":{"$ref":"#/$defs/b"}},"b":{"anyOf":[{"$ref":"#/$defs/a"},{"type":"string","minLength":3,"maxLength":2}]},"c":{"oneOf":[{"$ref":"#/$defs/b"},{"$ref":"#/$defs/a"}]}}}`,
		`{"$defs":{"a":{"type":"object","required":["n"],"properties":{"n":{"oneOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/b"}]}},"additionalProperties":false},
			"b":{"type":"object","required":["n","m"],"properties":{"n":{"$ref":"#/$defs/a"},"m":{"oneOf":[{"$ref":"#/$defs/a"},{"type":"integer","minimum":3,"maximum":2}]}}}}}`,
		`{"$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}],"anyOf":[{"required":["x"]},{"$ref":"#/$defs/c"}]},"b":{"type":"object","properties":{"x":{"$ref":"#/$defs/a"}}},"c":{"allOf":[{"$ref":"#/$defs/b"},{"properties":{"x":false},"required":["x"]}]}}}`,
	} {
		want := formsOf(t, text, nil)
		for start := range len(want) {
			for _, back := range []bool{false, true} {
				order := func(all []*schema.Schema) {
					slices.Reverse(all[:start])
					slices.Reverse(all[start:])
					if !back {
						slices.Reverse(all)
					}
				}
				if diff := cmp.Diff(want, formsOf(t, text, order)); diff != "" {
					t.Errorf("%s, from %d (-in order +otherwise):\n%s", text, start, diff)
				}
			}
		}
	}
}

// The same holds for random schemas.
func TestRandomFormsDoNotDependOnWhatIsMetFirst(t *testing.T) {
	t.Parallel()
	seeds := uint64(1000)
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 9)) // the same in each run
		text := `{"$defs":{"a":` + recursive(random, 0) + `,"b":` + recursive(random, 0) + `,"c":` + recursive(random, 0) + `}}`
		want := formsOf(t, text, nil)
		for _, order := range []func([]*schema.Schema){slices.Reverse[[]*schema.Schema], func(all []*schema.Schema) { slices.Reverse(all[:2]) }, func(all []*schema.Schema) { slices.Reverse(all[1:]) }} {
			if diff := cmp.Diff(want, formsOf(t, text, order)); diff != "" {
				t.Errorf("seed %d: %s (-in order +otherwise):\n%s", seed, text, diff)
			}
		}
	}
}

// If a union names the types of a value, its kinds do not depend on the order of the
// unions that apply to it, nor on the order of their branches.
func TestKindsDoNotDependOnTheOrderOfUnions(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 10)) // the same in each run
	typed := []string{`{"type":"string"}`, `{"type":["object","null"]}`, `{"enum":[1,"a",null]}`, `{"type":["boolean","array"]}`}
	all := append(slices.Clone(typed),
		`{"properties":{"a":{"type":"integer"}}}`, `{"minLength":2}`, `{"items":{"type":"integer"}}`, `{"minimum":3}`, `{"not":{"type":"string"}}`, `{}`,
	)
	for range 300 {
		unions := make([][]string, 2+random.IntN(2))
		for i := range unions {
			branches := all
			if i == 0 {
				branches = typed
			}
			for range 1 + random.IntN(3) {
				unions[i] = append(unions[i], branches[random.IntN(len(branches))])
			}
		}
		kinds := func() string {
			text := ""
			for i, of := range unions {
				text += fmt.Sprintf(`,{"anyOf":[%s],"$comment":"%d"}`, strings.Join(of, ","), i)
			}
			f, nullable := read(t, normal.Options{}, `{"allOf":[`+text[1:]+`]}`).Settled()
			return fmt.Sprint(f.Kinds&^normal.Null, nullable)
		}
		random.Shuffle(len(unions), func(i, j int) { unions[i], unions[j] = unions[j], unions[i] })
		want := kinds()
		slices.Reverse(unions)
		for _, of := range unions {
			slices.Reverse(of)
		}
		if got := kinds(); got != want {
			t.Errorf("%v: %s in this order, %s in the reverse", unions, got, want)
		}
	}
}

// If no keyword names the types of a value, what its unions imply does not depend on
// their order either, nor do the types of the branches.
func TestImpliedKindsDoNotDependOnTheOrderOfUnions(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 11)) // the same in each run
	all := []string{
		`{"properties":{"a":{"type":"integer"}}}`, `{"minLength":2}`, `{"items":{"type":"integer"}}`, `{"minimum":3}`, `{"not":{"type":"string"}}`, `{}`,
		`{"required":["b"]}`, `{"anyOf":[{"minLength":3},{"maximum":5}]}`, `{"type":"string"}`, `{"pattern":"x"}`,
	}
	for range 300 {
		unions := make([]string, 2+random.IntN(2))
		for i := range unions {
			var branches []string
			for range 1 + random.IntN(3) {
				branches = append(branches, all[random.IntN(len(all))])
			}
			unions[i] = fmt.Sprintf(`{"%s":[%s],"$comment":"%d"}`, []string{"anyOf", "oneOf"}[random.IntN(2)], strings.Join(branches, ","), i)
		}
		beside := []string{``, `,"properties":{"z":{}}`, `,"minLength":1`}[random.IntN(3)]
		kinds := func() string {
			f, nullable := read(t, normal.Options{}, `{"allOf":[`+strings.Join(unions, ",")+`]`+beside+`}`).Settled()
			of := f.Kinds &^ normal.Null
			if f.Union != nil {
				of = normal.None
				for _, b := range f.Union.Branches {
					of |= b.Kinds
				}
			}
			return fmt.Sprint(of, nullable)
		}
		want := kinds()
		slices.Reverse(unions)
		if got := kinds(); got != want {
			t.Errorf("%v%s: %s in this order, %s in the reverse", unions, beside, got, want)
		}
	}
}

// A branch without a type implies one only if nothing beside its union names types, in
// whatever order these are written.
func TestTypesBesideAUnionImplyThoseOfItsBranches(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`{"type":["boolean","string","null"],"anyOf":[{"enum":[6,"foo"]},{"properties":{"a":{"type":"integer"}}}]}`,
		`{"oneOf":[{"type":"boolean"},{"type":["null","string"]}],"anyOf":[{"enum":[6,"foo"]},{"properties":{"a":{"type":"integer"}}}]}`,
		`{"allOf":[{"anyOf":[{"enum":[6,"foo"]},{"properties":{"a":{"type":"integer"}}}]},{"oneOf":[{"type":"boolean"},{"type":["null","string"]}]}]}`,
	} {
		if f, nullable := read(t, normal.Options{}, text).Settled(); f.Kinds&^normal.Null != normal.Boolean|normal.String || !nullable {
			t.Errorf("%s: %v, nullable %t", text, f.Kinds.Types(), nullable)
		}
	}
}

// recursive returns a schema that refers to the definitions a, b and c inside members,
// items and unions.
func recursive(random *rand.Rand, depth int) string {
	part := func() string { return recursive(random, depth+1) }
	if depth > 0 && random.IntN(3) == 0 || depth > 2 {
		return `{"$ref":"#/$defs/` + string(rune('a'+random.IntN(3))) + `"}`
	}
	switch random.IntN(8) {
	case 0:
		return `{"type":"object","required":["x"],"properties":{"x":` + part() + `}}`
	case 1:
		return `{"type":"object","required":["x","y"],"properties":{"x":` + part() + `,"y":` + part() + `},"additionalProperties":false}`
	case 2:
		return `{"type":"array","minItems":1,"items":` + part() + `}`
	case 3, 4:
		return `{"oneOf":[{"type":"object","required":["z"],"properties":{"z":` + part() + `}},{"type":["object","null"],"properties":{"x":` + part() + `}}]}`
	case 5:
		return `{"anyOf":[{"type":"array","items":` + part() + `},{"type":"string","minLength":3,"maxLength":2},{"type":"integer"}]}`
	case 6:
		return `{"type":"object","allOf":[{"properties":{"x":` + part() + `}},{"properties":{"x":` + part() + `},"required":["x"]}]}`
	default:
		return []string{`{"type":"string"}`, `{"type":"null"}`, `false`, `{"enum":[1,"a"]}`}[random.IntN(4)]
	}
}

// formsOf returns the forms of the definitions of a schema by place, with their
// findings. It reads the definitions in the given order.
func formsOf(t *testing.T, text string, order func([]*schema.Schema)) map[string][]string {
	t.Helper()
	root := read(t, normal.Options{}, text).Primary()
	graph := normal.New(normal.Options{})
	var all []*schema.Schema
	for _, d := range root.Defs {
		all = append(all, d.Schema)
	}
	if order != nil {
		order(all)
	}
	for _, s := range all {
		graph.Node(s).Form()
	}
	forms := map[string][]string{}
	for _, s := range all {
		node := graph.Node(s)
		said := []string{summary(node, 0)}
		for _, f := range node.Form().Findings() {
			said = append(said, fmt.Sprintf("%d:%d %s", f.Pos.Line, f.Pos.Col, f.ID))
		}
		forms[s.Pointer] = said
	}
	return forms
}
