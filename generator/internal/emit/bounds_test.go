package emit_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// object is a schema, or a part of one.
type object = map[string]any

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

func refs(names ...string) []any {
	var out []any
	for _, name := range names {
		out = append(out, ref(name))
	}
	return out
}

func properties(of object) object { return object{"type": "object", "properties": of} }

// Small schemas that stand for very large ones give code or a finding, without much
// work.
func TestBombsAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("it generates from very large schemas")
	}
	var (
		text   = object{"type": "string"}
		levels = func(n int, level func(i int) object, last object) object {
			defs := object{fmt.Sprintf("d%d", n): last}
			for i := range n {
				defs[fmt.Sprintf("d%d", i)] = level(i)
			}
			return defs
		}
		next = func(i int) string { return fmt.Sprintf("d%d", i+1) }
	)
	periods, parts := object{}, []any{}
	for _, p := range []int{2, 3, 5, 7, 11, 13} {
		for i := range p {
			periods[fmt.Sprintf("c%d_%d", p, i)] = properties(object{"x": ref(fmt.Sprintf("c%d_%d", p, (i+1)%p)), fmt.Sprintf("y%d_%d", p, i): text})
		}
		parts = append(parts, ref(fmt.Sprintf("c%d_0", p)))
	}
	var values []any
	for i := range 20_000 {
		values = append(values, fmt.Sprintf("v%d", i))
	}
	const tooMany = "the parts of an allOf describe the same recursive properties and combine in too many ways for Go types; the value is kept as raw JSON"
	tests := []struct {
		name       string
		a          object
		defs       object
		want       string // a warning; nothing: there is code
		definition string // that the code has
	}{
		{
			name: "each level refers twice to the next", a: ref("d0"),
			defs: levels(60, func(i int) object {
				return object{"allOf": refs(next(i), next(i)), "properties": object{fmt.Sprint("p", i): text}}
			}, properties(object{"id": text})),
			definition: "type D0 struct",
		},
		{
			name: "each level is a property of the one above", a: ref("d0"),
			defs:       levels(200, func(i int) object { return properties(object{"next": ref(next(i))}) }, properties(object{"id": text})),
			definition: "type D200 struct",
		},
		{
			name: "each level has two properties of the next", a: ref("d0"),
			defs: levels(40, func(i int) object {
				return object{"type": "object", "allOf": []any{properties(object{"l": ref(next(i)), "r": ref(next(i))}), properties(object{"l": ref("e"), "r": ref(next(i))})}}
			}, object{"$ref": "#/$defs/e"}),
			definition: "type D0 struct",
		},
		{
			name: "each level is one of two of the next", a: ref("d0"),
			defs:       levels(60, func(i int) object { return object{"oneOf": refs(next(i), next(i))} }, properties(object{"id": text})),
			definition: "type D0 struct",
		},
		{
			name: "parts that are recursive together", a: object{"allOf": refs("d", "p")},
			defs:       object{"d": properties(object{"x": object{"allOf": refs("d", "p")}}), "p": properties(object{"x": ref("p"), "y": text})},
			definition: "\tX *ThingV1AX `json:\"x,omitzero\"`\n\tY *string",
		},
		{name: "circles of different lengths", a: object{"allOf": parts}, defs: periods, want: tooMany},
		{
			name: "a chain of definitions", a: ref("d0"),
			defs:       levels(1000, func(i int) object { return properties(object{"n": ref(next(i))}) }, text),
			definition: "type D999 struct",
		},
		{
			name: "a chain of definitions of one name", a: ref("d0.X"),
			defs: func() object {
				defs := object{"d500.X": text}
				for i := range 500 {
					defs[fmt.Sprintf("d%d.X", i)] = properties(object{"n": ref(fmt.Sprintf("d%d.X", i+1))})
				}
				return defs
			}(),
			definition: "type D499X struct",
		},
		{name: "an enum without end", a: object{"type": "string", "enum": values}, definition: "ThingV1AV19999"},
		{name: "a pattern that repeats without end", a: object{"type": "string", "pattern": strings.Repeat("a{1,1000}", 20)}, definition: "type ThingV1 struct"},
		{name: "a pattern that nests without end", a: object{"type": "string", "pattern": strings.Repeat("(", 20_000) + strings.Repeat(")", 20_000)}, definition: "type ThingV1 struct"},
		{
			name: "many parts", a: object{"type": "object", "allOf": func() []any {
				var parts []any
				for i := range 2000 {
					parts = append(parts, object{"type": "object", "properties": object{fmt.Sprint("p", i): text}, "required": []string{fmt.Sprint("p", i)}})
				}
				return parts
			}()},
			definition: "P1999",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.defs == nil {
				test.defs = object{}
			}
			if _, ok := test.defs["e"]; !ok {
				test.defs["e"] = properties(object{"leaf": text})
			}
			source, err := json.Marshal(object{
				"title": "Thing", "x-outbox": object{"version": 1, "type": "thing.v1", "aggregate": object{"type": "thing", "id": "/id"}},
				"type": "object", "required": []string{"id"}, "properties": object{"id": text, "a": test.a}, "$defs": test.defs,
			})
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			generated, found := run(t, "", map[string]string{"thing.yaml": string(source)})
			runtime.ReadMemStats(&after)
			allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
			t.Logf("%d MiB allocated", allocated)
			if allocated > 1024 {
				t.Errorf("it took %d MiB", allocated)
			}
			warned := false
			for _, f := range found {
				_, message, _ := strings.Cut(f, " ")
				if !strings.HasPrefix(message, "warning:") {
					t.Errorf("error: %s", f)
				}
				warned = warned || test.want != "" && strings.Contains(message, test.want)
			}
			if test.want != "" && !warned {
				t.Errorf("no warning %q", test.want)
			}
			if !strings.Contains(unaligned(generated["thing_v1.go"]), unaligned(test.definition)) {
				t.Errorf("no %s in the code", test.definition)
			}
		})
	}
}

// The same property in different combinations has a different type in each.
func TestCombinationsStayApart(t *testing.T) {
	t.Parallel()
	text := object{"type": "string"}
	generated := thing(t, object{
		"id": text,
		"a":  object{"allOf": []any{properties(object{"x": properties(object{"p": text})}), ref("base")}},
		"b":  object{"allOf": []any{properties(object{"x": properties(object{"q": text})}), ref("base")}},
	}, object{"base": properties(object{"x": properties(object{"n": text})})})
	for _, want := range []string{"type ThingV1AX struct {\n\tN *string `json:\"n,omitzero\"`\n\tP *string", "type ThingV1BX struct {\n\tN *string `json:\"n,omitzero\"`\n\tQ *string"} {
		if !strings.Contains(unaligned(generated["thing_v1.go"]), unaligned(want)) {
			t.Errorf("no %s", want)
		}
	}
}

// unaligned returns code without gofmt's alignment.
func unaligned(code string) string { return strings.Join(strings.Fields(code), " ") }
