package crossing

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// Random returns the random schema of a seed: the same in every run.
func Random(seed uint64) (Schema, error) {
	g := &dice{Rand: rand.New(rand.NewPCG(seed, 0))}
	g.defs = g.IntN(4)
	root := g.object(1 + g.IntN(4))
	if g.defs > 0 {
		defs := map[string]any{}
		for i := range g.defs {
			g.inside = i + 1
			defs[definition(i)] = g.schema(1 + g.IntN(3))
		}
		root["$defs"] = defs
	}
	text, err := json.Marshal(root)
	return Schema{Constraint: fmt.Sprint("seed-", seed), Place: "random", Text: text}, err
}

// dice makes random choices.
type dice struct {
	*rand.Rand
	defs int // how many definitions there are
	// inside is one more than the definition that is being made, while a reference
	// would apply to the same value: then only later definitions can be referred to, so
	// that no reference leads in a circle. Deeper, any definition is fine.
	inside int
}

func definition(i int) string { return string(rune('a'+i)) + "_part" }

func (g *dice) often(percent int) bool { return g.IntN(100) < percent }

func choose[T any](g *dice, from ...T) T { return from[g.IntN(len(from))] }

// within makes the schema of a property or an item, where references to anything are
// fine.
func (g *dice) within(depth int) any {
	before := g.inside
	g.inside = 0
	defer func() { g.inside = before }()
	return g.schema(depth - 1)
}

// schema makes a schema of any kind.
func (g *dice) schema(depth int) any {
	if depth <= 0 {
		return g.leaf()
	}
	switch n := g.IntN(100); {
	case n < 3:
		return g.often(70)
	case n < 25:
		return g.leaf()
	case n < 45:
		return g.object(depth)
	case n < 60:
		return g.array(depth)
	case n < 72 && g.inside < g.defs:
		ref := map[string]any{"$ref": "#/$defs/" + definition(g.inside+g.IntN(g.defs-g.inside))}
		if g.often(25) {
			maps.Copy(ref, g.bounds())
		}
		return ref
	case n < 88:
		return g.union(depth)
	default:
		return g.combined(depth)
	}
}

// leaf makes a schema of scalars.
func (g *dice) leaf() any {
	s := g.bounds()
	switch g.IntN(10) {
	case 0:
		return map[string]any{"const": g.value()}
	case 1, 2:
		var list []any
		for range 1 + g.IntN(4) {
			if v := g.value(); !slices.ContainsFunc(list, func(other any) bool { return fmt.Sprint(other) == fmt.Sprint(v) }) {
				list = append(list, v)
			}
		}
		return map[string]any{"enum": list}
	case 3:
		delete(s, "type")
	case 4:
		if t, ok := s["type"].(string); ok && t != "null" {
			s["type"] = []any{t, choose(g, "null", "object", "array")}
		}
	}
	return s
}

// bounds makes a type with bounds.
func (g *dice) bounds() map[string]any {
	t := choose(g, "string", "string", "integer", "number", "boolean", "null")
	s := map[string]any{"type": t}
	maybe := func(word string, value any) {
		if g.often(30) {
			s[word] = value
		}
	}
	switch t {
	case "string":
		maybe("minLength", g.IntN(3))
		maybe("maxLength", 2+g.IntN(4))
		maybe("pattern", choose(g, "^[a-c]+$", "b", "^x", "1$", "^(?!x)[a-z]+$"))
		if g.often(20) {
			s = map[string]any{"type": t, "format": choose(g, "date-time", "date", "uuid", "email", "ipv4")}
		}
	case "integer":
		maybe("minimum", g.IntN(10)-5)
		maybe("maximum", 5+g.IntN(100))
		maybe("multipleOf", 1+g.IntN(4))
	case "number":
		maybe("exclusiveMinimum", choose(g, json.Number("-0.5"), "0", "-1e30"))
		maybe("maximum", choose(g, json.Number("99.99"), "7", "1e30"))
		maybe("multipleOf", choose(g, json.Number("0.01"), "0.5", "2"))
	}
	return s
}

func (g *dice) value() any {
	return choose[any](g, "a", "b", "", nil, true, false, 1, 2, json.Number("1.5"), []any{1, "a"}, map[string]any{"k": "v"})
}

