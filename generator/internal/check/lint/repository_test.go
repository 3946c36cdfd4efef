package lint_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/check/lint"
	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/schemas"
)

const root = "../../../../"

// The samples of the repository have no findings except suppressed ones.
func TestSamplesAreClean(t *testing.T) {
	t.Parallel()
	template, err := os.ReadFile(root + "generator/scaffold/order_placed.v1.yaml.tmpl")
	if err != nil {
		t.Fatal(err)
	}
	projects := map[string]*schema.Project{
		"what init writes": load(t, map[string]string{"a.v1.yaml": strings.NewReplacer("{{.Name}}", "shop", "{{.EventSchemaURL}}", "x").Replace(string(template))}),
	}
	for _, dir := range []string{"schemas/huleedu", "testdata/service"} {
		p, list, err := schema.Load(root+dir, "outboxgen.yaml")
		if err != nil || list.HasErrors() {
			t.Fatal(err, list.Sorted())
		}
		projects[dir] = p
	}
	for name, p := range projects {
		if len(p.Events) == 0 {
			t.Errorf("%s has no events", name)
		}
		for _, f := range lint.Lint(p) {
			t.Errorf("%s: %s", name, f.Line())
		}
	}
}

// The JSON Schemas for editors know the rules and the styles that there are.
func TestEditorsKnowTheRules(t *testing.T) {
	t.Parallel()
	var event, config struct {
		Defs struct {
			Rule  struct{ AnyOf []struct{ Enum []string } }
			Style struct{ Enum []string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(schemas.EventSchema()), &event); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(schemas.ConfigSchema()), &config); err != nil {
		t.Fatal(err)
	}
	rule := event.Defs.Rule
	ids := finding.IDs(finding.Lint)
	earlier := make([]string, len(ids))
	for i, id := range ids {
		earlier[i] = strings.ToUpper(strings.ReplaceAll(id, "-", "_"))
	}
	if diff := cmp.Diff([][]string{ids, earlier}, [][]string{rule.AnyOf[0].Enum, rule.AnyOf[1].Enum}); diff != "" {
		t.Errorf("rules of outboxgen.schema.json (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(schema.NameStyles(), config.Defs.Style.Enum); diff != "" {
		t.Errorf("styles of outboxgen.config.schema.json (-want +got):\n%s", diff)
	}
}

// A file that was loaded alone is linted without a config.
func TestWithoutConfig(t *testing.T) {
	t.Parallel()
	p, _, err := schema.LoadFile(os.DirFS(root+"schemas/huleedu"), "common/course_code.yaml", schema.Draft202012)
	if err != nil {
		t.Fatal(err)
	}
	p.Document("common/course_code.yaml").Root.Marks = nil
	got := lint.Lint(p)
	want := []finding.Finding{{
		Pos: finding.Pos{File: "common/course_code.yaml", Line: 8, Col: 1}, Severity: finding.Warning, ID: "enum-closed", HasPointer: true,
	}}
	for i := range got {
		got[i].Message, got[i].Hint = "", ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// If a rule finds what the generator warns of in the same place, it is reported once.
// In other places the warning stays.
func TestCovers(t *testing.T) {
	t.Parallel()
	p := load(t, map[string]string{
		"a.v1.yaml": "properties: {a: {$ref: lib.yaml, description: d}}",
		"lib.yaml":  "type: object",
	})
	warning := func(id, file string) finding.Finding {
		return finding.Finding{Severity: finding.Warning, ID: id, Pos: finding.Pos{File: file}}
	}
	for _, tc := range []struct {
		finding finding.Finding
		want    bool
	}{
		{warning("required-undescribed", "a.v1.yaml"), true},
		{warning("pointer-optional", "outboxgen.yaml"), true},
		{warning("required-undescribed", "lib.yaml"), false},
		{warning("pattern-not-checked", "a.v1.yaml"), false},
		{finding.Finding{Severity: finding.Error, ID: "required-undescribed", Pos: finding.Pos{File: "a.v1.yaml"}}, false},
	} {
		if got := lint.Covers(p, tc.finding); got != tc.want {
			t.Errorf("%s is covered %t, want %t", tc.finding, got, tc.want)
		}
	}
}
