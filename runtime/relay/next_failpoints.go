//go:build outboxfailpoints

package relay

import (
	"os"
	"strings"
	"time"
)

// next asks the machine for the next commands. This build shows what each rule is for.
// OUTBOXGEN_RULES_OFF can name rules to switch off: without bounded-waves, another wave
// may begin while one is unresolved. Command outboxchaos then finds the fault that the
// rule prevents.
func (d *driver) next(now time.Duration) ([]command, time.Duration) {
	m := d.m
	if strings.Contains(os.Getenv("OUTBOXGEN_RULES_OFF"), "bounded-waves") && m.leads() && m.t.sender.open {
		m.busy[slotSend] = false
		defer func() { m.busy[slotSend] = m.busy[slotSend] || m.t != nil && len(m.t.flow.queue.inflight) > 0 }()
	}
	return m.next(now)
}
