package schema_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// leads returns the target of the reference in the property a of vendor/a.json.
func leads(t *testing.T, p *schema.Project) string {
	t.Helper()
	target := property(t, p.Document("vendor/a.json").Root, "a").Ref.Target
	if target == nil {
		return ""
	}
	return target.Doc.Path + "#" + target.Pointer
}

// A reference with file: finds its file relative to the file that contains it, also if
// it has paths of another machine.
func TestFileReferences(t *testing.T) {
	t.Parallel()
	others := map[string]string{
		"vendor/b.json":       `{"definitions": {"x": {"type": "string"}}}`,
		"vendor/sub/c.json":   `{}`,
		"vendor/a b.json":     `{}`,
		"common/d.json":       `{}`,
		"vendor/kafka/e.json": `{}`,
		"e.json":              `{}`,
		"vendor/sub/g.yaml":   `{}`,
	}
	tests := map[string]string{
		"file://./b.json":                       "vendor/b.json#",
		"file:b.json":                           "vendor/b.json#",
		"file:./b.json":                         "vendor/b.json#",
		"file:./sub/c.json":                     "vendor/sub/c.json#",
		"file:../common/d.json":                 "common/d.json#",
		"file://b.json":                         "vendor/b.json#",
		"FILE://./b.json":                       "vendor/b.json#",
		"file://./b.json#/definitions/x":        "vendor/b.json#/definitions/x",
		"file:b.json#/definitions/x":            "vendor/b.json#/definitions/x",
		"file://sub/c.json":                     "vendor/sub/c.json#",
		"file://./sub/../sub/c.json":            "vendor/sub/c.json#",
		"file://../common/d.json":               "common/d.json#",
		"file://./a%20b.json":                   "vendor/a b.json#",
		"file:a%20b.json":                       "vendor/a b.json#",
		"file:///home/me/schemas/b.json":        "vendor/b.json#",
		"file:///b.json":                        "vendor/b.json#",
		"file:/home/me/b.json":                  "vendor/b.json#",
		"file://localhost/home/me/b.json":       "vendor/b.json#",
		"file:///C:/work/schemas/sub/c.json":    "vendor/sub/c.json#",
		"file:///home/me/common/d.json":         "common/d.json#",
		"file:///home/me/kafka/e.json":          "vendor/kafka/e.json#",
		"file:///home/me/e.json":                "e.json#",
		"file:///home/me/b.json#/definitions/x": "vendor/b.json#/definitions/x",
		"file:///home/me/sub/g":                 "vendor/sub/g.yaml#",
		"file:///":                              "",
		"file:":                                 "",
		"file:///etc/passwd":                    "",
		"file://../../outside.json":             "",
		"file:../../outside.json":               "",
	}
	for ref, want := range tests {
		t.Run(ref, func(t *testing.T) {
			t.Parallel()
			p, got := vendored(t, `{"properties": {"a": {"$ref": "`+ref+`"}}}`, others)
			if target := leads(t, p); target != want {
				t.Errorf("leads to %q, want %q", target, want)
			}
			if (len(got) == 0) != (want != "") {
				t.Errorf("findings: %v", got)
			}
		})
	}
}

