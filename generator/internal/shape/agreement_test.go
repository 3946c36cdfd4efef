package shape_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// agreement is a schema with documents. The generated type and an independent validator
// have to agree on them.
type agreement struct {
	name, schema string
	valid        []string
	invalid      []string
	findings     []string // the ids of all findings
	unmatched    bool     // it has a pattern that the validator cannot match
}

// agreements are schemas with keywords that affect each other.
var agreements = []agreement{
	{
		name: "an anyOf inside a union looks at what its branches evaluate together",
		schema: `{"type":"object","properties":{"v":{"oneOf":[
			{"type":"object","anyOf":[{"required":["a"],"properties":{"a":{"type":"integer"}}},{"required":["b"],"properties":{"b":{"type":"integer"}}}],"unevaluatedProperties":false},
			{"type":"string"}]}}}`,
		valid:    []string{`{"v":{"a":1}}`, `{"v":{"b":1}}`, `{"v":{"a":1,"b":2}}`, `{"v":"x"}`},
		invalid:  []string{`{"v":{"c":1}}`, `{"v":{"a":1,"c":2}}`, `{"v":3}`},
		findings: []string{"union-kept-raw", "union-kept-raw"},
	},
	{
		name:    "listed strings have a format besides",
		schema:  `{"type":"object","properties":{"v":{"enum":["abc","2020-01-01"],"format":"date"},"w":{"type":"string","const":"zzz","format":"uuid"}}}`,
		valid:   []string{`{"v":"2020-01-01"}`},
		invalid: []string{`{"v":"abc"}`, `{"w":"zzz"}`},
	},
	{
		name:    "a listed number beyond float64 has a bound",
		schema:  `{"type":"object","properties":{"v":{"enum":[1e400,3],"maximum":5}}}`,
		valid:   []string{`{"v":3}`},
		invalid: []string{`{"v":1e400}`},
	},
	{
		name:     "unevaluatedProperties inside an allOf describes all members",
		schema:   `{"type":"object","allOf":[{"unevaluatedProperties":{"type":"string"}}],"unevaluatedProperties":false,"required":["x"]}`,
		valid:    []string{`{"x":"a"}`, `{"x":"a","y":"b"}`},
		invalid:  []string{`{"x":1}`, `{"y":"b"}`, `{"x":"a","y":1}`},
		findings: []string{},
	},
	{
		name:     "a string of a oneOf inside an anyOf is valid for one branch alone",
		schema:   `{"type":"object","properties":{"v":{"anyOf":[{"oneOf":[{"enum":["a"]},{"type":"string"}]},{"type":"integer"}]}}}`,
		valid:    []string{`{"v":"b"}`, `{"v":1}`},
		invalid:  []string{`{"v":"a"}`, `{"v":true}`},
		findings: []string{"union-kept-raw", "union-kept-raw"},
	},
	{
		name:     "a value that two branches of a oneOf inside an anyOf list",
		schema:   `{"type":"object","properties":{"v":{"anyOf":[{"oneOf":[{"enum":["a","b"]},{"enum":["b","c"]}]},{"const":"d"}]}}}`,
		valid:    []string{`{"v":"a"}`, `{"v":"c"}`, `{"v":"d"}`},
		invalid:  []string{`{"v":"b"}`, `{"v":"e"}`},
		findings: []string{"union-kept-raw", "union-kept-raw"},
	},
	{
		name:    "null beside a branch that allows it too",
		schema:  `{"type":"object","properties":{"v":{"oneOf":[{},{"type":"null"}]},"w":{"type":["boolean","number","string","array","object"],"oneOf":[{"title":"any"}]}}}`,
		valid:   []string{`{"v":1}`, `{"w":"x"}`},
		invalid: []string{`{"v":null}`, `{"w":null}`},
	},
	{
		name:     "branches of any type beside a constraint are counted",
		schema:   `{"type":"object","properties":{"v":{"not":{"const":5},"allOf":[{"oneOf":[{"not":{"type":"boolean"}},{"type":"string"},{"type":"array"}]}]}}}`,
		valid:    []string{`{"v":1}`, `{"v":null}`, `{"v":{}}`},
		invalid:  []string{`{"v":"a"}`, `{"v":5}`, `{"v":[]}`, `{"v":true}`},
		findings: []string{"union-kept-raw", "value-kept-raw"},
	},
	{
		name:     "branches that list objects beside a constraint are counted",
		schema:   `{"type":"object","properties":{"v":{"type":["object","array"],"not":{"const":{}},"oneOf":[{"enum":[{"a":1},[1]]},{"type":"object"},{"type":"array","minItems":2}]}}}`,
		valid:    []string{`{"v":{"b":1}}`, `{"v":[1]}`, `{"v":[1,2]}`},
		invalid:  []string{`{"v":{"a":1}}`, `{"v":{}}`},
		findings: []string{"union-kept-raw"},
	},
	{
		name:    "of two bounds that one counts which says more",
		schema:  `{"type":"object","properties":{"v":{"type":"number","allOf":[{"maximum":1e400},{"maximum":5}]},"w":{"type":"integer","allOf":[{"minimum":-1e400},{"minimum":5}]}}}`,
		valid:   []string{`{"v":3}`, `{"w":5}`},
		invalid: []string{`{"v":6}`, `{"w":4}`},
	},
	{
		name:     "a tag tells branches apart of which one may be null",
		schema:   `{"type":"object","properties":{"v":{"oneOf":[{"type":["object","null"],"required":["k"],"properties":{"k":{"const":"a"}}},{"type":"object","required":["k"],"properties":{"k":{"const":"b"}}}]}}}`,
		valid:    []string{`{"v":null}`, `{"v":{"k":"a"}}`, `{"v":{"k":"b"}}`},
		invalid:  []string{`{"v":{"k":"c"}}`, `{"v":{}}`},
		findings: []string{},
	},
	{
		name: "a type that is said is not concluded from keywords, though it is every one",
		schema: `{"type":"object","properties":{"v":{"type":["null","boolean","number","string","array","object"],"properties":{"a":{"type":"string"}}},
			"w":{"anyOf":[{"type":["null","boolean","string"]},{"type":"number"},{"type":"array"},{"type":"object"}],"minLength":2}}}`,
		valid:   []string{`{"v":1}`, `{"v":null}`, `{"v":[]}`, `{"v":{"a":"x"}}`, `{"w":1}`, `{"w":null}`, `{"w":"ab"}`, `{"w":{}}`},
		invalid: []string{`{"v":{"a":1}}`, `{"w":"a"}`},
	},
	{
		name: "a member that a condition describes and a pattern types",
		schema: `{"type":"object","properties":{"k":{"type":"object","patternProperties":{"b":{"type":"array"}},
			"dependentSchemas":{"b":{"properties":{"b":{"format":"uuid"},"c":{"type":"string"}}}}}}}`,
		valid:   []string{`{"k":{"b":[]}}`, `{"k":{"c":1}}`, `{"k":{"b":[1],"c":"x"}}`},
		invalid: []string{`{"k":{"b":"3f2b7c1e-5d0a-4c69-8b1c-7f4f0a9b2e11"}}`, `{"k":{"b":[],"c":1}}`},
	},
	{
		name:     "a member that only a condition describes, and that no value can satisfy there",
		schema:   `{"type":"object","dependentSchemas":{"b":{"properties":{"x":{"type":"object","properties":{"a":{"allOf":[{"type":"array"},{"type":"integer"}]}},"required":["a"]}}}}}`,
		valid:    []string{`{}`, `{"x":{"a":1}}`, `{"x":2}`, `{"b":1}`},
		invalid:  []string{`{"b":1,"x":{"a":1}}`, `{"b":1,"x":2}`},
		findings: []string{"conditional-member", "never-valid"},
	},
	{
		name:     "a branch whose type is concluded, and that no value of this type can take",
		schema:   `{"type":"object","properties":{"v":{"anyOf":[{"required":["b"],"properties":{"b":false}},{"type":"array"},{"type":"integer"}]}}}`,
		valid:    []string{`{"v":1}`, `{"v":[]}`},
		invalid:  []string{`{"v":{"b":1}}`, `{"v":{}}`},
		findings: []string{"branch-never-valid", "type-missing"},
	},
	{
		name:    "a default that Go has no literal for",
		schema:  `{"type":"object","properties":{"v":{"type":"array","default":[1]},"w":{"type":"object","additionalProperties":{"type":"array","items":{"type":["string","null"]}},"default":{"a":["x"]}}}}`,
		valid:   []string{`{}`, `{"v":[2]}`, `{"w":{"b":[null]}}`},
		invalid: []string{`{"v":1}`, `{"w":[]}`},
	},
	{
		name: "patterns that only package ecma of the runtime can match are checked everywhere",
		schema: `{"type":"object","properties":{
			"password":{"type":"string","pattern":"(?=.*[A-Z])(?=.*[0-9]).{4,}"},
			"text":{"type":"string","pattern":"^.{1,65535}$"},
			"not":{"type":"string","not":{"pattern":"a.*(?=b.*c).*d"}},
			"one":{"type":"string","oneOf":[{"pattern":"a.*(?=b.*c).*d"},{"pattern":"e"}]},
			"members":{"type":"object","patternProperties":{"a.*(?=b.*c).*d":{"type":"integer"}},"additionalProperties":false}
		}}`,
		valid: []string{
			`{"password":"xAb1y"}`, `{"text":"x"}`, `{"text":"` + strings.Repeat("x", 65535) + `"}`, `{"not":"abd"}`, `{"one":"abcd"}`, `{"one":"e"}`,
			`{"members":{"abcd":1}}`,
		},
		invalid: []string{
			`{"password":"xab1y"}`, `{"password":"A1b"}`, `{"text":""}`, `{"text":"` + strings.Repeat("x", 65536) + `"}`, `{"text":"a\nb"}`, `{"not":"xabcd"}`,
			`{"one":"abcde"}`, `{"one":"abd"}`, `{"members":{"abcd":"x"}}`, `{"members":{"abd":1}}`,
		},
		unmatched: true,
		findings:  []string{},
	},
	{
		name: "a pattern with a back reference is checked but for what the reference repeats",
		schema: `{"type":"object","properties":{
			"v":{"type":"string","pattern":"^(a|b)c+\\1$"},"w":{"type":["string","null"],"minLength":2,"allOf":[{"pattern":"^(a|b)c+\\1$"},{"pattern":"^a"}]}}}`,
		valid:     []string{`{"v":"aca"}`, `{"v":"bccb","w":"aca"}`, `{"v":"acb"}`, `{"w":null}`},
		invalid:   []string{`{"v":"aa"}`, `{"v":"acx"}`, `{"w":"bcb"}`, `{"w":"ab"}`},
		unmatched: true,
		findings:  []string{"pattern-not-checked", "pattern-not-checked"},
	},
	{
		name: "what a pattern that Go cannot match may allow is not refused",
		schema: `{"type":"object","properties":{
			"not":{"type":"string","not":{"pattern":"(a|b)c+\\1"}},
			"if":{"type":"string","if":{"pattern":"(a|b)c+\\1"},"then":false},
			"rest":{"type":"object","if":{"required":["k"]},"then":{"patternProperties":{"(a|b)c+\\1|k":true},"additionalProperties":false}},
			"count":{"type":"array","contains":{"pattern":"(a|b)c+\\1","type":"string"},"maxContains":1},
			"one":{"oneOf":[{"type":"string","pattern":"(a|b)c+\\1"},{"type":"string","pattern":"^c$"}]},
			"two":{"type":"string","oneOf":[{"pattern":"(a|b)c+\\1"},{"pattern":"^c$"}]},
			"left":{"type":"object","anyOf":[{"patternProperties":{"(a|b)c+\\1":true}},{"properties":{"k":true}}],"unevaluatedProperties":false}
		}}`,
		valid: []string{
			`{"not":"x"}`, `{"if":"x"}`, `{"rest":{"k":1,"aca":1}}`, `{"count":["aca","x"]}`, `{"one":"c"}`, `{"one":"aca"}`,
			`{"two":"c"}`, `{"two":"aca"}`, `{"left":{"aca":1,"k":1}}`,
		},
		invalid:   []string{`{"not":1}`, `{"rest":1}`, `{"count":[1]}`, `{"one":1}`, `{"left":1}`},
		unmatched: true,
	},
}

