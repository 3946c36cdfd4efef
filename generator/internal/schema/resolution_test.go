package schema_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Every reference has the same target as in another implementation, in every dialect
// and in every place.
func TestReferencesLeadWhereAnotherValidatorGoes(t *testing.T) {
	t.Parallel()
	const draft = "$schema: http://json-schema.org/DRAFT/schema#\n"
	old := func(draftName, text string) string {
		text = strings.ReplaceAll(draft+text, "DRAFT", draftName)
		if draftName == "draft-04" {
			text = strings.ReplaceAll(text, "$id", "id")
		}
		return text
	}
	// Base URIs that $id changes on the way down, and names inside them.
	const bases = `
$id: https://example.com/root/main.json
properties:
  byPointer: {$ref: "#/definitions/plain"}
  byAnchor: {$ref: "#plain"}
  byRelativeID: {$ref: "nested/inner.json"}
  byAbsoluteID: {$ref: "https://example.com/root/nested/inner.json"}
  intoResource: {$ref: "nested/inner.json#/definitions/deep"}
  throughResource: {$ref: "#/properties/inner/definitions/deep"}
  byURN: {$ref: "urn:example:thing"}
  anchorElsewhere: {$ref: "urn:example:thing#there"}
  inner:
    $id: nested/inner.json
    properties:
      toSibling: {$ref: "other.json"}
      upwards: {$ref: "../main.json#/definitions/plain"}
      toOwnRoot: {$ref: "#"}
      toOwnPointer: {$ref: "#/definitions/deep"}
      toOwnAnchor: {$ref: "#deep"}
    definitions:
      deep: {$id: "#deep", type: integer}
definitions:
  plain: {$id: "#plain", type: string}
  inner: {$ref: "#/properties/inner"}
  other: {$id: nested/other.json, type: boolean}
  thing: {$id: "urn:example:thing", definitions: {x: {$id: "#there", type: "null"}}}
`
	const unusual = `
properties:
  dotted: {$ref: "#/$defs/com.acme.Foo[Bar]"}
  dottedEscaped: {$ref: "#/$defs/com.acme.Foo%5BBar%5D"}
  generic: {$ref: "#/$defs/Foo%3CBar%3E"}
  slash: {$ref: "#/$defs/pkg~1foo.Type"}
  slashEncoded: {$ref: "#/$defs/pkg%7E1foo.Type"}
  tilde: {$ref: "#/$defs/a~0b"}
  space: {$ref: "#/$defs/with%20space"}
  percent: {$ref: "#/$defs/100%25"}
  unicode: {$ref: "#/$defs/h%C3%A4ndelse"}
  unicodeRaw: {$ref: "#/$defs/händelse"}
  digits: {$ref: "#/$defs/3d"}
  empty: {$ref: "#/$defs/"}
  quote: {$ref: "#/$defs/%22quoted%22"}
  index: {$ref: "#/allOf/1"}
  file: {$ref: "dir%20with%20space/h%C3%A4ndelse.v1.json"}
  fileDots: {$ref: "./3d.model.v1.json#/$defs/A.B"}
  fileUp: {$ref: "dir%20with%20space/../3d.model.v1.json"}
  byID: {$ref: "urn:jsonschema:com:acme:Foo"}
$defs:
  "com.acme.Foo[Bar]": {type: string}
  "Foo<Bar>": {type: string}
  "pkg/foo.Type": {type: string}
  "a~b": {type: string}
  "with space": {type: string}
  "100%": {type: string}
  "händelse": {type: string}
  "3d": {type: string}
  "": {type: string}
  '"quoted"': {type: string}
allOf: [true, {type: object}]
`
	others := map[string]string{
		"dir with space/händelse.v1.json": `{"type": "object", "properties": {"up": {"$ref": "../3d.model.v1.json"}}}`,
		"3d.model.v1.json":                `{"$defs": {"A.B": {"type": "string"}}}`,
		"jackson.json":                    `{"$schema": "http://json-schema.org/draft-04/schema#", "id": "urn:jsonschema:com:acme:Foo", "type": "object"}`,
	}
	tests := map[string]map[string]string{
		"bases in draft-04": {"main.yaml": old("draft-04", bases)},
		"bases in draft-06": {"main.yaml": old("draft-06", bases)},
		"bases in draft-07": {"main.yaml": old("draft-07", bases)},
		"bases in 2019-09": {"main.yaml": "$schema: https://json-schema.org/draft/2019-09/schema\n" +
			strings.ReplaceAll(strings.ReplaceAll(bases, `$id: "#`, `$anchor: "`), "definitions", "$defs")},
		"bases in 2020-12": {"main.yaml": strings.ReplaceAll(strings.ReplaceAll(bases, `$id: "#`, `$anchor: "`), "definitions", "$defs")},
		"unusual names":    others,
		"another dialect inside": {"main.yaml": `
properties:
  old: {$ref: "https://example.com/old"}
  tuple: {$ref: "https://example.com/old#/definitions/tuple"}
$defs:
  old:
    $schema: http://json-schema.org/draft-07/schema#
    $id: https://example.com/old
    properties:
      siblings: {$ref: "#/definitions/tuple", $id: "https://example.com/ignored"}
    definitions:
      tuple: {type: array, items: [{$ref: "#named"}]}
      named: {$id: "#named", type: string}
`},
	}
	others["main.yaml"] = unusual
	for name, files := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours := ourReferences(t, files)
			theirs := theirReferences(t, files)
			if len(ours) < 3 {
				t.Errorf("only %d references were found", len(ours))
			}
			if diff := cmp.Diff(theirs, ours); diff != "" {
				t.Errorf("references (-the other validator +ours):\n%s", diff)
			}
		})
	}
}

