package ruletest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/outboxgen/outboxgen/runtime/rule"
)

// table has schemas with valid and invalid documents.
var table = []struct {
	schema    string
	documents []string
}{
	{`false`, []string{`1`}},
	{`{"type":"integer"}`, []string{`1`, `1.0`, `1e3`, `1.5`, `1e-1`, `"1"`, `12345678901234567890`, `-0.0`, `100e-2`, `101e-2`}},
	{`{"type":["string","null"]}`, []string{`""`, `null`, `0`, `{}`}},
	{`{"type":"number"}`, []string{`1.5`, `1`, `"1"`, `true`}},
	{`{"type":"boolean"}`, []string{`true`, `false`, `0`, `null`}},
	{`{"const":1}`, []string{`1`, `1.0`, `10e-1`, `2`, `"1"`, `true`}},
	{`{"const":{"a":[1,2],"b":null}}`, []string{`{"b":null,"a":[1.0,2]}`, `{"a":[2,1],"b":null}`, `{"a":[1,2]}`}},
	{`{"enum":["a",1,null,[],{}]}`, []string{`"a"`, `1.0`, `null`, `[]`, `{}`, `"b"`, `2`, `false`, `[1]`, `{"a":1}`}},
	{`{"enum":[]}`, []string{`1`}},
	{`{"minimum":0.1,"maximum":0.3}`, []string{`0.1`, `0.2`, `0.3`, `0.30000000000000001`, `0.09999999999999999999`, `"x"`, `-1`}},
	{`{"exclusiveMinimum":-1,"exclusiveMaximum":1e2}`, []string{`0`, `-1`, `-0.999`, `100`, `99.99999999999999999999`, `1e2`}},
	{`{"multipleOf":0.01}`, []string{`0.07`, `19.99`, `1`, `0.005`, `0`, `1e20`, `1.001`}},
	{`{"multipleOf":1.5}`, []string{`3`, `4.5`, `-1.5`, `1`, `2e0`}},
	{`{"multipleOf":3}`, []string{`9`, `1e1`, `12345678901234567890123456789`, `12345678901234567890123456788`}},
	{`{"minLength":2,"maxLength":3}`, []string{`"åä"`, `"😀😀😀"`, `"a"`, `"abcd"`, `1`, `"😀"`}},
	{`{"pattern":"^a+$"}`, []string{`"aa"`, `"ab"`, `3`}},
	{`{"minItems":1,"maxItems":2}`, []string{`[1]`, `[]`, `[1,2,3]`, `{}`}},
	{`{"uniqueItems":true}`, []string{`[1,2]`, `[1,1.0]`, `[{"a":1,"b":2},{"b":2,"a":1}]`, `["1",1]`, `[]`, `[[1],[1]]`, `[null,false,0,""]`}},
	{`{"uniqueItems":false}`, []string{`[1,1]`}},
	{`{"required":["a","b"]}`, []string{`{"a":1,"b":null}`, `{"a":1}`, `[]`, `{}`}},
	{`{"minProperties":1,"maxProperties":2}`, []string{`{"a":1}`, `{}`, `{"a":1,"b":2,"c":3}`, `1`}},
	{`{"properties":{"a":{"type":"string"},"b":false}}`, []string{`{"a":"x"}`, `{"a":1}`, `{"b":1}`, `{"c":1}`, `1`}},
	{`{"patternProperties":{"^x":{"type":"integer"},"y$":{"minimum":2}}}`, []string{`{"x":1}`, `{"xy":2}`, `{"xy":1}`, `{"x":"a"}`, `{"y":1}`, `{"z":"a"}`}},
	{`{"properties":{"a":true},"patternProperties":{"^x":true},"additionalProperties":false}`, []string{`{"a":1,"x1":1}`, `{"b":1}`, `{}`}},
	{`{"properties":{"a":true},"additionalProperties":{"type":"string"}}`, []string{`{"a":1,"b":"x"}`, `{"b":1}`}},
	{`{"propertyNames":{"maxLength":2,"pattern":"^[a-z]*$"}}`, []string{`{"ab":1}`, `{"abc":1}`, `{"A":1}`, `{}`, `3`}},
	{`{"propertyNames":false}`, []string{`{}`, `{"a":1}`}},
	{`{"propertyNames":{"enum":["a","b"]}}`, []string{`{"a":1}`, `{"c":1}`}},
	{`{"dependentRequired":{"a":["b","c"],"b":[]}}`, []string{`{"a":1,"b":1,"c":1}`, `{"a":1}`, `{"b":1}`, `{"a":1,"b":1}`, `[]`}},
	{`{"dependentSchemas":{"a":{"required":["b"],"properties":{"b":{"type":"integer"}}},"z":false}}`, []string{`{"a":1,"b":1}`, `{"a":1}`, `{"a":1,"b":"x"}`, `{"b":"x"}`, `{"z":1}`}},
	{`{"prefixItems":[{"type":"string"},{"type":"integer"}]}`, []string{`["a",1]`, `["a"]`, `[1]`, `["a","b"]`, `["a",1,null]`, `{}`}},
	{`{"prefixItems":[{"type":"string"}],"items":false}`, []string{`["a"]`, `["a",1]`, `[]`}},
	{`{"prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`, []string{`["a",1]`, `["a","b"]`, `[1]`}},
	{`{"items":{"type":"integer"}}`, []string{`[1,2]`, `[1,"a"]`, `[]`, `"a"`}},
	{`{"contains":{"const":1}}`, []string{`[1]`, `[2]`, `[]`, `[2,1.0]`, `1`}},
	{`{"contains":{"type":"string"},"minContains":2,"maxContains":3}`, []string{`["a","b"]`, `["a"]`, `["a","b","c","d"]`, `[1,"a",2,"b"]`}},
	{`{"contains":{"type":"string"},"minContains":0}`, []string{`[]`, `[1]`}},
	{`{"contains":{"type":"string"},"maxContains":1}`, []string{`["a"]`, `[]`, `["a","b"]`}},
	{`{"allOf":[{"required":["a"]},{"required":["b"]}]}`, []string{`{"a":1,"b":1}`, `{"a":1}`}},
	{`{"anyOf":[{"pattern":"^a"},{"maxLength":3}]}`, []string{`"abcdef"`, `"xyz"`, `"xyzw"`, `1`}},
	{`{"oneOf":[{"required":["a"]},{"required":["b"]}]}`, []string{`{"a":1}`, `{"b":1}`, `{"a":1,"b":1}`, `{}`, `1`}},
	{`{"oneOf":[{"multipleOf":2},{"multipleOf":3}]}`, []string{`2`, `3`, `6`, `5`}},
	{`{"not":{"required":["a"]}}`, []string{`{}`, `{"a":1}`}},
	{`{"not":{"not":{"type":"string"}}}`, []string{`"a"`, `1`}},
	{`{"not":{}}`, []string{`1`}},
	{`{"not":{"enum":["root","admin"]}}`, []string{`"me"`, `"root"`}},
	{`{"if":{"properties":{"kind":{"const":"a"}},"required":["kind"]},"then":{"required":["x"]},"else":{"required":["y"]}}`, []string{`{"kind":"a","x":1}`, `{"kind":"a"}`, `{"y":1}`, `{}`, `{"kind":"b","y":1}`, `{"kind":"b","x":1}`}},
	{`{"if":{"type":"string"},"then":{"minLength":2}}`, []string{`"ab"`, `"a"`, `1`}},
	{`{"if":{"type":"string"},"else":{"minimum":2}}`, []string{`"a"`, `1`, `2`}},
	{`{"if":false,"then":false,"else":{"type":"string"}}`, []string{`"a"`, `1`}},
	{`{"then":false,"else":false}`, []string{`1`}},
	{`{"properties":{"a":true},"unevaluatedProperties":false}`, []string{`{"a":1}`, `{"b":1}`, `1`}},
	{`{"properties":{"a":true},"unevaluatedProperties":{"type":"string"}}`, []string{`{"a":1,"b":"x"}`, `{"b":1}`}},
	{`{"allOf":[{"properties":{"a":true}}],"properties":{"b":true},"unevaluatedProperties":false}`, []string{`{"a":1,"b":1}`, `{"c":1}`}},
	{`{"if":{"properties":{"a":{"const":1}},"required":["a"]},"then":{"properties":{"b":true}},"else":{"properties":{"c":true}},"unevaluatedProperties":false}`, []string{`{"a":1,"b":1}`, `{"a":2}`, `{"c":1}`, `{"a":1,"c":1}`, `{"b":1}`}},
	{`{"if":{"properties":{"a":{"const":1}},"required":["a"]},"unevaluatedProperties":false}`, []string{`{"a":1}`, `{"a":2}`, `{}`}},
	{`{"anyOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"b":{"type":"string"}}}],"unevaluatedProperties":false}`, []string{`{"a":"x","b":"x"}`, `{"a":1,"b":"x"}`, `{"b":"x"}`, `{"c":1}`}},
	{`{"oneOf":[{"required":["a"],"properties":{"a":true}},{"required":["b"],"properties":{"b":true}}],"unevaluatedProperties":false}`, []string{`{"a":1}`, `{"b":1}`, `{"a":1,"c":1}`, `{"a":1,"b":1}`}},
	{`{"dependentSchemas":{"a":{"properties":{"b":true}}},"properties":{"a":true},"unevaluatedProperties":false}`, []string{`{"a":1,"b":1}`, `{"b":1}`}},
	{`{"not":{"properties":{"a":{"const":1}}},"unevaluatedProperties":false}`, []string{`{"a":2}`, `{}`, `{"a":1}`}},
	{`{"$defs":{"base":{"properties":{"a":true}}},"$ref":"#/$defs/base","unevaluatedProperties":false}`, []string{`{"a":1}`, `{"b":1}`}},
	{`{"allOf":[{"additionalProperties":true}],"unevaluatedProperties":false}`, []string{`{"b":1}`}},
	{`{"allOf":[{"unevaluatedProperties":true}],"unevaluatedProperties":false}`, []string{`{"b":1}`}},
	{`{"allOf":[{"unevaluatedProperties":false}],"properties":{"a":true}}`, []string{`{"a":1}`, `{}`}},
	{`{"properties":{"x":{"properties":{"a":true},"unevaluatedProperties":false}},"unevaluatedProperties":false}`, []string{`{"x":{"a":1}}`, `{"x":{"b":1}}`, `{"y":1}`}},
	{`{"patternProperties":{"^a":true},"unevaluatedProperties":false}`, []string{`{"ab":1}`, `{"b":1}`}},
	{`{"prefixItems":[true],"unevaluatedItems":false}`, []string{`[1]`, `[1,2]`, `{}`}},
	{`{"prefixItems":[true],"unevaluatedItems":{"type":"string"}}`, []string{`[1,"a"]`, `[1,2]`}},
	{`{"items":true,"unevaluatedItems":false}`, []string{`[1,2]`}},
	{`{"contains":{"type":"string"},"unevaluatedItems":false}`, []string{`["a","b"]`, `["a",1]`}},
	{`{"contains":{"multipleOf":2},"unevaluatedItems":{"multipleOf":3}}`, []string{`[2,3,4]`, `[2,5]`, `[3]`}},
	{`{"allOf":[{"prefixItems":[true,true]}],"prefixItems":[true],"unevaluatedItems":false}`, []string{`[1,2]`, `[1,2,3]`}},
	{`{"if":{"prefixItems":[{"const":1}]},"then":{"prefixItems":[true,true]},"unevaluatedItems":false}`, []string{`[1,2]`, `[1,2,3]`, `[2]`, `[]`}},
	{`{"anyOf":[{"prefixItems":[true,{"const":"b"}]},{"prefixItems":[true,true,{"const":"c"}]}],"unevaluatedItems":false}`, []string{`[1,"b"]`, `[1,"b","c"]`, `[1,"x"]`, `[1,"b","x"]`}},
	{`{"allOf":[{"contains":{"multipleOf":2}},{"contains":{"multipleOf":3}}],"unevaluatedItems":{"multipleOf":5}}`, []string{`[2,3,4,5,6]`, `[2,3,7]`}},
	{`{"$defs":{"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"},"value":{"type":"integer"}}}},"$ref":"#/$defs/node"}`, []string{`{"value":1,"next":{"value":2,"next":{}}}`, `{"next":{"next":{"value":"x"}}}`, `1`}},
	{`{"$defs":{"tree":{"contains":{"$ref":"#/$defs/leaf"}},"leaf":{"anyOf":[{"const":1},{"type":"array","contains":{"$ref":"#/$defs/leaf"}}]}},"$ref":"#/$defs/leaf"}`, []string{`1`, `[1]`, `[[[1]]]`, `[[[2]]]`, `[]`, `[2,[1]]`}},
	{`{"properties":{"a/b":{"minimum":2},"~":{"minimum":2}},"dependentSchemas":{"a/b":{"maxProperties":1}}}`, []string{`{"a/b":2}`, `{"a/b":1,"~":1}`, `{"~":1}`}},
	{`{"type":"object","properties":{"list":{"type":"array","items":{"if":{"required":["x"]},"then":{"properties":{"x":{"type":"integer"}}},"else":{"maxProperties":0}}}}}`, []string{`{"list":[{"x":1},{}]}`, `{"list":[{"x":"a"}]}`, `{"list":[{"y":1}]}`}},
}

