package naming

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// If an earlier member has the name, the first free number is added, also for the
// accessor.
func TestFieldNames(t *testing.T) {
	t.Parallel()
	n := newFieldNames(methodNames...)
	var got []string
	for _, name := range []string{"a", "a", "a4", "a", "a", "validate", "Validate"} {
		got = append(got, n.field(name, false))
	}
	for _, name := range []string{"b2_or_default", "b", "b", "b"} {
		got = append(got, n.field(name, name == "b"))
	}
	got = append(got, n.field("b", false))
	want := []string{"A", "A2", "A4", "A3", "A5", "ValidateField", "ValidateField2", "B2OrDefault", "B", "B3", "B4", "B2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// Counting continues where it stopped. To try each number again for each of these names
// would take too long.
func TestManyEqualFieldNames(t *testing.T) {
	t.Parallel()
	const fields = 500_000
	n, last := newFieldNames(), ""
	for range fields {
		last = n.field("a", false)
	}
	if want := "A" + strconv.Itoa(fields); last != want {
		t.Errorf("got %s, want %s", last, want)
	}
}
