package shape_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/format"
)

// Every format of package format is checked: by the code of a string's type, or by a
// rule if the Go type comes from another format.
func TestFormatsAreChecked(t *testing.T) {
	t.Parallel()
	for _, name := range format.Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone, found := typesOf(t, fmt.Sprintf(`{"type":"string","format":%q}`, name))
			beside, more := typesOf(t, fmt.Sprintf(`{"type":"string","format":"uuid","allOf":[{"format":%q}]}`, name))
			got := []string{describe(alone), describe(beside)}
			if diff := cmp.Diff([]string{"string " + name, "uuid.UUID check(format)"}, got); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
			for _, f := range append(found, more...) {
				t.Error(f)
			}
		})
	}
}
