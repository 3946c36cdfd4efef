package relay

import (
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
)

// machine is the protocol of one relay without any I/O: next says what to do
// now, handle takes what became of it. It is deterministic, is owned by one
// goroutine, and knows no clock but the times it is given. Relay.Run drives it
// with goroutines; the simulation in the tests drives the same code from a
// random schedule.
type machine struct {
	cfg *Config
	off switches

	phase    phase
	stopping bool

	// The lease as a standby sees it: the state, and since when by the own clock.
	seen      LeaseState
	seenAt    time.Duration
	haveSeen  bool
	take      bool // take over from the state in seen
	observeAt time.Duration
	reached   bool // the store answered once

	// The own lease.
	lease    Lease
	deadline time.Duration // past it, nothing is produced or settled any more
	renewAt  time.Duration
	// The last renewal failed: the next one waits until renewAt, even one that
	// has a row to name.
	renewFailed bool
	release     *Lease // a term of our own that is over, to be given back

	t     *term
	busy  [numSlots]bool
	idles bool // the store can wait for rows

	notes []note // for the log, taken by whoever drives
}

// note is a line for the log.
type note struct {
	level slog.Level
	text  string
	attrs []slog.Attr
}

func (m *machine) say(level slog.Level, text string, attrs ...slog.Attr) {
	m.notes = append(m.notes, note{level, text, attrs})
}

type phase int

const (
	phaseStandby phase = iota
	phaseLeading
	// phaseDraining: asked to stop; the wave and its settlement are finished.
	phaseDraining
	// phaseEnding: the term is over; what is under way is cancelled and awaited.
	phaseEnding
	// phaseDone: stopped.
	phaseDone
)

// slot is what a command occupies until its outcome: at most one runs in each,
// except for waves when a switch is off.
type slot int

const (
	slotLease slot = iota
	slotRead
	slotTopics
	slotSend
	slotSettle
	slotIdle
	numSlots
)

// A command is one of the op types; outcome carries it back.
type command any

type (
	opObserve  struct{}
	opTakeOver struct {
		seen   LeaseState
		holder uuid.UUID
		sentAt time.Duration
	}
	opRenew struct {
		lease    Lease
		progress Progress
		sentAt   time.Duration
	}
	opRelease struct{ lease Lease }

	opReadHeld  struct{}
	opDecisions struct{ done []int64 }
	opSnapshot  struct{ edits bool } // edits: to look for rows that were edited
	opBacklog   struct {
		s       Snapshot
		after   int64
		limit   Limit
		suspect bool // one row, to be judged before anything is sent
	}
	opTick struct {
		from, to Snapshot
		after    int64
		limit    Limit
	}
	opAgain struct {
		s           Snapshot
		scope       Scope
		after, upTo int64
		limit       Limit
		catchUp     *catchUp
		anyLeft     *scope // not to catch up: only to see whether rows are left for this topic
	}

	opEdited struct {
		s, edits    Snapshot
		after, upTo int64
		limit       Limit
	}
	// opIdle waits until there may be rows to read. It has a slot of its own: a
	// wake-up is followed beside it.
	opIdle struct {
		read  Snapshot
		limit time.Duration
	}

	opTopics struct{ names []string }
	opOpen   struct{}
	opSend   struct {
		wave    *wave
		timeout time.Duration
	}
	opSettle struct{ settlement Settlement }
)

// outcome is what became of a command. Only the fields that belong to its op are
// set.
type outcome struct {
	op  command
	err error

	state     LeaseState  // opObserve
	lease     Lease       // opTakeOver
	renewal   Renewal     // opRenew
	moved     bool        // opIdle
	snapshot  Snapshot    // opSnapshot
	entries   []*entry    // opBacklog, opTick, opAgain
	more      bool        // the same
	end       int64       // opEdited: the seq up to which it has looked
	held      []HeldRow   // opReadHeld
	decisions []Decision  // opDecisions
	topics    []TopicInfo // opTopics
	results   []Result    // opSend
	producer  Producer    // opOpen
}

