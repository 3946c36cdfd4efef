package relay

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// After a refused call for the lease, the relay waits longer than after an error that
// may be temporary.
func TestARefusedLeaseWaits(t *testing.T) {
	t.Parallel()
	cfg := Config{Name: "t"}.WithDefaults()
	refused := fmt.Errorf("store: %w", ErrRefused)
	for _, c := range []struct {
		name string
		err  error
		want time.Duration
	}{
		{"refused", refused, refusedPause},
		{"failed", errors.New("connection reset"), cfg.ObserveEvery},
	} {
		for _, o := range []outcome{
			{op: opObserve{}, err: c.err},
			{op: opTakeOver{}, err: c.err},
			{op: opRelease{}, err: c.err},
		} {
			t.Run(fmt.Sprintf("%s %T", c.name, o.op), func(t *testing.T) {
				t.Parallel()
				m := newMachine(&cfg)
				m.own.giveBack = &Lease{Epoch: 1}
				const now = time.Hour
				m.handle(now, o)
				if cmds, _ := m.next(now + c.want - 1); len(cmds) > 0 {
					t.Errorf("asked again too early: %T", cmds[0])
				}
				if cmds, _ := m.next(now + c.want); len(cmds) != 1 {
					t.Errorf("%d calls when the pause is over, want 1", len(cmds))
				}
			})
		}
	}
}
