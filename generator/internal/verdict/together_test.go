package verdict_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/verdict"
)

// Schemas that share packages give the same results as each alone, also in a package
// with a fault, with other settings, and with warnings.
func TestRunSchemasIsRunForEach(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles what it generates")
	}
	var cases []verdict.Case
	for i := range 3 {
		c := verdict.ForSchema(fmt.Sprintf("integer %d", i), fmt.Appendf(nil, `{"type":"object","properties":{"a":{"type":"integer","maximum":%d}}}`, i))
		c.Documents = documents(`{"a":0}`, `{"a":1}`, `{"a":2}`, `{"a":"x"}`)
		cases = append(cases, c)
	}
	implied := verdict.ForSchema("implied type", []byte(`{"properties":{"a":{"minLength":2}}}`))
	implied.Documents = documents(`{"a":"xx"}`, `{"a":1}`, `[]`)
	spec := verdict.ForSchema("specification", []byte(`{"properties":{"a":{"minLength":2}}}`), "validation: spec")
	spec.Documents = documents(`{"a":"xx"}`, `{"a":1}`, `[]`)
	nullable := verdict.ForSchema("null", []byte(`{"type":["object","null"],"properties":{"a":{"type":"string"}}}`))
	nullable.Documents = documents(`null`, `{}`)
	none := verdict.ForSchema("no documents", []byte(`{"type":"string"}`))
	cases = append(cases, implied, spec, nullable, none)

	compare := func(cases []verdict.Case) {
		t.Helper()
		want, err := verdict.Run(t.Context(), t.TempDir(), cases)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verdict.RunSchemas(t.Context(), t.TempDir(), cases)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range cases {
			if diff := cmp.Diff(want[i].Refused(), got[i].Refused()); diff != "" {
				t.Errorf("%s: errors (-alone +together):\n%s", c.Name, diff)
			}
			if len(want[i].Answers) != len(c.Documents) || len(got[i].Answers) != len(c.Documents) {
				t.Errorf("%s: %d documents, %d answers alone, %d together", c.Name, len(c.Documents), len(want[i].Answers), len(got[i].Answers))
				continue
			}
			for k := range c.Documents {
				if diff := cmp.Diff(verdictOf(want[i].Answers[k]), verdictOf(got[i].Answers[k])); diff != "" {
					t.Errorf("%s: %s (-alone +together):\n%s", c.Name, c.Documents[k].JSON, diff)
				}
			}
			if alone, together := want[i].NoEvent("", []byte("null")), got[i].NoEvent("", []byte("null")); alone != together {
				t.Errorf("%s: null is no event: %t alone, %t together", c.Name, alone, together)
			}
			if diff := cmp.Diff(ids(want[i]), ids(got[i])); diff != "" {
				t.Errorf("%s: findings (-alone +together):\n%s", c.Name, diff)
			}
		}
	}
	compare(cases)
	compare(append(cases, verdict.ForSchema("refused", []byte(`{"$ref":"#/$defs/nowhere"}`))))
}

// verdictOf returns whether an answer refuses the document, and the encoded document.
func verdictOf(a verdict.Answer) string {
	return fmt.Sprintf("refused: %t, written: %s", a.Refusal() != "", a.Encoded)
}

func ids(o verdict.Outcome) []string {
	var out []string
	for _, f := range o.Findings {
		out = append(out, fmt.Sprint(f.Pos.File, " ", f.ID))
	}
	return out
}
