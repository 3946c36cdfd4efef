package schema_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// A dialect is recognised in every way in which people write its address.
func TestAddressesOfDialects(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		dialect  schema.Dialect
		warnings []string
	}{
		"https://json-schema.org/draft/2020-12/schema":         {schema.Draft202012, nil},
		"https://json-schema.org/draft/2020-12/schema#":        {schema.Draft202012, nil},
		"http://json-schema.org/draft/2020-12/schema":          {schema.Draft202012, nil},
		"https://json-schema.org/draft/2019-09/schema#":        {schema.Draft201909, nil},
		"http://json-schema.org/draft-07/schema#":              {schema.Draft7, nil},
		"http://json-schema.org/draft-07/schema":               {schema.Draft7, nil},
		"https://json-schema.org/draft-07/schema#":             {schema.Draft7, nil},
		"HTTP://json-schema.org/draft-07/schema/":              {schema.Draft7, nil},
		" http://json-schema.org/draft-07/schema# ":            {schema.Draft7, nil}, //nolint:gocritic // the spaces are the case
		"http://www.json-schema.org/draft-06/schema#":          {schema.Draft6, nil},
		"//json-schema.org/draft-04/schema":                    {schema.Draft4, nil},
		"http://json-schema.org/draft-04/hyper-schema#":        {schema.Draft4, nil},
		"http://json-schema.org/draft-05/schema#":              {schema.Draft4, nil},
		"https://spec.openapis.org/oas/3.1/dialect/base":       {schema.Draft202012, nil},
		"https://spec.openapis.org/oas/3.1/dialect/2024-10-25": {schema.Draft202012, nil},
		"http://json-schema.org/schema#":                       {schema.Draft202012, []string{"dialect-latest"}},
		"http://json-schema.org/schema":                        {schema.Draft202012, []string{"dialect-latest"}},
		"https://json-schema.org/schema#":                      {schema.Draft202012, []string{"dialect-latest"}},
		"https://json-schema.org/schema":                       {schema.Draft202012, []string{"dialect-latest"}},
		"http://json-schema.org/draft-03/schema#":              {schema.Draft202012, []string{"custom-dialect"}},
	}
	for address, test := range tests {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			p, got := vendored(t, `{"$schema": "`+address+`", "type": "object"}`, nil)
			if diff := cmp.Diff(test.warnings, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if d := p.Document("vendor/a.json").Dialect; d != test.dialect {
				t.Errorf("read as %s, want %s", d, test.dialect)
			}
		})
	}
}

