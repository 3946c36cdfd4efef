package example_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/example"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/validator"
)

func load(t *testing.T, text string) *schema.Schema {
	t.Helper()
	project, list, err := schema.LoadFile(fstest.MapFS{"a.json": {Data: []byte(text)}}, "a.json", schema.Draft202012)
	if err != nil {
		t.Fatal(err)
	}
	if list.HasErrors() {
		t.Fatalf("%s: %v", text, list.Sorted())
	}
	return project.Document("a.json").Root
}

// What is made for a schema. Each value is valid, which Of makes sure of; made means
// that it is not an example of the schema itself.
func TestOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// The schema's own examples, if they are valid.
		`{"type": "string", "examples": ["own"]}`:                     `"own"`,
		`{"type": "string", "examples": [1, "valid"]}`:                `"valid"`,
		`{"type": "integer", "minimum": 5, "examples": [1]}`:          `made 5`,
		`{"type": "object", "properties": {"a": {"examples": [7]}}}`:  `made {"a":7}`,
		`{"properties": {"a": {"type": "string", "default": "pre"}}}`: `made {"a":"pre"}`,

		// Names say what a text is.
		`{"type": "object", "properties": {"order_id": {"type": "string"}, "firstName": {"type": "string"}}}`: `made {"order_id":"order-1","firstName":"first name 1"}`,

		// A discriminator chooses the branch by its mapping, by the name of the definition, or
		// by the values that the branch lists itself.
		`{"discriminator": {"propertyName": "kind", "mapping": {"card": "#/$defs/C", "iban": "#/$defs/I"}}, "oneOf": [{"$ref": "#/$defs/C"}, {"$ref": "#/$defs/I"}], "$defs": {"C": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}, "last": {"type": "string"}}, "additionalProperties": false}, "I": {"type": "object", "required": ["kind", "iban"], "properties": {"kind": {"type": "string"}, "iban": {"type": "string"}}}}}`: `made {"kind":"card","last":"last 1"}`,
		`{"type": "object", "properties": {"pet": {"discriminator": {"propertyName": "kind"}, "anyOf": [{"$ref": "#/$defs/Cat"}, {"type": "null"}]}}, "$defs": {"Cat": {"type": "object", "properties": {"name": {"type": "string"}}}}}`:                                                                                                                                                                                                                              `made {"pet":{"name":"name 1","kind":"Cat"}}`,
		`{"discriminator": {"propertyName": "kind"}, "oneOf": [{"$ref": "#/$defs/Cat"}], "$defs": {"Cat": {"type": "object", "properties": {"kind": {"enum": ["tom", "cat"]}}}}}`:                                                                                                                                                                                                                                                                                     `made {"kind":"tom"}`,

		// The name of the definition is the last one of a chain of references.
		`{"discriminator": {"propertyName": "kind"}, "oneOf": [{"$ref": "#/$defs/Alias"}], "$defs": {"Alias": {"$ref": "#/$defs/Dog"}, "Dog": {"type": "object"}}}`: `made {"kind":"Dog"}`,

		// Texts.
		`{"type": "string", "minLength": 15}`:                                                    `made "example 1xxxxxx"`,
		`{"type": "string", "maxLength": 3}`:                                                     `made "e 1"`,
		`{"type": "string", "format": "uuid"}`:                                                   `made "018fd0a0-0000-7000-8000-00000000000a"`,
		`{"type": "string", "format": "email"}`:                                                  `made "ada@example.com"`,
		`{"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"}`:                                     `made "AAA-1"`,
		`{"type": "string", "pattern": "^[a-z]+$", "minLength": 6}`:                              `made "aaaaaaaa"`,
		`{"type": "string", "pattern": "^(?!a)[a-z]+$"}`:                                         `made "b"`,
		`{"type": "string", "pattern": "^(red|green)$"}`:                                         `made "red"`,
		`{"type": "string", "contentEncoding": "base64"}`:                                        `made "ZXhhbXBsZQ=="`,
		`{"type": "string", "contentEncoding": "BASE64"}`:                                        `made "ZXhhbXBsZQ=="`,
		`{"type": "string", "contentEncoding": "base64url"}`:                                     `made "ZXhhbXBsZQ"`,
		`{"type": "string", "format": "base64url"}`:                                              `made "ZXhhbXBsZQ"`,
		`{"type": "string", "contentEncoding": "base32"}`:                                        `made "MV4GC3LQNRSQ===="`,
		`{"type": "string", "contentEncoding": "base16"}`:                                        `made "6578616D706C65"`,
		`{"type": "string", "contentEncoding": "hex", "minLength": 20}`:                          `made "6161616578616D706C65"`,
		`{"type": "string", "contentEncoding": "base32", "minLength": 20}`:                       `made "MFQWCYLBMV4GC3LQNRSQ===="`,
		`{"type": "string", "contentEncoding": "base64", "examples": ["no bytes"]}`:              `made "ZXhhbXBsZQ=="`,
		`{"type": "string", "contentEncoding": "hex", "examples": ["0g", "0f"]}`:                 `"0f"`,
		`{"type": "string", "contentEncoding": "base32", "examples": ["MV", "MY======"]}`:        `"MY======"`,
		`{"type": "string", "contentEncoding": "7bit", "examples": ["é", "e"]}`:                  `"e"`,
		`{"type": "string", "contentEncoding": "Quoted-Printable", "examples": ["=", "=C3=A9"]}`: `"=C3=A9"`,
		`{"type": "string", "contentEncoding": "unknown", "examples": ["é"]}`:                    `"é"`,
		`{"type": "string", "pattern": "^[A-Z]{2}$", "format": "date"}`:                          `none`,
		`{"type": "string", "pattern": "^x$", "minLength": 2}`:                                   `none`,
		`{"type": "string", "enum": ["b", "c"]}`:                                                 `made "b"`,
		`{"const": {"k": [1]}}`:                                                                  `made {"k":[1]}`,
		`{"type": "string", "allOf": [{"maxLength": 4}, {"enum": ["too long", "ok"]}]}`:          `made "ok"`,

		// Numbers.
		`{"type": "integer"}`:                                              `made 1`,
		`{"type": "number"}`:                                               `made 1.5`,
		`{"type": "number", "minimum": 0, "maximum": 1}`:                   `made 0.5`,
		`{"type": "integer", "exclusiveMinimum": 10}`:                      `made 11`,
		`{"type": "integer", "exclusiveMaximum": 0}`:                       `made -1`,
		`{"type": "integer", "minimum": 7, "multipleOf": 5}`:               `made 10`,
		`{"type": "number", "multipleOf": 0.01, "maximum": 0.5}`:           `made 0.5`,
		`{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}`: `made 0.5`,
		`{"type": "integer", "minimum": 123456789012345678901234567890}`:   `made 123456789012345678901234567890`,
		`{"type": "integer", "minimum": 3, "maximum": 2}`:                  `none`,
		`{"type": "boolean"}`:                                              `made true`,
		`{"type": "null"}`:                                                 `made null`,

		// Objects and arrays.
		`{"type": "object", "additionalProperties": {"type": "integer"}}`:                                                          `made {"key1":1}`,
		`{"type": "object", "minProperties": 2}`:                                                                                   `made {"key1":"key1 1","key2":"key2 1"}`,
		`{"type": "object", "patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": false}`:                     `made {"x-":1}`,
		`{"type": "object", "required": ["z"]}`:                                                                                    `made {"z":"z 1"}`,
		`{"type": "array", "items": {"type": "integer"}, "minItems": 2}`:                                                           `made [1,1]`,
		`{"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": true}`:                                      `made [1,2,3]`,
		`{"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2, "uniqueItems": true}`:                                     `made ["a","b"]`,
		`{"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}`:                              `made ["example 1",1]`,
		`{"type": "array", "contains": {"const": "x"}, "minContains": 2}`:                                                          `made ["x","x"]`,
		`{"type": "array", "maxItems": 0}`:                                                                                         `made []`,
		`{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "dependentRequired": {"a": ["b"]}}`: `made {"a":"a 1","b":1}`,

		// Combinations.
		`{"type": "object", "allOf": [{"required": ["a"], "properties": {"a": {"minimum": 3}}}, {"properties": {"a": {"type": "integer"}}}]}`: `made {"a":3}`,
		`{"anyOf": [{"type": "null"}, {"type": "integer"}]}`:   `made 1`,
		`{"oneOf": [{"type": "integer"}, {"type": "number"}]}`: `made 2.5`,
		`{"type": "integer", "not": {"enum": [1, 2]}}`:         `made 3`,
		`{"type": "object", "properties": {"k": {"enum": ["a", "b"]}, "n": {"type": "integer"}}, "if": {"properties": {"k": {"const": "a"}}}, "then": {"required": ["n"]}}`:           `made {"k":"a","n":1}`,
		`{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "not": {"required": ["a", "b"]}}`:                                                       `made {}`,
		`{"type": "object", "required": ["next"], "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}`:                                                              `none`,
		`{"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"v": {"type": "integer"}, "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}}}`: ``,
		`false`: `none`,
		`true`:  `made "example 1"`,

		// Formats with lengths and patterns.
		`{"type": "string", "format": "uri", "minLength": 25}`:                                                 `made "https://example.com/axxxx"`,
		`{"type": "string", "format": "uri", "maxLength": 5}`:                                                  `made "a:b"`,
		`{"type": "string", "format": "email", "maxLength": 8}`:                                                `made "a@b.co"`,
		`{"type": "string", "format": "email", "minLength": 20}`:                                               `made "ada@xxxx.example.com"`,
		`{"type": "string", "format": "date", "pattern": "^1999-12-31$"}`:                                      `made "1999-12-31"`,
		`{"type": "string", "format": "unknown", "minLength": 12}`:                                             `made "example 1xxx"`,
		`{"type": "string", "pattern": "^[a-z]*$", "maxLength": 2, "minLength": 2}`:                            `made "aa"`,
		`{"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 5, "uniqueItems": true}`: `made ["2026-01-15","2026-01-16","2026-01-17","2026-01-18","2026-01-19"]`,

		// Patterns that cannot be checked: only the schema's own examples are taken.
		`{"type": "string", "pattern": "^(a)\\1$"}`:                                                             `none`,
		`{"type": "string", "pattern": "^(a)\\1$", "examples": ["xx"]}`:                                         `unchecked "xx"`,
		`{"type": "string", "pattern": "^(a)\\1$", "examples": [1]}`:                                            `none`,
		`{"properties": {"a": {"pattern": "^(a)\\1$"}, "b": {"const": 1}}, "examples": [{"a": "z"}, {"b": 1}]}`: `{"b":1}`,
		`{"properties": {"a": {"pattern": "^(a)\\1$"}, "b": {"const": 1}}}`:                                     `made {}`,

		// What a schema refers to has examples too.
		`{"$ref": "#/$defs/a", "$defs": {"a": {"type": "string", "examples": ["from there"]}}}`: `"from there"`,
		`{"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"examples": ["from there"]}}}`:      `"from there"`,
	} {
		got := "none"
		if found := example.Of(load(t, text), validator.New(true)); found != nil {
			got = found.Value.JSON()
			switch {
			case found.Made:
				got = "made " + got
			case found.Unchecked:
				got = "unchecked " + got
			}
		}
		if want == "" { // its size is what matters
			if got == "none" || len(got) > 5000 {
				t.Errorf("%s: %d bytes", text, len(got))
			}
			continue
		}
		if got != want {
			t.Errorf("%s\nhas the example %s\nwant            %s", text, got, want)
		}
	}
}