// asWritten are schemas whose keywords are about the text of a string, whatever
// Go type it has.
var asWritten = []agreement{
	{
		name: "a pattern is about a UUID as it is written",
		schema: `{"type":"object","properties":{
			"upper":{"type":"string","format":"uuid","pattern":"^[0-9A-F-]+$"},"lower":{"type":"string","format":"uuid","pattern":"^[0-9a-f-]+$"},
			"list":{"type":"array","items":{"type":"string","format":"uuid"},"not":{"contains":{"pattern":"^A"}}},
			"map":{"type":"object","additionalProperties":{"type":"string","format":"uuid","pattern":"^A"}},
			"in":{"type":"object","properties":{"id":{"type":"string","format":"uuid","pattern":"^A"}}},
			"tuple":{"type":"array","prefixItems":[{"type":"string","format":"uuid","pattern":"^A"}]},
			"bytes":{"type":"string","contentEncoding":"base16","pattern":"^[0-9a-f]*$"}}}`,
		valid: []string{
			`{"upper":"ABCDEFAB-0000-4000-8000-000000000000"}`, `{"lower":"abcdefab-0000-4000-8000-000000000000"}`,
			`{"list":["abcdefab-0000-4000-8000-000000000000"]}`, `{"map":{"x":"ABCDEFAB-0000-4000-8000-000000000000"}}`,
			`{"in":{"id":"ABCDEFAB-0000-4000-8000-000000000000"}}`, `{"tuple":["ABCDEFAB-0000-4000-8000-000000000000"]}`, `{"bytes":"0aff"}`,
		},
		invalid: []string{
			`{"upper":"abcdefab-0000-4000-8000-000000000000"}`, `{"lower":"ABCDEFAB-0000-4000-8000-000000000000"}`,
			`{"list":["00000000-0000-4000-8000-000000000000","ABCDEFAB-0000-4000-8000-000000000000"]}`, `{"map":{"x":"abcdefab-0000-4000-8000-000000000000"}}`,
			`{"in":{"id":"abcdefab-0000-4000-8000-000000000000"}}`, `{"tuple":["abcdefab-0000-4000-8000-000000000000"]}`, `{"bytes":"0AFF"}`,
		},
	},
	{
		name:    "UUIDs in other letters are different strings",
		schema:  `{"type":"object","properties":{"ids":{"type":"array","items":{"type":"string","format":"uuid"},"uniqueItems":true}}}`,
		valid:   []string{`{"ids":["ABCDEFAB-0000-4000-8000-000000000000","abcdefab-0000-4000-8000-000000000000"]}`},
		invalid: []string{`{"ids":["ABCDEFAB-0000-4000-8000-000000000000","ABCDEFAB-0000-4000-8000-000000000000"]}`},
	},
	{
		name:    "listed strings have an encoding besides",
		schema:  `{"type":"object","properties":{"v":{"enum":["!!!","QQ=="],"contentEncoding":"base64"},"w":{"const":"!!!","contentEncoding":"base64"}}}`,
		valid:   []string{`{"v":"QQ=="}`},
		invalid: []string{`{"v":"!!!"}`, `{"w":"!!!"}`},
	},
}

