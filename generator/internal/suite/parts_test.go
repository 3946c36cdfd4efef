package suite_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// A file that the suite expects at an address can be referred to by this address, with
// any identifier of its own.
func TestFilesOfRemotes(t *testing.T) {
	t.Parallel()
	const draft6 = `"$schema": "http://json-schema.org/draft-06/schema#"`
	for name, test := range map[string]struct {
		remote remote
		want   map[string]string
	}{
		"without a name": {
			remote{name: "a.json", text: []byte(`{"type": "integer"}`)},
			map[string]string{"a.json": `{"$id": "http://localhost:1234/a.json", ` + draft6 + `, "type": "integer"}`},
		},
		"of an older draft": {
			remote{draft: "draft4", name: "draft4/a.json", text: []byte(` {} `)},
			map[string]string{"draft4/a.json": `{"id": "http://localhost:1234/draft4/a.json", "$schema": "http://json-schema.org/draft-04/schema#"}`},
		},
		"named by its address": {
			remote{name: "a.json", text: []byte(`{"$schema": "x", "$id": "http://localhost:1234/a.json"}`)},
			map[string]string{"a.json": `{"$schema": "x", "$id": "http://localhost:1234/a.json"}`},
		},
		"named otherwise": {
			remote{name: "a.json", text: []byte(`{"$schema": "x", "$id": "urn:b"}`)},
			map[string]string{
				"a.json":      `{"$schema": "x", "$id": "urn:b"}`,
				"a.link.json": `{` + draft6 + `, "$id": "http://localhost:1234/a.json", "allOf": [{"$ref": "urn:b"}]}`,
			},
		},
		"a boolean": {remote{name: "a.json", text: []byte(`true`)}, map[string]string{"a.json": `true`}},
	} {
		got := map[string]string{}
		for file, text := range test.remote.files("draft6") {
			got[file] = string(text)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The violated keyword is read from the messages of decoding and validating.
func TestBrokenRule(t *testing.T) {
	t.Parallel()
	for refusal, want := range map[string]string{
		"decode: error: cannot decode G001V1: (document): must be a string (really) (type) at byte 0":            "type",
		"validate: error: G001V1 breaks its schema: /a: is too short (groups/g001.json#/properties/a/minLength)": "minLength",
		"validate: error: G001V1 breaks its schema: /a: x (groups/g001.json#/maxItems); /b: y (g.json#/type)":    "maxItems",
		"decode: panic: index out of range": "a crash",
	} {
		if got := brokenRule(refusal); got != want {
			t.Errorf("%s: %s, want %s", refusal, got, want)
		}
	}
}

// Groups with the same identifier go into different projects, and so do those that test
// formats.
func TestProjectsOf(t *testing.T) {
	t.Parallel()
	schema := func(id string) []byte { return fmt.Appendf(nil, `{"properties": {"a": {"$id": %q}}}`, id) }
	var got [][]string
	groups := []*group{
		{title: "1", file: "a", schema: schema("http://x/a#")},
		{title: "2", file: "a", schema: schema("http://x/a")},
		{title: "3", file: "a", schema: schema("http://x/b")},
		{title: "4", file: "optional/format/a", schema: []byte(`{}`)},
		{title: "5", file: "optional/b", schema: []byte(`true`)},
	}
	for _, p := range projectsOf("draft7", nil, groups) {
		var titles []string
		for _, g := range p.groups {
			titles = append(titles, g.title)
		}
		got = append(got, titles)
	}
	if diff := cmp.Diff([][]string{{"1", "3", "5"}, {"2"}, {"4"}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A finding is attributed to the group or the remote that contains its place, or that
// its line of the project file or its message names.
func TestRefuse(t *testing.T) {
	t.Parallel()
	groups := []*group{{title: "1"}, {title: "2"}, {title: "3"}, {title: "4"}}
	p := projectsOf("draft7", []*remote{{name: "a.json", text: []byte("{}")}, {name: "b.json", text: []byte("{}")}}, groups)[0]
	at := func(file string, line int) finding.Pos { return finding.Pos{File: file, Line: line, Col: 1} }
	err := p.refuse([]finding.Finding{
		{Pos: at("groups/g001.json", 1), ID: "a", Message: "x"},
		{Pos: at("groups/g001.json", 2), ID: "b", Message: "y"},
		{Pos: at("outboxgen.yaml", 9), ID: "c", Message: "z"},
		{Pos: at("remotes/a.json", 1), ID: "d", Message: "the data of event G003V1"},
		{Pos: at("remotes/b.json", 1), ID: "e", Message: "w"},
		{Pos: at("groups/g004.json", 1), Severity: finding.Warning, ID: "f"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for g, why := range p.problems {
		got[g.title] = why.rule + ": " + why.detail
	}
	want := map[string]string{
		"1": "refused at generation: a: groups/g001.json:1:1: x [a]",
		"2": "refused at generation: c: outboxgen.yaml:9:1: z [c]",
		"3": "refused at generation: d: remotes/a.json:1:1: the data of event G003V1 [d]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"remotes/b.json:1:1: w [e]"}, p.dropped); diff != "" {
		t.Errorf("dropped (-want +got):\n%s", diff)
	}
	if len(p.groups) != 1 || p.groups[0].title != "4" {
		t.Errorf("left: %v", p.groups)
	}
	if err := p.refuse([]finding.Finding{{Pos: at("elsewhere.json", 1), ID: "a", Message: "x"}}); err == nil {
		t.Error("a finding that stands nowhere in the project is laid on somebody")
	}
}