// An array with many different texts has an example, whatever its items are.
func TestDifferentTexts(t *testing.T) {
	t.Parallel()
	const many = 100
	items := []string{`{"type": "string"}`, `{"type": "string", "maxLength": 4}`, `{"type": "string", "pattern": "^[A-Z]{3}-[0-9]+$"}`, `{"type": "string", "pattern": "^.{3,9}$"}`,
		`{"type": "string", "pattern": "^[a-z]+$"}`, `{"type": "string", "format": "regex", "maxLength": 30}`}
	for _, format := range []string{"uuid", "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6", "uri", "iri", "uri-reference",
		"iri-reference", "uri-template", "json-pointer", "relative-json-pointer", "regex", "byte", "base64url", "decimal"} {
		items = append(items, fmt.Sprintf(`{"type": "string", "format": %q}`, format))
	}
	for _, encoding := range []string{"base64", "base64url", "base32", "base16"} {
		items = append(items, fmt.Sprintf(`{"type": "string", "contentEncoding": %q}`, encoding))
	}
	for _, item := range items {
		text := fmt.Sprintf(`{"type": "array", "uniqueItems": true, "minItems": %d, "items": %s}`, many, item)
		if found := example.Of(load(t, text), validator.New(true)); found == nil || len(found.Value.Items) != many {
			t.Errorf("%s has no example", text)
		}
	}
}

