package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// A file may name its version of YAML. Findings after it keep their places.
func TestYAMLThatSaysItsVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"%YAML 1.2\n---\na: 1\n":                       `{"a":1}`,
		"# of Ann\r\n\r\n%YAML 1.2 # v\r\n---\r\na: 1": `{"a":1}`,
		"%YAML 1.1\n--- {a: no}\n...\n":                `{"a":"no"}`,
	} {
		list := &finding.List{}
		v, _ := readValue("a.yaml", []byte(text), list)
		if v == nil || list.HasErrors() {
			t.Errorf("%q: %v", text, list.Sorted())
			continue
		}
		if diff := cmp.Diff(want, v.JSON()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	list := &finding.List{}
	readValue("a.yaml", []byte("%YAML 1.2\n---\na: [\n"), list)
	var got []string
	for _, f := range list.Sorted() {
		got = append(got, f.String())
	}
	if diff := cmp.Diff([]string{"a.yaml:3:5: a value is missing here [yaml-syntax]"}, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
