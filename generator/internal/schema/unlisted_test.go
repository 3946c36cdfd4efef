package schema_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// A schema that the project does not use is reported, unless it clearly does not belong
// to the project.
func TestUnlistedSchemas(t *testing.T) {
	t.Parallel()
	const (
		event   = "title: A\nx-outbox: {version: 1, type: TYPE, aggregate: {type: a}}\n"
		plain   = `{"$schema": "http://json-schema.org/draft-07/schema#"}`
		marks   = "x-outbox: {personal: true}\ntype: string\n"
		config  = "version: 1\nservice: a\nout: gen/events\nschemas: [schemas/*.yaml]\n"
		warning = " unlisted-event"
	)
	tests := map[string]struct {
		files map[string]string
		want  []string // the file and the id
	}{
		"an event with another ending": {map[string]string{"schemas/b.yml": event + "\n"}, []string{"schemas/b.yml" + warning}},
		"an event in JSON":             {map[string]string{"schemas/b.json": `{"x-outbox": {"version": 1}}`}, []string{"schemas/b.json" + warning}},
		"an event in another folder":   {map[string]string{"schemas/more/b.yaml": event + "\n"}, []string{"schemas/more/b.yaml" + warning}},
		"an event that a reference leads to": {map[string]string{"schemas/c.yaml": "$ref: ../lib/b.yaml\n", "lib/b.yaml": event + "\n"},
			[]string{"lib/b.yaml" + warning}},
		"a schema":                           {map[string]string{"b.json": plain}, []string{"outboxgen.yaml unlisted-schemas"}},
		"several schemas":                    {map[string]string{"b.json": plain, "c.json": plain, "d/e.json": plain}, []string{"outboxgen.yaml unlisted-schemas"}},
		"a schema that a reference leads to": {map[string]string{"schemas/c.yaml": "$ref: ../b.json\n", "b.json": plain}, nil},
		"no schema":                          {map[string]string{"package.json": `{"name": "a"}`, "ci.yaml": "on: push\n", "broken.json": `{"x-outbox"`}, nil},
		"what has another $schema":           {map[string]string{"tsconfig.json": `{"$schema": "https://json.schemastore.org/tsconfig"}`}, nil},
		"a document of AsyncAPI": {map[string]string{"b.yaml": "asyncapi: 3.0.0\ncomponents: {messages: {a: {x-outbox: {version: 1}}}}\n"},
			[]string{"b.yaml" + warning}},
		"a file with a message, whose data is in another file": {map[string]string{
			"schemas/api.yaml": "asyncapi: 3.0.0\ninfo: {title: a, version: 1.0.0}\nchannels: {a: {address: a, messages: {b: {$ref: ../b.yaml}}}}\n",
			"b.yaml":           "name: b\nx-outbox: {payload: envelope, aggregate: {type: a}}\npayload: {$ref: c.yaml}\n",
			"c.yaml":           "type: object\nproperties: {data: {type: object}}\n",
		}, nil},
		"an exported one":                       {map[string]string{"b.yaml": "asyncapi: 3.0.0\nx-comment: " + schema.ExportedAsyncAPI + "\ncomponents: {messages: {a: {x-outbox: {version: 1}}}}\n"}, nil},
		"one without x-outbox":                  {map[string]string{"b.yaml": "asyncapi: 3.0.0\ncomponents: {messages: {a: {x-outbox: false}}}\n"}, nil},
		"marks for lint":                        {map[string]string{"b.yaml": marks}, nil},
		"a copy of a listed file, as by a link": {map[string]string{"linked/a.yaml": event}, nil},
		"the output":                            {map[string]string{"gen/events/b.json": plain}, nil},
		"vendored":                              {map[string]string{"vendor/b.yaml": event, "third/vendor/c.json": plain}, nil},
		"test data":                             {map[string]string{"testdata/b.yaml": event}, nil},
		"hidden":                                {map[string]string{".github/b.yaml": event, "node_modules/a/b.json": plain}, nil},
		"of another module":                     {map[string]string{"billing/go.mod": "module b\n", "billing/schemas/b.yaml": event}, nil},
		"of another project":                    {map[string]string{"billing/outboxgen.yaml": config, "billing/schemas/b.yaml": event}, nil},
		"what commands wrote": {map[string]string{
			"exported/b.json":     `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": "` + schema.Exported + `"}`,
			"site/schemas/c.json": `{"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": "` + schema.Catalogued + `"}`,
		}, nil},
		"beside another project file": {map[string]string{"billing.yaml": config, "billing/b.yaml": event}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fsys := fstest.MapFS{"outboxgen.yaml": {Data: []byte(config)}, "schemas/a.yaml": {Data: []byte(event)}}
			for name, text := range test.files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			p, _, err := schema.LoadFS(fsys, "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range schema.Unlisted(fsys, p) {
				got = append(got, f.Pos.File+" "+f.ID)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("mentioned (-want +got):\n%s", diff)
			}
		})
	}
}

// A pattern may match nothing if another one that differs only in the ending matches,
// because projects list all endings and have files of one.
func TestPatternsOfSeveralEndings(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"[s/*.yaml, s/*.yml, s/*.json]":  nil,
		"[s/*.json, s/*.yaml]":           nil,
		"[s/*.json]":                     {`outboxgen.yaml:4:11: "s/*.json": no file matches`},
		"[s/*.yaml, t/*.yaml]":           {`outboxgen.yaml:4:21: "t/*.yaml": no file matches`},
		"[t/*.yaml, t/*.json, s/*.yaml]": {`outboxgen.yaml:4:11: "t/*.yaml": no file matches`},
	}
	for patterns, want := range tests {
		t.Run(patterns, func(t *testing.T) {
			t.Parallel()
			_, list, err := schema.LoadFS(fstest.MapFS{
				"outboxgen.yaml": {Data: []byte("version: 1\nservice: a\nout: events\nschemas: " + patterns + "\n")},
				"s/a.yaml":       {Data: []byte("title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\n")},
			}, "outboxgen.yaml")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, found(list)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
