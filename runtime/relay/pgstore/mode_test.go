package pgstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// A mode that no statement knows is an error, and its rows are neither marked nor
// deleted.
func TestSettlingInAnUnknownModeFails(t *testing.T) {
	t.Parallel()
	s := &Store{cfg: Config{Mode: "burn"}}
	_, published := s.settlePublished(t.Context(), nil, relay.Lease{}, relay.Settlement{Published: []int64{1}})
	_, failed := s.settleFailures(t.Context(), nil, relay.Lease{}, relay.Settlement{Failed: []relay.Failure{{Seq: 1}}})
	want := `pgstore: Config.Mode is "burn": use "mark" or "delete"`
	for _, err := range []error{published, failed} {
		if err == nil {
			t.Fatal("no error")
		}
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
	}
}
