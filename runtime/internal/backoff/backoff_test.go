package backoff_test

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

func TestPause(t *testing.T) {
	t.Parallel()
	const s = time.Second
	type pauses []time.Duration
	for name, test := range map[string]struct {
		shortest, longest time.Duration
		want              pauses
	}{
		"doubles":                   {s, 5 * s, pauses{s, s, 2 * s, 4 * s, 5 * s, 5 * s}},
		"the longest is a double":   {s, 4 * s, pauses{s, s, 2 * s, 4 * s, 4 * s, 4 * s}},
		"one length":                {s, s, pauses{s, s, s, s, s, s}},
		"the shortest is too long":  {2 * s, s, pauses{s, s, s, s, s, s}},
		"the longest is very long":  {1 << 61, math.MaxInt64, pauses{1 << 61, 1 << 61, 1 << 62, math.MaxInt64, math.MaxInt64, math.MaxInt64}},
		"there is no pause at all":  {0, 0, pauses{0, 0, 0, 0, 0, 0}},
		"the longest is very short": {1, 3, pauses{1, 1, 2, 3, 3, 3}},
	} {
		var got pauses
		for failures := range 6 {
			got = append(got, backoff.Pause(test.shortest, test.longest, failures))
		}
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
	if got := backoff.Pause(1, time.Hour, math.MaxInt); got != time.Hour {
		t.Errorf("after very many failures: %s", got)
	}
}

func TestJittered(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for range 1000 {
		got := backoff.Jittered(4, 20, 3)
		if got < 8 || got > 16 {
			t.Fatalf("a pause of %d, want 8 to 16", got)
		}
		seen[got] = true
	}
	if len(seen) < 2 {
		t.Error("the pauses are all the same")
	}
	if got := backoff.Jittered(0, 0, 9); got != 0 {
		t.Errorf("without a pause: %d", got)
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	if !backoff.Sleep(t.Context(), time.Millisecond) {
		t.Error("it did not wait")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if backoff.Sleep(ended, time.Hour) {
		t.Error("it waited, although the context had ended")
	}
}
