package chaos

import "testing"

// Every kind of faults has a name of its own, a lock, and something that causes it.
func TestEveryFaultHasAnAction(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, d := range new(run).deeds() {
		if seen[d.Name] || d.Name == "" {
			t.Errorf("the name %q is not unique", d.Name)
		}
		seen[d.Name] = true
		if d.lock == nil || d.do == nil {
			t.Errorf("nothing causes %q", d.Name)
		}
	}
}
