package normal_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/outboxgen/outboxgen/generator/internal/normal"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// read returns the node of a schema.
func read(t *testing.T, options normal.Options, text string) *normal.Node {
	t.Helper()
	project, findings, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: forms\nschemas: []\nout: events\nenvelope: none\n" +
			"events:\n  - {schema: thing.json, name: Thing, version: 1, type: forms.thing.v1, aggregate: {type: thing}}\n")},
		"thing.json": {Data: []byte(text)},
	}, "outboxgen.yaml")
	if err != nil || findings.HasErrors() {
		t.Fatalf("%s: %v %v", text, err, findings.Sorted())
	}
	return normal.New(options).Node(project.Events[0].Schema)
}

// summary returns a form as one line: the values, and after "check" the keywords that
// are left to a validator.
func summary(n *normal.Node, depth int) string {
	if n.Never() != nil {
		return "never"
	}
	if depth > 3 {
		return "…"
	}
	f, nullable := n.Settled()
	text := values(f, depth)
	var check []string
	for _, r := range f.Residues() {
		if r.Whole {
			check = append(check, "all of it")
		}
		check = append(check, r.Keywords...)
		check = append(check, r.Members...)
	}
	if len(check) > 0 {
		text += " check " + strings.Join(check, " ")
	}
	switch {
	case nullable && f.Kinds|normal.Null == normal.All && !f.Listed:
	case nullable:
		text += " or null"
	case f.Kinds|normal.Null == normal.All && !f.Listed:
		text += " but null"
	}
	return text
}

func values(f *normal.Form, depth int) string {
	switch kind := f.Kinds.One(); {
	case f.Listed && len(f.Values) > 0:
		var all []string
		for _, v := range f.Values {
			all = append(all, v.JSON())
		}
		return "one of " + strings.Join(all, " ")
	case f.Union != nil:
		var all []string
		for _, b := range f.Union.Branches {
			all = append(all, summary(b.Node, depth+1))
		}
		return f.Union.Keyword + "(" + strings.Join(all, " | ") + ")"
	case f.Kinds&^normal.Null == normal.None:
		return "nothing"
	case f.Kinds|normal.Null == normal.All:
		return "anything"
	case kind == "object":
		return object(f.Object(), depth)
	case kind == "array":
		return array(f.Array(), depth)
	case kind == "string":
		return "string" + limits(f.Text.MinLength, f.Text.MaxLength) + words(f.Text)
	case kind == "integer" || kind == "number":
		n := f.Number
		return kind + limits(n.Minimum, n.Maximum) + limits(n.ExclusiveMinimum, n.ExclusiveMaximum) + fmt.Sprint(multiples(n))
	case kind != "":
		return kind
	}
	return strings.Join(f.Kinds.Types(), " or ")
}

func words(t *normal.TextForm) string {
	text := ""
	for _, p := range t.Patterns {
		text += " /" + p.Name.Text + "/"
	}
	for _, f := range t.Formats {
		text += " " + f.Name
	}
	return text
}

func multiples(n *normal.NumberForm) string {
	text := ""
	for _, m := range n.MultipleOf {
		text += " of " + m.Number.Text
	}
	return text
}

func limits(low, high *normal.Limit) string {
	if low == nil && high == nil {
		return ""
	}
	text := " "
	if low != nil {
		text += low.Number.Text
	}
	text += ".."
	if high != nil {
		text += high.Number.Text
	}
	return text
}

func object(o *normal.ObjectForm, depth int) string {
	var parts []string
	for _, m := range o.Members {
		name := m.Name
		if m.Required {
			name += "!"
		}
		parts = append(parts, name+": "+summary(m.Node, depth+1))
	}
	for _, p := range o.Patterns {
		parts = append(parts, "/"+p.Pattern.Text+"/: "+summary(p.Node, depth+1))
	}
	switch {
	case o.Closed:
		parts = append(parts, "closed")
	case o.Rest != nil:
		parts = append(parts, "others: "+summary(o.Rest, depth+1))
	}
	return "{" + strings.Join(parts, ", ") + "}" + limits(o.MinProperties, o.MaxProperties)
}

