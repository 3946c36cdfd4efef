package shape_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/naming"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/shape"
)

// typesOf returns the type of the member v of an event (nil if it has no field) and the
// findings. settings are lines of the project file.
func typesOf(t *testing.T, text string, settings ...string) (*ir.Type, []finding.Finding) {
	t.Helper()
	whole := `{"type":"object","properties":{"v":` + text + `}}`
	if inner, defs, ok := strings.Cut(text, ` with `); ok {
		whole = `{"type":"object","properties":{"v":` + inner + `},"$defs":` + defs + `}`
	}
	project, findings, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: shapes\nschemas: []\nout: events\nenvelope: none\n" + strings.Join(append(settings, ""), "\n") +
			"events:\n  - {schema: thing.json, name: Thing, version: 1, type: shapes.thing.v1, aggregate: {type: thing}}\n")},
		"thing.json": {Data: []byte(whole)},
	}, "outboxgen.yaml")
	if err != nil || findings.HasErrors() {
		t.Fatalf("%s: %v %v", text, err, findings.Sorted())
	}
	list := &finding.List{}
	types := shape.Of(project, naming.NewScheme(project), list)
	for _, f := range types.Package.Events[0].Data.Fields {
		return f.Type, list.Sorted()
	}
	return nil, list.Sorted()
}

// printer writes a type as one line: the Go type, with * if null is allowed, and then
// the keywords that a validator checks.
type printer struct{ inside []*ir.Named }

func (p *printer) text(t *ir.Type) string {
	text := p.bare(t)
	if t.Nullable && t.Kind != ir.Any {
		text = "*" + text
	}
	for _, bound := range []struct{ word, value string }{
		{">=", t.Minimum}, {"<=", t.Maximum}, {">", t.ExclusiveMinimum}, {"<", t.ExclusiveMaximum}, {"of", t.MultipleOf},
	} {
		if bound.value != "" {
			text += " " + bound.word + " " + bound.value
		}
	}
	text += counts("length", t.MinLength, t.MaxLength) + counts("items", t.MinItems, t.MaxItems) + counts("members", t.MinProperties, t.MaxProperties)
	if t.UniqueItems {
		text += " unique"
	}
	if t.Pattern != nil {
		text += " /" + t.Pattern.Source + "/"
	}
	if t.Const != nil {
		text += " = " + t.Const.JSON()
	}
	if t.Format != "" {
		text += " " + t.Format
	}
	return text + checks(t.Rules)
}

func counts(what string, low, high *int) string {
	text := ""
	if low != nil {
		text += fmt.Sprintf(" %s >= %d", what, *low)
	}
	if high != nil {
		text += fmt.Sprintf(" %s <= %d", what, *high)
	}
	return text
}

// checks returns the keywords of rules.
func checks(r *ir.Rules) string {
	if r == nil {
		return ""
	}
	var words []string
	for _, rule := range r.Rules {
		for _, w := range rule.Words {
			words = append(words, w.Keyword)
		}
	}
	return " check(" + strings.Join(words, " ") + ")"
}

func (p *printer) bare(t *ir.Type) string {
	switch t.Kind {
	case ir.Slice:
		return "[]" + p.text(t.Elem)
	case ir.Map:
		text := "map[string]" + p.text(t.Elem)
		if t.Keys != nil {
			text += " keys /" + t.Keys.Source + "/"
		}
		return text
	case ir.Enum, ir.Struct, ir.UnionKind, ir.Collection:
		if slices.Contains(p.inside, t.Named) {
			return "itself"
		}
		p.inside = append(p.inside, t.Named)
		defer func() { p.inside = p.inside[:len(p.inside)-1] }()
		return p.named(t.Named)
	}
	return map[ir.Kind]string{
		ir.Any: "any", ir.Bool: "bool", ir.Int: "int64", ir.Uint: "uint64", ir.BigInt: "*big.Int", ir.Float: "float64", ir.Number: "json.Number",
		ir.String: "string", ir.DateTime: "time.Time", ir.Date: "Date", ir.TimeOfDay: "TimeOfDay", ir.Duration: "Duration", ir.UUID: "uuid.UUID",
		ir.Bytes: "[]byte", ir.Object: "map[string]any", ir.Null: "null",
	}[t.Kind]
}