// The package and an independent validator agree.
func TestAgreement(t *testing.T) {
	t.Parallel()
	pairs := 0
	for _, test := range table {
		pairs += len(test.documents)
		t.Run(test.schema, func(t *testing.T) {
			t.Parallel()
			validator := compile(t, test.schema)
			if validator == nil {
				t.Fatal("the validator does not compile the schema")
			}
			set := parse(t, test.schema)
			for _, text := range test.documents {
				compare(t, validator, test.schema, text, set.Check(decode(t, text), nil) == nil)
			}
		})
	}
	if pairs < 150 {
		t.Errorf("only %d pairs", pairs)
	}
}

// Before 2020-12 contains evaluated no items.
func TestContainsThatCounts(t *testing.T) {
	t.Parallel()
	validator := compile(t, `{"$schema":"https://json-schema.org/draft/2019-09/schema","contains":{"type":"string"},"unevaluatedItems":{"type":"integer"}}`)
	set := rule.Set{Rules: []*rule.Schema{{
		Contains: &rule.Schema{Type: []string{"string"}}, ContainsCounts: true, UnevaluatedItems: &rule.Schema{Type: []string{"integer"}},
	}}}
	const newer = `{"contains":{"type":"string"},"unevaluatedItems":{"type":"integer"}}`
	for _, text := range []string{`["a"]`, `["a",1]`, `[1]`, `[]`, `{}`} {
		compare(t, validator, "2019-09", text, set.Check(decode(t, text), nil) == nil)
		compare(t, compile(t, newer), "2020-12", text, parse(t, newer).Check(decode(t, text), nil) == nil)
	}
}

