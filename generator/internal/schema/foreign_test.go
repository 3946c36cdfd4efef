package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// vendored loads a project with one event, described under events: by vendor/a.json,
// which has the given text.
func vendored(t *testing.T, text string, others map[string]string) (*schema.Project, []string) {
	t.Helper()
	fsys := fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nevents:\n" +
			"  - {schema: vendor/a.json, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n")},
		"vendor/a.json": {Data: []byte(text)},
	}
	for name, text := range others {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	p, list, err := schema.LoadFS(fsys, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p, found(list)
}

// found returns the findings of a list; of warnings, only the ids.
func found(list *finding.List) []string {
	var all []string
	for _, f := range list.Sorted() {
		if f.Severity == finding.Warning {
			all = append(all, f.ID)
		} else {
			all = append(all, strings.TrimSuffix(f.String(), " ["+f.ID+"]"))
		}
	}
	return all
}

// An error in a file that you cannot edit is a warning, and the faulty part is ignored.
func TestFilesThatNobodyMayEdit(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text     string
		means    string // the same without the faulty part; "": not read
		warnings []string
	}{
		"title":               {`{"title": 5}`, `{}`, []string{"wrong-type"}},
		"description":         {`{"description": null}`, `{}`, []string{"wrong-type"}},
		"description, a list": {`{"description": ["a", "b"]}`, `{}`, []string{"wrong-type"}},
		"comment":             {`{"$comment": {"a": 1}}`, `{}`, []string{"wrong-type"}},
		"examples, an object": {`{"examples": {"a": 1}}`, `{}`, []string{"wrong-type"}},
		"examples, a string":  {`{"type": "string", "examples": "x"}`, `{"type": "string"}`, []string{"wrong-type"}},
		"examples of another type": {`{"type": "string", "examples": [1]}`, `{"type": "string", "examples": [1]}`,
			[]string{"value-type"}},
		"default of another type": {`{"type": "string", "default": 1}`, `{"type": "string", "default": 1}`, []string{"value-type"}},
		"deprecated, a reason":    {`{"deprecated": "use b"}`, `{}`, []string{"wrong-type"}},
		"readOnly":                {`{"readOnly": "true", "writeOnly": 1}`, `{}`, []string{"wrong-type", "wrong-type"}},
		"$schema, a number":       {`{"$schema": 7}`, `{}`, []string{"wrong-type"}},
		"$id, an object":          {`{"$id": {}}`, `{}`, []string{"wrong-type"}},
		"$id, no URI":             {`{"$id": "%zz"}`, `{}`, []string{"bad-id"}},
		"$id, a name of draft-07": {`{"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": {"a": {"$id": "#a"}}, "properties": {"b": {"$ref": "#a"}}}`,
			`{"$defs": {"a": {"$anchor": "a"}}, "properties": {"b": {"$ref": "#a"}}}`, []string{"bad-id"}},
		"$anchor": {`{"$anchor": "a b"}`, `{}`, []string{"wrong-type"}},
		"required, of draft-03": {`{"properties": {"a": {"type": "string", "required": true}}}`, `{"properties": {"a": {"type": "string"}}}`,
			[]string{"wrong-type"}},
		"required, a name":      {`{"required": "a"}`, `{}`, []string{"wrong-type"}},
		"required, with others": {`{"required": ["a", 1, "a"]}`, `{"required": ["a"]}`, []string{"wrong-type", "duplicate-name"}},
		"type, any":             {`{"type": "any"}`, `{}`, []string{"unknown-type"}},
		"type, unknown among others": {`{"properties": {"a": {"type": ["string", "date"]}}}`, `{"properties": {"a": {}}}`,
			[]string{"unknown-type"}},
		"type, the value null": {`{"type": null}`, `{}`, []string{"unknown-type"}},
		"type, an object":      {`{"type": {"a": 1}}`, `{}`, []string{"wrong-type"}},
		"type, empty":          {`{"type": []}`, `{}`, []string{"empty-list"}},
		"type, twice":          {`{"type": ["string", "string"]}`, `{"type": "string"}`, []string{"duplicate-name"}},
		"format":               {`{"type": "string", "format": null}`, `{"type": "string"}`, []string{"wrong-type"}},
		"pattern":              {`{"type": "string", "pattern": 5}`, `{"type": "string"}`, []string{"wrong-type"}},
		"a count, a string":    {`{"type": "string", "maxLength": "5"}`, `{"type": "string"}`, []string{"wrong-type"}},
		"a count, negative":    {`{"type": "string", "minLength": -1}`, `{"type": "string"}`, []string{"wrong-type"}},
		"a bound":              {`{"type": "number", "minimum": "0", "multipleOf": 0}`, `{"type": "number"}`, []string{"wrong-type", "wrong-type"}},
		"an exclusive bound of draft-04": {`{"$schema": "http://json-schema.org/draft-07/schema#", "type": "number", "minimum": 0, "exclusiveMinimum": true}`,
			`{"type": "number", "minimum": 0}`, []string{"other-dialect"}},
		"an exclusive bound in draft-04": {`{"$schema": "http://json-schema.org/draft-04/schema#", "type": "number", "exclusiveMinimum": 1}`,
			`{"type": "number"}`, []string{"wrong-type"}},
		"id in draft-07":              {`{"$schema": "http://json-schema.org/draft-07/schema#", "id": "https://example.com/a"}`, `{}`, []string{"other-dialect"}},
		"a keyword that nobody knows": {`{"propertyOrder": 5, "maxlength": 5}`, `{}`, []string{"unknown-keyword", "unknown-keyword"}},
		"definitions that are no schemas": {`{"definitions": {"version": "1.0", "list": [1], "a": {"type": "string"}}}`,
			`{"definitions": {"a": {"type": "string"}}}`, []string{"wrong-type", "wrong-type"}},
		"definitions, a list": {`{"definitions": []}`, `{}`, []string{"wrong-type"}},
		"a property that is no schema": {`{"properties": {"a": "string"}, "additionalProperties": false}`,
			`{"properties": {"a": true}, "additionalProperties": false}`, []string{"wrong-type"}},
		"items, null":                {`{"type": "array", "items": null}`, `{"type": "array"}`, []string{"wrong-type"}},
		"not, a string":              {`{"not": "a"}`, `{}`, []string{"wrong-type"}},
		"a branch, a string":         {`{"anyOf": ["a", {"type": "string"}]}`, `{}`, []string{"wrong-type"}},
		"no branches":                {`{"oneOf": []}`, `{}`, []string{"empty-list"}},
		"enum, a value":              {`{"enum": "a"}`, `{}`, []string{"wrong-type"}},
		"a discriminator of Swagger": {`{"discriminator": "kind"}`, `{}`, []string{"wrong-type"}},
		"a discriminator to nowhere": {`{"oneOf": [{"type": "object"}], "discriminator": {"propertyName": "kind", "mapping": {"a": "#/definitions/gone"}}}`,
			`{"oneOf": [{"type": "object"}], "discriminator": {"propertyName": "kind"}}`, []string{"dangling-reference"}},
		"dependencies": {`{"dependencies": {"a": "b", "c": ["d"]}}`, `{"$schema": "https://json-schema.org/draft/2019-09/schema", "dependencies": {"c": ["d"]}}`,
			[]string{"dialect-guessed", "wrong-type"}},

		"a member twice": {`{"type": "string", "type": "object", "properties": {"a": true, "a": {"type": "integer"}}}`,
			`{"type": "object", "properties": {"a": {"type": "integer"}}}`, []string{"duplicate-member", "duplicate-member"}},
		"comments": {"// A.\n{ /* b */ \"type\": \"object\" // c\n}\n// d", `{"type": "object"}`, []string{"json-syntax"}},
		"commas":   {`{"type": ["object", "null",], "title": "a",}`, `{"type": ["object", "null"], "title": "a"}`, []string{"json-syntax", "json-syntax"}},
		"half a surrogate pair": {`{"type": "string", "pattern": "^[^\ud800-\udfff]$"}`, "{\"type\": \"string\", \"pattern\": \"^[^\uFFFD-\uFFFD]$\"}",
			[]string{"json-syntax", "json-syntax"}},
		"a byte order mark, and line ends of Windows": {"\uFEFF{\r\n\"type\": \"object\"\r\n}\r\n", `{"type": "object"}`, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p, got := vendored(t, test.text, nil)

			if diff := cmp.Diff(test.warnings, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			want := loadSchema(t, "want.json", strings.NewReplacer(`, "default": 1`, "", `, "examples": [1]`, "").Replace(test.means))
			root := p.Document("vendor/a.json").Root
			root.Default, root.Examples = nil, nil // they are kept, with any type
			if diff := cmp.Diff(want, root, meaning); diff != "" {
				t.Errorf("model (-want +got):\n%s", diff)
			}
		})
	}
}

