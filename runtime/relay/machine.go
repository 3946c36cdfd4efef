package relay

import (
	"errors"
	"log/slog"
	"time"
)

// machine is the protocol of one relay without any I/O: next says what to do now, and
// handle takes the outcome. It is deterministic, is owned by one goroutine, and has no
// clock but the times it is given. Relay.Run drives it with goroutines; the simulation
// in the tests drives the same code from a random schedule.
//
// Each part refers only to parts below it:
//
//	machine      who leads: seenLease, ownLease
//	   ▼
//	term         one term
//	   ▼
//	reader       what is read: poller,             sender    what is sent
//	   ▼         editor, tidier                      ▼
//	flow         outcomes of rows: settler, suspect
//	   ▼
//	targets      which topics and partitions can be written
//	   ▼
//	waits        what waits: heldKeys, timers
//	   ▼
//	queue        the rows in memory: topics
type machine struct {
	cfg *Config
	log journal

	phase    phase
	stopping bool
	seen     seenLease
	own      ownLease

	t      *term
	busy   slots
	idles  bool // the store can wait for rows
	tidies bool // the store is a Tidier
}

type phase int

const (
	phaseStandby phase = iota
	phaseLeading
	// phaseDraining: asked to stop; finishes the wave and its settlement.
	phaseDraining
	// phaseEnding: the term is over; cancels commands and waits for them.
	phaseEnding
	// phaseDone: stopped.
	phaseDone
)

func newMachine(cfg *Config) *machine {
	return &machine{cfg: cfg, seen: seenLease{cfg: cfg}, own: ownLease{cfg: cfg}}
}

// stop begins the clean end.
func (m *machine) stop() {
	m.stopping = true
	if m.phase == phaseLeading {
		m.phase = phaseDraining
	}
}

// abandon ends without draining, because the time for a clean end is over.
func (m *machine) abandon() {
	m.stopping = true
	m.endTerm(nil, false)
}

// wake records that rows may be waiting.
func (m *machine) wake() {
	if m.t != nil {
		m.t.reader.wake()
	}
}

// look records that the lease may have been released.
func (m *machine) look() {
	if m.phase == phaseStandby {
		m.seen.lookAt = 0
	}
}

// next returns the commands to start now, and the time of the next call if nothing
// happens before.
func (m *machine) next(now time.Duration) ([]command, time.Duration) {
	n := &agenda{busy: &m.busy, now: now, at: now + time.Hour}
	if m.leads() && m.own.expired(now) {
		m.endTerm(errExpired, true)
	}
	if m.leads() {
		m.t.plan(n, m.phase == phaseDraining)
	}
	if m.phase == phaseDraining && m.t.drained() {
		m.endTerm(nil, true)
	}
	if m.phase == phaseEnding && !m.busy.any() {
		m.t = nil
		m.phase = phaseStandby
	}
	m.planLease(n)
	return n.cmds, n.at
}

func (m *machine) leads() bool { return m.phase == phaseLeading || m.phase == phaseDraining }

var errExpired = errors.New("relay: the lease could not be renewed in time")

// endTerm ends the term, if there is one. giveBack says whether the lease may still be
// ours and has to be released.
func (m *machine) endTerm(cause error, giveBack bool) {
	if !m.leads() {
		return
	}
	m.phase = phaseEnding
	if cause != nil {
		m.log.say(slog.LevelWarn, "leadership ended", slog.Int64("epoch", m.own.lease.Epoch), slog.Any("cause", cause))
	} else {
		m.log.say(slog.LevelInfo, "leadership ended", slog.Int64("epoch", m.own.lease.Epoch))
	}
	m.seen.forget(0)
	if giveBack {
		l := m.own.lease
		m.own.giveBack = &l
	}
}

// planLease plans the command for the lease.
func (m *machine) planLease(n *agenda) {
	if m.leads() && n.due(m.own.deadline) {
		n.at = n.now // expired while planning; next handles it
	}
	if m.busy[slotLease] {
		return
	}
	switch m.phase {
	case phaseLeading, phaseDraining:
		if m.own.toRenew(n, m.t.flow.suspect.toName()) {
			n.do(opRenew{lease: m.own.lease, progress: m.t.flow.progress(), sentAt: n.now})
		}
	case phaseStandby:
		switch {
		case m.own.giveBack != nil:
			if n.due(m.seen.lookAt) {
				n.do(opRelease{lease: *m.own.giveBack})
			}
		case m.stopping:
			m.phase = phaseDone
		case m.seen.take:
			m.seen.take = false
			n.do(opTakeOver{seen: m.seen.state, holder: m.cfg.NewHolder(), sentAt: n.now})
		case n.due(m.seen.lookAt):
			n.do(opObserve{})
		}
	case phaseEnding, phaseDone:
	}
}

// handle takes the outcome of a command that next returned.
func (m *machine) handle(now time.Duration, o outcome) {
	m.busy[slotOf(o.op)] = false
	switch op := o.op.(type) {
	case opObserve:
		m.seen.observed(now, o.state, o.err)
	case opTakeOver:
		m.tookOver(now, op, o)
	case opRenew:
		m.renewed(now, op, o)
	case opRelease:
		m.released(now, o.err)
	default:
		if !m.leads() {
			return
		}
		if errors.Is(o.err, ErrLeaseLost) {
			m.endTerm(o.err, true)
			return
		}
		if end := m.t.handle(now, o, m.busy[slotRead]); end != nil {
			m.endTerm(end.cause, end.giveBack)
		}
	}
}

// released handles the result of releasing the lease. A relay that stops does not try
// twice; the lease then expires.
func (m *machine) released(now time.Duration, err error) {
	m.seen.lookAt = now
	if err == nil || errors.Is(err, ErrLeaseLost) || m.stopping {
		m.own.giveBack = nil
		return
	}
	m.seen.lookAt += m.seen.pauseAfter(err)
}

func (m *machine) tookOver(now time.Duration, op opTakeOver, o outcome) {
	m.seen.forget(now + m.seen.pauseAfter(o.err))
	if errors.Is(o.err, ErrLeaseMoved) {
		return
	}
	if o.err != nil {
		// The take-over may have succeeded although its answer was lost, so release the
		// lease.
		m.own.giveBack = &Lease{Epoch: op.seen.Epoch + 1, Holder: op.holder}
		return
	}
	m.own.begin(o.lease, op.sentAt)
	m.phase = phaseLeading
	m.log.say(slog.LevelInfo, "became leader", slog.Int64("epoch", o.lease.Epoch),
		slog.Int("unclean_ends", o.lease.UncleanEnds), slog.Int64("suspect_seq", o.lease.Suspect))
	m.t = newTerm(m.cfg, &m.log, o.lease, m.idles, m.tidies, now)
	if m.stopping {
		m.phase = phaseDraining
	}
}

func (m *machine) renewed(now time.Duration, op opRenew, o outcome) {
	if !m.leads() {
		return
	}
	if errors.Is(o.err, ErrLeaseLost) {
		m.endTerm(o.err, true)
		return
	}
	m.own.renewed(now, op.sentAt, o.err)
	if o.err != nil {
		return
	}
	m.t.flow.told(op.progress)
	m.t.reader.pausesAre(o.renewal.Pauses)
	if o.renewal.Decided {
		m.t.reader.decisions(now)
	}
}
