package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/outboxgen/outboxgen/runtime/format"
)

var (
	pageLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// TestDocsLinks: every link to a page, a heading or a picture of the repository has a
// target, and the README links every page.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	root := repositoryRoot(t)
	all := pages(t, root)
	for _, name := range []string{"CHANGELOG.md", "docs/findings.md"} {
		all = append(all, page{name, read(t, filepath.Join(root, name))})
	}
	readme := all[0].text
	known := map[string]map[string]bool{} // the anchors by file
	for _, p := range all {
		p.checkLinks(t, root, known)
		if strings.HasPrefix(p.name, "docs/") && !strings.Contains(readme, "]("+p.name+")") {
			t.Errorf("the README has no link to %s", p.name)
		}
	}
}

// checkLinks checks the links to pages and headings of the repository. It keeps in known
// what it finds in other pages.
func (p page) checkLinks(t *testing.T, root string, known map[string]map[string]bool) {
	t.Helper()
	for _, m := range pageLink.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		target, anchor, _ := strings.Cut(m[1], "#")
		if strings.Contains(target, ":") {
			continue // elsewhere
		}
		file := filepath.Join(root, filepath.Dir(p.name), target)
		if target == "" {
			file = filepath.Join(root, p.name)
		}
		if !exists(file) {
			t.Errorf("%s: the link %s points to nothing", p.name, m[1])
			continue
		}
		if anchor != "" && known[file] == nil {
			known[file] = anchors(read(t, file))
		}
		if anchor != "" && !known[file][anchor] {
			t.Errorf("%s: %s has no heading for #%s", p.name, filepath.Base(file), anchor)
		}
	}
}

// anchors returns the anchors that GitHub makes from the headings.
func anchors(text string) map[string]bool {
	set := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r == ' ':
				b.WriteRune('-')
			case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
				b.WriteRune(r)
			}
		}
		set[b.String()] = true
	}
	return set
}

// TestDocsReadme: the README stays short, and its Go code is part of the program that TestDocsGettingStarted runs.
func TestDocsReadme(t *testing.T) {
	t.Parallel()
	root := repositoryRoot(t)
	readme := page{"README.md", read(t, filepath.Join(root, "README.md"))}
	if n := len(strings.Fields(readme.text)); n > 1000 {
		t.Errorf("the README has %d words; keep it below 1,000, and put the rest into docs", n)
	}
	program := page{gettingStarted, read(t, filepath.Join(root, gettingStarted))}.blocks("go")
	for _, example := range readme.blocks("go") {
		if !slices.ContainsFunc(program, func(file string) bool { return strings.Contains(unindent(file), unindent(example)) }) {
			t.Errorf("no file of %s has these lines of the README:\n%s", gettingStarted, example)
		}
	}
}

// unindent removes the blanks at the beginning of every line.
func unindent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimLeft(line, "\t "))
	}
	return b.String()
}

// TestDocsListTheMembers: the pages list every member of outboxgen.yaml.
func TestDocsListTheMembers(t *testing.T) {
	t.Parallel()
	root := repositoryRoot(t)
	type object struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	members := func(raw string) []string {
		var o object
		if err := json.Unmarshal([]byte(raw), &o); err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(maps.Keys(o.Properties))
	}
	config := read(t, filepath.Join(root, "schemas", "outboxgen.config.schema.json"))
	var whole object
	if err := json.Unmarshal([]byte(config), &whole); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{"docs/schemas.md": nil, "docs/checking.md": members(string(whole.Properties["compat"]))}
	for _, name := range members(config) {
		if name != "sqlc" {
			want["docs/schemas.md"] = append(want["docs/schemas.md"], name)
		}
	}
	for _, name := range members(string(whole.Properties["sqlc"])) {
		want["docs/schemas.md"] = append(want["docs/schemas.md"], "sqlc."+name)
	}
	for file, names := range want {
		text := read(t, filepath.Join(root, file))
		for _, name := range names {
			if !strings.Contains(text, "\n| `"+name+"` |") {
				t.Errorf("%s has no row for the member %s", file, name)
			}
		}
	}
}

// TestDocsListTheFormats: the page about schemas lists the formats that Validate checks and that stay strings.
func TestDocsListTheFormats(t *testing.T) {
	t.Parallel()
	text := read(t, filepath.Join(repositoryRoot(t), "docs", "schemas.md"))
	_, row, _ := strings.Cut(text, "\n| the formats ")
	cell, _, _ := strings.Cut(row, "|")
	listed := strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune("`, ", r) })
	if diff := cmp.Diff(format.Names(), listed); diff != "" {
		t.Errorf("formats in docs/schemas.md (-checked +listed):\n%s", diff)
	}
}

// TestDocsDrawings: the drawings are XML, and every package in them exists.
func TestDocsDrawings(t *testing.T) {
	t.Parallel()
	root := repositoryRoot(t)
	files, err := filepath.Glob(filepath.Join(root, "docs", "images", "*.svg"))
	if err != nil || len(files) == 0 {
		t.Fatalf("docs/images has no drawings (%v)", err)
	}
	for _, file := range files {
		d := xml.NewDecoder(strings.NewReader(read(t, file)))
		inPath := false
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", filepath.Base(file), err)
			}
			switch token := token.(type) {
			case xml.StartElement:
				inPath = slices.Contains(token.Attr, xml.Attr{Name: xml.Name{Local: "class"}, Value: "path"})
			case xml.CharData:
				name := string(token)
				if inPath && !exists(filepath.Join(root, name)) && !exists(filepath.Join(root, "runtime", name)) && !exists(filepath.Join(root, "runtime", "relay", name)) {
					t.Errorf("%s: there is no package %s", filepath.Base(file), name)
				}
			case xml.EndElement:
				inPath = false
			}
		}
	}
}

// TestDocsOfWorkflows: the examples for CI use the action and the hook of this
// repository.
func TestDocsOfWorkflows(t *testing.T) {
	t.Parallel()
	root := repositoryRoot(t)
	action := regexp.MustCompile(`uses: outboxgen/outboxgen/(.*)@`)
	hook := regexp.MustCompile(`hooks: \[\{id: ([\w-]+)`)
	hooks := read(t, filepath.Join(root, ".pre-commit-hooks.yaml"))
	found := 0
	for _, p := range pages(t, root) {
		for _, block := range p.blocks("yaml workflow") {
			var parsed map[string]any
			if err := yaml.Unmarshal([]byte(block), &parsed); err != nil {
				t.Errorf("%s: %v\n%s", p.name, err, block)
			}
			for _, m := range action.FindAllStringSubmatch(block, -1) {
				found++
				if !exists(filepath.Join(root, m[1], "action.yml")) {
					t.Errorf("%s: there is no action %s", p.name, m[1])
				}
			}
			for _, m := range hook.FindAllStringSubmatch(block, -1) {
				found++
				if !strings.Contains(hooks, "id: "+m[1]+"\n") {
					t.Errorf("%s: there is no hook %s", p.name, m[1])
				}
			}
		}
	}
	if found < 2 {
		t.Errorf("the pages use %d actions and hooks, want one of each at least", found)
	}
}
