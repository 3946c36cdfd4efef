package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// A merge key adds members to a mapping as in YAML 1.1. The mapping's own members take
// precedence, wherever they are, and then the first merged one.
func TestMergeKeys(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ yaml, want string }{
		"an alias":                   {"a: &a {x: 1, y: 2}\nb: {<<: *a, z: 3}", `{"a":{"x":1,"y":2},"b":{"x":1,"y":2,"z":3}}`},
		"its own member counts":      {"a: &a {x: 1, y: 2}\nb: {y: 5, <<: *a, x: 4}", `{"a":{"x":1,"y":2},"b":{"y":5,"x":4}}`},
		"the first of several":       {"a: &a {x: 1}\nb: &b {x: 2, y: 3}\nc: {<<: [*a, *b]}", `{"a":{"x":1},"b":{"x":2,"y":3},"c":{"x":1,"y":3}}`},
		"a list with an anchor":      {"a: &a [{x: 1}, {x: 2}]\nb: {<<: *a}", `{"a":[{"x":1},{"x":2}],"b":{"x":1}}`},
		"a mapping in place":         {"a: {<<: {x: 1}, y: 2}", `{"a":{"x":1,"y":2}}`},
		"merged into what is merged": {"a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}", `{"a":{"x":1},"b":{"x":1,"y":2},"c":{"x":1,"y":2}}`},
		"members do not mix":         {"a: &a {x: {p: 1}}\nb: {<<: *a, x: {q: 2}}", `{"a":{"x":{"p":1}},"b":{"x":{"q":2}}}`},
		"in quotes it is a name":     {`a: {"<<": {x: 1}}`, `{"a":{"<<":{"x":1}}}`},
		"keys that are no strings":   {"1: a\n0x1F: b\ntrue: c\n~: d\nno: e", `{"1":"a","0x1F":"b","true":"c","~":"d","no":"e"}`},
	} {
		list := &finding.List{}
		v, _ := readValue("a.yaml", []byte(test.yaml), list)
		if v == nil || list.HasErrors() {
			t.Errorf("%s: %v", name, list.Sorted())
			continue
		}
		if diff := cmp.Diff(test.want, v.JSON()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Merged members count each time that they are used, so that merging cannot grow
// without limit. A mapping cannot be merged into itself.
func TestMergeKeysAreBounded(t *testing.T) {
	t.Parallel()
	var doubling strings.Builder
	doubling.WriteString("a0: &a0 {x: 1}\n")
	for i := 1; i < 40; i++ {
		previous := string(rune('a'+(i-1)%26)) + strings.Repeat("0", i)
		name := string(rune('a'+i%26)) + strings.Repeat("0", i+1)
		doubling.WriteString(name + ": &" + name + " {<<: [*" + previous + ", *" + previous + "]}\n")
	}
	for text, want := range map[string]string{
		doubling.String():      "too-many-values",
		"a: &a {<<: *a, x: 1}": "yaml-alias",
	} {
		list := &finding.List{}
		readValue("a.yaml", []byte(text), list)
		var errors []string
		for _, f := range list.Sorted() {
			if f.Severity == finding.Error {
				errors = append(errors, f.ID)
			}
		}
		if diff := cmp.Diff([]string{want}, errors); diff != "" {
			t.Errorf("findings (-want +got):\n%s", diff)
		}
	}
}
