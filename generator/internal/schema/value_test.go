package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// A value has one canonical form. As JSON it keeps its spelling.
func TestValuesAsJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		`null`:                                {`null`, `null`},
		`[1, 1.0, 10e-1, -0, 1E400]`:          {`[1,1,1,0,1e400]`, `[1,1.0,10e-1,-0,1E400]`},
		`{"b": true, "a": {"d": 2, "c": []}}`: {`{"a":{"c":[],"d":2},"b":true}`, `{"b":true,"a":{"d":2,"c":[]}}`},
		`"<a href=\"\u00e9\">\n"`:             {`"<a href=\"é\">\n"`, `"<a href=\"é\">\n"`},
	} {
		list := &finding.List{}
		v, _ := readValue("a.json", []byte(text), list)
		if v == nil {
			t.Fatal(text, list.Sorted())
		}
		if diff := cmp.Diff(want, [2]string{v.Canonical(), v.JSON()}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// A count is an int32, because no value is longer.
func TestCounts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"3": 3, "3.0": 3, "2147483648": 2147483647, "1e400": 2147483647, "1e999999999": 2147483647} {
		if got := (&Number{Text: text}).Count(); got == nil || *got != want {
			t.Errorf("%s: %v, want %d", text, got, want)
		}
	}
	for _, n := range []*Number{nil, {Text: "1.5"}, {Text: "-1e400"}} {
		if got := n.Count(); got != nil {
			t.Errorf("%v: %d, want none", n, *got)
		}
	}
}
