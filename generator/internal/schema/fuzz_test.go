package schema

import (
	"bytes"
	"encoding/json"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/jsonvalue"
)

// The JSON reader accepts the same texts as encoding/json, except what it refuses on
// purpose: duplicates, halves of surrogate pairs, and texts beyond its limits.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-0.5e+3,"x\u00e4\n",null,true,{}]}`, `[]`, `""`, "\xEF\xBB\xBF{}", `{"a":1,"a":2}`, `"\ud83d"`, `[1,]`, "\"\t\"", "// a\n{\"a\":/* b */1,}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		list := &finding.List{}
		v, _ := readValue("a.json", src, list)
		checkPlaces(t, map[string][]byte{"a.json": src}, list)
		text := bytes.TrimPrefix(src, []byte("\xEF\xBB\xBF"))
		valid := json.Valid(text) && utf8.Valid(text)
		switch {
		case v != nil && !valid && !list.HasErrors():
			t.Errorf("%q was read, and it is no JSON", src)
		case v == nil && !list.HasErrors():
			t.Errorf("%q was refused without a word", src)
		case valid && v == nil && !refusedOnPurpose(list):
			t.Errorf("%q is JSON, and was refused: %v", src, list.Sorted())
		}
		if v != nil && !list.HasErrors() {
			sameAsStandard(t, v, text)
		}
	})
}

func refusedOnPurpose(list *finding.List) bool {
	return regexp.MustCompile(`half a surrogate|nest more than|holds more than|at most|exponent`).MatchString(list.Sorted()[0].Message)
}

// sameAsStandard compares v with the value that encoding/json reads from text.
func sameAsStandard(t *testing.T, v *Value, text []byte) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var want any
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, plain(v)); diff != "" {
		t.Errorf("value (-encoding/json +ours):\n%s", diff)
	}
}

func plain(v *Value) any {
	switch v.Kind {
	case Bool:
		return v.Bool
	case NumberKind:
		return json.Number(v.Text)
	case String:
		return v.Text
	case Array:
		out := []any{}
		for _, item := range v.Items {
			out = append(out, plain(item))
		}
		return out
	case Object:
		out := map[string]any{}
		for _, m := range v.Members {
			out[m.Name] = plain(m.Value)
		}
		return out
	}
	return nil
}

// The YAML reader ends for any text, reports what it refuses, and reads JSON as the
// JSON reader does, with the same places.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{
		"a: &x [1, no, ~]\nb: *x\n", "{a: 'b', \"c\": |-\n d}", "? a\n: b\n", "- - a\n  - b\n", "<<: {a: b}\n", "a: !!str 1\n", "&a [*a]", "a:\n\tb", "%YAML 1.2\n---\na\n...\n",
		`{"a":[1,-0.5e+3,"x",null,true,{}]}`, "a: [", "a: \"x", "'", "*", "!", "@",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		list := &finding.List{}
		v, _ := readValue("a.yaml", src, list)
		checkPlaces(t, map[string][]byte{"a.yaml": src}, list)
		if v == nil && !list.HasErrors() {
			t.Errorf("%q was refused without a word", src)
		}
		if v != nil && depth(v) > maxDepth {
			t.Errorf("a value %d deep", depth(v))
		}
		jsonList := &finding.List{}
		fromJSON, _ := readValue("a.json", src, jsonList)
		if fromJSON == nil || jsonList.HasErrors() || !alikeInYAML(src) {
			return
		}
		if v == nil {
			t.Fatalf("%q is JSON, and was refused as YAML: %v", src, list.Sorted())
		}
		places := cmp.Transformer("place", func(p finding.Pos) [2]int { return [2]int{p.Line, p.Col} })
		numbers := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Text" }, cmp.Comparer(func(a, b string) bool {
			return a == b || jsonvalue.CanonicalNumber(a) == jsonvalue.CanonicalNumber(b)
		}))
		if diff := cmp.Diff(fromJSON, v, places, numbers); diff != "" {
			t.Errorf("value (-JSON +YAML):\n%s", diff)
		}
	})
}

