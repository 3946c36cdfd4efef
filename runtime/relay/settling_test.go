package relay

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A settlement that fails is tried again after pauses that grow, and is not asked for
// ten times a second as long as something is wrong.
func TestPausesBetweenSettlementsGrow(t *testing.T) {
	t.Parallel()
	cfg := Config{}.WithDefaults()
	m := newMachine(&cfg)
	m.t = newTerm(m, 0)
	op := opSettle{Settlement{Published: []int64{1}}}
	failed := outcome{op: op, err: errors.New("no")}
	var pauses []time.Duration
	for now := time.Duration(0); len(pauses) < 8; now = m.t.settleAt {
		m.t.settled(now, op, failed)
		pauses = append(pauses, m.t.settleAt-now)
	}
	m.t.settled(time.Minute, op, outcome{op: op})
	m.t.settled(time.Hour, op, failed)
	pauses = append(pauses, m.t.settleAt-time.Hour)
	const ms = time.Millisecond
	want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 100 * ms}
	if d := cmp.Diff(want, pauses); d != "" {
		t.Errorf("pauses (-want +got):\n%s", d)
	}
}
