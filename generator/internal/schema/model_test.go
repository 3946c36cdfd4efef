package schema_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// meaning compares schemas by their meaning, not by their places and spelling.
var meaning = cmp.Options{
	cmpopts.IgnoreTypes(finding.Pos{}),
	cmpopts.IgnoreFields(schema.Schema{}, "Doc", "Pointer", "At", "ID"),
	cmpopts.IgnoreFields(schema.Ref{}, "Text"),
	cmpopts.IgnoreFields(schema.Extension{}, "At"),
	cmpopts.EquateEmpty(),
}

func loadSchema(t *testing.T, file, text string) *schema.Schema {
	t.Helper()
	p, list, err := schema.LoadFile(fstest.MapFS{file: {Data: []byte(text)}}, file, schema.Draft202012)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Sorted() {
		t.Errorf("unexpected: %s", f)
	}
	return p.Document(file).Root
}

// The same schema in every dialect, YAML and JSON, gives one model.
func TestDialectsGiveOneModel(t *testing.T) {
	t.Parallel()
	newest := loadSchema(t, "new.yaml", `
$schema: https://json-schema.org/draft/2020-12/schema
$id: https://example.com/new
type: object
properties:
  pair: {type: array, prefixItems: [{type: string}, {type: integer}], items: {type: boolean}}
  tail: {type: array, prefixItems: [{type: string}]}
  list: {type: array, items: {$ref: "#/$defs/named"}}
  above: {type: number, exclusiveMinimum: 1, exclusiveMaximum: 2}
  upTo: {type: number, minimum: 1, maximum: 2}
  anchored: {$ref: "#here"}
  nothing: {type: [string, "null"]}
dependentRequired: {pair: [list]}
dependentSchemas: {tail: {required: [list]}}
$defs:
  named: {type: string}
  here: {$anchor: here, type: integer}
`)
	const sixAndSeven = `
$schema: http://json-schema.org/DRAFT/schema#
$id: https://example.com/older
type: object
properties:
  pair: {type: array, items: [{type: string}, {type: integer}], additionalItems: {type: boolean}}
  tail: {type: array, items: [{type: string}]}
  list: {type: array, items: {$ref: "#/definitions/named"}, additionalItems: {type: object}}
  above: {type: number, exclusiveMinimum: 1, exclusiveMaximum: 2}
  upTo: {type: number, minimum: 1, maximum: 2}
  anchored: {$ref: "#here"}
  nothing: {type: string, nullable: true}
dependencies: {pair: [list], tail: {required: [list]}}
definitions:
  named: {type: string}
  here: {$id: "#here", type: integer}
`
	older := map[string]string{
		"2019-09.yaml": `
$schema: https://json-schema.org/draft/2019-09/schema
$id: https://example.com/older
type: object
properties:
  pair: {type: array, items: [{type: string}, {type: integer}], additionalItems: {type: boolean}}
  tail: {type: array, items: [{type: string}]}
  list: {type: array, items: {$recursiveRef: "#/$defs/named"}}
  above: {type: number, exclusiveMinimum: 1, exclusiveMaximum: 2}
  upTo: {type: number, minimum: 1, maximum: 2}
  anchored: {$ref: "#here"}
  nothing: {type: [string, "null"]}
dependentRequired: {pair: [list]}
dependentSchemas: {tail: {required: [list]}}
$defs:
  named: {type: string}
  here: {$anchor: here, type: integer}
`,
		"draft-07.yaml": strings.Replace(sixAndSeven, "DRAFT", "draft-07", 1),
		"draft-06.yaml": strings.Replace(sixAndSeven, "DRAFT", "draft-06", 1),
		"draft-04.json": `{
"$schema": "http://json-schema.org/draft-04/schema#",
"id": "https://example.com/older",
"type": "object",
"properties": {
  "pair": {"type": "array", "items": [{"type": "string"}, {"type": "integer"}], "additionalItems": {"type": "boolean"}},
  "tail": {"type": "array", "items": [{"type": "string"}]},
  "list": {"type": "array", "items": {"$ref": "#/definitions/named"}},
  "above": {"type": "number", "minimum": 1, "exclusiveMinimum": true, "maximum": 2, "exclusiveMaximum": true},
  "upTo": {"type": "number", "minimum": 1, "exclusiveMinimum": false, "maximum": 2},
  "anchored": {"$ref": "#here"},
  "nothing": {"type": "string", "nullable": true}
},
"dependencies": {"pair": ["list"], "tail": {"required": ["list"]}},
"definitions": {
  "named": {"type": "string"},
  "here": {"id": "#here", "type": "integer"}
}}`,
	}
	for file, text := range older {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			got := loadSchema(t, file, text)
			if diff := cmp.Diff(newest, got, meaning); diff != "" {
				t.Errorf("model (-2020-12 +%s):\n%s", file, diff)
			}
			if dialect := strings.TrimSuffix(strings.TrimSuffix(file, ".yaml"), ".json"); string(got.Doc.Dialect) != dialect {
				t.Errorf("the dialect is %s, want %s", got.Doc.Dialect, dialect)
			}
		})
	}
}