// containing are schemas in which the dialect decides whether an item that contains
// allows counts as evaluated.
var containing = []agreement{
	{
		name:     "contains evaluates items in 2020-12",
		schema:   `{"type":"array","contains":{"type":"string"},"unevaluatedItems":{"type":"integer"}}`,
		valid:    []string{`["a","b",1]`, `["a"]`},
		invalid:  []string{`["a",true]`, `[1]`, `[]`},
		findings: []string{},
	},
	{
		name:    "contains evaluates no items in 2019-09",
		schema:  `{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"array","contains":{"minLength":2},"unevaluatedItems":{"type":"string"}}`,
		valid:   []string{`["ab","c"]`, `["ab"]`},
		invalid: []string{`["ab",1]`, `["a"]`, `[]`},
	},
	{
		name: "contains evaluates no items in 2019-09, beside a condition",
		schema: `{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"array","items":[true],"contains":{"type":"string"},
			"if":{"items":[true,{"const":1}]},"unevaluatedItems":{"type":"integer"}}`,
		valid:   []string{`["a",1,2]`, `["a",2]`, `["a"]`},
		invalid: []string{`["a","b"]`, `["a",1,"b"]`, `[1,2]`, `[]`},
	},
	{
		name: "contains evaluates by the dialect of its schema",
		schema: `{"type":"object","properties":{"new":{"$ref":"#/$defs/new","unevaluatedItems":false},"old":{"$ref":"#/$defs/old","unevaluatedItems":false}},"$defs":{
			"new":{"type":"array","prefixItems":[true],"contains":{"type":"string"}},
			"old":{"$schema":"https://json-schema.org/draft/2019-09/schema","$id":"file:///old.json","type":"array","items":[true],"contains":{"type":"string"}}}}`,
		valid:   []string{`{"new":[1,"a"]}`, `{"new":["b","a"]}`, `{"old":["a"]}`},
		invalid: []string{`{"new":["a",1]}`, `{"old":["b","a"]}`, `{"old":[1,"a"]}`, `{"old":[1]}`, `{"new":[1]}`},
	},
}