func (p *printer) named(n *ir.Named) string {
	switch {
	case n.Enum != nil:
		var all []string
		for _, v := range n.Enum {
			all = append(all, v.Literal)
		}
		text := "enum(" + strings.Join(all, " ") + ")"
		if n.Open != nil {
			text += " or " + p.text(n.Open)
		}
		return text
	case n.Union != nil:
		var all []string
		for _, b := range n.Union.Branches {
			all = append(all, p.text(b.Type))
		}
		word := "union("
		if n.Union.Raw {
			word = "raw("
		}
		if len(n.Union.Tag) > 0 {
			word += "by " + strings.Join(n.Union.Tag, "/") + ": "
		}
		return word + strings.Join(all, " | ") + ")" + checks(n.Rules)
	case n.Of != nil:
		return p.text(n.Of)
	}
	return p.structure(n)
}

func (p *printer) structure(n *ir.Named) string {
	var all []string
	for _, f := range n.Fields {
		mark := "?"
		if f.Required {
			mark = ""
		}
		if f.Conditional {
			mark = "??"
		}
		all = append(all, f.JSON+mark+" "+p.text(f.Type))
	}
	for _, m := range n.Matching {
		text := "/" + m.Source + "/ never"
		if m.Type != nil {
			text = "/" + m.Source + "/ " + p.text(m.Type)
		}
		all = append(all, text)
	}
	switch {
	case n.Closed:
		all = append(all, "closed")
	case n.Extra != nil:
		all = append(all, "others "+p.text(n.Extra))
	}
	word := "struct{"
	if n.Tuple {
		word = "tuple{"
	}
	return word + strings.Join(all, "; ") + "}" + counts("items", n.MinItems, n.MaxItems) + counts("members", n.MinProperties, n.MaxProperties) + checks(n.Rules)
}

func describe(t *ir.Type) string {
	if t == nil {
		return "no field"
	}
	return (&printer{}).text(t)
}