// What the standard allows and advises against is a warning in every file, also in one
// that describes an event.
func TestLegalSchemasAreNoErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"enum": []}`:                        "empty-list",
		`{"enum": [1, 2, 1.0]}`:               "duplicate-enum",
		`{"type": "string", "default": 5}`:    "value-type",
		`{"type": "string", "examples": [5]}`: "value-type",
		`{"type": "string", "minimum": 5}`:    "ignored-keyword",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			_, list, err := schema.LoadFS(fstest.MapFS{
				"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nschemas: [a.json]\n")},
				"a.json":         {Data: []byte(`{"title": "A", "x-outbox": {"version": 1, "type": "a.v1", "aggregate": {"type": "a"}}, "type": "object", "properties": {"a": ` + text + `}}`)},
			}, "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{want}, found(list)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A fault is an error if the project can fix it, and if a file cannot be read at all.
func TestFilesThatAreReadToTheLetter(t *testing.T) {
	t.Parallel()
	const event = `{"x-outbox": {"version": 1, "type": "a.v1", "aggregate": {"type": "a"}}, "type": "object", `
	tests := map[string]string{
		event + `"title": 5}`:                           "wrong-type",
		event + `"description": "a",}`:                  "json-syntax",
		event + `"properties": {"a": {"type": "any"}}}`: "unknown-type",
		event + `"title": "a", "title": "b"}`:           "duplicate-member",
		event + "// a\n" + `"title": "a"}`:              "json-syntax",
	}
	for text, want := range tests {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, list, err := schema.LoadFS(fstest.MapFS{
				"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nschemas: [a.json]\n")},
				"a.json":         {Data: []byte(text)},
			}, "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if all := list.Sorted(); len(all) != 1 || all[0].ID != want || all[0].Severity != finding.Error {
				t.Errorf("%s: found %v, want one error %s", text, all, want)
			}
		})
	}
	for _, text := range []string{``, `{"type": `, `{'type': "object"}`, `{"type": "object"} {}`, `/* {}`} {
		_, got := vendored(t, text, nil)
		if len(got) != 1 || !strings.HasPrefix(got[0], "vendor/a.json:") {
			t.Errorf("%q: found %v, want one error in the file", text, got)
		}
	}
}

// A reference without a target is an error in a schema that an event uses, and a
// warning in others.
func TestReferencesThatNoEventUses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want []string
	}{
		"in use": {`{"properties": {"a": {"$ref": "#/definitions/gone"}}}`,
			[]string{`vendor/a.json:1:31: "vendor/a.json" has nothing at "#/definitions"; add the schema at "#/definitions/gone"`}},
		"in use, by way of a definition": {`{"items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"$ref": "gone.json"}}}`,
			[]string{`vendor/a.json:1:58: "vendor/gone.json": there is no such file; the schema files in that folder are: "a.json", "broken.json"`}},
		"in a definition that nothing uses": {`{"$defs": {"a": {"properties": {"b": {"$ref": "https://example.com/gone"}}}}}`, []string{"unknown-id"}},
		"in a circle that nothing uses":     {`{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}`, []string{"reference-circle"}},
		"to a file that cannot be read, in a definition that nothing uses": {`{"$defs": {"a": {"$ref": "broken.json"}}}`,
			[]string{"json-syntax"}},
		"to a file that cannot be read": {`{"properties": {"a": {"$ref": "broken.json"}}}`,
			[]string{`vendor/broken.json:1:2: the file ends where a member name in double quotes is expected`}},
		"to a definition that is no schema": {`{"properties": {"a": {"$ref": "#/$defs/v"}}, "$defs": {"v": "1.0"}}`,
			[]string{`vendor/a.json:1:31: "#/$defs/v" points to the string "1.0", not to a schema; refer to a schema, such as one under $defs`, "wrong-type"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got := vendored(t, test.text, map[string]string{"vendor/broken.json": "{"})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A fault in a file that schemas: matches and no event uses is a warning. A file that
// may describe an event counts as used.
func TestFilesThatNoEventUses(t *testing.T) {
	t.Parallel()
	event := func(name string) string {
		return fmt.Sprintf("title: %s\nx-outbox: {version: 1, type: %s.v1, aggregate: {type: a}}\ntype: object\n", name, strings.ToLower(name))
	}
	fsys := fstest.MapFS{
		"outboxgen.yaml":  {Data: []byte("version: 1\nservice: a\nout: events\nschemas: [\"*.yaml\"]\n")},
		"good.yaml":       {Data: []byte(event("Good") + "properties: {a: {$ref: used.yaml}, b: {$ref: unreadable-used.yaml}}\n")},
		"bad.yaml":        {Data: []byte(event("Bad") + "properties: {a: {type: text}}\n")},
		"used.yaml":       {Data: []byte("type: text\n")},
		"unused.yaml":     {Data: []byte("type: text\nproperties: {a: {$ref: gone.yaml}}\n")},
		"misspelled.yaml": {Data: []byte("x-outbx: {version: 1}\n")},
		"unreadable.yaml": {Data: []byte("a: [\n")},

		"unreadable-event.yaml": {Data: []byte("x-outbox: {\n")}, "unreadable-used.yaml": {Data: []byte("a: [\n")},
	}
	p, list, err := schema.LoadFS(fsys, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	severities := map[string]finding.Severity{}
	for _, f := range list.Sorted() {
		severities[f.Pos.File+" "+f.ID] = f.Severity
	}
	want := map[string]finding.Severity{
		"bad.yaml unknown-type": finding.Error, "used.yaml unknown-type": finding.Error,
		"unused.yaml unknown-type": finding.Warning, "unused.yaml unknown-file": finding.Warning,
		"misspelled.yaml unknown-keyword": finding.Error, "unreadable.yaml yaml-syntax": finding.Warning,
		"unreadable-event.yaml yaml-syntax": finding.Error, "unreadable-used.yaml yaml-syntax": finding.Error,
	}
	if diff := cmp.Diff(want, severities); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(p.Events) != 2 {
		t.Errorf("%d events, want the good one and the bad one", len(p.Events))
	}
}

// A fault in one entry of events: does not hide another event.
func TestEntriesOfEventsAreLookedAtOneByOne(t *testing.T) {
	t.Parallel()
	p, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte(`version: 1
service: a
out: events
schemas: [nothing/*.yaml]
events:
  - {schema: a.json, name: A, version: 1, type: a.v1, aggregate: {type: a, id: /gone}}
  - {schema: gone.json, name: B, version: 1, type: b.v1, aggregate: {type: a}}
  - {schema: c.json, name: C, version: 1, type: c.v1, aggregate: {type: a}}
  - {schema: d.json, name: D, version: 1, type: c.v1, aggregate: {type: a}}
lint: {rules: 5}
`)},
		"a.json": {Data: []byte("{}")}, "c.json": {Data: []byte("{}")}, "d.json": {Data: []byte("{}")},
	}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range p.Sound(list).Events {
		names = append(names, e.GoName)
	}
	if diff := cmp.Diff([]string{"CV1"}, names); diff != "" {
		t.Errorf("sound events (-want +got):\n%s\n%v", diff, list.Sorted())
	}
}

// When two schemas are compared, a fault that affects no value is a warning. One that
// affects values is an error, because the comparison would be wrong.
func TestSchemasToCompare(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		`{"title": 5, "examples": {}, "deprecated": "x"}`: {"wrong-type", "wrong-type", "wrong-type"},
		`{"type": "string", "type": "object",}`:           {"duplicate-member", "json-syntax"},
		`{"type": "text"}`:                                {`a.json:1:10: "text" is not a type of JSON Schema`},
		`{"maxLength": "5"}`:                              {`a.json:1:15: maxLength must be a whole number, zero or more, not the string "5"`},
	}
	for text, want := range tests {
		_, list, err := schema.LoadFile(fstest.MapFS{"a.json": {Data: []byte(text)}}, "a.json", schema.Draft202012)
		if err != nil {
			t.Fatal(err)
		}
		got := found(list)
		for i := range got {
			got[i], _, _ = strings.Cut(got[i], ";")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s", text, diff)
		}
	}
}

// The documents of OpenAPI 3.0 and Swagger have a dialect of their own, also if the version
// is a number, as it often is in YAML. Those of 3.1 can name theirs.
func TestDialectsOfOpenAPI(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]schema.Dialect{
		"openapi: 3.0.3": schema.Draft4,
		"openapi: '3.0'": schema.Draft4,
		"openapi: 3.0":   schema.Draft4,
		"swagger: '2.0'": schema.Draft4,
		"swagger: 2.0":   schema.Draft4,
		"swagger: 2":     schema.Draft4,
		"openapi: 3.1":   schema.Draft202012,
		"openapi: 3.1.0": schema.Draft202012,
		"openapi: 3.1.0\njsonSchemaDialect: http://json-schema.org/draft-07/schema#":         schema.Draft7,
		"openapi: 3.1.0\njsonSchemaDialect: https://spec.openapis.org/oas/3.1/dialect/base":  schema.Draft202012,
		"openapi: 3.1.0\njsonSchemaDialect: https://example.com/a-dialect-that-nobody-knows": schema.Draft202012,
	} {
		p, got := vendored(t, `{"properties": {"a": {"$ref": "api.yaml#/definitions/a"}}}`, map[string]string{
			"vendor/api.yaml": head + "\ninfo: {title: a, version: 1.0.0}\ndefinitions: {a: {type: string}}\n"})
		if len(got) > 0 {
			t.Errorf("%s: unexpected: %v", head, got)
		}
		if d := p.Document("vendor/api.yaml").Dialect; d != want {
			t.Errorf("%s: read as %s, want %s", head, d, want)
		}
	}
}

// In Swagger 2.0 a discriminator is the name of a property.
func TestDiscriminatorsOfSwagger(t *testing.T) {
	t.Parallel()
	p, got := vendored(t, `{"properties": {"a": {"$ref": "api.yaml#/definitions/Pet"}}}`, map[string]string{"vendor/api.yaml": `swagger: 2.0
definitions:
  Pet: {type: object, discriminator: kind, required: [kind], properties: {kind: {type: string}}}
  Cat: {allOf: [{$ref: '#/definitions/Pet'}, {properties: {lives: {type: integer}}}]}
`})
	if diff := cmp.Diff([]string{"discriminator-subtypes"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	pet := property(t, p.Document("vendor/a.json").Root, "a").Ref.Target
	if pet.Discriminator == nil || pet.Discriminator.PropertyName.Text != "kind" {
		t.Errorf("the discriminator is %v", pet.Discriminator)
	}
}

// With validation: spec, nullable does not allow null, because JSON Schema does not
// have it. In a document of OpenAPI 3.0 it is a keyword.
func TestNullableIsOpenAPIs(t *testing.T) {
	t.Parallel()
	for validation, want := range map[string]map[string][]string{
		"strict": {"type": {"string", "null"}, "openapi": {"string", "null"}},
		"spec":   {"type": {"string"}, "openapi": {"string", "null"}},
	} {
		p, list, err := schema.LoadFS(fstest.MapFS{
			"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nschemas: [a.yaml]\nvalidation: " + validation + "\n")},
			"a.yaml":         {Data: []byte("properties:\n  type: {type: string, nullable: true}\n  openapi: {$ref: 'openapi.yaml#/components/schemas/e'}\n")},
			"openapi.yaml":   {Data: []byte("openapi: 3.0.3\ncomponents: {schemas: {e: {type: string, nullable: true}}}\n")},
		}, "outboxgen.yaml")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for _, property := range p.Document("a.yaml").Root.Properties {
			s := property.Schema
			if s.Ref != nil {
				s = s.Ref.Target
			}
			got[property.Name] = s.Types
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: types (-want +got):\n%s\n%v", validation, diff, list.Sorted())
		}
	}
}
