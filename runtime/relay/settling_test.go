package relay

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A failed settlement is retried after growing pauses, and not ten times a second as
// long as something is wrong.
func TestPausesBetweenSettlementsGrow(t *testing.T) {
	t.Parallel()
	cfg := Config{}.WithDefaults()
	s := settler{cfg: &cfg}
	what, no := Settlement{Published: []int64{1}}, errors.New("no")
	var pauses []time.Duration
	for now := time.Duration(0); len(pauses) < 8; now = s.retryAt {
		s.answered(now, what, no)
		pauses = append(pauses, s.retryAt-now)
	}
	s.answered(time.Minute, what, nil)
	s.answered(time.Hour, what, no)
	pauses = append(pauses, s.retryAt-time.Hour)
	const ms = time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 100 * ms}
	if d := cmp.Diff(want, pauses); d != "" {
		t.Errorf("pauses (-want +got):\n%s", d)
	}
}
