package generator_test

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator"
)

// docsProject writes a project and returns its config. files has the schemas, by name.
func docsProject(t *testing.T, service, settings string, files map[string]string) generator.Config {
	t.Helper()
	dir := filepath.Join(t.TempDir(), service)
	listed := "[schemas/*.yaml]"
	if strings.Contains(settings, "events:") {
		listed = "[]"
	}
	writeDocs(t, filepath.Join(dir, "outboxgen.yaml"), "version: 1\nservice: "+service+"\nschemas: "+listed+"\nout: events\n"+settings)
	for name, text := range files {
		writeDocs(t, filepath.Join(dir, "schemas", name), text)
	}
	return generator.Config{Dir: dir}
}

func writeDocs(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// docsPages returns the pages of the projects.
func docsPages(t *testing.T, cfg generator.DocsConfig) map[string]string {
	t.Helper()
	site, err := generator.Docs(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if site.Failed() {
		t.Fatal(site.Findings)
	}
	pages := map[string]string{}
	for _, f := range site.Files {
		pages[f.Path] = string(f.Content)
	}
	return pages
}

var (
	changesPart = regexp.MustCompile(`(?s)<h2 id="changes">.*?<h2`)
	changeItem  = regexp.MustCompile(`<li class="(\w+)">(.*?)</li>|<td role="cell">(.*?) <span class="where">\[(.*?)\]|Effect: </span><span class="(\w+)">(.*?)</span>|<p>(.*?)</p>`)
	markup      = regexp.MustCompile(`<[^>]*>`)
)

// changesOn returns the section Changes of a page, one line for each part.
func changesOn(page string) []string {
	var all []string
	for _, m := range changeItem.FindAllStringSubmatch(changesPart.FindString(page), -1) {
		text := strings.Join(slices.DeleteFunc(m[1:], func(s string) bool { return s == "" }), ": ")
		all = append(all, html.UnescapeString(markup.ReplaceAllString(text, "")))
	}
	return all
}

// versions returns a project with two versions of an event.
func versions(t *testing.T, first, second string) generator.Config {
	t.Helper()
	head := "title: A\nx-outbox: {version: %d, type: a.v%d, topic: %s, aggregate: {type: a}}\ntype: object\n"
	return docsProject(t, "s", "", map[string]string{
		"v1.yaml": fmt.Sprintf(head, 1, 1, "a") + first,
		"v2.yaml": fmt.Sprintf(head, 2, 2, "a") + second,
	})
}

// The page of a version lists each change, and says in each direction whether data can
// be read.
func TestDocsChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, second string
		want          []string
	}{
		"a required and an optional property removed": {
			"required: [a]\nproperties: {a: {type: string}, b: {type: string}}\n", "",
			[]string{
				"Compared with version 1 by the rules of outboxgen check:",
				"good: Code for version 2 can read the data of version 1.",
				"bad: Code for version 1 cannot read the data of version 2.",
				`breaks readers with the old schema: the new schema does not have the property "a", which the old schema requires: property-removed-from-open-model`,
				"bad: code for version 1 cannot read version 2",
				`the new schema does not declare the property "b" of the old schema and allows any value there: property-removed-from-open-model`,
				"good: compatible",
			},
		},
		"a keyword that is not compared": {
			"properties: {a: {type: string, contentMediaType: text/plain}}\n", "properties: {a: {type: string, contentMediaType: text/html}}\n",
			[]string{
				"Compared with version 1 by the rules of outboxgen check:",
				"look: It is not known whether code for version 2 can read the data of version 1: not every change below can be compared.",
				"look: It is not known whether code for version 1 can read the data of version 2: not every change below can be compared.",
				"the new schema has another contentMediaType than the old schema; no rule compares it, so it does not count: uncompared-keyword-changed",
				"look: not compared: look at it",
			},
		},
		"a keyword that is not compared, in one direction": {
			"properties: {a: {type: string}}\n", "properties: {a: {type: string, contentMediaType: text/html}}\n",
			[]string{
				"Compared with version 1 by the rules of outboxgen check:",
				"look: It is not known whether code for version 2 can read the data of version 1: not every change below can be compared.",
				"good: Code for version 1 can read the data of version 2.",
				"the new schema has another contentMediaType than the old schema; no rule compares it, so it does not count: uncompared-keyword-changed",
				"look: not compared: look at it",
			},
		},
		"a keyword that is not compared, and one that breaks": {
			"properties: {a: {type: string, contentMediaType: text/plain}, b: {type: string}}\n", "properties: {a: {type: string, contentMediaType: text/html}, b: {type: [string, integer]}}\n",
			[]string{
				"Compared with version 1 by the rules of outboxgen check:",
				"look: It is not known whether code for version 2 can read the data of version 1: not every change below can be compared.",
				"bad: Code for version 1 cannot read the data of version 2.",
				"the new schema has another contentMediaType than the old schema; no rule compares it, so it does not count: uncompared-keyword-changed",
				"look: not compared: look at it",
				"breaks readers with the old schema: the new schema allows a string or an integer where the old schema has a string: type-widened",
				"bad: code for version 1 cannot read version 2",
			},
		},
		"nothing": {"", "", []string{
			"Compared with version 1 by the rules of outboxgen check:",
			"good: Code for version 2 can read the data of version 1.",
			"good: Code for version 1 can read the data of version 2.",
			"The rules find no other change than the type and the version.",
		}},
	} {
		page := docsPages(t, generator.DocsConfig{Projects: []generator.Config{versions(t, c.first, c.second)}})["events/a.v2.html"]
		if diff := cmp.Diff(c.want, changesOn(page)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// With validation: spec, readers accept any string and any number, in the catalogue as
// in outboxgen check.
func TestDocsChangesOfReadersBySpecification(t *testing.T) {
	t.Parallel()
	const first = "properties: {a: {type: string}, n: {type: number, format: decimal}}\n"
	const second = "properties: {a: {type: string, format: email}, n: {type: number}}\n"
	project := versions(t, first, second)
	config := filepath.Join(project.Dir, "outboxgen.yaml")
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, append(text, "validation: spec\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	page := docsPages(t, generator.DocsConfig{Projects: []generator.Config{project}})["events/a.v2.html"]
	want := []string{
		"Compared with version 1 by the rules of outboxgen check:",
		"look: It is not known whether code for version 2 can read the data of version 1: not every change below can be compared.",
		"good: Code for version 1 can read the data of version 2.",
		"the new schema has another format than the old schema; no rule compares it, so it does not count: uncompared-keyword-changed",
		"look: not compared: look at it",
	}
	if diff := cmp.Diff(want, changesOn(page)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// By default, the versions of an event have different topics: that is a change too.
func TestDocsChangesOfTheDefaultTopic(t *testing.T) {
	t.Parallel()
	project := docsProject(t, "s", "", map[string]string{
		"v1.yaml": "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n",
		"v2.yaml": "title: A\nx-outbox: {version: 2, type: a.v2, aggregate: {type: a}}\ntype: object\n",
	})
	page := docsPages(t, generator.DocsConfig{Projects: []generator.Config{project}})["events/a.v2.html"]
	for _, want := range []string{"The versions have different topics.", "The rules find no other change than the type, the version and the topic."} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, changesOn(page))
		}
	}
}

// An event whose schema only refers to another one has its texts.
func TestDocsOfAReference(t *testing.T) {
	t.Parallel()
	project := docsProject(t, "s", "events: [{schema: schemas/common.json, name: A, version: 1, type: a.v1, aggregate: {type: a}}]\n", map[string]string{
		"common.json": `{"$ref": "#/$defs/order", "$defs": {"order": {"title": "The order", "description": "Says what was ordered. More.", "deprecated": true,
			"type": "object", "properties": {"id": {"type": "string"}}, "examples": [{"id": "o-1"}]}}}`,
	})
	pages := docsPages(t, generator.DocsConfig{Projects: []generator.Config{project}})
	for _, want := range []string{
		`<h1 class="name">The order</h1>`, `<p>Says what was ordered. More.</p>`, `<span class="mark">deprecated</span>`,
		"From the schema; valid.", "&#34;id&#34;: &#34;o-1&#34;",
	} {
		if !strings.Contains(pages["events/a.v1.html"], want) {
			t.Errorf("the page does not have %s", want)
		}
	}
	if !strings.Contains(pages["index.html"], `<span class="summary">Says what was ordered.</span>`) {
		t.Error("the list does not have the summary")
	}
}

// Two services that publish an event have one description only if a reader would see no
// difference, and the order of the projects changes nothing.
func TestDocsOfSeveralPublishers(t *testing.T) {
	t.Parallel()
	event := "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nproperties: {n: {type: string%s}}\n"
	plain := map[string]string{"a.yaml": fmt.Sprintf(event, "")}
	renamed := map[string]string{"a.yaml": strings.Replace(fmt.Sprintf(event, ""), "title: A", "title: B", 1)}
	for name, c := range map[string]struct {
		other     generator.Config
		differing bool
	}{
		"the same":      {docsProject(t, "two", "", plain), false},
		"a title":       {docsProject(t, "two", "", renamed), true},
		"a mark":        {docsProject(t, "two", "", map[string]string{"a.yaml": fmt.Sprintf(event, ", x-outbox: {personal: true}")}), true},
		"compatibility": {docsProject(t, "two", "compat: {level: FULL}\n", plain), true},
		"a Go name": {docsProject(t, "two", "events: [{schema: schemas/a.json, name: Other, version: 1, type: a.v1, aggregate: {type: a}}]\n", map[string]string{
			"a.json": `{"title": "A", "type": "object", "properties": {"n": {"type": "string"}}}`,
		}), false},
		"correlation id": {docsProject(t, "two", "correlation_id: uuid\n", plain), true},
	} {
		one, three := docsProject(t, "one", "", plain), docsProject(t, "three", "", plain)
		var first map[string]string
		for _, order := range [][]generator.Config{{one, c.other, three}, {c.other, three, one}, {three, one, c.other}} {
			pages := docsPages(t, generator.DocsConfig{Projects: order})
			if got := strings.Contains(pages["events/a.v1.html"], "describe it differently"); got != c.differing {
				t.Errorf("%s: differently: %v", name, got)
			}
			if first == nil {
				first = pages
			}
			if diff := cmp.Diff(first, pages); diff != "" {
				t.Errorf("%s: another order gives another site:\n%s", name, diff)
			}
		}
	}
}

// docs and export jsonschema leave each other's files alone.
func TestDocsAndExportedSchemas(t *testing.T) {
	t.Parallel()
	project := docsProject(t, "s", "", map[string]string{"a.yaml": "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n"})
	other := docsProject(t, "o", "", map[string]string{"b.yaml": "title: B\nx-outbox: {version: 1, type: b.v1, aggregate: {type: b}}\ntype: object\n"})
	exported, err := generator.ExportJSONSchema(project, "")
	if err != nil {
		t.Fatal(err)
	}
	pages := docsPages(t, generator.DocsConfig{Projects: []generator.Config{project}})
	put := func(content string) string {
		dir := t.TempDir()
		writeDocs(t, filepath.Join(dir, "schemas", "a.v1.json"), content)
		return dir
	}

	// docs finds an exported schema.
	dir := put(string(exported.Files[0].Content))
	if _, err := generator.Docs(generator.DocsConfig{Projects: []generator.Config{project}, Dir: dir}); err == nil || !strings.Contains(err.Error(), "did not generate the existing file") {
		t.Errorf("docs would overwrite it: %v", err)
	}
	site, err := generator.Docs(generator.DocsConfig{Projects: []generator.Config{other}, Dir: dir})
	if err != nil || len(site.Orphans) != 0 {
		t.Errorf("docs would remove %v, %v", site.Orphans, err)
	}

	// export finds a schema of the site.
	dir = filepath.Join(put(pages["schemas/a.v1.json"]), "schemas")
	if _, err := generator.ExportJSONSchema(project, dir); err == nil || !strings.Contains(err.Error(), "did not generate the existing file") {
		t.Errorf("export would overwrite it: %v", err)
	}
	exported, err = generator.ExportJSONSchema(other, dir)
	if err != nil || len(exported.Orphans) != 0 {
		t.Errorf("export would remove %v, %v", exported.Orphans, err)
	}
}

// A file that a schema refers to is watched, even before it or its folder exists.
func TestDocsWatchesAMissingFile(t *testing.T) {
	t.Parallel()
	project := docsProject(t, "s", "", map[string]string{"a.yaml": "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\n$ref: ../common/later.yaml\n"})
	site, err := generator.Docs(generator.DocsConfig{Projects: []generator.Config{project}})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(project.Dir, "common", "later.yaml"); !site.Failed() || !slices.Contains(site.Watch, want) {
		t.Errorf("%s is not watched: %q", want, site.Watch)
	}
}

// The folders around files that a pattern may match are watched, whatever character it
// has for unknown ones.
func TestDocsWatchesFoldersOfPatterns(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"schemas/v*/a.yaml", "schemas/v?/*.yaml", "schemas/v[0-9]/*.yaml", "schemas/**/a.yaml"} {
		project := docsProject(t, "s", "", map[string]string{"v1/a.yaml": "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\n"})
		writeDocs(t, filepath.Join(project.Dir, "outboxgen.yaml"), "version: 1\nservice: s\nout: events\nschemas: ["+strconv.Quote(pattern)+"]\n")
		site, err := generator.Docs(generator.DocsConfig{Projects: []generator.Config{project}})
		if err != nil {
			t.Fatal(err)
		}
		if want := filepath.Join(project.Dir, "schemas"); site.Failed() || !slices.Contains(site.Watch, want) {
			t.Errorf("%s: %s is not watched: %q, %v", pattern, want, site.Watch, site.Findings)
		}
	}
}

// A folder of a pattern is watched even before it exists.
func TestDocsWatchesAMissingFolder(t *testing.T) {
	t.Parallel()
	project := docsProject(t, "s", "", map[string]string{"a.yaml": "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\n"})
	writeDocs(t, filepath.Join(project.Dir, "outboxgen.yaml"), "version: 1\nservice: s\nout: events\nschemas: [schemas/*.yaml, later/*.yaml]\n")
	site, err := generator.Docs(generator.DocsConfig{Projects: []generator.Config{project}})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(project.Dir, "later"); !slices.Contains(site.Watch, want) {
		t.Errorf("%s is not watched: %q", want, site.Watch)
	}
}

// A link to a file is escaped for its place in the address.
func TestDocsSourceURL(t *testing.T) {
	t.Parallel()
	project := docsProject(t, "s", "", map[string]string{"a&b=c+d e#.yaml": "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n"})
	got := map[string]string{}
	for _, template := range []string{"https://git.example/x/{path}#L{line}", "https://git.example/x?at={path}&line={line}"} {
		page := docsPages(t, generator.DocsConfig{Projects: []generator.Config{project}, SourceURL: template})["events/a.v1.html"]
		for _, m := range regexp.MustCompile(`href="(https://[^"]*yaml[^"]*)"`).FindAllStringSubmatch(page, -1) {
			got[template] = html.UnescapeString(m[1])
		}
	}
	want := map[string]string{
		"https://git.example/x/{path}#L{line}":        "https://git.example/x/schemas/a&b=c+d%20e%23.yaml#L2",
		"https://git.example/x?at={path}&line={line}": "https://git.example/x?at=schemas/a%26b%3Dc%2Bd%20e%23.yaml&line=2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	_, err := generator.Docs(generator.DocsConfig{Projects: []generator.Config{project}, SourceURL: "https://git.example"})
	if err == nil || !strings.Contains(err.Error(), "https://host/…/{path}#L{line}") {
		t.Errorf("the error is %v", err)
	}
}

// The findings of several projects are sorted, and two projects with the same file have
// each finding in it once.
func TestDocsFindingsAreSorted(t *testing.T) {
	t.Parallel()
	bad := map[string]string{"a.yaml": "title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: nonsense\n"}
	first, second := docsProject(t, "a", "", bad), docsProject(t, "b", "", bad)
	lines := map[string][]string{}
	for name, projects := range map[string][]generator.Config{"a b": {first, second}, "b a": {second, first}} {
		site, err := generator.Docs(generator.DocsConfig{Projects: projects})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range site.Findings {
			lines[name] = append(lines[name], f.String())
		}
	}
	if diff := cmp.Diff(lines["a b"], lines["b a"]); diff != "" || len(lines["a b"]) < 2 {
		t.Errorf("another order of projects gives other findings: %v\n%s", lines, diff)
	}
	text, err := os.ReadFile(filepath.Join(first.Dir, "outboxgen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	writeDocs(t, filepath.Join(first.Dir, "other.yaml"), strings.Replace(string(text), "out: events", "out: other", 1))
	site, err := generator.Docs(generator.DocsConfig{Projects: []generator.Config{first, {Dir: first.Dir, File: "other.yaml"}}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, f := range site.Findings {
		if seen[f.String()]++; seen[f.String()] > 1 {
			t.Errorf("there are two findings %s", f)
		}
	}
	if len(seen) == 0 {
		t.Error("there are no findings")
	}
}
