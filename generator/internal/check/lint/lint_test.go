package lint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/check/lint"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/runtime/format"
)

const config = "version: 1\nservice: shop\nschemas: [\"*.v1.yaml\"]\nout: events\n"

// load reads a project, which must have no errors.
func load(t testing.TB, files map[string]string) *schema.Project {
	t.Helper()
	fsys := fstest.MapFS{"outboxgen.yaml": {Data: []byte(config)}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	p, list, err := schema.LoadFS(fsys, "outboxgen.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list.Sorted() {
		if f.Severity == finding.Error {
			t.Fatalf("%s in %v", f, files)
		}
	}
	return p
}

// event returns an event schema without findings, with some of its members replaced. A
// name without a value removes the member.
func event(members string) string {
	var b strings.Builder
	for _, member := range []string{
		"$id: https://schemas.example.com/order_placed.v1",
		"title: OrderPlaced",
		"description: A customer confirmed an order.",
		"x-outbox: {version: 1, type: shop.order_placed.v1, aggregate: {type: order}}",
		"type: object",
	} {
		name, _, _ := strings.Cut(member, ":")
		if !strings.HasPrefix(members, name+":") && !strings.Contains(members, "\n"+name+":") {
			b.WriteString(member + "\n")
		}
	}
	for line := range strings.Lines(members) {
		if line != "$id:\n" && line != "description:\n" {
			b.WriteString(line)
		}
	}
	return b.String()
}

// The example of every rule gives only a finding with its id. The corrected example
// gives none.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, id := range finding.IDs(finding.Lint) {
		e, _ := finding.Lookup(id)
		if e.Before == "" || e.After == "" {
			t.Errorf("%s has no example", id)
			continue
		}
		for _, f := range lint.Lint(load(t, map[string]string{"a.v1.yaml": event(e.After + "\n")})) {
			if f.Severity != finding.Note {
				t.Errorf("the good example of %s: %s %s", id, f.ID, f)
			}
		}
		var found []string
		for _, f := range lint.Lint(load(t, map[string]string{"a.v1.yaml": event(e.Before + "\n")})) {
			if f.Severity != finding.Note || f.ID == id {
				found = append(found, f.ID)
			}
			if f.ID == id && f.Severity != e.Severity {
				t.Errorf("%s is a %s, want %s", id, f.Severity, e.Severity)
			}
		}
		if !slices.Equal(found, []string{id}) {
			t.Errorf("the bad example of %s has %v", id, found)
		}
	}
}

// The config and the schemas may spell ids as earlier versions did.
func TestEarlierSpellingOfIDs(t *testing.T) {
	t.Parallel()
	const closed = "properties:\n  carrier:\n    description: Who ships it.\n    enum: [post, courier]\n"
	for name, tc := range map[string]struct{ lint, mark, want string }{
		"not suppressed":   {"", "", "enum-closed warning"},
		"suppressed":       {"", "    x-outbox: {silence: {ENUM_CLOSED: two for good}}\n", ""},
		"by its new name":  {"", "    x-outbox: {suppress: {enum-closed: two for good}}\n", ""},
		"off":              {"lint: {rules: {ENUM_CLOSED: off}}\n", "", ""},
		"another level":    {"lint: {rules: {ENUM_CLOSED: error}}\n", "", "enum-closed error"},
		"its new name too": {"lint: {rules: {enum-closed: error}}\n", "", "enum-closed error"},
		"another rule":     {"lint: {rules: {ENUM_VALUE_REMOVED: off}}\n", "", "rule-unknown error, enum-closed warning"},
		"renamed":          {"lint: {rules: {SILENCE_UNUSED: error}}\n", "    x-outbox: {suppress: {enum-closed: two for good, key-too-long: as ever}}\n", "suppression-unused error"},
	} {
		project := fstest.MapFS{
			"outboxgen.yaml": {Data: []byte(config + tc.lint)},
			"a.v1.yaml":      {Data: []byte(event(closed + tc.mark))},
		}
		p, _, err := schema.LoadFS(project, "outboxgen.yaml")
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, f := range lint.Lint(p) {
			found = append(found, f.ID+" "+f.Severity.String())
		}
		slices.Sort(found)
		want := strings.Split(tc.want, ", ")
		slices.Sort(want)
		if got := strings.Join(found, ", "); got != strings.Join(want, ", ") {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

// An example is checked against every format that Validate checks.
func TestExamplesHaveTheirFormats(t *testing.T) {
	t.Parallel()
	const never = "( {" // has none of them
	for _, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			members := fmt.Sprintf("properties: {a: {type: string, format: %s, description: d, examples: [%q]}}\n", name, never)
			var ids []string
			for _, f := range lint.Lint(load(t, map[string]string{"a.v1.yaml": event(members)})) {
				ids = append(ids, f.ID)
			}
			if diff := cmp.Diff([]string{"example-invalid"}, ids); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
