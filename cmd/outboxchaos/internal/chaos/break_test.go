package chaos

import (
	"testing"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
)

// Every fault happens once before any happens again. So the faults before the first
// repetition are all faults.
func TestEveryFaultHasAnAction(t *testing.T) {
	t.Parallel()
	schedule, seen := fault.New(1), map[fault.Fault]bool{}
	for {
		for _, f := range schedule.Next().Faults {
			f.Hold = 0
			if seen[f] {
				return
			}
			seen[f] = true
			if _, do := (&run{}).action(f.Kind); do == nil {
				t.Errorf("nothing causes %q", f)
			}
		}
	}
}