// A schema becomes the most precise Go type that accepts every valid value. What the
// type cannot express is checked.
func TestTypes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ schema, want string }{
		// Scalars.
		{`true`, `any`},
		{`false`, `no field`},
		{`{"type":"string","minLength":2,"pattern":"^a"}`, `string length >= 2 /^a/`},
		{`{"type":"string","pattern":"a","allOf":[{"pattern":"b"}]}`, `string /a/ check(pattern)`},
		{`{"type":["string","null"]}`, `*string`},
		{`{"type":"string","format":"uuid","maxLength":36}`, `uuid.UUID check(maxLength)`},
		{`{"type":"string","contentEncoding":"base64"}`, `[]byte`},
		{`{"type":"integer","minimum":2.5,"exclusiveMaximum":9}`, `int64 >= 3 < 9`},
		{`{"type":"integer","minimum":-9223372036854775808}`, `int64`},
		{`{"type":"integer","minimum":0,"maximum":18446744073709551615}`, `uint64`},
		{`{"type":"integer","maximum":1e30}`, `*big.Int check(maximum)`},
		{`{"type":"integer","multipleOf":0.5}`, `int64`},
		{`{"type":"number","multipleOf":0.01,"minimum":0}`, `float64 >= 0 of 0.01`},
		{`{"type":"number","format":"decimal","minimum":0}`, `json.Number check(minimum)`},

		// Values.
		{`{"const":"a"}`, `string = "a"`},
		{`{"const":1.5}`, `float64 = 1.5`},
		{`{"enum":["a","b",null]}`, `*enum("a" "b")`},
		{`{"enum":[1,2]}`, `enum(1 2)`},
		{`{"enum":["a",1]}`, "enum(\"\\\"a\\\"\" \"1\")"},
		{`{"enum":[]}`, `no field`},
		{`{"enum":[true,false]}`, `bool`},
		{`{"type":"string","enum":["a"],"not":{"minLength":2}}`, `string = "a" check(not)`},

		// Objects.
		{`{"type":"object"}`, `map[string]any`},
		{`{"type":"object","additionalProperties":{"type":"integer"},"minProperties":1}`, `map[string]int64 members >= 1`},
		{`{"type":"object","patternProperties":{"^x":{"type":"string"}},"additionalProperties":false}`, `map[string]string keys /^x/`},
		{`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer"}},"required":["a"]}`, `struct{a string; b? int64}`},
		{`{"type":"object","properties":{"a":true},"additionalProperties":false}`, `struct{a? any; closed}`},
		{`{"type":"object","properties":{"a":true},"patternProperties":{"^x":{"type":"string"},"^y":false},"additionalProperties":{"type":"boolean"}}`,
			`struct{a? any; /^x/ string; /^y/ never; others bool} check(patternProperties)`},
		{`{"type":"object","required":["a"],"additionalProperties":false}`, `no field`},
		{`{"type":"object","properties":{"a":{"type":"string"}},"dependentRequired":{"a":["b"]}}`, `struct{a? string} check(dependentRequired)`},
		{`{"type":"object","if":{"required":["a"]},"then":{"properties":{"b":{"type":"string","minLength":2}}}}`, `struct{b?? string} check(if then)`},
		{`{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false},{"required":["a"]}]}`, `struct{a string; closed}`},

		{`{"type":["object","null"],"properties":{"a":{"type":"string","const":1}},"required":["a"]}`, `*struct{} check(properties required)`},

		// Arrays.
		{`{"type":"array"}`, `[]any`},
		{`{"type":"array","items":{"type":["integer","null"]},"minItems":1,"uniqueItems":true}`, `[]*int64 items >= 1 unique`},
		{`{"type":"array","items":false}`, `[]any items <= 0`},
		{`{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}],"items":false,"minItems":1}`, `tuple{0 string; 1? int64; closed}`},
		{`{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"integer"}}`, `tuple{0? string; others int64}`},
		{`{"type":"array","items":{"type":"string"},"contains":{"const":"a"}}`, `[]string check(contains)`},

		// Unions: by type, by a tag, by members; else kept raw.
		{`{"type":["string","integer","null"]}`, `*union(string | int64)`},
		{`{"oneOf":[{"type":"string"},{"type":"array","items":{"type":"string"}}]}`, `union(string | []string)`},
		{`{"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]}`,
			`union(by k: struct{k string = "a"} | struct{k string = "b"})`},
		{`{"oneOf":[{"type":"object","properties":{"a":true},"required":["a"],"additionalProperties":false},{"type":"object","properties":{"b":true},"required":["b"],"additionalProperties":false}]}`,
			`union(struct{a any; closed} | struct{b any; closed})`},
		{`{"oneOf":[{"type":"string","minLength":2},{"type":"string","maxLength":3}]}`, `raw(string length >= 2 | string length <= 3)`},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, `raw(int64 | float64) check(oneOf)`},
		{`{"anyOf":[{"type":"integer"},{"type":"number"}]}`, `raw(int64 | float64)`},
		{`{"anyOf":[{"enum":["a","b"]},{"type":"string"}]}`, `enum("a" "b") or string`},
		{`{"oneOf":[{"const":"a"},{"const":"b"}]}`, `enum("a" "b")`},
		{`{"anyOf":[{"type":"string"}]}`, `string`},
		{`{"oneOf":[{"type":"string"},{"type":"null"}]}`, `*string`},
		{`{"oneOf":[{},{"type":"null"}]}`, `any check(oneOf)`},
		{`{"anyOf":[{},{"type":"null"}]}`, `any`},
		{`{"oneOf":[{"type":"string"},{}]}`, `*raw(string | any)`},
		{`{"oneOf":[false,{"type":"string"}]}`, `string`},

		// A contradiction has no field, and as an item it is raw.
		{`{"type":"integer","minimum":5,"maximum":4}`, `no field`},
		{`{"allOf":[{"type":"string"},{"type":"integer"}]}`, `no field`},
		{`{"type":"array","prefixItems":[{"type":"string"}],"items":{"allOf":[{"type":"string"},{"type":"integer"}]}}`, `tuple{0? string; closed}`},
		{`{"type":"object","additionalProperties":{"enum":[]}}`, `struct{closed}`},

		// Recursion needs a name, with any types on the cycle.
		{`{"$ref":"#/$defs/list"} with {"list":{"type":["array","null"],"items":{"$ref":"#/$defs/list"}}}`, `*[]*itself`},
		{`{"$ref":"#/$defs/tree"} with {"tree":{"type":"object","additionalProperties":{"$ref":"#/$defs/tree"}}}`, `map[string]itself`},
		{`{"$ref":"#/$defs/node"} with {"node":{"type":"object","properties":{"next":{"$ref":"#/$defs/node"}}}}`, `struct{next? itself}`},
		{`{"$ref":"#/$defs/loop"} with {"loop":{"type":"object","properties":{"next":{"$ref":"#/$defs/loop"}},"required":["next"]}}`, `struct{next itself}`},
	} {
		got, _ := typesOf(t, test.schema)
		if text := describe(got); text != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.schema, text, test.want)
		}
	}
}

