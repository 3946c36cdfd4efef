package site

import (
	"bytes"
	"flag"
	"fmt"
	"html"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

var update = flag.Bool("update", false, "rewrite the golden pages")

// pagesOf returns the site of a project.
func pagesOf(t *testing.T, opts Options, projects ...*schema.Project) map[string]string {
	t.Helper()
	var all []Project
	for _, p := range projects {
		all = append(all, Project{
			Service: p.Config.Service, File: "outboxgen.yaml", Events: p.Events, Formats: true,
			Go: map[string]GoFile{"EssayGradedV1": {Path: "events/essay_graded_v1.go", Names: []GoName{{Name: "EssayGradedV1", Use: "the data of the event", Line: 20}}}},
		})
	}
	pages, err := Pages(all, opts)
	if err != nil {
		t.Fatal(err)
	}
	site := map[string]string{}
	for _, p := range pages {
		if _, twice := site[p.Path]; twice {
			t.Errorf("there are two pages %s", p.Path)
		}
		site[p.Path] = string(p.Content)
		if !Ours(p.Path, p.Content) {
			t.Errorf("%s is not recognised as ours", p.Path)
		}
	}
	return site
}

// The pages of the sample, as they are. The style sheet, the script and the JSON Schema
// have their own tests.
func TestGoldenSite(t *testing.T) {
	t.Parallel()
	site := pagesOf(t, Options{Title: "Event catalogue"}, load(t, "service"))
	for _, name := range []string{"index.html", "services.html", "events/grading.essay.graded.v1.html"} {
		file := filepath.Join("testdata", "golden", filepath.Base(name))
		if *update {
			if err := os.WriteFile(file, []byte(site[name]), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), site[name]); diff != "" {
			t.Errorf("%s (-want +got), go test -update rewrites it:\n%s", name, diff)
		}
	}
}

// The same projects give the same bytes, in any order.
func TestSiteIsDeterministic(t *testing.T) {
	t.Parallel()
	first := pagesOf(t, Options{Title: "x"}, load(t, "golden/unions"), load(t, "golden/delivery"), load(t, "golden/recursion"))
	for _, order := range [][]string{
		{"golden/unions", "golden/delivery", "golden/recursion"}, {"golden/delivery", "golden/recursion", "golden/unions"},
		{"golden/recursion", "golden/unions", "golden/delivery"}, {"golden/recursion", "golden/delivery", "golden/unions"},
	} {
		var projects []*schema.Project
		for _, folder := range order {
			projects = append(projects, load(t, folder))
		}
		if diff := cmp.Diff(first, pagesOf(t, Options{Title: "x"}, projects...)); diff != "" {
			t.Fatalf("the order %v differs:\n%s", order, diff)
		}
	}
}

var (
	hrefs = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)
	ids   = regexp.MustCompile(` id="([^"]*)"`)
)

// Every link of every page leads to a file of the site and, with a fragment, to an id
// that is there once.
func TestLinks(t *testing.T) {
	t.Parallel()
	opts := Options{Title: "x", Source: func(path string, line int) string {
		return fmt.Sprintf("https://git.example/%s#L%d", url.PathEscape(path), line)
	}}
	projects := []*schema.Project{load(t, "service"), hostile(t)}
	folders, err := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "golden", "*", "outboxgen.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range folders {
		projects = append(projects, load(t, "golden/"+filepath.Base(filepath.Dir(file))))
	}
	site := pagesOf(t, opts, projects...)
	links := 0
	for name, text := range site {
		if path.Ext(name) != ".html" {
			continue
		}
		anchors := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(text, -1) {
			if anchors[m[1]] {
				t.Errorf("%s has the id %s more than once", name, m[1])
			}
			anchors[m[1]] = true
		}
		for _, m := range hrefs.FindAllStringSubmatch(text, -1) {
			links++
			target, err := url.Parse(html.UnescapeString(m[1]))
			switch {
			case err != nil:
				t.Errorf("%s: the link %s: %v", name, m[1], err)
			case target.Scheme == "https" && target.Host == "git.example", m[1] == "data:,":
			case target.Scheme != "" || target.Host != "" || strings.HasPrefix(target.Path, "/"):
				t.Errorf("%s: the link %s leaves the site", name, m[1])
			case target.Path != "" && site[path.Join(path.Dir(name), target.Path)] == "":
				t.Errorf("%s: the link %s leads to nothing", name, m[1])
			case target.Fragment != "" && target.Path == "" && !anchors[target.Fragment]:
				t.Errorf("%s has no %s", name, m[1])
			}
		}
	}
	if links < 5000 {
		t.Errorf("only %d links were checked", links)
	}
}