// A schema in JSON and the same in YAML, line by line, have the same model and
// the same places; columns count characters.
func TestPlacesInYAMLAndJSON(t *testing.T) {
	t.Parallel()
	const text = `{"title": "å😀", "type": ["object", "null"],
 "enum": ["ä", null, 1.50, {"b": [true]}],	"const": "x",
 "properties": {"ö\u00e4": {"$ref": "#/$defs/a"}},
 "$defs": {"a": {"maxLength": 3}}}
`
	inJSON := loadSchema(t, "a.json", text)
	inYAML := loadSchema(t, "a.yaml", text)

	places := cmp.Transformer("place", func(p finding.Pos) [2]int { return [2]int{p.Line, p.Col} })
	if diff := cmp.Diff(inJSON, inYAML, places, cmpopts.IgnoreFields(schema.Schema{}, "Doc")); diff != "" {
		t.Errorf("model (-JSON +YAML):\n%s", diff)
	}
	at := func(line, col int) finding.Pos { return finding.Pos{File: "a.json", Line: line, Col: col} }
	want := &schema.Value{Pos: at(2, 28), Kind: schema.Object, Members: []schema.Member{{
		Name: "b", Pos: at(2, 29), Value: &schema.Value{Pos: at(2, 34), Kind: schema.Array, Items: []*schema.Value{
			{Pos: at(2, 35), Kind: schema.Bool, Bool: true},
		}},
	}}}
	if diff := cmp.Diff(want, inJSON.Enum[3]); diff != "" {
		t.Errorf("a value in the enum (-want +got):\n%s", diff)
	}
	if got, want := inJSON.At["const"], at(2, 44); got != want {
		t.Errorf("const is at %v, want %v", got, want)
	}
	if got, want := inJSON.Properties[0], "öä"; got.Name != want || got.Pos != at(3, 17) || got.Schema.Ref.Pos != at(3, 37) {
		t.Errorf("the property is %q at %v with the reference at %v", got.Name, got.Pos, got.Schema.Ref.Pos)
	}
}

// Old Mac and Windows line ends and a byte order mark do not move a place.
func TestLineEndsAndByteOrderMark(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"windows": "\uFEFFtype: object\r\nproperties:\r\n  a: {type:   text}\r\n",
		"unix":    "type: object\nproperties:\n  a: {type:   text}\n",
		"mac":     "type: object\rproperties:\r  a: {type:   text}\r",
		"json":    "\uFEFF{\"type\": \"object\",\r\n\"properties\":\r\n{\"a\":{\"type\": \"text\"}}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := "a.yaml"
			if name == "json" {
				file = "a.json"
			}
			project := fstest.MapFS{
				"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nschemas: [a.*]\n")},
				file:             {Data: []byte(text)},
			}
			want := file + ":3:15: \"text\" is not a type of JSON Schema; use string\n"
			if diff := cmp.Diff(want, load(t, project)); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"latin-1": {"title: \"\xE5\"\n", "a.yaml:1:9: byte 0xE5 is not UTF-8; save the file as UTF-8\n"},
		"utf-16":  {"\xFF\xFEt\x00", "a.yaml:1:1: the file is not UTF-8 (it begins like UTF-16 or UTF-32); save it as UTF-8\n"},
		"nothing": {"\x00\x00", "a.yaml:1:1: the file is not UTF-8 (it begins like UTF-16 or UTF-32); save it as UTF-8\n"},
		"later":   {"a: b\n# \xC3\n", "a.yaml:2:3: byte 0xC3 is not UTF-8; save the file as UTF-8\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := fstest.MapFS{
				"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nschemas: [a.yaml]\n")},
				"a.yaml":         {Data: []byte(test.text)},
			}
			if diff := cmp.Diff(test.want, load(t, project)); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