// A reference by id finds its schema in any file of the project, also in files that the
// config does not name.
func TestReferencesByIDToAnyFile(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ref    string
		id     string // of vendor/a.json
		others map[string]string
		want   string
	}{
		"the id of a file":                 {"https://example.com/money", "", map[string]string{"far/away/money.json": `{"$id": "https://example.com/money"}`}, "far/away/money.json#"},
		"in YAML":                          {"https://example.com/money#", "", map[string]string{"x/money.yml": "$id: https://example.com/money\n"}, "x/money.yml#"},
		"of draft-04":                      {"https://example.com/money", "", map[string]string{"x.json": `{"$schema": "http://json-schema.org/draft-04/schema#", "id": "https://example.com/money#"}`}, "x.json#"},
		"$id in draft-04":                  {"https://example.com/money", "", map[string]string{"x.json": `{"$schema": "http://json-schema.org/draft-04/schema#", "$id": "https://example.com/money"}`}, "x.json#"},
		"id in draft-07":                   {"https://example.com/money", "", map[string]string{"x.json": `{"$schema": "http://json-schema.org/draft-07/schema#", "id": "https://example.com/money"}`}, "x.json#"},
		"with the other scheme of the web": {"http://example.com/money", "", map[string]string{"x.json": `{"$id": "https://example.com/money"}`}, "x.json#"},
		"a place inside":                   {"https://example.com/money#/$defs/cents", "", map[string]string{"x.json": `{"$id": "https://example.com/money", "$defs": {"cents": {}}}`}, "x.json#/$defs/cents"},
		"an anchor inside":                 {"https://example.com/money#cents", "", map[string]string{"x.json": `{"$id": "https://example.com/money", "$defs": {"c": {"$anchor": "cents"}}}`}, "x.json#/$defs/c"},
		"an anchor of draft-07": {"https://example.com/money#cents", "", map[string]string{
			"x.json": `{"$schema": "http://json-schema.org/draft-07/schema#", "$id": "https://example.com/money", "definitions": {"c": {"$id": "#cents"}}}`}, "x.json#/definitions/c"},
		"an embedded resource": {"https://example.com/cents", "", map[string]string{"x.json": `{"$id": "https://example.com/money", "$defs": {"c": {"$id": "cents"}}}`}, "x.json#/$defs/c"},
		"an embedded resource of one": {"https://example.com/a/b/c", "", map[string]string{
			"x.json": `{"$id": "https://example.com/a/x", "$defs": {"b": {"$id": "b/", "$defs": {"c": {"$id": "c"}}}}}`}, "x.json#/$defs/b/$defs/c"},
		"relative to the id":                 {"money", "https://example.com/schemas/a", map[string]string{"x.json": `{"$id": "https://example.com/schemas/money"}`}, "x.json#"},
		"relative to the id, upwards":        {"../lib/money", "https://example.com/schemas/a", map[string]string{"x.json": `{"$id": "https://example.com/lib/money"}`}, "x.json#"},
		"a relative id":                      {"things/money", "", map[string]string{"vendor/x.json": `{"$id": "things/money"}`}, "vendor/x.json#"},
		"a relative id, from another folder": {"../lib/things/money", "", map[string]string{"lib/x.json": `{"$id": "things/money"}`}, "lib/x.json#"},
		"a name":                             {"urn:example:money", "", map[string]string{"x.json": `{"$id": "urn:example:money"}`}, "x.json#"},
		"a tag":                              {"tag:example.com,2026:money", "", map[string]string{"x.json": `{"$id": "tag:example.com,2026:money"}`}, "x.json#"},
		"in a file with other problems":      {"https://example.com/money", "", map[string]string{"x.json": "// A.\n{\"$id\": \"https://example.com/money\", \"title\": 5,}"}, "x.json#"},
		"a name, from another folder":        {"money", "", map[string]string{"lib/x.json": `{"$id": "money"}`}, "lib/x.json#"},
		"a name, with a fragment": {"money#/definitions/cents", "order", map[string]string{
			"lib/x.json": `{"$id": "money", "definitions": {"cents": {}}}`}, "lib/x.json#/definitions/cents"},
		"a name with a path":            {"common/money.json", "orders$placed", map[string]string{"lib/x.json": `{"$id": "common/money.json"}`}, "lib/x.json#"},
		"a name beside one with a path": {"money.json", "common/a.json", map[string]string{"lib/x.json": `{"$id": "common/money.json"}`}, "lib/x.json#"},
		"a name like that of a package": {"@example/money#", "@example/a", map[string]string{"lib/x.json": `{"$id": "@example/money"}`}, ""},
		"a name in draft-04":            {"money", "", map[string]string{"lib/x.json": `{"$schema": "http://json-schema.org/draft-04/schema#", "id": "money"}`}, "lib/x.json#"},
		"a file before a name":          {"money.json", "", map[string]string{"vendor/money.json": `{}`, "lib/x.json": `{"$id": "money.json"}`}, "vendor/money.json#"},
		"a name that two copies have": {"money", "", map[string]string{
			"a/x.json": `{"$id": "money", "type": "string"}`, "b/x.json": `{"type": "string", "$id": "money"}`}, "a/x.json#"},
		"not a name that two files have": {"money", "", map[string]string{
			"a/x.json": `{"$id": "money"}`, "b/x.json": `{"$id": "money", "type": "string"}`}, ""},
		"not the id of data": {"money", "", map[string]string{"lib/x.json": `{"id": "money"}`}, ""},
		"of two files, the first by path": {"https://example.com/money", "", map[string]string{
			"b.json": `{"$id": "https://example.com/money"}`, "a.json": `{"$id": "https://example.com/money"}`}, "a.json#"},
		"not in a hidden folder": {"https://example.com/money", "", map[string]string{
			".git/x.json": `{"$id": "https://example.com/money"}`, "node_modules/x.json": `{"$id": "https://example.com/money"}`}, ""},
		"not in what is no id":   {"https://example.com/money", "", map[string]string{"x.json": `{"default": {"$id": "https://example.com/money"}}`}, ""},
		"in another letter case": {"https://example.com/Money", "", map[string]string{"x.json": `{"$id": "https://example.com/money"}`}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := `{"properties": {"a": {"$ref": "` + test.ref + `"}}}`
			if test.id != "" {
				text = strings.Replace(text, "{", `{"$id": "`+test.id+`", `, 1)
			}
			p, got := vendored(t, text, test.others)
			if target := leads(t, p); target != test.want {
				t.Errorf("leads to %q, want %q", target, test.want)
			}
			for _, f := range got {
				if strings.HasPrefix(f, "vendor/a.json") == (test.want != "") {
					t.Errorf("unexpected: %s", f)
				}
			}
		})
	}
}

