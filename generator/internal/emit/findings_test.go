package emit_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/emit"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

const config = `version: 1
service: some_service
schemas: ["*.yaml"]
out: events
`

// head opens an event schema; its properties follow.
const head = `$schema: https://json-schema.org/draft/2020-12/schema
title: Thing
x-outbox:
  version: 1
  type: thing.v1
  aggregate: {type: thing, id: /id}
type: object
required: [id]
properties:
  id: {type: string}
`

// run generates a project of files, and returns the Go files and what was
// found.
func run(t *testing.T, dir string, files map[string]string) (map[string]string, []string) {
	t.Helper()
	fsys := fstest.MapFS{"outboxgen.yml": {Data: []byte(strings.Replace(config, "*.yaml", "**/*.yaml", 1))}}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	project, findings, err := schema.LoadFS(fsys, "outboxgen.yml")
	if err != nil {
		t.Fatal(err)
	}
	if findings.HasErrors() {
		t.Fatalf("findings of the loader: %v", findings.Sorted())
	}
	out, list, err := emit.Package(project, emit.Options{OutboxDB: "example.com/events/outboxdb", Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	generated := map[string]string{}
	for _, f := range out {
		generated[f.Path] = string(f.Content)
	}
	var found []string
	for _, f := range list.Sorted() {
		found = append(found, strings.TrimSuffix(f.String(), " ["+f.ID+"]"))
	}
	return generated, found
}

// A schema that contradicts itself still gives code, with a warning that says where and
// why no value is valid.
func TestContradictions(t *testing.T) {
	t.Parallel()
	for property, want := range map[string]string{
		`{allOf: [{type: string}, {type: integer}]}`:                               `11:32: warning: no value of "x" is valid: the schemas here require different types; it has no field, and Validate rejects it`,
		`{type: string, const: 5}`:                                                 `11:21: warning: no value of "x" is valid: no listed value is valid for all schemas here; it has no field, and Validate rejects it`,
		`{type: integer, const: 1.5}`:                                              `11:22: warning: no value of "x" is valid: no listed value is valid for all schemas here; it has no field, and Validate rejects it`,
		`{enum: [a, b], const: c}`:                                                 `11:21: warning: no value of "x" is valid: no listed value is valid for all schemas here; it has no field, and Validate rejects it`,
		`{allOf: [{const: a}, {const: b}]}`:                                        `11:28: warning: no value of "x" is valid: no listed value is valid for all schemas here; it has no field, and Validate rejects it`,
		`{type: number, minimum: 5, maximum: 3}`:                                   `11:42: warning: no value of "x" is valid: maximum 3 leaves no value with minimum 5; it has no field, and Validate rejects it`,
		`{type: number, minimum: 5, exclusiveMaximum: 5}`:                          `11:51: warning: no value of "x" is valid: exclusiveMaximum 5 leaves no value with minimum 5; it has no field, and Validate rejects it`,
		`{type: integer, exclusiveMinimum: 1, exclusiveMaximum: 2}`:                `11:61: warning: no value of "x" is valid: exclusiveMaximum 2 leaves no value with exclusiveMinimum 1; it has no field, and Validate rejects it`,
		`{allOf: [{type: string, minLength: 5}, {maxLength: 3}]}`:                  `11:57: warning: no value of "x" is valid: maxLength 3 leaves no value with minLength 5; it has no field, and Validate rejects it`,
		`{type: array, minItems: 2, maxItems: 1}`:                                  `11:43: warning: no value of "x" is valid: maxItems 1 leaves no value with minItems 2; it has no field, and Validate rejects it`,
		`{type: array, minItems: 1, items: {$ref: "#/properties/x"}}`:              "11:6: warning: no value is valid: each one would have to contain another one, without end; allow the recursive property to be absent or null",
		`{type: object, required: [x], properties: {x: {$ref: "#/properties/x"}}}`: "11:6: warning: no value is valid: each one would have to contain another one, without end; allow the recursive property to be absent or null",
		`{type: object, minProperties: 2, maxProperties: 1}`:                       `11:54: warning: no value of "x" is valid: maxProperties 1 leaves no value with minProperties 2; it has no field, and Validate rejects it`,
		`{type: string, enum: [a, b, 1]}`:                                          "11:34: warning: the number 1 is listed but never valid: its type is not allowed; remove it",
		`{type: object, properties: {sku: true}, required: [skuu]}`:                `11:57: warning: "skuu" is required, but no property describes it, so its Go type is any; did you mean "sku"?`,
		`{type: object, additionalProperties: false, required: [a]}`:               `11:61: warning: no value of "x" is valid: "a" is required, but it is not among the properties, and unknown properties are forbidden; it has no field, and Validate rejects it`,
		`{$ref: "#/properties/id", default: 5}`:                                    "11:41: warning: default 5 is not a string; it is not applied",
		`{type: string, pattern: "["}`:                                             `11:30: warning: the pattern "[" is not a valid regular expression: a [ is not closed; Validate does not check it; correct the pattern`,
		`{type: string, pattern: "(?<=a)("}`:                                       `11:30: warning: the pattern "(?<=a)(" is not a valid regular expression: a ( is not closed; Validate does not check it; correct the pattern`,
		`{type: string, pattern: "a)"}`:                                            `11:30: warning: the pattern "a)" is not a valid regular expression: a ) closes nothing; Validate does not check it; correct the pattern`,
		`{type: string, pattern: '\'}`:                                             `11:30: warning: the pattern "\\" is not a valid regular expression: it ends in a backslash; Validate does not check it; correct the pattern`,
		`{type: string, pattern: "a|*"}`:                                           `11:30: warning: the pattern "a|*" is not a valid regular expression: there is nothing for * to repeat; Validate does not check it; correct the pattern`,
		`{type: string, pattern: "[z-a]"}`:                                         `11:30: warning: the pattern "[z-a]" is not a valid regular expression: the range z-a is backwards; Validate does not check it; correct the pattern`,
	} {
		t.Run(property, func(t *testing.T) {
			t.Parallel()
			generated, found := run(t, "", map[string]string{"thing.yaml": head + "  x: " + property + "\n"})
			if diff := cmp.Diff([]string{"thing.yaml:" + want}, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(generated) != 2 {
				t.Errorf("%d files", len(generated))
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for property, want := range map[string]string{
		`{properties: {a: {type: string}}}`:                                                 "11:6: warning: properties without a type allows every value of another type; outboxgen treats it as type: object; add type: object",
		`{type: string, pattern: '\p{Emoji}[(]'}`:                                           "11:30: warning: Go's regular expressions do not support this pattern (the property \\p{Emoji}); Validate does not check it",
		`{type: object, properties: {line1: true}, required: [line1, line2]}`:               "11:66: warning: \"line2\" is required, but no property describes it, so its Go type is any; describe it under properties",
		`{type: object, required: [a], additionalProperties: {type: string}}`:               "",
		`{type: string, pattern: '(a)b\1'}`:                                                 "11:30: warning: Go's regular expressions do not support this pattern (a back reference); Validate lets a back reference match any text that its group matches",
		`{type: string, format: date-time, maxLength: 30}`:                                  "",
		`{type: string, contentEncoding: uuencode}`:                                         `11:21: warning: contentEncoding "uuencode" is not decoded; the value is the encoded string`,
		`{type: string, contentMediaType: application/json, contentSchema: {type: object}}`: "11:57: warning: contentSchema describes the document inside this string; the document is neither decoded nor checked, and the Go value is the string",
		`{type: integer, format: uint7}`:                                                    `11:22: warning: format "uint7" is not known; any integer passes`,
		`{type: string, enum: [a, b, null]}`:                                                "11:34: warning: null is listed but never valid: its type is not allowed; remove it, or add null to the types",
		`{type: string, enum: [a, b], maxLength: 1}`:                                        "",
		`{type: string, enum: [a, båt], maxLength: 2}`:                                      `11:31: warning: the string "båt" is listed but violates maxLength 2, so it is never valid; remove it`,
		`{enum: [1, 2, 3], exclusiveMaximum: 3}`:                                            "11:20: warning: the number 3 is listed but violates exclusiveMaximum 3, so it is never valid; remove it",
		`{oneOf: [{type: string}, {type: string, maxLength: 3}]}`:                           "11:7: warning: the branches of this oneOf cannot be told apart: branch 1 and branch 2 are both of type string; the value is kept as raw JSON, with a method for each branch; merge the branches of one type, or make them objects, each with a required property with its own const, such as kind",
		`{anyOf: [{type: string}, {}]}`:                                                     "",
		"{allOf: [{$ref: '#/$defs/state'}, {type: string}]}\n$defs: {state: {type: [string, 'null'], enum: [a, b, null]}}": "",
		"{allOf: [{$ref: '#/$defs/state'}, {maxLength: 1}]}\n$defs: {state: {type: string, enum: [a, bb]}}":                "",
		"{allOf: [{$ref: '#/$defs/state'}, {minLength: 1}]}\n$defs: {state: {type: string, enum: [a, null]}}":              "12:41: warning: null is listed but never valid: its type is not allowed; remove it, or add null to the types",
		`{allOf: [{enum: [a, null]}, {type: string}]}`:                                                                     "11:26: warning: null is listed but never valid: its type is not allowed; remove it, or add null to the types",
		`{oneOf: [{title: A, type: object}, {title: B, type: object, properties: {b: true}}]}`:                             "11:7: warning: the branches of this oneOf cannot be told apart: A and B are objects, and one value may be valid for both; the value is kept as raw JSON, with a method for each branch; give every branch a required property with its own const, such as kind",
		`{type: object, allOf: [{properties: {a: true}}], additionalProperties: false}`:                                    `11:55: warning: additionalProperties: false forbids "a", which another part of this combination describes; use unevaluatedProperties: false, which includes the properties of all parts`,
		`{unevaluatedItems: false}`: "11:6: warning: unevaluatedItems without a type allows every value of another type; outboxgen treats it as type: array; add type: array",
		`{anyOf: [{type: object, required: [a], properties: {a: true}}, {type: object, required: [b], properties: {b: true}}], unevaluatedProperties: false}`: "11:7: warning: the branches of this anyOf cannot be told apart: branch 1 and branch 2 are objects, and one value may be valid for both; the value is kept as raw JSON, with a method for each branch; give every branch a required property with its own const, such as kind",
		`{oneOf: [{type: object, required: [a], properties: {a: true}}, {type: object, required: [b], properties: {b: true}}], unevaluatedProperties: false}`: "",
		`{oneOf: [{type: string}, {type: integer}]}`:                                     "",
		`{anyOf: [{type: string}, {type: integer}, {type: "null"}]}`:                     "",
		`{type: [string, integer]}`:                                                      "",
		`{enum: [a, b], pattern: a}`:                                                     `11:17: warning: the string "b" is listed but violates the pattern "a", so it is never valid; remove it`,
		`{enum: [a, ab], pattern: a}`:                                                    "",
		`{type: object, properties: {a: {type: string}}, then: {properties: {b: true}}}`: "",
		`{type: object, properties: {a: {type: string}}, if: {required: [a]}, then: {properties: {b: {const: 1}}}}`:              "11:95: warning: only a condition describes \"b\"; if it is not an integer, the value is kept among the unknown properties; give its type under properties",
		`{type: object, if: {required: [a]}, then: {properties: {b: {type: string}}}, else: {properties: {b: {type: integer}}}}`: "11:62: warning: the conditions disagree on the type of \"b\", so its Go type is any; describe it under properties",
		`{type: string, not: {pattern: '(a)\1'}}`:                                                    "11:36: warning: Go's regular expressions do not support this pattern (a back reference); Validate does not check it",
		`{type: object, patternProperties: {'^(a)\1': {type: string}}, additionalProperties: false}`: "11:41: warning: Go's regular expressions do not support this pattern (a back reference); properties that it may describe are kept as raw JSON, unchecked; rewrite it without a back reference if possible",
	} {
		t.Run(property, func(t *testing.T) {
			t.Parallel()
			var wanted []string
			if want != "" {
				wanted = []string{"thing.yaml:" + want}
			}
			generated, found := run(t, "", map[string]string{"thing.yaml": head + "  x: " + property + "\n"})
			if diff := cmp.Diff(wanted, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if len(generated) != 2 {
				t.Errorf("%d files", len(generated))
			}
		})
	}
}

// Event data may have any type. Null as an alternative to an object is not an event,
// with a warning. If no value is valid, that is an error.
func TestEventData(t *testing.T) {
	t.Parallel()
	const (
		object = "type: object\nproperties: {id: {type: string}}\n"
		null   = "warning: the schema allows null, which is not an event: the Go type of ThingV1 is that of the object, and null is rejected; remove null from the schema"
	)
	for root, want := range map[string]struct {
		finding string
		data    string // the declaration of the event data
	}{
		"type: string\n":           {"", "type ThingV1 struct {\n\tValue string\n}"},
		"type: [object, 'null']\n": {"thing.yaml:1:1: " + null, "type ThingV1 struct {\n\tUnknown wire.Unknown"},
		"oneOf: [{type: 'null'}, {$ref: '#/$defs/a'}]\n$defs:\n  a: {type: object}\n": {"thing.yaml:1:1: " + null, "type ThingV1 struct {\n\tUnknown wire.Unknown"},
		"description: Anything.\n":                                                   {"", "type ThingV1 struct {\n\tValue any\n}"},
		"$ref: '#/$defs/a'\n$defs:\n  a: true\n":                                     {"", "type ThingV1 struct {\n\tValue any\n}"},
		"$ref: '#/$defs/a'\n$defs:\n  a: {enum: [x, y]}\n":                           {"", "type ThingV1 struct {\n\tValue A\n}"},
		"type: array\nitems: {title: Part, type: object}\n":                          {"", "type ThingV1 struct {\n\tValue []map[string]any\n}"},
		object + "const: {id: a}\n":                                                  {"", "type ThingV1 struct {\n\tValue ThingV1Value\n}"},
		object + "minProperties: 3\nmaxProperties: 2\n":                              {"thing.yaml:6:16: warning: no value is valid here: maxProperties 2 leaves no value with minProperties 3; Validate rejects every value; correct the wrong part", "type ThingV1 struct {\n\tValue any\n}"},
		"minProperties: 1\n":                                                         {"thing.yaml:1:1: warning: minProperties without a type allows every value of another type; outboxgen treats it as type: object; add type: object", "type ThingV1 struct {\n\tUnknown wire.Unknown"},
		"type: object\nallOf: [{anyOf: [{properties: {id: {type: string}}}]}, {}]\n": {"", "type ThingV1 struct {\n\tID      *string"},
		"prefixItems: [{type: string}]\nminItems: 1\ntype: array\n":                  {"", "type ThingV1 struct {\n\tFirst string\n"},
	} {
		t.Run(root, func(t *testing.T) {
			t.Parallel()
			generated, found := run(t, "", map[string]string{"thing.yaml": "title: Thing\nx-outbox: {version: 1, type: thing.v1, aggregate: {type: thing}}\n" + root})
			var findings []string
			if want.finding != "" {
				findings = []string{want.finding}
			}
			if diff := cmp.Diff(findings, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if code := generated["thing_v1.go"]; !strings.Contains(code, want.data) || want.data == "" && code != "" {
				t.Errorf("want %q in\n%s", want.data, code)
			}
		})
	}
}

// Declarations in hand-written files of the package keep their names, with any build
// tags, also if the package does not compile.
func TestNamesThatAreTaken(t *testing.T) {
	t.Parallel()
	const thing = head + "  state: {title: State, type: string, enum: [a, b]}\n"
	validate := "thing.yaml:1:1: the Go name ThingV1.Validate is already declared in events/mine.go; rename that declaration, or change the title of the schema"
	state := func(file string) string {
		return "thing.yaml:11:10: the Go name State is already declared in events/" + file + "; rename that declaration, or change the title of the schema"
	}
	for name, test := range map[string]struct {
		module bool
		files  map[string]string
		want   []string
	}{
		"of the package": {true, map[string]string{
			"mine.go":     "package events\n\ntype State string\n\nfunc (ThingV1) Validate() error { return nil }\n",
			"old.go":      emit.Header + "\n\npackage events\n\ntype ThingV1 struct{}\n",
			"thing_v1.go": "package events\n",
		}, []string{validate, state("mine.go")}},
		"beside what does not compile": {true, map[string]string{
			"a.go":    "package events\n\nimport \"example.com/nowhere\"\n\nvar a = nowhere.A +\n",
			"mine.go": "package events\n\ntype State string\n",
		}, []string{state("mine.go")}},
		"for another system": {true, map[string]string{
			"mine.go":       "package events\n",
			"mine_plan9.go": "package events\n\ntype State string\n",
		}, []string{state("mine_plan9.go")}},
		"in a test": {true, map[string]string{
			"mine_test.go":  "package events\n\ntype State string\n",
			"other_test.go": "package events_test\n\nfunc InsertThingV1() {}\n",
		}, []string{state("mine_test.go")}},
		"of a program for go run": {true, map[string]string{
			"mine.go": "package events\n",
			"gen.go":  "//go:build ignore\n\npackage main\n\ntype State string\n\nfunc main() {}\n",
		}, nil},
		"without a module": {false, map[string]string{
			"mine.go":       "package events\n\ntype State string\n",
			"gen.go":        "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
			"other_test.go": "package events_test\n\nfunc InsertThingV1() {}\n",
		}, []string{state("mine.go")}},
		"of another package": {true, map[string]string{
			"mine.go": "package other\n",
		}, []string{"outboxgen.yml:4:1: events/mine.go is package other, but the generated package is called events"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if test.module {
				test.files["go.mod"] = "module example.com/events\n\ngo 1.26\n\nrequire example.com/nowhere v1.0.0\n"
			}
			for file, content := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, found := run(t, dir, map[string]string{"thing.yaml": thing})
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// An event that may have no aggregate id, or no key, gives a finding.
func TestOptionalIDs(t *testing.T) {
	t.Parallel()
	const template = `title: Thing
x-outbox: {version: 1, type: thing.v1, aggregate: {type: thing, id: /a/id}, key: /b, correlation: /c}
type: object
required: [b]
properties:
  a: {type: object, properties: {id: {type: string}}}
  b: {type: [string, "null"]}
  c: {type: string}
`
	want := []string{
		`thing.yaml:2:69: warning: aggregate.id points to /a/id, but "a" is optional: an event without it cannot be inserted; add it to required`,
		`thing.yaml:2:82: warning: key points to /b, but "b" may be null: an event without it cannot be inserted; remove null from its type`,
	}
	generated, found := run(t, "", map[string]string{"thing.yaml": template})
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(generated) != 2 {
		t.Errorf("%d files", len(generated))
	}
}

// An id can be an integer of any size, wherever it is. An id that is nil is missing.
func TestBigIntegersAsIDs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles what it generates")
	}
	const big = "{type: integer, minimum: -1e30}"
	for name, test := range map[string]struct{ pointer, schema string }{
		"Required": {"/a", "type: object\nrequired: [a]\nproperties: {a: " + big + "}"},
		"Nullable": {"/a", "type: object\nproperties: {a: {type: [integer, 'null'], minimum: -1e30}}"},
		"Item":     {"/a/0", "type: object\nrequired: [a]\nproperties: {a: {type: array, minItems: 1, items: " + big + "}}"},
		"Member":   {"/a/b", "type: object\nrequired: [a]\nproperties: {a: {type: object, additionalProperties: " + big + "}}"},
		"Rest":     {"/1", "type: array\nminItems: 2\nprefixItems: [true]\nitems: " + big},
		"Whole":    {"", "type: integer\nminimum: -1e30"},
		"Branch":   {"", "oneOf: [" + big + ", {type: string}]"},
		"Raw":      {"", "oneOf: [{type: integer, minimum: -1e30, multipleOf: 7}, {type: integer, minimum: -1e30, maximum: 5}]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			generated, found := run(t, "", map[string]string{"thing.yaml": "title: Thing\nx-outbox: {version: 1, type: thing.v1, aggregate: {type: thing, id: '" + test.pointer + "'}}\n" + test.schema + "\n"})
			for _, f := range found {
				if !strings.Contains(f, "warning:") {
					t.Error(f)
				}
			}
			if code := generated["thing_v1.go"]; !strings.Contains(code, ".String(), nil") || !strings.Contains(code, "== nil {\n") {
				t.Errorf("no id, or none is missing:\n%s", code)
			}
			compile(t, generated)
		})
	}
}

// An id can be one of several listed integers of any size, a constant, and an integer or
// a UUID with a type of the config.
func TestListedAndMappedIDs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles what it generates")
	}
	const property = "type: object\nrequired: [a]\nproperties: {a: %s}"
	for name, test := range map[string]struct{ pointer, schema, want string }{
		"Beyond":         {"/a", fmt.Sprintf(property, "{enum: [1, 18446744073709551615]}"), "return string(v.A), nil"},
		"Optional":       {"/a", "type: object\nproperties: {a: {enum: [1, 18446744073709551615, null]}}", "return string("},
		"Float":          {"/a", fmt.Sprintf(property, "{enum: [1, 1e30]}"), "return strconv.FormatFloat(float64(v.A), 'f', -1, 64), nil"},
		"Written":        {"/a", fmt.Sprintf(property, "{enum: [1.0, 2e0]}"), "return strconv.FormatInt(int64(v.A), 10), nil"},
		"One":            {"/a", fmt.Sprintf(property, "{const: 18446744073709551615}"), "return string(v.A), nil"},
		"OneNumber":      {"/a", fmt.Sprintf(property, "{type: number, const: 5}"), "return strconv.FormatFloat(v.A, 'f', -1, 64), nil"},
		"Items":          {"/a/0", fmt.Sprintf(property, "{type: array, items: {enum: [1, 18446744073709551615]}}"), "return string(v.A[0]), nil"},
		"Whole":          {"", "enum: [1, 18446744073709551615]", "return string(v.Value), nil"},
		"Branch":         {"", "oneOf: [{enum: [1, 18446744073709551615]}, {type: string}]", "return string(v), nil"},
		"BranchOfFloats": {"", "oneOf: [{enum: [1, 1e30]}, {type: string}]", "return strconv.FormatFloat(float64(v), 'f', -1, 64), nil"},
		"Int32":          {"/a", fmt.Sprintf(property, "{type: integer, format: int32}"), "return strconv.FormatInt(int64(v.A), 10), nil"},
		"Uint64":         {"/a", fmt.Sprintf(property, "{type: integer, format: uint64}"), "return strconv.FormatUint(uint64(v.A), 10), nil"},
		"BigInt":         {"/a", fmt.Sprintf(property, "{type: integer, format: money}"), "return v.A.String(), nil"},
		"UUID":           {"/a", fmt.Sprintf(property, "{type: string, format: uuid}"), "return v.A.String(), nil"},
		"BranchOfUUIDs":  {"", "oneOf: [{type: string, format: uuid}, {type: integer, format: int32}]", "return uuid.UUID(v).String(), nil"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			generated, found := run(t, "", map[string]string{
				"outboxgen.yml": strings.Replace(config, "*.yaml", "**/*.yaml", 1) + `types: {int32: int32, uint64: uint64, money: math/big.Int, uuid: github.com/google/uuid.UUID}
`,
				"thing.yaml": "title: Thing\nx-outbox: {version: 1, type: thing.v1, aggregate: {type: thing, id: '" + test.pointer + "'}}\n" + test.schema + "\n",
			})
			for _, f := range found {
				if !strings.Contains(f, "warning:") {
					t.Error(f)
				}
			}
			if code := generated["thing_v1.go"]; !strings.Contains(code, test.want) {
				t.Errorf("want %q in\n%s", test.want, code)
			}
			compile(t, generated)
		})
	}
}

// Two events never use the same function or file.
func TestNamesOfEvents(t *testing.T) {
	t.Parallel()
	_, found := run(t, "", map[string]string{
		"a.yaml": head,
		"b.yaml": strings.NewReplacer("title: Thing", "title: DecodeThing", "thing.v1", "decode.v1").Replace(head),
		"c.yaml": strings.NewReplacer("title: Thing", "title: UserID", "thing.v1", "c.v1").Replace(head),
		"d.yaml": strings.NewReplacer("title: Thing", "title: UserId", "thing.v1", "d.v1").Replace(head),
	})
	want := []string{
		"b.yaml:3:1: the Go name DecodeThingV1 is also that of a function for the event at a.yaml:3:1; change the title of one of them",
		"d.yaml:3:1: the Go names UserIdV1 and UserIDV1, of the event at c.yaml:3:1, need the same file name, user_id_v1.go; change the title of one of them",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// Every file has its own name. If an event needs the name of the package's file, the
// package's file gets another one.
func TestFileNames(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"outboxgen.yml": strings.Replace(config, "out: events", "out: events_v1", 1),
		"a.yaml":        strings.NewReplacer("title: Thing", "title: Events", "thing.v1", "a.v1").Replace(head),
		"b.yaml":        strings.NewReplacer("title: Thing", "title: UserID", "thing.v1", "b.v1").Replace(head),
		"c.yaml":        strings.NewReplacer("title: Thing", "title: Linux", "thing.v1", "c.v1").Replace(head),
	}
	generated, found := run(t, "", files)
	if len(found) > 0 {
		t.Fatal(found)
	}
	want := []string{"events_v1.go", "events_v1_package.go", "linux_v1.go", "user_id_v1.go"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(generated))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// The same project gives the same bytes. An additional unrelated schema does not change
// the files of the others.
func TestStability(t *testing.T) {
	t.Parallel()
	files := stableFiles()
	first, found := run(t, "", files)
	if len(found) > 0 {
		t.Fatal(found)
	}
	again, _ := run(t, "", files)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Fatalf("two runs differ:\n%s", diff)
	}
	files["apple.yaml"] = strings.NewReplacer("Thing", "Apple", "thing.v1", "apple.v1", "part", "slice", "name: {type: string}", "pips: {type: integer}").Replace(files["thing.yaml"])
	more, found := run(t, "", files)
	if len(found) > 0 {
		t.Fatal(found)
	}
	unchanged(t, first, more)
}

// A new version of an event does not change a name of the former versions, even if both
// define a type with one name differently.
func TestVersionsLeaveEachOtherTheirNames(t *testing.T) {
	t.Parallel()
	files := stableFiles()
	first, found := run(t, "", files)
	if len(found) > 0 {
		t.Fatal(found)
	}
	files["a/thing2.yaml"] = strings.NewReplacer(
		"version: 1", "version: 2", "thing.v1", "thing.v2", "'lib/", "'../lib/", "name: {type: string}", "name: {type: string}, more: {type: string}",
	).Replace(files["thing.yaml"])
	two, found := run(t, "", files)
	if len(found) > 0 {
		t.Errorf("findings: %q", found)
	}
	unchanged(t, map[string]string{"thing_v1.go": first["thing_v1.go"]}, two)
	for _, name := range []string{"type Part struct", "type ThingV2Part struct"} {
		if all := fmt.Sprint(two); !strings.Contains(all, name) {
			t.Errorf("no %s", name)
		}
	}
}

// A file can describe several events, such as a document of AsyncAPI. A type is then
// qualified with the event in whose data it is written.
func TestContestedNamesInOneFile(t *testing.T) {
	t.Parallel()
	_, found := run(t, "", map[string]string{"api.yaml": `asyncapi: 3.0.0
info: {title: Shop, version: 1.0.0}
channels:
  orders:
    address: orders
    messages:
      OrderPlaced: {payload: {type: object, properties: {item: {type: object, title: Item, properties: {a: {type: string}}}}}, x-outbox: {aggregate: {type: order}}}
      OrderShipped: {payload: {type: object, properties: {item: {type: object, title: Item, properties: {b: {type: string}}}}}, x-outbox: {aggregate: {type: order}}}
`})
	want := []string{"api.yaml:8:80: warning: the Go name Item belongs to another schema, at api.yaml:7:64, so this type is called OrderShippedV1Item; " +
		"set title: OrderShippedV1Item here to fix its name, or let both refer to one definition"}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// If several types want one name, one gets it and keeps it when others are added later.
// The others are named after their events. A library comes first. The title in the hint
// fixes the name of a type.
func TestContestedNames(t *testing.T) {
	t.Parallel()
	files := stableFiles()
	files["apple.yaml"] = strings.NewReplacer("Thing", "Apple", "thing.v1", "apple.v1", "part: {", "money: {", "/part", "/money").Replace(files["thing.yaml"])
	two, found := run(t, "", files)
	const (
		hint  = " here to fix its name, or let both refer to one definition"
		apple = "apple.yaml:15:10: warning: the Go name Money belongs to another schema, at lib/common.yaml:3:10, so this type is called AppleV1Money; set title: AppleV1Money" + hint
		zebra = "zebra.yaml:15:9: warning: the Go name Part belongs to another schema, at thing.yaml:15:9, so this type is called ZebraV1Part; set title: ZebraV1Part" + hint
	)
	if diff := cmp.Diff([]string{apple}, found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	files["zebra.yaml"] = strings.NewReplacer("Thing", "Zebra", "thing.v1", "zebra.v1", "name: {type: string}", "stripes: {type: integer}").Replace(files["thing.yaml"])
	three, found := run(t, "", files)
	if diff := cmp.Diff([]string{apple, zebra}, found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	unchanged(t, two, three)
	for _, name := range []string{"type Money struct", "type AppleV1Money struct", "type Part struct", "type ZebraV1Part struct"} {
		if all := fmt.Sprint(three); !strings.Contains(all, name) {
			t.Errorf("no %s", name)
		}
	}
	files["apple.yaml"] = strings.Replace(files["apple.yaml"], "money: {type: object", "money: {title: AppleV1Money, type: object", 1)
	files["zebra.yaml"] = strings.Replace(files["zebra.yaml"], "part: {type: object", "part: {title: ZebraV1Part, type: object", 1)
	pinned, found := run(t, "", files)
	if diff := cmp.Diff([]string(nil), found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	unchanged(t, three, pinned)
}

func stableFiles() map[string]string {
	return map[string]string{
		"lib/common.yaml": "$schema: https://json-schema.org/draft/2020-12/schema\n$defs:\n  money: {type: object, properties: {amount: {type: integer}}}\n",
		"thing.yaml": head + "  price: {$ref: 'lib/common.yaml#/$defs/money'}\n  part: {$ref: '#/$defs/part'}\n  lines: {type: array, items: {type: object, properties: {n: {type: integer}}}}\n" +
			"$defs:\n  part: {type: object, properties: {name: {type: string}}}\n",
	}
}

func unchanged(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, content := range before {
		if diff := cmp.Diff(content, after[name]); diff != "" {
			t.Errorf("%s changed:\n%s", name, diff)
		}
	}
}

// Event data may be one of several types, and a pointer must be valid for each.
func TestEventDataThatIsAUnion(t *testing.T) {
	t.Parallel()
	const head = "title: Thing\nx-outbox: {version: 1, type: thing.v1, aggregate: {type: t, id: /id}, key: /part/id}\n"
	for name, test := range map[string]struct {
		schema string
		want   []string
	}{
		"null": {
			"oneOf:\n  - {type: object, required: [k, id, part], properties: {k: {const: a}, id: {type: string}, part: {$ref: '#/$defs/p'}}}\n" +
				"  - {type: object, required: [k, id, part], properties: {k: {const: b}, id: {type: string}, part: {$ref: '#/$defs/p'}}}\n  - type: 'null'\n" +
				"$defs: {p: {type: object, required: [id], properties: {id: {type: string}}}}\n",
			[]string{
				"thing.yaml:2:65: warning: aggregate.id points to /id, but the event data may be null: an event without it cannot be inserted; remove null from its type",
				"thing.yaml:2:76: warning: key points to /part/id, but the event data may be null: an event without it cannot be inserted; remove null from its type",
			},
		},
		"a string": {
			"oneOf:\n  - {type: object, required: [id, part], properties: {id: {type: string}, part: {type: object, required: [id], properties: {id: {type: string}}}}}\n  - {type: string, properties: {id: {type: string}, part: {properties: {id: {type: string}}}}}\n",
			[]string{
				"thing.yaml:5:5: aggregate.id points to /id, which the schema does not describe",
				"thing.yaml:5:5: key points to /part/id, which the schema does not describe",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, found := run(t, "", map[string]string{"thing.yaml": head + test.schema})
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