// ourReferences returns the target of each reference in main.yaml, by the reference's
// place.
func ourReferences(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	fsys["outboxgen.yaml"] = &fstest.MapFile{Data: []byte("version: 1\nservice: a\nout: events\nschemas: [\"**\"]\n")}
	p, list, err := schema.LoadFS(fsys, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Sorted() {
		if f.ID != "no-events" && f.ID != "ignored-keyword" {
			t.Errorf("unexpected: %s", f)
		}
	}
	found := map[string]string{}
	seen := map[*schema.Schema]bool{}
	var walk func(s *schema.Schema)
	walk = func(s *schema.Schema) {
		if seen[s] {
			return
		}
		seen[s] = true
		if s.Ref != nil && s.Ref.Target != nil {
			found[s.Doc.Path+"#"+s.Pointer] = s.Ref.Target.Doc.Path + "#" + s.Ref.Target.Pointer
			walk(s.Ref.Target)
		}
		for _, p := range s.Properties {
			walk(p.Schema)
		}
		for _, item := range s.PrefixItems {
			walk(item)
		}
		if s.Items != nil {
			walk(s.Items)
		}
	}
	for _, d := range p.Documents {
		walk(d.Root)
	}
	return found
}

// theirReferences asks the other implementation the same.
func theirReferences(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	const base = "https://project.example/"
	c := jsonschema.NewCompiler()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var doc any
		if err := yaml.Unmarshal([]byte(files[name]), &doc); err != nil {
			t.Fatal(err)
		}
		uri := base + (&url.URL{Path: name}).EscapedPath()
		if err := c.AddResource(uri, doc); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(files[name], "urn:jsonschema") && name != "main.yaml" {
			if err := c.AddResource("urn:jsonschema:com:acme:Foo", doc); err != nil {
				t.Fatal(err)
			}
		}
	}
	place := func(location string) string {
		location = strings.Replace(location, "urn:jsonschema:com:acme:Foo#", base+"jackson.json#", 1)
		u, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(u.Path, "/") + "#" + u.Fragment
	}
	found := map[string]string{}
	seen := map[*jsonschema.Schema]bool{}
	var walk func(s *jsonschema.Schema)
	walk = func(s *jsonschema.Schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		if s.Ref != nil {
			found[place(s.Location)] = place(s.Ref.Location)
			walk(s.Ref)
		}
		for _, p := range s.Properties {
			walk(p)
		}
		for _, item := range s.PrefixItems {
			walk(item)
		}
		if items, ok := s.Items.([]*jsonschema.Schema); ok {
			for _, item := range items {
				walk(item)
			}
		}
	}
	for name := range files {
		s, err := c.Compile(base + (&url.URL{Path: name}).EscapedPath())
		if err != nil {
			t.Fatal(err)
		}
		walk(s)
	}
	return found
}

// A dynamic reference has the target that it has in validation: the outermost anchor on
// the path.
func TestDynamicReferences(t *testing.T) {
	t.Parallel()
	const list = `
$id: https://example.com/list
type: array
items: {$dynamicRef: "#item"}
$defs: {any: {$dynamicAnchor: item}}
`
	const tree = `
$schema: https://json-schema.org/draft/2019-09/schema
$id: https://example.com/tree
$recursiveAnchor: RECURSIVE
type: object
properties: {children: {type: array, items: {$recursiveRef: "#"}}}
`
	const strict = `
$schema: https://json-schema.org/draft/2019-09/schema
$recursiveAnchor: true
$ref: https://example.com/tree
unevaluatedProperties: false
`
	event := "x-outbox: {version: 1, type: TYPE, aggregate: {type: a}}\n"
	tests := map[string]struct {
		files map[string]string
		want  string // target of the reference in library.yaml
	}{
		"extended by one file": {map[string]string{
			"library.yaml": list, "a.yaml": event + "properties: {list: {$ref: library.yaml}}\n$defs: {item: {$dynamicAnchor: item, type: integer}}\n",
		}, "a.yaml#/$defs/item"},
		"not extended": {map[string]string{
			"library.yaml": list, "a.yaml": event + "properties: {list: {$ref: library.yaml}}\n",
		}, "library.yaml#/$defs/any"},
		"extended with an anchor that is not dynamic": {map[string]string{
			"library.yaml": list, "a.yaml": event + "properties: {list: {$ref: library.yaml}}\n$defs: {item: {$anchor: item, type: integer}}\n",
		}, "library.yaml#/$defs/any"},
		"a reference to an anchor that is not dynamic": {map[string]string{
			"library.yaml": strings.Replace(list, "$dynamicAnchor", "$anchor", 1),
			"a.yaml":       event + "properties: {list: {$ref: library.yaml}}\n$defs: {item: {$dynamicAnchor: item, type: integer}}\n",
		}, "library.yaml#/$defs/any"},
		"a recursive tree, extended": {map[string]string{
			"library.yaml": strings.Replace(tree, "RECURSIVE", "true", 1), "a.yaml": event + strict,
		}, "a.yaml#"},
		"a recursive tree that is not open": {map[string]string{
			"library.yaml": strings.Replace(tree, "RECURSIVE", "false", 1), "a.yaml": event + strict,
		}, "library.yaml#"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := ""
			for from, to := range ourReferences(t, test.files) {
				if strings.HasPrefix(from, "library.yaml#") {
					got = to
				}
			}
			if got != test.want {
				t.Errorf("the reference leads to %q, want %q", got, test.want)
			}
		})
	}
}

