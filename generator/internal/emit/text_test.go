package emit

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The package of a configured type is imported under a unique name.
func TestNamesOfImports(t *testing.T) {
	t.Parallel()
	set := importSet{"context": "", outboxPath: "outbox"}
	var got []string
	for _, path := range []string{
		"math/big", "github.com/shopspring/decimal", "example.com/other/decimal", "example.com/go-money/v2", "gopkg.in/inf.v0",
		"time", "encoding/json", "example.com/json", outboxPath, "example.com/outbox", "example.com/string", "example.com/type",
		"example.com/wire", "example.com/3d", "example.com/go-", "math/big",
	} {
		got = append(got, set.external(path))
	}
	want := []string{
		"big", "decimal", "decimal2", "money", "inf",
		"time", "json", "json2", "outbox", "outbox2", "string2", "type2",
		"wire2", "x3d", "x2", "big",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// A description stays a comment: it neither ends it nor becomes a directive.
func TestCommentsStayComments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"+build linux":                        {`\+build linux`},
		"*/ func init() {}\u2028//go:embed x": {"*/ func init() {}", "//go:embed x"},
		"a\r\n\r\n\r\nb\u0085c\x00\u202e":     {"a", "", "b", "c"},
	} {
		if diff := cmp.Diff(want, comment(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