// The generated types and the validator accept exactly the valid documents of each
// schema.
func TestAgreements(t *testing.T) {
	t.Parallel()
	var cases []verdict.Case
	agreements := slices.Concat(agreements, asWritten, containing)
	for _, a := range agreements {
		c := verdict.ForSchema(a.name, []byte(a.schema))
		for _, document := range append(append([]string{}, a.valid...), a.invalid...) {
			c.Documents = append(c.Documents, verdict.Document{JSON: []byte(document)})
		}
		cases = append(cases, c)
	}
	outcomes, err := verdict.Run(t.Context(), t.TempDir(), cases)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range agreements {
		t.Run(a.name, func(t *testing.T) { a.check(t, cases[i], outcomes[i]) })
	}
}

func (a agreement) check(t *testing.T, c verdict.Case, o verdict.Outcome) {
	t.Helper()
	if o.Internal != "" || len(o.Refused())+len(o.Compile)+len(o.Vet) > 0 {
		t.Fatalf("want a package that compiles, got %s %v %v %v", o.Internal, o.Refused(), o.Compile, o.Vet)
	}
	if a.findings != nil {
		got := []string{}
		for _, f := range o.Findings {
			got = append(got, f.ID)
		}
		if diff := cmp.Diff(a.findings, got); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
	}
	if a.unmatched {
		for i, answer := range o.Answers {
			if taken := answer.Refusal() == ""; taken != (i < len(a.valid)) {
				t.Errorf("%s: %s", c.Documents[i].JSON, answer.Refusal())
			}
		}
		return
	}
	validator, err := verdict.Validator([]byte(a.schema))
	if err != nil {
		t.Fatal(err)
	}
	for i, answer := range o.Answers {
		document := c.Documents[i].JSON
		if valid := verdict.Valid(validator, document); valid != (i < len(a.valid)) {
			t.Errorf("%s: the validator says that it is valid: %v", document, valid)
		}
		if direction, said, err := verdict.Compare(validator, document, answer); err != nil || direction != verdict.Agrees {
			t.Errorf("%s: %s %v", direction, said, err)
		}
	}
}