// switches turn rules of the protocol off, one each, for the tests that show what
// the rule is for. All are false outside of tests.
type switches struct {
	unboundedProduce bool // a wave may start while another is unresolved
	twoBatches       bool // a wave may hold several batches of a partition
	requeueLast      bool // rows that failed go behind those that wait
	noHold           bool // the key of a failed row is not held
	noReadAgain      bool // a released scope goes on without what was skipped
	noDeadline       bool // a leader trusts its lease until it is told otherwise
	countOutage      bool // an outage counts against rows
	noHalving        bool // all rows of a batch answer for one bad record
	earlyRelease     bool // a scope lets new rows pass before it has read the skipped ones
	noFallback       bool // a topic of which every partition is set aside does not pause
	notAlone         bool // a row that is named goes out with its neighbours
	keepSkipped      bool // rows of what waits stay in memory
	anyName          bool // a topic may have any name
	noEdits          bool // rows that an operator edits are not looked for
	editsAhead       bool // they are looked for in a tick that is still being read
	noFresh          bool // a list of held rows counts for what was settled since
}

func newMachine(cfg *Config) *machine { return &machine{cfg: cfg} }

// slotOf says which slot a command occupies.
func slotOf(c command) slot {
	switch c.(type) {
	case opObserve, opTakeOver, opRenew, opRelease:
		return slotLease
	case opTopics:
		return slotTopics
	case opOpen, opSend:
		return slotSend
	case opSettle:
		return slotSettle
	case opIdle:
		return slotIdle
	default:
		return slotRead
	}
}

// expired reports whether the own deadline has passed. Workers ask as well,
// right before they send or settle.
func (m *machine) expired(now time.Duration) bool {
	return now >= m.deadline && !m.off.noDeadline
}

// stop begins the clean end.
func (m *machine) stop() {
	m.stopping = true
	if m.phase == phaseLeading {
		m.phase = phaseDraining
	}
}

// abandon ends without draining: the time for a clean end is over.
func (m *machine) abandon() {
	m.stopping = true
	m.endTerm(nil, false)
}

// wake notes that rows may be waiting.
func (m *machine) wake() {
	if m.t != nil {
		m.t.woken = true
	}
}

// look notes that the lease may have been given back.
func (m *machine) look() {
	if m.phase == phaseStandby {
		m.observeAt = 0
	}
}

// next returns the commands to start now, and when to be called again at the
// latest if nothing happens before.
func (m *machine) next(now time.Duration) ([]command, time.Duration) {
	n := &agenda{m: m, now: now, at: now + time.Hour}
	if m.leads() && m.expired(now) {
		m.endTerm(errExpired, true)
	}
	if m.leads() {
		m.t.release(n)
		m.t.plan(n)
	}
	if m.phase == phaseDraining && m.t.drained() {
		m.endTerm(nil, true)
	}
	if m.phase == phaseEnding && !m.anyBusy() {
		m.t = nil
		m.phase = phaseStandby
	}
	m.planLease(n)
	return n.cmds, n.at
}

// agenda collects what next returns.
type agenda struct {
	m    *machine
	now  time.Duration
	at   time.Duration
	cmds []command
}

func (n *agenda) do(c command) {
	n.m.busy[slotOf(c)] = true
	n.cmds = append(n.cmds, c)
}

// due reports whether a time has come; if not, next is called again then.
func (n *agenda) due(at time.Duration) bool {
	if at <= n.now {
		return true
	}
	n.at = min(n.at, at)
	return false
}

func (m *machine) leads() bool { return m.phase == phaseLeading || m.phase == phaseDraining }

func (m *machine) anyBusy() bool {
	for _, b := range m.busy {
		if b {
			return true
		}
	}
	return false
}

var errExpired = errors.New("relay: the lease could not be renewed in time")

// endTerm ends the term, if there is one. giveBack says whether the lease may
// still be ours and is to be released.
func (m *machine) endTerm(cause error, giveBack bool) {
	if !m.leads() {
		return
	}
	m.phase = phaseEnding
	if cause != nil {
		m.say(slog.LevelWarn, "leadership ended", slog.Int64("epoch", m.lease.Epoch), slog.Any("cause", cause))
	} else {
		m.say(slog.LevelInfo, "leadership ended", slog.Int64("epoch", m.lease.Epoch))
	}
	m.haveSeen = false
	m.observeAt = 0
	if giveBack {
		l := m.lease
		m.release = &l
	}
}

