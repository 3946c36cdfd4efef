package relay

import (
	"log/slog"
	"time"
)

// term is what a leader knows between taking the lease and losing it. Nothing of
// it outlives the term: the next leader begins again from the unsettled rows.
type term struct {
	m   *machine
	cfg *Config

	topics map[string]*topic
	order  []*topic // by name: no decision may depend on the order of a map
	holds  map[keyID]*scope
	scopes int              // keys, partitions and topics that wait
	heldBy map[int64]*scope // the rows that hold them
	timers timers
	arrive int64 // entries so far

	reader reader

	// Rows in memory: queued, in flight, or sent and not settled. recent has those
	// settled while a read is under way, whose page may still show them.
	mem    map[int64]struct{}
	recent map[int64]struct{}
	queued int
	bytes  int64 // of queued and in-flight rows

	// Sending.
	open        bool
	ready       []*partition // with rows queued, in turn
	inflight    []*wave
	flying      int // rows in flight
	outageUntil time.Duration
	outageTries int
	outageErr   error
	describeAt  time.Duration
	sent        int64 // rows sent in this term
	woken       bool

	// Settling.
	published []int64
	failures  []Failure
	settling  bool
	settleAt  time.Duration
	retry     *Settlement // its outcome is unknown
	retries   int         // in a row

	// The lease row's view: progress since the last renewal, the row named there
	// as a suspect, and the one that should be.
	progress       bool
	named          int64
	wantName       int64
	singles        int  // rows still to be named and sent alone
	suspectPending bool // the inherited suspect has not been judged
}

func newTerm(m *machine, now time.Duration) *term {
	t := &term{
		m: m, cfg: m.cfg,
		topics: map[string]*topic{}, holds: map[keyID]*scope{}, heldBy: map[int64]*scope{},
		mem: map[int64]struct{}{}, recent: map[int64]struct{}{},
		named: m.lease.Suspect, wantName: m.lease.Suspect,
		suspectPending: m.lease.Suspect != 0,
	}
	if m.lease.UncleanEnds >= uncleanEndsBeforeSuspicion {
		t.singles = t.waveRows()
	}
	t.reader = newReader(t, now)
	return t
}

// uncleanEndsBeforeSuspicion is how many take-overs after an unclean end, with no
// progress between them, make a leader suspect that a row kills it.
const uncleanEndsBeforeSuspicion = 3

// unknownName stands for the row that the lease row names until a renewal that
// changes it is answered.
const unknownName = -1

// waveRows bounds a wave, so that reading ahead has room while it is under way, and
// that one can be sent while the former is settled.
func (t *term) waveRows() int { return max(1, min(t.cfg.BufferRows, t.cfg.UnsettledRows)/2) }

// room is how many rows the next wave may have: with those that are not settled they
// must not be more than UnsettledRows. It is 0 while only a small wave would fit,
// and more rows wait.
func (t *term) room() int {
	room := min(t.waveRows(), t.cfg.UnsettledRows-t.unsettled())
	if room < t.waveRows() && room < t.queued {
		return 0
	}
	return room
}

// unsettled counts the rows that were sent and not settled.
func (t *term) unsettled() int { return len(t.mem) - t.queued - t.flying }

// plan fills the slots of a leader.
func (t *term) plan(n *agenda) {
	m := t.m
	draining := m.phase == phaseDraining
	if !m.busy[slotSettle] {
		t.planSettle(n)
	}
	if draining {
		return
	}
	if !m.busy[slotSend] || (m.off.unboundedProduce && t.open) {
		t.planSend(n)
	}
	if t.open && !m.busy[slotTopics] {
		t.planTopics(n)
	}
	if !m.busy[slotRead] {
		t.reader.plan(n)
	}
	if !m.busy[slotIdle] {
		t.reader.planIdle(n)
	}
}

func (t *term) planSettle(n *agenda) {
	if t.retry != nil {
		if n.due(t.settleAt) {
			t.retry.Decided = t.reader.acted()
			n.do(opSettle{*t.retry})
		}
		return
	}
	if len(t.published) == 0 && len(t.failures) == 0 {
		return
	}
	k := min(len(t.published), t.cfg.SettleRows)
	f := min(len(t.failures), t.cfg.SettleRows)
	s := Settlement{Published: t.published[:k:k], Failed: t.failures[:f:f]}
	if f > 0 {
		s.Decided = t.reader.acted()
	}
	t.published, t.failures = t.published[k:], t.failures[f:]
	t.settling = true
	n.do(opSettle{s})
}

func (t *term) drained() bool {
	return len(t.inflight) == 0 && !t.settling && t.retry == nil &&
		len(t.published) == 0 && len(t.failures) == 0
}

func (t *term) planSend(n *agenda) {
	if !n.due(t.outageUntil) {
		return
	}
	if !t.open {
		n.do(opOpen{})
		return
	}
	room := t.room()
	if room <= 0 {
		return // settling has fallen behind
	}
	if w := t.assemble(room); w != nil {
		t.inflight = append(t.inflight, w)
		t.flying += w.rows
		timeout := t.cfg.WaveTimeout
		if w.probe {
			timeout /= probeShare
		}
		n.do(opSend{w, timeout})
	}
}

// probeShare divides the wave timeout for partitions that failed before and have
// taken nothing since: while they do not answer, everything waits.
const probeShare = 5