// A name that several files have is an error that lists them.
func TestReferencesByTheNameOfSeveralFiles(t *testing.T) {
	t.Parallel()
	_, got := vendored(t, `{"properties": {"a": {"$ref": "money"}}}`, map[string]string{
		"a/x.json": `{"$id": "money", "type": "string"}`, "b/x.json": `{"$id": "money", "type": "integer"}`})
	want := []string{`vendor/a.json:1:31: "vendor/money": there is no such file, and several schemas have the $id "money": "a/x.json", "b/x.json"; ` +
		`refer to one of them by its path from the folder of this file`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// References in a referenced file are followed too, to files that nothing else names.
func TestReferencesFromFilesThatAReferenceNames(t *testing.T) {
	t.Parallel()
	p, got := vendored(t, `{"$id": "https://example.com/a", "properties": {"a": {"$ref": "b"}}}`, map[string]string{
		"one/b.json":   `{"$id": "https://example.com/b", "$ref": "file://./c.json"}`,
		"one/c.json":   `{"$ref": "https://example.com/d#d"}`,
		"two/d.yaml":   "$id: https://example.com/d\n$defs: {e: {$anchor: d, $ref: \"embedded\"}, f: {$id: embedded, type: integer}}\n",
		"unrelated.md": "$id: https://example.com/b",
	})
	if len(got) > 0 {
		t.Errorf("unexpected: %v", got)
	}
	s := property(t, p.Document("vendor/a.json").Root, "a").Resolved()
	if s == nil || s.Doc.Path+"#"+s.Pointer != "two/d.yaml#/$defs/f" {
		t.Errorf("leads to %v", s)
	}
}

// The standard's own schemas are known, each with all its parts.
func TestReferencesToMetaSchemas(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"http://json-schema.org/draft-04/schema#":                                  "http://json-schema.org/draft-04/schema#",
		"http://json-schema.org/draft-04/schema":                                   "http://json-schema.org/draft-04/schema#",
		"https://json-schema.org/draft-04/schema#":                                 "http://json-schema.org/draft-04/schema#",
		"http://json-schema.org/draft-06/schema#":                                  "http://json-schema.org/draft-06/schema#",
		"http://json-schema.org/draft-07/schema#":                                  "http://json-schema.org/draft-07/schema#",
		"http://json-schema.org/draft-07/schema#/definitions/nonNegativeInteger":   "http://json-schema.org/draft-07/schema#/definitions/nonNegativeInteger",
		"http://json-schema.org/draft-07/schema#/properties/title":                 "http://json-schema.org/draft-07/schema#/properties/title",
		"https://json-schema.org/draft/2019-09/schema":                             "https://json-schema.org/draft/2019-09/schema#",
		"https://json-schema.org/draft/2020-12/schema#":                            "https://json-schema.org/draft/2020-12/schema#",
		"https://json-schema.org/draft/2020-12/meta/validation":                    "https://json-schema.org/draft/2020-12/meta/validation#",
		"https://json-schema.org/draft/2020-12/meta/validation#/$defs/stringArray": "https://json-schema.org/draft/2020-12/meta/validation#/$defs/stringArray",
		"https://json-schema.org/draft/2019-09/meta/core":                          "https://json-schema.org/draft/2019-09/meta/core#",
		"http://json-schema.org/schema#":                                           "https://json-schema.org/draft/2020-12/schema#",
		"https://json-schema.org/draft/2020-12/meta/gone":                          "",
		"http://json-schema.org/draft-08/schema#":                                  "",
		"http://json-schema.org/../go.mod":                                         "",
	}
	for ref, want := range tests {
		t.Run(ref, func(t *testing.T) {
			t.Parallel()
			p, got := vendored(t, `{"properties": {"a": {"$ref": "`+ref+`"}}}`, nil)
			if target := leads(t, p); target != want {
				t.Errorf("leads to %q, want %q", target, want)
			}
			if (len(got) == 0) != (want != "") {
				t.Errorf("findings: %v", got)
			}
		})
	}
}

// Dynamic references inside the meta-schemas lead to the meta-schema that was referred
// to, not to the vocabulary that contains them.
func TestDynamicReferencesOfMetaSchemas(t *testing.T) {
	t.Parallel()
	for dialect, place := range map[string][2]string{
		"2019-09": {"https://json-schema.org/draft/2019-09/meta/applicator", "https://json-schema.org/draft/2019-09/schema"},
		"2020-12": {"https://json-schema.org/draft/2020-12/meta/applicator", "https://json-schema.org/draft/2020-12/schema"},
	} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p, _ := vendored(t, `{"properties": {"a": {"$ref": "https://json-schema.org/draft/`+dialect+`/schema"}}}`, nil)
			not := property(t, p.Document(place[0]).Root, "not")
			if diff := cmp.Diff(place[1], not.Ref.Target.Doc.Path); diff != "" {
				t.Errorf("not leads to (-want +got):\n%s", diff)
			}
		})
	}
}