func compare(t testing.TB, validator *jsonschema.Schema, schema, text string, got bool) {
	t.Helper()
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if want := validator.Validate(instance); (want == nil) != got {
		t.Errorf("%s\n%s\nvalidator: %v\nrule: %t", schema, text, want, got)
	}
}

// compile returns the independent validator, or nil if it does not accept the schema.
func compile(t testing.TB, text string) *jsonschema.Schema {
	t.Helper()
	source, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("file:///s.json", source); err != nil {
		return nil
	}
	compiled, err := c.Compile("file:///s.json")
	if err != nil {
		return nil
	}
	return compiled
}

// The package and an independent validator agree on random schemas and documents, which
// are made from a series of bytes.
func FuzzAgreement(f *testing.F) {
	for i := range 64 {
		seed := make([]byte, 40)
		for j := range seed {
			seed[j] = byte(i*31 + j*(7+i))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := &grower{data: data}
		schema := g.schema(0)
		text, err := json.Marshal(schema)
		if err != nil {
			t.Fatal(err)
		}
		validator := compile(t, string(text))
		if validator == nil {
			t.Skip()
		}
		set := parse(t, string(text))
		for range 8 {
			document, err := json.Marshal(g.value(0))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, validator, string(text), string(document), set.Check(decode(t, string(document)), nil) == nil)
		}
	})
}

