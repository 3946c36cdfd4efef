package suite_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

// drafts are the drafts that the generator reads, with their $schema.
var drafts = map[string]string{
	"draft4":       "http://json-schema.org/draft-04/schema#",
	"draft6":       "http://json-schema.org/draft-06/schema#",
	"draft7":       "http://json-schema.org/draft-07/schema#",
	"draft2019-09": "https://json-schema.org/draft/2019-09/schema",
	"draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}

// group is a schema of the suite with its documents.
type group struct {
	draft  string
	file   string // such as ref, optional/bignum or optional/format/email
	title  string
	schema []byte
	tests  []suiteTest
}

type suiteTest struct {
	Description string          `json:"description"`
	Data        json.RawMessage `json:"data"`
	Valid       bool            `json:"valid"`
}

// formats reports whether the group tests a format.
func (g *group) formats() bool { return strings.HasPrefix(g.file, "optional/format/") }

// kind returns the part of the suite that the group belongs to.
func (g *group) kind() string {
	switch {
	case g.formats():
		return "format"
	case strings.HasPrefix(g.file, "optional/"):
		return "optional"
	}
	return "required"
}

// remote is a file that the suite expects at an address.
type remote struct {
	draft string // whose folder it is in; "": of every draft
	name  string // path below the suite's folder of remotes
	text  []byte
}

func (r *remote) address() string { return "http://localhost:1234/" + r.name }

// suiteDir returns the folder of the suite.
func suiteDir(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("OUTBOXGEN_SERVICES")
	if cache == "" {
		cache = root + "/.services"
	}
	dir := filepath.Join(cache, "suite")
	if _, err := os.Stat(filepath.Join(dir, "tests")); err != nil {
		missing := fmt.Sprintf(`the JSON Schema Test Suite is not in %s: run "make services"`, dir)
		if slices.Contains(strings.Split(os.Getenv("OUTBOXGEN_REQUIRE"), ","), "suite") {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return dir
}

// readGroups reads all groups of a draft, in the order of their files.
func readGroups(t *testing.T, dir, draft string) []*group {
	t.Helper()
	var groups []*group
	for name, text := range jsonFiles(t, filepath.Join(dir, "tests", draft)) {
		var read []struct {
			Description string          `json:"description"`
			Schema      json.RawMessage `json:"schema"`
			Tests       []suiteTest     `json:"tests"`
		}
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		titles := map[string]int{}
		for _, r := range read {
			titles[r.Description]++
			if n := titles[r.Description]; n > 1 {
				r.Description = fmt.Sprintf("%s (%d)", r.Description, n)
			}
			groups = append(groups, &group{
				draft: draft, file: strings.TrimSuffix(name, ".json"), title: r.Description,
				schema: withMember(r.Schema, "$schema", drafts[draft]), tests: r.Tests,
			})
		}
	}
	const least = 150
	if len(groups) < least {
		t.Fatalf("%s has %d groups, and should have %d at least", draft, len(groups), least)
	}
	return groups
}

// readRemotes reads the files that groups refer to by an address, and makes the address
// the identifier of each.
func readRemotes(t *testing.T, dir string) []*remote {
	t.Helper()
	var remotes []*remote
	for name, text := range jsonFiles(t, filepath.Join(dir, "remotes")) {
		r := &remote{name: name, text: text}
		if first, _, _ := strings.Cut(name, "/"); strings.HasPrefix(first, "draft") {
			if drafts[first] == "" {
				continue
			}
			r.draft = first
		}
		remotes = append(remotes, r)
	}
	return remotes
}

// files returns the files of the remote in a project of a draft: the file itself and,
// if it has another identifier, one that refers from the address to it.
func (r *remote) files(draft string) map[string][]byte {
	if r.draft != "" {
		draft = r.draft
	}
	keyword := "$id"
	if draft == "draft4" {
		keyword = "id"
	}
	text := withMember(r.text, "$schema", drafts[draft])
	var named map[string]any
	if json.Unmarshal(text, &named) != nil {
		return map[string][]byte{r.name: text} // true or false
	}
	switch own, _ := named[keyword].(string); own {
	case r.address():
		return map[string][]byte{r.name: text}
	case "":
		return map[string][]byte{r.name: withMember(text, keyword, r.address())}
	default:
		link := fmt.Appendf(nil, `{%q: %q, %q: %q, "allOf": [{"$ref": %q}]}`, "$schema", drafts[draft], keyword, r.address(), own)
		return map[string][]byte{r.name: text, strings.TrimSuffix(r.name, ".json") + ".link.json": link}
	}
}

// withMember adds a string to an object without a member of this name. Other values are
// unchanged.
func withMember(object []byte, name, value string) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil || members[name] != nil {
		return object
	}
	rest := bytes.TrimSpace(bytes.TrimSpace(object)[1:])
	comma := ", "
	if len(members) == 0 {
		comma = ""
	}
	return append(fmt.Appendf(nil, "{%q: %q%s", name, value, comma), rest...)
}

// jsonFiles yields the JSON files below a folder, sorted, by their paths in it.
func jsonFiles(t *testing.T, dir string) func(yield func(string, []byte) bool) {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".json" {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(string, []byte) bool) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if !yield(path.Clean(name), files[name]) {
				return
			}
		}
	}
}