// A file with an unknown $schema is read in the dialect that the config sets, else in
// the one of its meta-schema in the project, else in the one that fits its keywords.
func TestDialectsOfOnesOwn(t *testing.T) {
	t.Parallel()
	const (
		own   = "https://example.com/schemas/self-describing/1-0-0#"
		event = "events:\n  - {schema: vendor/a.json, MORE name: A, version: 1, type: a.v1, aggregate: {type: a}}\n"
	)
	meta := func(more string) string {
		return `{"$id": "https://example.com/schemas/self-describing/1-0-0", "id": "https://example.com/schemas/self-describing/1-0-0#", ` + more + `}`
	}
	tests := map[string]struct {
		config  string // added to the entry, or after the events
		entry   bool
		schema  string // members after $schema
		address string // default: own
		others  map[string]string
		dialect schema.Dialect
		want    []string
	}{
		"as the entry says":                           {config: "dialect: draft-04,", entry: true, dialect: schema.Draft4},
		"as the entry says, by its address":           {config: "dialect: 'http://json-schema.org/draft-06/schema#',", entry: true, dialect: schema.Draft6},
		"as the pattern says":                         {config: "dialects: {vendor/**/*.json: draft-04}", dialect: schema.Draft4},
		"as its address says":                         {config: "dialects: {'" + own + "': draft-07}", dialect: schema.Draft7},
		"as its address says, spelled in another way": {config: "dialects: {'http://example.com/schemas/self-describing/1-0-0': draft-07}", dialect: schema.Draft7},
		"the standard's is read as the entry says":    {config: "dialect: draft-07,", entry: true, address: "http://json-schema.org/draft-04/schema#", dialect: schema.Draft7},
		"the pattern comes before the address":        {config: "dialects: {vendor/*.json: draft-06, '" + own + "': draft-07}", dialect: schema.Draft6},
		"no file matches the pattern": {config: "dialects: {gone/*.json: draft-06, '" + own + "': draft-07}", dialect: schema.Draft7,
			want: []string{`outboxgen.yaml:6:12: "gone/*.json": no file matches; the keys of dialects: are file patterns and $schema values`}},
		"no such dialect": {config: "dialects: {vendor/*.json: draft-08, '" + own + "': draft-07}", dialect: schema.Draft7,
			want: []string{`outboxgen.yaml:6:27: the dialect of "vendor/*.json" must be one of draft-04, draft-06, draft-07, 2019-09, 2020-12, not the string "draft-08"; did you mean "draft-04"?`}},
		"patterns that contradict": {config: "dialects: {vendor/*.json: draft-06, vendor/**: draft-07}", dialect: schema.Draft6,
			want: []string{`outboxgen.yaml:6:37: the dialect of "vendor/a.json" is draft-07 here, and draft-06 at line 6; remove one of the entries, or change the patterns so that only one matches the file`}},

		"as its meta-schema's own": {others: map[string]string{"meta/x.json": meta(`"$schema": "http://json-schema.org/draft-06/schema#"`)},
			dialect: schema.Draft6, want: []string{"custom-dialect"}},
		"as what its meta-schema extends": {others: map[string]string{"meta/x.json": meta(`"$schema": "` + own + `", "allOf": [{"$ref": "http://json-schema.org/draft-04/schema#"}]`)},
			dialect: schema.Draft4, want: []string{"custom-dialect"}},
		"as its meta-schema's vocabularies": {others: map[string]string{"meta/x.yaml": "$id: https://example.com/schemas/self-describing/1-0-0\n$vocabulary: {'https://json-schema.org/draft/2019-09/vocab/core': true}\n"},
			dialect: schema.Draft201909, want: []string{"custom-dialect"}},

		"by a tuple":                {schema: `, "items": [{"type": "string"}]`, dialect: schema.Draft201909, want: []string{"custom-dialect"}},
		"by a boolean bound":        {schema: `, "properties": {"a": {"type": "number", "minimum": 1, "exclusiveMinimum": true}}`, dialect: schema.Draft4, want: []string{"custom-dialect"}},
		"by an id":                  {schema: `, "id": "https://example.com/a"`, dialect: schema.Draft4, want: []string{"custom-dialect"}},
		"by a name inside the file": {schema: `, "definitions": {"a": {"$id": "#a"}}`, dialect: schema.Draft7, want: []string{"custom-dialect"}},
		"without $schema, by a name inside the file": {address: "-", schema: `"definitions": {"a": {"$id": "#a"}}`, dialect: schema.Draft7, want: []string{"dialect-guessed"}},
		"without $schema, by a schema of a part of OpenAPI": {address: "-", schema: `"components": {"schemas": {"b": {"minimum": 0, "exclusiveMinimum": true}}}`,
			dialect: schema.Draft4, want: []string{"dialect-guessed", "unknown-keyword"}},
		"without $schema, not by the id of data": {address: "-", schema: `"info": {"id": "x"}, "components": {"schemas": {"b": {"type": "string"}}}`,
			dialect: schema.Draft202012, want: []string{"unknown-keyword", "unknown-keyword"}},
		"by nothing particular": {dialect: schema.Draft202012, want: []string{"custom-dialect"}},
		"by most keywords":      {schema: `, "id": "x", "const": {}, "if": {"const": 1}, "prefixItems": [true]`, dialect: schema.Draft202012, want: []string{"custom-dialect", "other-dialect"}},
		"without $schema":       {address: "-", schema: `"dependencies": {"a": ["b"]}`, dialect: schema.Draft201909, want: []string{"dialect-guessed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := "version: 1\nservice: a\nout: events\n"
			if test.entry {
				config += strings.Replace(event, "MORE", test.config, 1)
			} else {
				config += strings.Replace(event, "MORE", "", 1) + test.config + "\n"
			}
			address := own
			if test.address != "" {
				address = test.address
			}
			text := `{"$schema": "` + address + `", "self": {"vendor": "org.example"}` + test.schema + "}"
			if address == "-" {
				text = "{" + test.schema + "}"
			}
			fsys := fstest.MapFS{"outboxgen.yaml": {Data: []byte(config)}, "vendor/a.json": {Data: []byte(text)}}
			for name, text := range test.others {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}

			p, list, err := schema.LoadFS(fsys, "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}

			want := test.want
			if address != "-" {
				want = append([]string{}, want...)
				at := len(want)
				for i, id := range want {
					if id == "other-dialect" {
						at = i
					}
				}
				want = append(want[:at:at], append([]string{"unknown-keyword"}, want[at:]...)...) // self
			}
			if diff := cmp.Diff(want, found(list)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if d := p.Document("vendor/a.json").Dialect; d != test.dialect {
				t.Errorf("read as %s, want %s", d, test.dialect)
			}
		})
	}
}

// In a dialect without the vocabulary for validation, its keywords are annotations,
// except below a standard $schema.
func TestDialectWithoutValidation(t *testing.T) {
	t.Parallel()
	const vocabularies = `{"$id": "https://example.com/meta", "$schema": "https://json-schema.org/draft/2020-12/schema", "$vocabulary": {"https://json-schema.org/draft/2020-12/vocab/core": true, "https://json-schema.org/draft/2020-12/vocab/applicator": true%s}}`
	for name, test := range map[string]struct {
		more string
		want []string // types of a, then those of b
	}{
		"without": {"", []string{"", "string"}},
		"with":    {`, "https://json-schema.org/draft/2020-12/vocab/validation": true`, []string{"integer", "string"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _, err := schema.LoadFS(fstest.MapFS{
				"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nevents:\n  - {schema: a.json, name: A, version: 1, type: a.v1, aggregate: {type: a}}\n")},
				"meta.json":      {Data: fmt.Appendf(nil, vocabularies, test.more)},
				"a.json": {Data: []byte(`{"$schema": "https://example.com/meta", "properties": {"a": {"type": "integer"},
					"b": {"$id": "b", "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "string"}}}`)},
			}, "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, member := range p.Document("a.json").Root.Properties {
				got = append(got, strings.Join(member.Schema.Types, " "))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
		})
	}
}
