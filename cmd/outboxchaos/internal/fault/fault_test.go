package fault

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
)

var kinds = []Kind{
	{Name: "kill", Points: instance.ReleaseStages()[:2], High: time.Second},
	{Name: "cut", Weathers: []Weather{Cut, LongSilent}, Low: time.Second, High: 2 * time.Second},
	{Name: "end"},
}

func TestASeedIsASchedule(t *testing.T) {
	t.Parallel()
	a, b, c := New(7, kinds), New(7, kinds), New(8, kinds)
	var same, other []Step
	for range 100 {
		step := a.Next()
		if diff := cmp.Diff(step, b.Next(), cmp.AllowUnexported(Fault{})); diff != "" {
			t.Fatalf("two schedules of one seed differ (-want +got):\n%s", diff)
		}
		same, other = append(same, step), append(other, c.Next())
	}
	if cmp.Equal(same, other, cmp.AllowUnexported(Fault{})) {
		t.Error("another seed gives the same schedule")
	}
}

func TestEveryFaultComesBeforeAnyComesAgain(t *testing.T) {
	t.Parallel()
	s := New(1, kinds)
	seen := map[Fault]bool{}
	for range len(s.from) {
		seen[s.draw()] = true
	}
	if len(seen) != 5 || len(seen) != len(s.from) {
		t.Errorf("%d of %d faults came", len(seen), len(s.from))
	}
}
