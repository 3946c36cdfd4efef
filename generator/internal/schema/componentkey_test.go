package schema_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Each name has a key of its own, of the characters that AsyncAPI allows. A name of these
// characters is its key, unless it looks like the key of another one.
func TestComponentKey(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"OrderPlacedV1": "OrderPlacedV1",
		"a_b-c.d":       "a_b-c.d",
		"_u_uX_":        "_u_uX_",
		"Größe":         "Gr_uF6__uDF_e",
		"Gr_uF6_e":      "Gr_u5F_uF6_e",
		"Gröe":          "Gr_uF6_e",
		"日本":            "_u65E5__u672C_",
		"a b":           "a_u20_b",
		"😀":             "_u1F600_",
		"_u5F_":         "_u5F_u5F_",
		"_uE9é":         "_u5F_uE9_uE9_",
		"éuE9_":         "_uE9_uE9_",
		"_":             "_",
	}
	got, seen := map[string]string{}, map[string]string{}
	for name := range want {
		key := schema.ComponentKey(name)
		got[name] = key
		if other, twice := seen[key]; twice {
			t.Errorf("%s and %s have the key %s", name, other, key)
		}
		seen[key] = name
		if !regexp.MustCompile(`^[A-Za-z0-9_.-]+$`).MatchString(key) {
			t.Errorf("%s has the key %s", name, key)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}