func array(a *normal.ArrayForm, depth int) string {
	var parts []string
	for _, p := range a.Positions {
		parts = append(parts, summary(p.Node, depth+1))
	}
	switch {
	case a.Closed:
		parts = append(parts, "closed")
	case a.Rest != nil:
		parts = append(parts, summary(a.Rest, depth+1)+"…")
	}
	return "[" + strings.Join(parts, ", ") + "]" + limits(a.MinItems, a.MaxItems)
}

// Schemas that allow the same values have the same form.
func TestForms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ schema, want string }{
		// Types.
		{`true`, `anything`},
		{`{}`, `anything`},
		{`false`, `never`},
		{`{"type":["string","null"]}`, `string or null`},
		{`{"type":["integer","number"]}`, `number`},
		{`{"type":["string","integer"]}`, `type(string | integer)`},
		{`{"minLength":2}`, `string 2..`},
		{`{"type":"null"}`, `nothing or null`},
		{`{"not":{"type":"null"}}`, `anything check all of it but null`},

		// Bounds: the strictest holds, and if they cross, no value is left.
		{`{"allOf":[{"type":"integer","minimum":1},{"minimum":3,"maximum":9}]}`, `integer 3..9`},
		{`{"type":"integer","minimum":5,"maximum":4}`, `never`},
		{`{"type":"string","allOf":[{"pattern":"a"},{"pattern":"b"},{"pattern":"a"}]}`, `string /a/ /b/`},
		{`{"allOf":[{"type":"number","multipleOf":2},{"multipleOf":2.0},{"multipleOf":3}]}`, `number of 2 of 3`},

		// Values: only the valid ones.
		{`{"type":"integer","enum":[1,5,9],"maximum":5}`, `one of 1 5`},
		{`{"type":["string","integer"],"enum":["a","b"]}`, `one of "a" "b"`},
		{`{"allOf":[{"enum":["a","b",null]},{"enum":["b","c",null]}]}`, `one of "b" or null`},
		{`{"type":"string","enum":["a",null]}`, `one of "a"`},
		{`{"enum":[]}`, `never`},
		{`{"allOf":[{"type":"null"},{"enum":["a",null]}]}`, `nothing or null`},
		{`{"type":"string","const":1}`, `never`},

		// Objects: member by member.
		{`{"type":"object","properties":{"a":{"type":"string"}},"required":["a","b"]}`, `{a!: string, b!: anything}`},
		{`{"allOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"properties":{"a":{"minLength":2}},"required":["a"]}]}`, `{a!: string 2..}`},
		{`{"allOf":[{"type":"object","properties":{"a":true},"additionalProperties":false},{"properties":{"b":true}}]}`, `{a: anything, b: never, closed}`},
		{`{"allOf":[{"type":"object","properties":{"a":true},"additionalProperties":false},{"required":["b"]}]}`, `never`},
		{`{"type":"object","allOf":[{"properties":{"a":{"type":"string"}}}],"unevaluatedProperties":false}`, `{a: string, closed}`},
		{`{"type":"object","properties":{"x1":{"type":"string"}},"patternProperties":{"^x":{"minLength":2}},"additionalProperties":{"type":"integer"}}`, `{x1: string 2.., /^x/: string 2.., others: integer}`},
		{`{"type":"object","dependentRequired":{"a":["b"]},"propertyNames":{"maxLength":3}}`, `{} check dependentRequired propertyNames`},

		// Arrays: item by item.
		{`{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`, `[string, integer…]`},
		{`{"type":"array","prefixItems":[{"type":"string"}],"items":false,"minItems":2}`, `never`},
		{`{"type":"array","allOf":[{"prefixItems":[{"type":"string"}]}],"unevaluatedItems":{"type":"integer"}}`, `[string, integer…]`},
		{`{"type":"array","contains":{"const":1}}`, `[] check contains`},
		{`{"type":"array","contains":{"const":1},"unevaluatedItems":{"type":"integer"}}`, `[] check contains unevaluatedItems`},
		{`{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"array","contains":{"const":1},"unevaluatedItems":{"type":"integer"}}`,
			`[integer…] check contains`},

		// Unions: branches without a valid value are dropped, and null is separate.
		{`{"oneOf":[{"type":"string"},{"type":"null"}]}`, `string or null`},
		{`{"oneOf":[{},{"type":"null"}]}`, `anything check all of it but null`},
		{`{"anyOf":[{},{"type":"null"}]}`, `anything`},
		{`{"anyOf":[true,{"type":"string"}]}`, `anything`},
		{`{"anyOf":[{"anyOf":[{"type":"string"},{"type":"integer"}]},{"type":"boolean"}]}`, `anyOf(string | integer | boolean)`},
		{`{"type":"string","oneOf":[{"type":"string","maxLength":3},{"type":"integer"}]}`, `string ..3`},
		{`{"type":"object","oneOf":[{"required":["a"]},{"required":["b"]}]}`, `{} check oneOf`},
		{`{"type":"integer","oneOf":[{"type":"string"},{"type":"null"}]}`, `never`},
		{`{"type":"object","properties":{"a":{"type":"string"}},"oneOf":[{"properties":{"b":{"type":"integer"}},"required":["b"]},{"properties":{"c":true},"required":["c"]}]}`,
			`oneOf({a: string, b!: integer} | {a: string, c!: anything})`},

		// What a form cannot express.
		{`{"type":"string","not":{"const":"a"}}`, `string check not`},
		{`{"type":["string","integer"],"not":{"type":"string"}}`, `integer`},
		{`{"type":"string","if":{"minLength":2},"then":{"pattern":"a"}}`, `string check if`},

		// References.
		{`{"$ref":"#/$defs/a","$defs":{"a":{"type":"string"}}}`, `string`},
		{`{"$ref":"#/$defs/a","minLength":2,"$defs":{"a":{"type":"string"}}}`, `string 2..`},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}}}}}`, `{a: {a: {a: {a: …}}}}`},
	} {
		if got := summary(read(t, normal.Options{}, test.schema), 0); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.schema, got, test.want)
		}
	}
}

// By the specification, a constraint without a type does not limit other types.
func TestFormsBySpecification(t *testing.T) {
	t.Parallel()
	for schema, want := range map[string]string{
		`{"minLength":2}`: `anything check all of it`,
		`{"type":["string","integer"],"minLength":2}`:        `type(string 2.. | integer)`,
		`{"properties":{"a":{"type":"string"}}}`:             `anything check all of it`,
		`{"allOf":[{"minLength":2},{"type":"string"}]}`:      `string 2..`,
		`{"type":"string","format":"uuid"}`:                  `string uuid`,
		`{"anyOf":[{"minimum":3},{"type":"string"}]}`:        `anyOf(anything check all of it | string)`,
		`{"oneOf":[{"type":"integer"},{"type":"string"}]}`:   `oneOf(integer | string)`,
		`{"type":"object","properties":{"a":{"minimum":3}}}`: `{a: anything check all of it}`,
	} {
		if got := summary(read(t, normal.Options{Specification: true}, schema), 0); got != want {
			t.Errorf("%s\n got %s\nwant %s", schema, got, want)
		}
	}
}

// The order of the parts of an allOf does not matter, and neither does whether a part
// is a reference.
func TestFormsDoNotDependOnOrder(t *testing.T) {
	t.Parallel()
	parts := []string{`{"type":["object","null"],"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"minLength":2}},"required":["a"]}`, `{"anyOf":[{"required":["b"]},{"type":"null"}]}`}
	want := summary(read(t, normal.Options{}, `{"allOf":[`+strings.Join(parts, ",")+`]}`), 0)
	for _, order := range [][]int{{0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		inline, referred, defs := []string{}, []string{}, []string{}
		for _, i := range order {
			inline = append(inline, parts[i])
			referred = append(referred, fmt.Sprintf(`{"$ref":"#/$defs/p%d"}`, i))
		}
		for i, p := range parts {
			defs = append(defs, fmt.Sprintf(`"p%d":%s`, i, p))
		}
		for _, text := range []string{
			`{"allOf":[` + strings.Join(inline, ",") + `]}`,
			`{"allOf":[` + strings.Join(referred, ",") + `],"$defs":{` + strings.Join(defs, ",") + `}}`,
		} {
			if got := summary(read(t, normal.Options{}, text), 0); got != want {
				t.Errorf("%s\n got %s\nwant %s", text, got, want)
			}
		}
	}
}