func (t *term) planTopics(n *agenda) {
	if !n.due(t.describeAt) {
		return
	}
	var names []string
	for _, tp := range t.order {
		if tp.invalid {
			continue
		}
		idle := tp.info != nil && !tp.describe
		if idle && tp.used && n.due(tp.infoAt+t.cfg.TopicsEvery) {
			idle = false
		}
		if !idle && (tp.info != nil || tp.describe || len(tp.waiting) > 0) {
			names = append(names, tp.name)
			tp.used = false
		}
	}
	if len(names) > 0 {
		n.do(opTopics{names})
	}
}

// release looks at everything whose time to wait is over.
func (t *term) release(n *agenda) {
	for {
		s, at, ok := t.timers.first()
		if !ok {
			return
		}
		if !n.due(at) {
			return
		}
		t.timers.pop()
		if s.state != waiting || s.until != at {
			continue
		}
		if s.kind == scopeKey {
			t.readyScope(s)
		} else {
			s.topic.describe = true
		}
	}
}

// handle takes the outcome of a term's command.
func (t *term) handle(now time.Duration, o outcome) {
	switch op := o.op.(type) {
	case opSettle:
		t.settled(now, op, o)
	case opOpen:
		if o.err != nil {
			t.outage(now, o.err)
			return
		}
		t.open = true
	case opTopics:
		if o.err != nil {
			t.outage(now, o.err)
			t.describeAt = t.outageUntil
			return
		}
		for _, info := range o.topics {
			t.learned(now, info)
		}
	case opSend:
		if o.err != nil {
			// The sink panicked. That is treated as the relay's death: what became of the
			// wave is unknown, and if it happens again the row that is to blame is found.
			t.m.endTerm(o.err, false)
			return
		}
		t.resolved(now, op.wave, o.results)
	case opIdle:
		t.reader.waited(now, o)
	default:
		t.reader.handle(now, o)
		clear(t.recent)
	}
}

// outage notes that Kafka is unavailable.
func (t *term) outage(now time.Duration, err error) {
	t.outageUntil = now + backoff(t.cfg.OutageMin, t.cfg.OutageMax, t.outageTries)
	t.outageTries++
	t.outageErr = err
}

func (t *term) settled(now time.Duration, op opSettle, o outcome) {
	if o.err != nil {
		t.retry = &op.settlement
		t.settleAt = now + backoff(t.cfg.OutageMin, t.cfg.OutageMax, t.retries)
		t.retries++
		return
	}
	t.retry, t.retries = nil, 0
	t.settling = false
	reading := t.m.busy[slotRead]
	for _, seq := range op.settlement.Published {
		delete(t.mem, seq)
		if reading {
			t.recent[seq] = struct{}{}
		}
	}
	if len(op.settlement.Published) > 0 {
		t.progress = true
	}
	for _, f := range op.settlement.Failed {
		if f.Dead && reading {
			t.recent[f.Seq] = struct{}{}
		}
		t.failureSettled(now, f)
	}
}

// failureSettled starts the wait of a failed row, or releases the key of a dead
// one.
func (t *term) failureSettled(now time.Duration, f Failure) {
	if t.suspectPending && f.Seq == t.m.lease.Suspect {
		t.suspectJudged()
	}
	s := t.heldBy[f.Seq]
	if s == nil {
		return
	}
	r := s.rows[f.Seq]
	r.settled, r.fresh = true, t.m.busy[slotRead]
	r.until = now + f.RetryIn
	if r.dead && !r.blocked {
		t.letGo(s, f.Seq)
	}
	t.schedule(s)
}

func (t *term) suspectJudged() {
	t.suspectPending = false
	if t.wantName == t.m.lease.Suspect {
		t.wantName = 0
	}
}

// fail counts a failure against one row and holds its key.
func (t *term) fail(e *entry, err error) {
	attempt := e.row.RetryCount + 1
	dead := attempt >= t.cfg.MaxAttempts
	delete(t.mem, e.row.Seq)
	t.failures = append(t.failures, Failure{
		Seq: e.row.Seq, Err: shorten(err.Error()), RetryCount: attempt, Dead: dead,
		RetryIn: backoff(t.cfg.RetryMin, t.cfg.RetryMax, attempt-1),
	})
	t.sayFailed(e, attempt, dead, err)
	s := t.hold(e)
	r := &heldRow{dead: dead, blocked: dead && t.cfg.policy(e.row.EventType) == Block}
	t.holdRow(s, e.row.Seq, r)
	if !dead || r.blocked {
		s.note(e.row.Seq)
	}
	if t.m.off.noHold {
		return
	}
	t.dropKey(e)
}

func (t *term) sayFailed(e *entry, attempt int, dead bool, err error) {
	level, what := slog.LevelWarn, "row failed, retrying; its key is held until the next attempt"
	if dead {
		level, what = slog.LevelError, "row dead-lettered: replay or discard it"
	}
	attrs := []slog.Attr{
		slog.Int64("seq", e.row.Seq), slog.String("event_id", e.row.ID.String()),
		slog.String("event_type", e.row.EventType), slog.String("topic", e.row.Topic),
		slog.Int("attempt", attempt), slog.Any("error", err),
	}
	for _, h := range e.headers {
		if h.Key == "trace_id" {
			attrs = append(attrs, slog.String("correlation_id", string(h.Value)))
		}
	}
	t.m.say(level, what, attrs...)
}

// maxErrorLength bounds last_error.
const maxErrorLength = 2_000

func shorten(s string) string {
	if len(s) <= maxErrorLength {
		return s
	}
	return s[:maxErrorLength] + "…"
}

// backoff doubles from low to high.
func backoff(low, high time.Duration, tries int) time.Duration {
	if tries > 40 || low<<tries <= 0 || low<<tries > high {
		return high
	}
	return low << tries
}