// If the target of a dynamic reference depends on the path to it, the schemas on the
// path exist once for each target. All others exist once.
func TestVariants(t *testing.T) {
	t.Parallel()
	const event = "version: 1, type: TYPE, aggregate: {type: a}}\n"
	p, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nschemas: ['*.yaml']\n")},
		"list.yaml": {Data: []byte(`
$id: https://example.com/list
properties: {items: {items: {$dynamicRef: "#item"}}, size: {type: integer}}
$defs: {any: {$dynamicAnchor: item}}
`)},
		"a.yaml": {Data: []byte("title: A\nx-outbox: {" + strings.Replace(event, "TYPE", "a.v1", 1) + "properties: {a: {$ref: list.yaml}}\n$defs: {item: {$dynamicAnchor: item, type: integer}}\n")},
		"b.yaml": {Data: []byte("title: B\nx-outbox: {" + strings.Replace(event, "TYPE", "b.v1", 1) + "properties: {a: {$ref: list.yaml}}\n$defs: {item: {$dynamicAnchor: item, type: string}}\n")},
		"c.yaml": {Data: []byte("title: C\nx-outbox: {" + strings.Replace(event, "TYPE", "c.v1", 1) + "properties: {a: {$ref: list.yaml}}\n")},
	}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if all := found(list); len(all) > 0 {
		t.Errorf("unexpected: %v", all)
	}
	var got []string
	sizes := map[*schema.Schema]bool{}
	for _, e := range p.Events {
		list := e.Schema.Properties[0].Schema.Ref.Target
		item := list.Properties[0].Schema.Items
		got = append(got, fmt.Sprintf("%s: variant %d leads to %s#%s", e.GoName, item.Variant, item.Ref.Target.Doc.Path, item.Ref.Target.Pointer))
		sizes[list.Properties[1].Schema] = true
	}
	want := []string{
		"AV1: variant 0 leads to a.yaml#/$defs/item", "BV1: variant 1 leads to b.yaml#/$defs/item", "CV1: variant 2 leads to list.yaml#/$defs/any",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(sizes) != 1 {
		t.Errorf("%d schemas for the size, want one", len(sizes))
	}
}

// A nullable without a type adds a branch for null.
func TestNullableBesideCombinations(t *testing.T) {
	t.Parallel()
	const text = `
$schema: https://json-schema.org/draft/2019-09/schema
properties:
  a: {$ref: "#/$defs/x", description: Text., default: null, NULLABLE: true}
  b: {allOf: [{$ref: "#/$defs/x"}], title: X, NULLABLE: true}
  c: {oneOf: [{$ref: "#/$defs/x"}, {type: integer}], NULLABLE: true}
$defs: {x: {type: string}}
`
	want := loadSchema(t, "want.yaml", `
properties:
  a: {anyOf: [{$ref: "#/$defs/x"}, {type: "null"}], description: Text., default: null}
  b: {anyOf: [{allOf: [{$ref: "#/$defs/x"}], title: X}, {type: "null"}], title: X}
  c: {anyOf: [{oneOf: [{$ref: "#/$defs/x"}, {type: integer}]}, {type: "null"}]}
$defs: {x: {type: string}}
`)
	for _, keyword := range []string{"nullable", "x-nullable"} {
		p, list, err := schema.LoadFile(fstest.MapFS{"a.yaml": {Data: []byte(strings.ReplaceAll(text, "NULLABLE", keyword))}}, "a.yaml", schema.Draft202012)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, f := range list.Sorted() {
			ids = append(ids, f.ID)
		}
		if diff := cmp.Diff([]string{"nullable-without-type", "nullable-without-type", "nullable-without-type"}, ids); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, p.Document("a.yaml").Root, meaning); diff != "" {
			t.Errorf("%s: model (-want +got):\n%s", keyword, diff)
		}
	}
}
