package fault

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestASeedIsASchedule(t *testing.T) {
	t.Parallel()
	a, b, c := New(7), New(7), New(8)
	var same, other []Step
	for range 100 {
		step := a.Next()
		if diff := cmp.Diff(step, b.Next()); diff != "" {
			t.Fatalf("two schedules of one seed differ (-want +got):\n%s", diff)
		}
		same, other = append(same, step), append(other, c.Next())
	}
	if cmp.Equal(same, other) {
		t.Error("another seed gives the same schedule")
	}
}

func TestEveryFaultComesBeforeAnyComesAgain(t *testing.T) {
	t.Parallel()
	s := New(1)
	seen := map[Fault]bool{}
	for range len(all()) {
		seen[s.draw()] = true
	}
	if len(seen) != len(all()) {
		t.Errorf("%d of %d faults came", len(seen), len(all()))
	}
}