// grower makes schemas and values from bytes.
type grower struct {
	data []byte
	pos  int
	turn byte
}

func (g *grower) next(n int) int {
	if len(g.data) == 0 {
		return 0
	}
	if g.pos == len(g.data) {
		g.pos = 0
		g.turn += 37
	}
	b := g.data[g.pos] + g.turn
	g.pos++
	return int(b) % n
}

func (g *grower) name() string { return string(rune('a' + g.next(3))) }

func (g *grower) number() json.Number {
	return json.Number([]string{"0", "1", "2", "-1", "1.5", "3", "1e1", "0.1", "6"}[g.next(9)])
}

func (g *grower) value(depth int) any {
	kinds := 7
	if depth > 2 {
		kinds = 5
	}
	switch g.next(kinds) {
	case 0:
		return nil
	case 1:
		return g.next(2) == 0
	case 2, 3:
		return g.number()
	case 4:
		return strings.Repeat(g.name(), g.next(4))
	case 5:
		items := []any{}
		for range g.next(4) {
			items = append(items, g.value(depth+1))
		}
		return items
	default:
		members := map[string]any{}
		for range g.next(4) {
			members[g.name()] = g.value(depth + 1)
		}
		return members
	}
}

func (g *grower) schema(depth int) any {
	if depth > 3 || g.next(8) == 0 {
		return g.next(4) != 0
	}
	s := map[string]any{}
	for range 1 + g.next(4) {
		g.keyword(s, depth+1)
	}
	return s
}

