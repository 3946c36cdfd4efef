package lint_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/lint"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/schemas"
)

const root = "../../../"

// What the repository shows as a sample is clean, or says why not.
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
			t.Errorf("%s: %s: %s", name, f.ID, f)
		}
	}
}

// The JSON Schemas for editors know the rules and the styles that there are.
func TestEditorsKnowTheRules(t *testing.T) {
	t.Parallel()
	var event, config struct {
		Defs struct {
			Rule, Style struct{ Enum []string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(schemas.EventSchema()), &event); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(schemas.ConfigSchema()), &config); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lint.IDs(), event.Defs.Rule.Enum); diff != "" {
		t.Errorf("rules of outboxgen.schema.json (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(schema.NameStyles(), config.Defs.Style.Enum); diff != "" {
		t.Errorf("styles of outboxgen.config.schema.json (-want +got):\n%s", diff)
	}
}

// A config may be missing: one file that was loaded alone is linted as it is.
func TestWithoutConfig(t *testing.T) {
	t.Parallel()
	p, _, err := schema.LoadFile(os.DirFS(root+"schemas/huleedu"), "common/course_code.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p.Document("common/course_code.yaml").Root.Marks = nil
	got := lint.Lint(p)
	want := []lint.Finding{{
		Finding: diag.Finding{Pos: diag.Pos{File: "common/course_code.yaml", Line: 8, Col: 1}, Severity: diag.Warning, ID: "ENUM_CLOSED"}, HasPointer: true,
	}}
	for i := range got {
		got[i].Message, got[i].Hint = "", ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// What the generator warns of, and a rule finds in the same place, is to be said
// once; elsewhere the warning stays.
func TestCovers(t *testing.T) {
	t.Parallel()
	p := load(t, map[string]string{
		"a.v1.yaml": "properties: {a: {$ref: lib.yaml, description: d}}",
		"lib.yaml":  "type: object",
	})
	warning := func(id, file string) diag.Finding {
		return diag.Finding{Severity: diag.Warning, ID: id, Pos: diag.Pos{File: file}}
	}
	for _, tc := range []struct {
		finding diag.Finding
		want    bool
	}{
		{warning("required-undescribed", "a.v1.yaml"), true},
		{warning("pointer-optional", "outboxgen.yaml"), true},
		{warning("required-undescribed", "lib.yaml"), false},
		{warning("pattern-not-checked", "a.v1.yaml"), false},
		{diag.Finding{Severity: diag.Error, ID: "required-undescribed", Pos: diag.Pos{File: "a.v1.yaml"}}, false},
	} {
		if got := lint.Covers(p, tc.finding); got != tc.want {
			t.Errorf("%s is covered %t, want %t", tc.finding, got, tc.want)
		}
	}
}