// A file of the project takes precedence over the standard's. A path never makes a file
// a meta-schema.
func TestMetaSchemasOfTheProject(t *testing.T) {
	t.Parallel()
	p, got := vendored(t, `{"properties": {"a": {"$ref": "http://json-schema.org/draft-07/schema#"}, "b": {"$ref": "json-schema.org/draft-07/schema"}}}`, map[string]string{
		"vendor/json-schema.org/draft-07/schema.json": `{"$id": "http://example.com/own", "type": "object"}`,
	})
	if len(got) > 0 {
		t.Errorf("unexpected: %v", got)
	}
	if target := leads(t, p); target != "http://json-schema.org/draft-07/schema#" {
		t.Errorf("leads to %q", target)
	}
	b := property(t, p.Document("vendor/a.json").Root, "b")
	if path := b.Ref.Target.Doc.Path; path != "vendor/json-schema.org/draft-07/schema.json" {
		t.Errorf("the path leads to %q", path)
	}

	listed, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nschemas: [\"*.json\"]\n")},
		"meta.json":      {Data: []byte(`{"$schema": "http://json-schema.org/draft-07/schema#", "$id": "http://json-schema.org/draft-07/schema#", "title": "ours"}`)},
		"a.json": {Data: []byte(`{"title": "A", "x-outbox": {"version": 1, "type": "a.v1", "aggregate": {"type": "a"}},
			"properties": {"a": {"$ref": "http://json-schema.org/draft-07/schema#"}}}`)},
	}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if all := found(list); len(all) > 0 {
		t.Errorf("unexpected: %v", all)
	}
	if target := property(t, listed.Document("a.json").Root, "a").Ref.Target; target.Doc.Path != "meta.json" {
		t.Errorf("leads to %s", target.Doc.Path)
	}
}

// A reference may lead to a value that a keyword holds: it is read as a schema,
// with a warning.
func TestReferencesToValues(t *testing.T) {
	t.Parallel()
	for pointer, want := range map[string][]string{
		"/default": {"not-a-schema"}, "/examples/0": {"not-a-schema"}, "/enum/1": {"not-a-schema"}, "/const/a": {"not-a-schema"}, "/x-own/b": nil,
		"/examples":   {`vendor/a.json:1:121: "#/examples" points to an array, not to a schema; refer to one of its items, such as "#/examples/0"`},
		"/properties": {`vendor/a.json:1:121: "#/properties" is not a schema; refer to one of its members: "#/properties/a"`},
	} {
		_, got := vendored(t, `{"default": {}, "examples": [{}], "enum": [1, {}], "const": {"a": {}}, "x-own": {"b": {}}, "properties": {"a": {"$ref": "#`+pointer+`"}}}`, nil)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", pointer, diff)
		}
	}
}