// By the specification alone, a constraint without a type leaves other types, an
// integer has any size,
// and formats are annotations.
func TestTypesAtTheirWord(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"minLength":2}`:                               `any check(minLength)`,
		`{"properties":{"a":{"type":"string"}}}`:        `any check(properties)`,
		`{"type":"string","format":"uuid"}`:             `string`,
		`{"type":"integer","format":"int32"}`:           `*big.Int`,
		`{"type":"string","contentEncoding":"base64"}`:  `string`,
		`{"type":["string","integer"],"minLength":2}`:   `union(string length >= 2 | *big.Int)`,
		`{"type":"array","contains":{"format":"uuid"}}`: `[]any check(contains)`,
	} {
		got, _ := typesOf(t, text, "validation: spec")
		if got := describe(got); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// A type that is not precise gives a warning, and never an error.
func TestWhatIsWarnedOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		`{"type":"string"}`: nil,
		`{"minLength":2}`:   {"type-missing"},
		`{"allOf":[{"anyOf":[{"properties":{"a":{}}},{"type":"boolean"},{"type":"null"}]},{"anyOf":[{"type":"array"},{"type":"null"}]}]}`: {"branch-never-valid"},
		`{"anyOf":[{"properties":{"a":{}}},{"type":"string"}],"oneOf":[{"items":true},{"type":"string"}]}`:                                {"second-union", "union-kept-raw"},
		`{"type":"object","additionalProperties":{"required":["b"],"properties":{"b":false}}}`:                                            {"never-valid", "type-missing"},
		`{"type":"array","items":{"required":["b"],"properties":{"b":false}}}`:                                                            {"never-valid", "type-missing"},
		`{"type":"array","prefixItems":[{"required":["b"],"properties":{"b":false}}]}`:                                                    {"never-valid", "type-missing"},
		`{"type":"object","properties":{"a":{"required":["b"],"properties":{"b":false}}}}`:                                                {"property-never-valid", "type-missing"},
		`{"oneOf":[{"type":"string","minLength":2},{"type":"string","maxLength":3}]}`:                                                     {"union-kept-raw"},
		`{"allOf":[{"type":"string"},{"type":"integer"}]}`:                                                                                {"property-never-valid"},
		`{"oneOf":[{"type":"string"},{"type":"string","enum":[]}]}`:                                                                       {"branch-never-valid"},
		`{"type":"string","enum":["a",1]}`:                                                                                                {"value-type"},
		`{"type":"object","properties":{"a":{"type":"string","const":1}}}`:                                                                {"property-never-valid"},
		`{"type":"string","format":"colour"}`:                                                                                             {"format-not-checked"},
	} {
		_, findings := typesOf(t, text)
		var ids []string
		for _, f := range findings {
			if f.Severity != finding.Warning {
				t.Errorf("%s: %v", text, f)
			}
			ids = append(ids, f.ID)
		}
		slices.Sort(ids)
		if diff := cmp.Diff(want, ids); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// A union whose constants cannot be tags says why, and not that they are missing.
func TestUnlikeTags(t *testing.T) {
	t.Parallel()
	branch := func(value string) string {
		return `{"type":"object","required":["t"],"properties":{"t":` + value + `}}`
	}
	const (
		several  = `the branches of this oneOf cannot be told apart: the constants of the property "t" are of different types; the value is kept as raw JSON, with a method for each branch; give "t" constants of one type in all branches: strings, booleans or integers [union-kept-raw]`
		unusable = `the branches of this oneOf cannot be told apart: some constants of the property "t" are not strings, booleans or integers of 64 bits; the value is kept as raw JSON, with a method for each branch; give "t" constants of one type in all branches: strings, booleans or integers [union-kept-raw]`
		same     = `the branches of this oneOf cannot be told apart: branch 1 and branch 2 are objects, and one value may be valid for both; the value is kept as raw JSON, with a method for each branch; give every branch a required property with its own const, such as kind [union-kept-raw]`
	)
	for _, test := range []struct{ one, other, want string }{
		{`{"const":1}`, `{"const":2}`, ""},
		{`{"const":1}`, `{"const":"1"}`, several},
		{`{"enum":["a","b"]}`, `{"const":true}`, several},
		{`{"const":"none"}`, `{"const":null}`, unusable},
		{`{"const":null}`, `{"const":"none"}`, unusable},
		{`{"const":1.5}`, `{"const":2.5}`, unusable},
		{`{"const":"a"}`, `{"enum":["a",1]}`, same},
		{`{"const":"a"}`, `{"type":"string"}`, same},
	} {
		_, findings := typesOf(t, `{"oneOf":[`+branch(test.one)+`,`+branch(test.other)+`]}`)
		got := ""
		for _, f := range findings {
			_, got, _ = strings.Cut(f.String(), "warning: ")
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s and %s (-want +got):\n%s", test.one, test.other, diff)
		}
	}
}

// A format that is known for another type says so.
func TestFormatsOfOtherTypes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"type":"string","format":"decimal"}`:   `format "decimal" is for numbers; any string passes; for a number in a string, write pattern: ^-?[0-9]+([.][0-9]+)?$ [format-not-checked]`,
		`{"type":"string","format":"double"}`:    `format "double" is for numbers; any string passes; for a number in a string, write pattern: ^-?[0-9]+([.][0-9]+)?$ [format-not-checked]`,
		`{"type":"string","format":"int64"}`:     `format "int64" is for numbers; any string passes; for an integer in a string, write pattern: ^-?[0-9]+$ [format-not-checked]`,
		`{"type":"string","format":"money"}`:     `format "money" is not known; any string passes [format-not-checked]`,
		`{"type":"string","format":"datetime"}`:  `format "datetime" is not known; any string passes; did you mean "date-time"? [format-not-checked]`,
		`{"type":"string","format":"UUID"}`:      `format "UUID" is not known; any string passes; did you mean "uuid"? [format-not-checked]`,
		`{"type":"string","format":"url"}`:       `format "url" is not known; any string passes; did you mean "uri"? [format-not-checked]`,
		`{"type":"string","format":"Timestamp"}`: `format "Timestamp" is not known; any string passes; did you mean "date-time"? [format-not-checked]`,
		`{"type":"number","format":"int32"}`:     `format "int32" is for integers; any number passes [format-not-checked]`,
		`{"type":"integer","format":"uuid"}`:     `format "uuid" is for strings; any integer passes [format-not-checked]`,
		`{"type":"number","format":"hostname"}`:  `format "hostname" is for strings; any number passes [format-not-checked]`,
		`{"type":"number","format":"decimal"}`:   ``,
		`{"type":"integer","format":"decimal"}`:  ``,
	} {
		_, findings := typesOf(t, text)
		got := ""
		for _, f := range findings {
			_, got, _ = strings.Cut(f.String(), "warning: ")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