// alikeInYAML returns false for JSON that the YAML library reads differently: with
// tabs, escapes by code, control characters, very long names, or no space between name
// and value.
func alikeInYAML(src []byte) bool {
	return len(src) < 1000 && !bytes.ContainsAny(src, "\t\\\r\u0085\u2028\u2029\uFEFF\x7f") && !regexp.MustCompile(`[\x00-\x08\x0b-\x1f\x{80}-\x{9f}\x{fffe}\x{ffff}]|\n`).Match(src) &&
		!regexp.MustCompile(`"\s*:\S|\S:\s|"\s+:|["\d]\s*#`).Match(bytes.ReplaceAll(src, []byte(`": `), []byte(`"`)))
}

func depth(v *Value) int {
	most := 0
	for _, item := range v.Items {
		most = max(most, depth(item))
	}
	for _, m := range v.Members {
		most = max(most, depth(m.Value))
	}
	return most + 1
}

// Loading ends for any project, and every finding has a place that exists.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nschemas: ['*.yaml']\n-- a.yaml --\ntitle: A\nx-outbox: {version: 1, type: a, aggregate: {type: a, id: /id}}\nproperties: {id: {$ref: 'b.json#/$defs/id'}}\n-- b.json --\n{\"$id\": \"https://example.com/b\", \"$defs\": {\"id\": {\"type\": \"string\"}}}\n",
		"-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nevents: [{schema: 'a.json#x', version: 1, type: a, aggregate: {type: b, id: /a/b}}]\n-- a.json --\n{\"$schema\": \"http://json-schema.org/draft-04/schema#\", \"definitions\": {\"a\": {\"id\": \"#x\", \"items\": [{\"$ref\": \"#\"}]}}}\n",
		"-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nschemas: ['*']\n-- a.yaml --\n$ref: '#/$defs/a'\n$defs: {a: {allOf: [{$ref: '#'}, {$dynamicRef: '#d'}]}, b: {$id: x/y, $anchor: d}}\ndiscriminator: {propertyName: a, mapping: {b: c}}\n",
	} {
		f.Add(seed)
	}
	documents, err := filepath.Glob("testdata/asyncapi/*.txtar")
	if err != nil || len(documents) == 0 {
		f.Fatal("no documents of AsyncAPI", err)
	}
	for _, name := range documents {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		archive.Comment = nil
		f.Add("-- outboxgen.yaml --\nversion: 1\nservice: a\nout: events\nschemas: ['asyncapi.*']\n" + string(txtar.Format(archive)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		archive := txtar.Parse([]byte(text))
		project := fstest.MapFS{}
		sources := map[string][]byte{}
		for _, file := range archive.Files {
			name := path.Clean(file.Name)
			if len(sources) < 10 && name != "." && !strings.HasPrefix(name, "/") && !strings.HasPrefix(name, "../") && utf8.ValidString(name) {
				project[name] = &fstest.MapFile{Data: file.Data}
				sources[name] = file.Data
			}
		}
		p, list, err := LoadFS(project, "outboxgen.yaml")
		if err != nil {
			return
		}
		checkPlaces(t, sources, list)
		if list.HasErrors() {
			return
		}
		for _, e := range p.Events {
			if e.Schema == nil || e.GoName == "" || e.Type == "" || e.Topic == "" || e.AggregateType == "" || e.Version < 1 {
				t.Errorf("no errors, and an event without its parts: %+v", e)
			}
		}
	})
}

// checkPlaces checks that every finding has a place in a file, and that its message is
// one line that a terminal does not interpret.
func checkPlaces(t *testing.T, sources map[string][]byte, list *finding.List) {
	t.Helper()
	for _, f := range list.Sorted() {
		source, ok := sources[f.Pos.File]
		lines := 1 + bytes.Count(source, []byte("\n")) + bytes.Count(source, []byte("\r"))
		if !ok || f.Pos.Line < 1 || f.Pos.Line > lines || f.Pos.Col < 1 || f.Pos.Col > len(source)+1 {
			t.Errorf("%v: there is no such place", f)
		}
		if f.ID == "" || f.Message == "" || f.Message != finding.Printable(f.Message) || f.Hint != finding.Printable(f.Hint) {
			t.Errorf("a finding that does not print: %#v", f)
		}
	}
}