func (g *grower) keyword(s map[string]any, depth int) {
	one := func(name string) { s[name] = g.schema(depth) }
	several := func(name string) {
		var all []any
		for range 1 + g.next(3) {
			all = append(all, g.schema(depth))
		}
		s[name] = all
	}
	named := func(name string) {
		all := map[string]any{}
		for range 1 + g.next(2) {
			all[g.name()] = g.schema(depth)
		}
		s[name] = all
	}
	switch g.next(34) {
	case 0, 1:
		s["type"] = []string{"object", "array", "string", "integer", "number", "boolean", "null"}[g.next(7)]
	case 2:
		s["const"] = g.value(2)
	case 3:
		s["enum"] = []any{g.value(2), fmt.Sprint("x", g.next(9))}
	case 4:
		s["minimum"] = g.number()
	case 5:
		s["exclusiveMaximum"] = g.number()
	case 6:
		s["multipleOf"] = json.Number([]string{"2", "3", "0.1", "1.5", "10"}[g.next(5)])
	case 7:
		s["minLength"] = g.next(4)
	case 8:
		s["maxLength"] = g.next(4)
	case 9:
		s["pattern"] = "^" + g.name()
	case 10, 11, 12:
		named("properties")
	case 13:
		named("patternProperties")
	case 14:
		one("additionalProperties")
	case 15, 16:
		one("unevaluatedProperties")
	case 17:
		one("propertyNames")
	case 18:
		s["required"] = []string{g.name()}
	case 19:
		s["dependentRequired"] = map[string]any{g.name(): []string{g.name()}}
	case 20:
		named("dependentSchemas")
	case 21:
		several("prefixItems")
	case 22:
		one("items")
	case 23:
		one("contains")
		s["minContains"] = g.next(3)
	case 24:
		one("contains")
		s["maxContains"] = g.next(3)
	case 25, 26:
		one("unevaluatedItems")
	case 27:
		s["uniqueItems"] = true
	case 28:
		several("allOf")
	case 29:
		several("anyOf")
	case 30:
		several("oneOf")
	case 31:
		one("not")
	case 32:
		one("if")
		one("then")
	default:
		one("if")
		one("else")
	}
}