// A config with every member, and one with only the required members.
func TestConfig(t *testing.T) {
	t.Parallel()
	at := func(line, col int) finding.Pos { return finding.Pos{File: "outboxgen.yaml", Line: line, Col: col} }
	tests := map[string]struct {
		text string
		want *schema.Config
	}{
		"defaults": {
			"version: 1\nservice: cj\nschemas: [a.yaml]\nout: ./internal/events/\n",
			&schema.Config{
				Path: "outboxgen.yaml", Service: "cj", Schemas: []string{"a.yaml"}, Out: "internal/events", Package: "events",
				Envelope: "outbox", Nullable: "strict", CorrelationID: "text", Unknown: "keep", Zero: "refuse", Validation: schema.StrictValidation, SQLC: schema.SQLCConfig{Mode: "embedded", Schema: "public", At: map[string]finding.Pos{}},
				Compat: schema.CompatConfig{CompatRule: schema.CompatRule{Level: "BACKWARD", Policy: "generated"}, Versions: "apart", Subjects: "topic"},
				At:     map[string]finding.Pos{"version": at(1, 1), "service": at(2, 1), "schemas": at(3, 1), "out": at(4, 1)},
			},
		},
		"everything": {
			`version: 1
service: cj
out: api
package: cjevents
envelope: cloudevents
nullable: pointer
sqlc: {mode: queries, migrations: db, schema: outbox, package: example.com/cj/db, queries: db/q.sql}
types: {date-time: example.com/civil.DateTime, "#/$defs/x": string}
events:
  - {schema: "a.yaml#/$defs/x", name: X, version: 3, type: x, topic: y, envelope: none, aggregate: {type: t}, key: null}
compat:
  level: FULL_TRANSITIVE
  policy: lenient
  versions: together
  released: v*
  frozen: true
  subjects: record
  accept: [{id: EVENT_REMOVED, event: gone.v1, reason: nobody reads it}]
validation: spec
correlation_id: uuid
zero: allow
`,
			&schema.Config{
				Path: "outboxgen.yaml", Service: "cj", Out: "api", Package: "cjevents", Envelope: "cloudevents", Nullable: "pointer", CorrelationID: "uuid", Unknown: "keep", Zero: "allow", Validation: schema.SpecValidation,
				SQLC: schema.SQLCConfig{
					Mode: "queries", Migrations: "db", Schema: "outbox", Package: "example.com/cj/db", Queries: "db/q.sql", Pos: at(7, 7),
					At: map[string]finding.Pos{"mode": at(7, 8), "migrations": at(7, 23), "schema": at(7, 39), "package": at(7, 55), "queries": at(7, 83)},
				},
				Types: []schema.TypeMapping{
					{Match: "date-time", Type: "example.com/civil.DateTime", Pos: at(8, 9)},
					{Match: "#/$defs/x", Type: "string", Pos: at(8, 48)},
				},
				Events: []schema.EventConfig{{
					Schema: schema.Name{Text: "a.yaml#/$defs/x", Pos: at(10, 14)},
					Name:   schema.Name{Text: "X", Pos: at(10, 39)},
					Extension: schema.Extension{
						Pos: at(10, 5), Version: &schema.Number{Text: "3", Pos: at(10, 51)}, Type: &schema.Name{Text: "x", Pos: at(10, 60)},
						Topic: &schema.Name{Text: "y", Pos: at(10, 70)}, Envelope: &schema.Name{Text: "none", Pos: at(10, 83)},
						AggregateType: &schema.Name{Text: "t", Pos: at(10, 107)}, NoKey: true, KeyPos: at(10, 116),
						At: map[string]finding.Pos{
							"schema": at(10, 6), "name": at(10, 33), "version": at(10, 42), "type": at(10, 54), "topic": at(10, 63), "envelope": at(10, 73),
							"aggregate": at(10, 89), "aggregate.type": at(10, 101), "key": at(10, 111),
						},
					},
				}},
				Compat: schema.CompatConfig{
					CompatRule: schema.CompatRule{Level: "FULL_TRANSITIVE", Policy: "lenient"}, Versions: "together", Released: "v*", Frozen: true,
					Subjects: "record", SubjectsPos: at(17, 13), Pos: at(12, 3),
					Accept: []schema.Acceptance{{
						ID: schema.Name{Text: "EVENT_REMOVED", Pos: at(18, 17)}, Event: schema.Name{Text: "gone.v1", Pos: at(18, 39)},
						Reason: schema.Name{Text: "nobody reads it", Pos: at(18, 56)}, Pos: at(18, 12),
					}},
				},
				At: map[string]finding.Pos{
					"compat": at(11, 1), "validation": at(19, 1), "correlation_id": at(20, 1), "zero": at(21, 1),
					"version": at(1, 1), "service": at(2, 1), "out": at(3, 1), "package": at(4, 1), "envelope": at(5, 1),
					"nullable": at(6, 1), "sqlc": at(7, 1), "types": at(8, 1), "events": at(9, 1),
				},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, list, err := schema.LoadFS(fstest.MapFS{
				"outboxgen.yaml": {Data: []byte(test.text)},
				"a.yaml":         {Data: []byte("x-outbox: {version: 1, type: a, aggregate: {type: a}}\n$defs: {x: {type: object}}\n")},
				"db/001.sql":     {},
			}, "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range list.Sorted() {
				t.Errorf("unexpected: %s", f)
			}
			if diff := cmp.Diff(test.want, p.Config, cmpopts.IgnoreUnexported(schema.Config{})); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

// Events are made from x-outbox and the config, with names and defaults.
func TestEvents(t *testing.T) {
	t.Parallel()
	p, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte(`
version: 1
service: cj
schemas: ["schemas/**"]
out: events
envelope: cloudevents
events:
  - {schema: "vendor/x.json#/$defs/build_finished", version: 2, type: ci.finished, aggregate: {type: build}, key: null}
`)},
		"schemas/one.yaml": {Data: []byte(`
title: CJAssessmentCompleted
x-outbox: {version: 1, type: cj.completed.v1, topic: cj, envelope: none, aggregate: {type: batch, id: /entity_id}, key: /kind, correlation: /cid, compat: {level: FULL}, tombstone: true}
properties: {entity_id: {type: string}, kind: {enum: [a, b]}, cid: {type: string, format: uuid}}
`)},
		"schemas/deep/er/thing_happened.v3.json": {Data: []byte(`{"x-outbox": {"version": 3, "type": "t", "aggregate": {"type": "thing"}}}`)},
		"schemas/.hidden/x.yaml":                 {Data: []byte("not: [read")},
		"schemas/library.yaml":                   {Data: []byte("$defs: {a: true}")},
		"vendor/x.json":                          {Data: []byte(`{"$defs": {"build_finished": {"type": "object"}}}`)},
	}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Sorted() {
		t.Errorf("unexpected: %s", f)
	}
	name := func(text string, line, col int) *schema.Name {
		return &schema.Name{Text: text, Pos: finding.Pos{File: "schemas/one.yaml", Line: line, Col: col}}
	}
	service := schema.Name{Text: "cj", Pos: finding.Pos{File: "outboxgen.yaml", Line: 3, Col: 1}}
	want := []*schema.Event{
		{
			Pos: finding.Pos{File: "outboxgen.yaml", Line: 8, Col: 5}, GoName: "BuildFinishedV2", Version: 2, Type: "ci.finished", Topic: "ci.finished",
			Envelope: "cloudevents", AggregateType: "build", Service: service, Compat: schema.CompatRule{Level: "BACKWARD", Policy: "generated"},
		},
		{
			Pos: finding.Pos{File: "schemas/one.yaml", Line: 3, Col: 1}, GoName: "CJAssessmentCompletedV1", Version: 1, Type: "cj.completed.v1", Topic: "cj",
			Envelope: "none", AggregateType: "batch", AggregateID: name("/entity_id", 3, 103), Key: name("/kind", 3, 121), Keyed: true,
			Correlation: name("/cid", 3, 141), Tombstone: true, Service: service, Compat: schema.CompatRule{Level: "FULL", Policy: "generated"}, OwnCompat: schema.CompatRule{Level: "FULL"},
		},
		{
			Pos: finding.Pos{File: "schemas/deep/er/thing_happened.v3.json", Line: 1, Col: 2}, GoName: "ThingHappenedV3", Version: 3, Type: "t", Topic: "t",
			Envelope: "cloudevents", AggregateType: "thing", Keyed: true, Service: service, Compat: schema.CompatRule{Level: "BACKWARD", Policy: "generated"},
		},
	}
	if diff := cmp.Diff(want, p.Events, cmpopts.IgnoreUnexported(schema.Event{}), cmpopts.IgnoreFields(schema.Event{}, "Schema")); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	var paths []string
	for _, d := range p.Documents {
		paths = append(paths, d.Path)
	}
	if diff := cmp.Diff([]string{"schemas/deep/er/thing_happened.v3.json", "schemas/library.yaml", "schemas/one.yaml", "vendor/x.json"}, paths); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
}

// Numbers lose no digits, in any notation.
func TestNumbersKeepTheirText(t *testing.T) {
	t.Parallel()
	s := loadSchema(t, "a.yaml", "enum: [123456789012345678901234567890, 0.10, 1e400, -1e-9999, 0xffffffffffffffffff, 0o777, +7, 008, .5, 5., -0, -.5E+3, 1E-2, 1.0e+30, -1.e5]")
	var got []string
	for _, v := range s.Enum {
		if v.Kind != schema.NumberKind {
			t.Errorf("%q is a %v", v.Text, v.Kind)
		}
		got = append(got, v.Text)
	}
	if diff := cmp.Diff([]string{
		"123456789012345678901234567890", "0.10", "1e400", "-1e-9999", "4722366482869645213695", "511", "7", "8", "0.5", "5.0", "-0", "-0.5e3", "1e-2", "1e30", "-1e5",
	}, got); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
}
