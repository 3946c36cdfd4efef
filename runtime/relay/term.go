package relay

import "time"

// term is what a leader knows between taking the lease and losing it. Nothing outlives
// the term: the next leader starts again from the unsettled rows.
type term struct {
	flow   *flow
	reader *reader
	sender *sender
}

func newTerm(cfg *Config, log *journal, lease Lease, idles, tidies bool, now time.Duration) *term {
	f := newFlow(cfg, log, lease)
	return &term{flow: f, reader: newReader(f, idles, tidies, now), sender: &sender{cfg: cfg, log: log, f: f}}
}

// plan plans the commands of a leader. A leader that drains only settles.
func (t *term) plan(n *agenda, draining bool) {
	t.flow.waits.endDue(n)
	if !n.busy[slotSettle] {
		t.flow.settler.plan(n, t.reader.acted)
	}
	if draining {
		return
	}
	if !n.busy[slotSend] {
		t.sender.plan(n)
	}
	if t.sender.open && !n.busy[slotTopics] {
		if names := t.flow.targets.toDescribe(n); len(names) > 0 {
			n.do(opTopics{names})
		}
	}
	if !n.busy[slotRead] {
		t.reader.plan(n)
	}
	if !n.busy[slotIdle] {
		t.reader.planIdle(n)
	}
	if !n.busy[slotSearch] {
		t.reader.planSearch(n)
	}
}

func (t *term) drained() bool {
	return len(t.flow.queue.inflight) == 0 && t.flow.settler.drained()
}

// ending says why a term is over, and whether the lease may have to be released.
type ending struct {
	cause    error
	giveBack bool
}

// handle takes the outcome of a term's command. reading is true if a read is under way.
// It returns an ending if the outcome ends the term, or nil.
func (t *term) handle(now time.Duration, o outcome, reading bool) *ending {
	switch op := o.op.(type) {
	case opSettle:
		t.flow.settlement(now, op.settlement, o.err, reading)
	case opOpen:
		t.sender.opened(now, o.err)
	case opTopics:
		if o.err != nil {
			t.flow.targets.pauseAll(t.sender.outage(now, o.err))
			break
		}
		for _, info := range o.topics {
			t.flow.targets.learned(now, info)
		}
	case opSend:
		if o.err != nil {
			// The sink panicked. This is treated as the relay's death: the outcome of
			// the wave is unknown. If it happens again, the row that causes it is
			// found.
			return &ending{cause: o.err}
		}
		if err := t.sender.resolved(now, op.wave, o.results); err != nil {
			return &ending{cause: err, giveBack: true}
		}
	case opIdle:
		t.reader.waited(now, o)
	case opSearch:
		t.reader.searched(now, o)
	default:
		t.reader.handle(now, o)
		t.flow.queue.readEnded()
	}
	return nil
}