// The search for a text ends soon: with nested repeats of what writes nothing, and with
// many different texts of a pattern that no text matches.
func TestPatternsThatTakeLong(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("its patterns take long")
	}
	for _, text := range []string{
		`{"type": "string", "minLength": 2, "pattern": "^(((((((\\b)*)*)*)*)*)*)*[a-z]$"}`,
		`{"type": "array", "minItems": 2000, "uniqueItems": true, "items": {"type": "string", "pattern": "^([a-z]{1,30}[0-9]?){30}$\\b."}}`,
	} {
		done := make(chan *example.Example, 1)
		s := load(t, text)
		go func() { done <- example.Of(s, validator.New(true)) }()
		const patience = 3 * time.Minute
		select {
		case found := <-done:
			if found != nil {
				t.Errorf("%s has the example %s", text, found.Value.JSON())
			}
		case <-time.After(patience):
			t.Fatalf("%s does not end", text)
		}
	}
}

// An example of a schema through which billions of paths lead is not checked: that would not
// end.
func TestManyPaths(t *testing.T) {
	t.Parallel()
	const levels = 40
	inPlace := func(next string) string { return fmt.Sprintf(`{"allOf": [%s, %s]}`, next, next) }
	below := func(next string) string { return fmt.Sprintf(`{"allOf": [{"items": %s}, {"items": %s}]}`, next, next) }
	for name, step := range map[string]func(next string) string{"in place": inPlace, "below": below} {
		var defs []string
		given := `"x"`
		for level := range levels {
			defs = append(defs, fmt.Sprintf(`"d%d": %s`, level, step(fmt.Sprintf(`{"$ref": "#/$defs/d%d"}`, level+1))))
			given = "[" + given + "]"
		}
		text := fmt.Sprintf(`{"$ref": "#/$defs/d0", "examples": [%s], "$defs": {%s, "d%d": true}}`, given, strings.Join(defs, ", "), levels)
		found := example.Of(load(t, text), validator.New(true))
		if found == nil || !found.Unchecked {
			t.Errorf("%s: the example is %+v", name, found)
		}
	}
}