// The search has every field and description of an event, and the filter every
// service.
func TestTheSearchHasAll(t *testing.T) {
	t.Parallel()
	const many, length = 400, 60
	long := strings.Repeat("x", length)
	var properties strings.Builder
	for i := range many {
		fmt.Fprintf(&properties, "  field_%d%s: {type: string, description: text_%d%s}\n", i, long, i, long)
	}
	row := searchRow(t, small(t, properties.String()))
	for i := range many {
		if !strings.Contains(row, fmt.Sprintf("field_%dx", i)) || !strings.Contains(row, fmt.Sprintf("text_%dx", i)) {
			t.Fatalf("the row does not have field %d", i)
		}
	}
	var projects []*schema.Project
	for i := range many {
		project := small(t, "  a: {type: string}\n")
		project.Config.Service = fmt.Sprintf("service-%d-%s", i, long)
		projects = append(projects, project)
	}
	row = searchRow(t, projects...)
	for i := range many {
		if !strings.Contains(row, fmt.Sprintf(" service-%d-x", i)) {
			t.Fatalf("the row does not have service %d", i)
		}
	}
}

// small returns a project with one event.
func small(t *testing.T, properties string) *schema.Project {
	t.Helper()
	project, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: s\nschemas: [a.yaml]\nout: events\n")},
		"a.yaml":         {Data: []byte("title: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\nproperties:\n" + properties)},
	}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if list.HasErrors() {
		t.Fatal(list.Sorted())
	}
	return project
}

// searchRow returns the tag of the first event in the list, which has what the search
// reads.
func searchRow(t *testing.T, projects ...*schema.Project) string {
	t.Helper()
	_, row, _ := strings.Cut(pagesOf(t, Options{Title: "x"}, projects...)["index.html"], `<tr role="row" data-names`)
	row, _, _ = strings.Cut(row, ">")
	return row
}

// evil is text that breaks out of each place of a page that does not escape it.
const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}javascript:alert(1)</title></textarea></style>` +
	"\u202egnp.exe <!-- ]]> ${alert(1)} `x` \\u003cscript\\u003e &lt;script&gt;"

// hostile returns a project with that text wherever a schema can have any.
func hostile(t *testing.T) *schema.Project {
	t.Helper()
	quoted := quote(evil)
	file := strings.NewReplacer("/", "_").Replace(`a"><script>alert(1)<_script>&'.json`)
	source := strings.ReplaceAll(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "https://example.com/?a=%22%3E%3Cscript%3E",
  "title": EVIL, "description": EVIL,
  "type": "object", "deprecated": true,
  "required": [EVIL, "u"],
  "properties": {
    EVIL: {"title": EVIL, "description": EVIL, "type": "string", "enum": [EVIL, "b"], "default": EVIL, "examples": [EVIL], "x-enum-varnames": [EVIL, "B"]},
    "a": {"type": "string", "format": EVIL, "pattern": "^[<>\"']*$", "contentMediaType": EVIL, "contentEncoding": EVIL},
    "c": {"const": EVIL},
    "m": {"type": "object", "additionalProperties": {"description": EVIL, "type": "integer"}, "patternProperties": {"<b onclick=alert(1)>": {"type": "string"}}},
    "u": {"oneOf": [{"title": EVIL, "type": "object", "properties": {EVIL: {"type": "string"}}}, {"title": "x", "type": "array", "items": {"description": EVIL, "type": "string"}}]}
  },
  "dependentRequired": {EVIL: [EVIL]}
}`, "EVIL", quoted)
	visible := strings.ReplaceAll(evil, "\u202e", "") // the loader refuses the character in a type
	config := `{"version": 1, "service": "s-evil", "schemas": [], "out": "events", "events": [
  {"schema": ` + quote(file) + `, "name": "Evil", "version": 1, "type": ` + quote("t."+visible+".v1") + `, "topic": "topic",
    "aggregate": {"type": ` + quote(evil[:90]) + `, "id": ` + quote(below("", evil)) + `}},
  {"schema": ` + quote(file+"#/properties/m") + `, "name": "EvilToo", "version": 2, "type": ` + quote("t."+visible+".v2") + `, "topic": "topic", "aggregate": {"type": "x"}}]}`
	project, list, err := schema.LoadFS(fstest.MapFS{"outboxgen.yaml": {Data: []byte(config)}, file: {Data: []byte(source)}}, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if project == nil || len(project.Events) != 2 {
		t.Fatalf("the project was not read: %v", list.Sorted())
	}
	project.Config.Service = evil // the loader allows no such name
	for _, e := range project.Events {
		e.Topic, e.Service.Text = evil, evil
	}
	return project
}

// Text from schemas is only ever text: a page has the same tags, attributes and scripts
// with and without it.
func TestTextIsOnlyText(t *testing.T) {
	t.Parallel()
	opts := Options{
		Title:  evil,
		Source: func(string, int) string { return "javascript:alert(1)" }, // the command allows only http and https
		Changes: func(_, now *schema.Event) []finding.Finding {
			return []finding.Finding{{Pos: now.Pos, ID: "x", Message: evil}}
		},
	}
	site := pagesOf(t, opts, hostile(t))
	named := regexp.MustCompile(`^[a-z0-9._~-]+(/[a-z0-9._~-]+)?$`)
	tag := regexp.MustCompile(`<(/?[a-zA-Z][a-zA-Z0-9]*)((?:\s+[^\s"'<>/=]+(?:="[^"]*")?)*)\s*>`)
	attribute := regexp.MustCompile(`([^\s"'<>/=]+)(?:="[^"]*")?`)
	tags, attributes := known(t)
	seen := 0
	for name, text := range site {
		if !named.MatchString(name) {
			t.Errorf("the file name %q", name)
		}
		if path.Ext(name) != ".html" {
			continue
		}
		seen += strings.Count(text, "alert(1)")
		if n := strings.Count(text, "<script"); n != 1 {
			t.Errorf("%s has %d scripts", name, n)
		}
		for _, bad := range []string{"\u202e", `href="javascript`, "<!-- ]]"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
		rest := tag.ReplaceAllStringFunc(strings.TrimPrefix(text, htmlMark), func(found string) string {
			parts := tag.FindStringSubmatch(found)
			if !tags[strings.ToLower(strings.TrimPrefix(parts[1], "/"))] {
				t.Errorf("%s has the tag %s", name, found)
			}
			for _, a := range attribute.FindAllStringSubmatch(parts[2], -1) {
				if !attributes[a[1]] {
					t.Errorf("%s has the attribute %s in %s", name, a[1], found)
				}
			}
			return ""
		})
		if at := strings.IndexAny(rest, "<>"); at >= 0 {
			t.Errorf("%s has a bracket that is not escaped: %.80q", name, rest[at:])
		}
	}
	if seen < 50 {
		t.Errorf("the text is on the pages only %d times", seen)
	}
}

