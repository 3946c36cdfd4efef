package ir_test

import (
	"testing"

	"github.com/outboxgen/outboxgen/generator/internal/ir"
)

func TestUnexported(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"CJAssessment": "cjAssessment", "Thing": "thing", "ID": "id", "IDV1": "idv1", "X日本": "x日本", "Åäö": "xÅäö"} {
		if got := ir.Unexported(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