func (g *dice) object(depth int) map[string]any {
	s := map[string]any{}
	if g.often(85) {
		s["type"] = "object"
		if g.often(10) {
			s["type"] = []any{"object", "null"}
		}
	}
	names := []string{"a", "b", "kind", "x1"}
	properties, required := map[string]any{}, []any{}
	for _, name := range names[:g.IntN(len(names)+1)] {
		properties[name] = g.within(depth)
		if g.often(40) {
			required = append(required, name)
		}
	}
	if len(properties) > 0 {
		s["properties"], s["required"] = properties, required
	}
	maybe := func(percent int, word string, value func() any) {
		if g.often(percent) {
			s[word] = value()
		}
	}
	inner := func() any { return g.within(depth) }
	maybe(20, "additionalProperties", func() any { return false })
	maybe(15, "additionalProperties", inner)
	maybe(15, "patternProperties", func() any { return map[string]any{choose(g, "^x", "1$", "b"): g.within(depth)} })
	maybe(8, "propertyNames", func() any {
		return choose[any](g, map[string]any{"maxLength": 4}, map[string]any{"pattern": "^[a-c]+$"})
	})
	maybe(8, "minProperties", func() any { return g.IntN(2) })
	maybe(8, "maxProperties", func() any { return 1 + g.IntN(4) })
	maybe(8, "dependentRequired", func() any { return map[string]any{"a": []any{"b"}} })
	maybe(8, "dependentSchemas", func() any { return map[string]any{"b": g.object(depth - 1)} })
	maybe(6, "unevaluatedProperties", func() any { return g.often(30) })
	if depth > 1 && g.often(15) {
		maps.Copy(s, g.union(depth-1))
	}
	if depth > 1 && g.often(10) {
		maps.Copy(s, g.combined(depth-1))
	}
	return s
}

func (g *dice) array(depth int) map[string]any {
	s := map[string]any{"type": "array"}
	if g.often(70) {
		s["items"] = g.within(depth)
	}
	if g.often(25) {
		var prefix []any
		for range 1 + g.IntN(3) {
			prefix = append(prefix, g.within(depth))
		}
		s["prefixItems"] = prefix
		if g.often(50) {
			s["items"] = false
		}
	}
	maybe := func(percent int, word string, value any) {
		if g.often(percent) {
			s[word] = value
		}
	}
	maybe(20, "minItems", g.IntN(3))
	maybe(20, "maxItems", 1+g.IntN(4))
	maybe(15, "uniqueItems", g.often(80))
	if g.often(12) {
		s["contains"] = g.within(depth)
		maybe(40, "minContains", g.IntN(2))
		maybe(40, "maxContains", 1+g.IntN(3))
	}
	maybe(5, "unevaluatedItems", false)
	return s
}

func (g *dice) union(depth int) map[string]any {
	word, branches := choose(g, "oneOf", "anyOf"), []any{}
	if g.often(30) { // distinguished by a property
		for _, kind := range []string{"a", "b", "c"}[:2+g.IntN(2)] {
			branch := g.object(depth - 1)
			properties, _ := branch["properties"].(map[string]any)
			if properties == nil {
				properties = map[string]any{}
			}
			properties["kind"] = map[string]any{"const": kind}
			branch["type"], branch["properties"], branch["required"] = "object", properties, []any{"kind"}
			branches = append(branches, branch)
		}
		return map[string]any{word: branches}
	}
	for range 1 + g.IntN(3) {
		branches = append(branches, g.schema(depth-1))
	}
	if g.often(30) {
		branches = append(branches, map[string]any{"type": "null"})
	}
	return map[string]any{word: branches}
}

func (g *dice) combined(depth int) map[string]any {
	switch g.IntN(4) {
	case 0:
		return map[string]any{"not": g.schema(depth - 1)}
	case 1:
		s := map[string]any{"if": g.schema(depth - 1)}
		for _, word := range []string{"then", "else"} {
			if g.often(70) {
				s[word] = g.schema(depth - 1)
			}
		}
		return s
	}
	list := []any{g.schema(depth - 1)}
	for range 1 + g.IntN(2) {
		list = append(list, g.schema(depth-1))
	}
	return map[string]any{"allOf": list}
}