// known returns the tags and attributes of our templates.
func known(t *testing.T) (tags, attributes map[string]bool) {
	t.Helper()
	tags, attributes = map[string]bool{}, map[string]bool{}
	files, err := pageFiles.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		content, err := pageFiles.ReadFile("pages/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		plain := regexp.MustCompile(`\{\{.*?\}\}`).ReplaceAll(content, []byte(" "))
		for _, m := range regexp.MustCompile(`<([a-z][a-z0-9]*)([^>]*)>`).FindAllSubmatch(plain, -1) {
			tags[string(m[1])] = true
			for _, a := range regexp.MustCompile(`([a-z-]+)(?:="[^"]*")?`).FindAllSubmatch(m[2], -1) {
				attributes[string(a[1])] = true
			}
		}
		if bytes.Contains(content, []byte(" on")) && regexp.MustCompile(`\son[a-z]+=`).Match(content) || bytes.Contains(content, []byte(" style=")) {
			t.Errorf("%s has an inline handler or style", file.Name())
		}
	}
	return tags, attributes
}

// The name of a file is made of plain characters, and different for different names on
// every file system.
func TestSlug(t *testing.T) {
	t.Parallel()
	got := map[string]string{}
	for _, name := range []string{
		"shop.order_placed.v1", "Shop.order_placed.v1", "SHOP.order_placed.v1", "", ".", "..", "../../etc/passwd", "con", "con.v1", "COM1.x", "com1.x",
		"a/b", "a b", "a~b", "é", strings.Repeat("a", 120), strings.Repeat("a", 121), "a.", "-a",
	} {
		got[name] = slug(name)
	}
	if got["shop.order_placed.v1"] != "shop.order_placed.v1" || !strings.HasPrefix(got["Shop.order_placed.v1"], "shop.order_placed.v1~") {
		t.Errorf("got %v", got)
	}
	plain := regexp.MustCompile(`^[a-z0-9_][a-z0-9._-]*[a-z0-9_]$|^[a-z0-9._-]*~[0-9a-f]{16}$`)
	taken := map[string]string{}
	for name, s := range got {
		if !plain.MatchString(s) || len(s) > 130 || strings.HasPrefix(s, ".") {
			t.Errorf("%q becomes %q", name, s)
		}
		if other, ok := taken[strings.ToLower(s)]; ok {
			t.Errorf("%q and %q become %q", name, other, s)
		}
		taken[strings.ToLower(s)] = name
		if len(name) > 2 && isDevice(s) {
			t.Errorf("%q becomes the device %q", name, s)
		}
	}
}

func load(t *testing.T, folder string) *schema.Project {
	t.Helper()
	project, list, err := schema.Load(filepath.Join("..", "..", "..", "testdata", filepath.FromSlash(folder)), "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if list.HasErrors() {
		t.Fatal(list.Sorted())
	}
	return project
}

// quote returns a text as JSON.
func quote(text string) string { return (&schema.Value{Kind: schema.String, Text: text}).JSON() }
