package lint_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/diag"
	"github.com/outboxgen/outboxgen/generator/internal/lint"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

func TestLint(t *testing.T) {
	t.Parallel()
	p, list, err := schema.LoadFS(fstest.MapFS{
		"outboxgen.yaml": {Data: []byte("version: 1\nservice: shop\nschemas: [\"*.v1.yaml\"]\nout: events\n")},
		"a.v1.yaml": {Data: []byte("$id: https://x.example/a.v1\ntitle: A\nx-outbox: {version: 1, type: a.v1, aggregate: {type: a}}\ntype: object\n")},
	}, "outboxgen.yaml")
	if err != nil || list.HasErrors() {
		t.Fatal(err, list.Sorted())
	}
	want := []lint.Finding{{
		Finding: diag.Finding{
			Pos: diag.Pos{File: "a.v1.yaml", Line: 1, Col: 1}, Severity: diag.Warning, ID: "EVENT_UNDESCRIBED",
			Message: "the event AV1 has no description: nobody learns from the schema when it happens", Hint: "add description",
		},
		HasPointer: true,
	}}
	if diff := cmp.Diff(want, lint.Lint(p)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