// planLease fills the lease slot.
func (m *machine) planLease(n *agenda) {
	if m.leads() && !m.off.noDeadline && n.due(m.deadline) {
		n.at = n.now // expired while planning; next sees to it
	}
	if m.busy[slotLease] {
		return
	}
	switch m.phase {
	case phaseLeading, phaseDraining:
		rename := m.t.wantName != m.t.named
		if rename && !m.renewFailed || n.due(m.renewAt) {
			if rename {
				m.t.named = unknownName
			}
			n.do(opRenew{
				lease:    m.lease,
				progress: Progress{Settled: m.t.progress, Suspect: m.t.wantName},
				sentAt:   n.now,
			})
		}
	case phaseStandby:
		switch {
		case m.release != nil:
			if n.due(m.observeAt) {
				n.do(opRelease{lease: *m.release})
			}
		case m.stopping:
			m.phase = phaseDone
		case m.take:
			m.take = false
			n.do(opTakeOver{seen: m.seen, holder: m.cfg.NewHolder(), sentAt: n.now})
		case n.due(m.observeAt):
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
		m.observed(now, o)
	case opTakeOver:
		m.tookOver(now, op, o)
	case opRenew:
		m.renewed(now, op, o)
	case opRelease:
		m.observeAt = now
		m.released(now, o.err)
	default:
		if !m.leads() {
			return
		}
		if errors.Is(o.err, ErrLeaseLost) {
			m.endTerm(o.err, true)
			return
		}
		m.t.handle(now, o)
	}
}

// released takes the answer to giving the lease back. Whoever stops does not ask
// twice: the term runs out by itself.
func (m *machine) released(now time.Duration, err error) {
	if err == nil || errors.Is(err, ErrLeaseLost) || m.stopping {
		m.release = nil
		return
	}
	m.observeAt = now + m.pauseAfter(err)
}

func (m *machine) observed(now time.Duration, o outcome) {
	m.observeAt = now + m.pauseAfter(o.err)
	if o.err != nil {
		return
	}
	m.reached = true
	switch {
	case o.state.Holder == uuid.Nil:
		m.take = true
	case !m.haveSeen || o.state.Epoch != m.seen.Epoch || o.state.Beat != m.seen.Beat:
		m.seenAt = now
	case now-m.seenAt >= m.cfg.Term:
		m.take = true
	}
	m.seen, m.haveSeen = o.state, true
	if !m.take {
		if left := m.seenAt + m.cfg.Term; left > now {
			m.observeAt = min(m.observeAt, left)
		}
	}
}

func (m *machine) tookOver(now time.Duration, op opTakeOver, o outcome) {
	m.observeAt = now + m.pauseAfter(o.err)
	m.haveSeen = false
	if errors.Is(o.err, ErrLeaseMoved) {
		return
	}
	if o.err != nil {
		// It may have taken effect, unknown to us: then give it back.
		m.release = &Lease{Epoch: op.seen.Epoch + 1, Holder: op.holder}
		return
	}
	m.lease = o.lease
	m.deadline = op.sentAt + m.cfg.Term - m.cfg.TermMargin
	m.renewAt = op.sentAt + m.cfg.RenewEvery
	m.renewFailed = false
	m.phase = phaseLeading
	m.say(slog.LevelInfo, "became leader", slog.Int64("epoch", m.lease.Epoch),
		slog.Int("unclean_ends", m.lease.UncleanEnds), slog.Int64("suspect_seq", m.lease.Suspect))
	m.t = newTerm(m, now)
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
	m.renewFailed = o.err != nil
	if m.renewFailed {
		m.renewAt = now + m.cfg.RenewEvery/4
		return
	}
	m.deadline = op.sentAt + m.cfg.Term - m.cfg.TermMargin
	m.renewAt = op.sentAt + m.cfg.RenewEvery
	m.t.named = op.progress.Suspect
	if op.progress.Settled {
		m.t.progress = false
	}
	if o.renewal.Decided {
		m.t.reader.decisionsAt = now
	}
}