// The same schema has the same example in every run, and nearly every event of the
// golden packages has one.
func TestGoldenEvents(t *testing.T) {
	t.Parallel()
	folders, err := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "golden", "*", "outboxgen.yaml"))
	if err != nil || len(folders) < 20 {
		t.Fatalf("%d folders: %v", len(folders), err)
	}
	var without []string
	for _, file := range folders {
		for range 2 {
			project, _, err := schema.Load(filepath.Dir(file), "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}
			v := validator.New(project.Config.Validation != schema.SpecValidation)
			for _, e := range project.Events {
				first, second := example.Of(e.Schema, v), example.Of(e.Schema, v)
				if (first == nil) != (second == nil) || first != nil && first.Value.JSON() != second.Value.JSON() {
					t.Errorf("%s has two examples", e.GoName)
				}
				if first == nil {
					without = append(without, e.Type)
				}
			}
		}
	}
	// They allow hardly any value, or none.
	want := []string{"golden.adopted.v1", "golden.adopted.v1"}
	if diff := cmp.Diff(want, without); diff != "" {
		t.Errorf("events without an example (-want +got):\n%s", diff)
	}
}

// No schema makes it run long or panic.
func FuzzOf(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "golden", "*", "schemas", "*.json"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`{"type": "number", "multipleOf": 1e-400, "minimum": 1e400}`)
	f.Add(`{"type": "array", "minItems": 99999999, "items": {"$ref": "#"}}`)
	f.Add(`{"type": "string", "pattern": "((((a{99}){99}){99}){99})", "minLength": 99999999}`)
	f.Add(`{"type": "string", "minLength": 2, "pattern": "^(((((((\\b)*)*)*)*)*)*)*[a-z]$"}`)
	f.Add(`{"type": "array", "uniqueItems": true, "minItems": 50, "items": {"format": "email", "minLength": 99, "maxLength": 100, "pattern": "^(a)\\1?"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		project, list, err := schema.LoadFile(fstest.MapFS{"a.json": {Data: []byte(text)}}, "a.json", schema.Draft202012)
		if err != nil || list.HasErrors() || strings.Count(text, "{") > 100 {
			t.Skip()
		}
		d := project.Document("a.json")
		if d == nil || d.Root == nil {
			t.Skip()
		}
		v := validator.New(true)
		if found := example.Of(d.Root, v); found != nil {
			if _, problem := v.Problem(d.Root, found.Value); problem != "" {
				t.Errorf("the example %s is not valid: %s", found.Value.JSON(), problem)
			}
		}
	})
}
