package outbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestIDSet(t *testing.T) {
	t.Parallel()
	ids := make([]uuid.UUID, 10)
	for i := range ids {
		ids[i] = uuid.New()
	}
	var set idSet
	var got, want []bool
	for i, id := range ids {
		got = append(got, set.add(id), set.add(id), set.add(ids[i/2]))
		want = append(want, true, false, false)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
