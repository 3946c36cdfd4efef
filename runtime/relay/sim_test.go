package relay

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// The simulation runs the machines of several relays against an outbox and a broker in
// memory. One seed decides everything: what writers do, when a call takes effect and
// when its answer comes, what fails, who is suspended or killed, and how time passes.
// After a while the faults stop and everything has to finish.
type sim struct {
	simOptions
	rng    *rand.Rand
	now    time.Duration
	store  *memStore
	broker *simBroker
	relays []*simRelay
	ids    uint64

	writers []*simWriter
	delayed []*simDelayed
	delayer []interface{ step() } // move and cancel delayed events
	locks   map[string]bool
	keyRows map[string][]*memRow // by topic and key, in the order of commits

	strays     int      // batches of a missing topic that were handed over, since the faults stopped
	stragglers []func() // statements whose caller is gone
	calm       bool
	refused    bool          // a relay does not start
	left       bool          // the clean end in the calm has been asked for
	leftAt     time.Duration // when it was done, until another leads
	found      *violation
	compared   bool // see simOptions.compares
	log        []string
}

// simOptions are the choices of a test.
type simOptions struct {
	seed    uint64
	without string // the rule that is off; "": none
	policy  Policy
	killer  bool // one row kills whoever sends it
	grow    bool // topics get more partitions, so no order is promised
	async   bool // writers commit without waiting for the disk, and the server crashes
	sick    bool // part of a topic cannot be written until everything else is delivered
	wide    bool // rows of very different sizes
	hang    bool // a leader is suspended forever while it settles
	upgrade bool // rows are there from before an upgrade
	forget  bool // the server fails over right after a take-over, and forgets it
	named   bool // the terms of an instance have the same holder; statements outlive their callers
	drift   bool // one relay's clock is slow, the other's is fast
	stall   bool // a client that was handed a row of a missing topic sends nothing else
	names   bool // some rows have invalid topics
	edits   bool // an operator edits and deletes rows that wait
	pairs   bool // two at a time
	forgot  bool // an operator takes rows out of every index
	pauses  bool // an operator pauses and resumes topics
	// some rows are inserted under a savepoint, and so look edited
	savepoints bool
	delays     bool       // some events are delayed
	chosen     bool       // rows name partitions, also such that their topic does not have
	inLog      bool       // the outbox is a log
	replaces   bool       // the sequence of a log is replaced, or set back
	table      func(*sim) // the initial state of the outbox
	// compares counts the schedules in which rows of different eras are compared after a repair.
	compares *atomic.Int64
	verbose  bool
}

// off reports whether a rule is switched off.
func (o *simOptions) off(rule string) bool { return o.without == rule }

type violation struct{ kind, detail string }

func (v *violation) String() string { return v.kind + ": " + v.detail }

const (
	simSteps  = 600
	simCalm   = 60_000
	simRows   = 30
	simTopics = 2
	simParts  = 2
	simLook   = 10 // rows that a page looks at
)

func newSim(o simOptions) *sim {
	s := &sim{
		simOptions: o,
		rng:        rand.New(rand.NewPCG(o.seed, 1)),
		locks:      map[string]bool{},
		keyRows:    map[string][]*memRow{},
	}
	s.store = newMemStore(func() time.Duration { return s.now })
	s.store.without, s.store.savepoints, s.store.look = o.without, o.savepoints, simLook
	s.store.onSettle = func(l Lease, current bool, st Settlement) {
		if !current {
			s.violate("unfenced", "epoch %d settled %v after its term", l.Epoch, st)
		}
	}
	s.store.low.onMove = func(l Lease) { s.violate("unfenced", "epoch %d moved the low-water mark after its term", l.Epoch) }
	s.store.onRenew = func(l Lease) { s.violate("unfenced", "epoch %d renewed after its term", l.Epoch) }
	s.broker = &simBroker{s: s, logs: map[simPart]*simLog{}, delivered: map[uuid.UUID]int{}, down: map[simPart]bool{}, missing: map[string]bool{}, parts: map[string]int{}}
	for i := range simTopics {
		s.broker.parts[s.topicName(i)] = simParts
	}
	for i := range 2 {
		s.relays = append(s.relays, s.newRelay(i))
	}
	s.watch()
	for range 3 {
		s.writers = append(s.writers, &simWriter{s: s})
	}
	if s.delays {
		s.delayer = []interface{ step() }{&simMover{s: s}, &simMover{s: s}, &simCanceller{s: s}}
	}
	s.sicken()
	return s
}

// sicken takes away one partition of a topic, all of them, or the topic.
func (s *sim) sicken() {
	if !s.sick {
		return
	}
	name := s.topicName(0)
	kind := s.seed / 3 % 3
	s.broker.missing[name] = kind == 0
	s.broker.down[simPart{name, 0}] = kind > 0
	s.broker.down[simPart{name, 1}] = kind > 1
}

// suffers reports whether a row has to wait for the sick part.
func (s *sim) suffers(r *memRow) bool {
	if s.store.pauseOf(r.Topic) != nil {
		return true
	}
	if !s.sick || r.Topic != s.topicName(0) {
		return false
	}
	switch {
	case s.seed/3%3 != 1:
		return true
	case r.Partition != nil:
		return *r.Partition%simParts == 0
	}
	return r.Key != nil && simSink{}.Partition([]byte(*r.Key), simParts) == 0
}

// heal ends the sickness.
func (s *sim) heal() {
	s.say("healed")
	s.sick = false
	clear(s.broker.down)
	clear(s.broker.missing)
}

func (s *sim) violate(kind, format string, args ...any) {
	if s.found == nil {
		s.found = &violation{kind, fmt.Sprintf(format, args...)}
	}
}

func (s *sim) chance(p float64) bool { return s.rng.Float64() < p }

func (s *sim) say(format string, args ...any) {
	if s.verbose {
		s.log = append(s.log, fmt.Sprintf("%8.3f ", s.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

// run plays one schedule and returns what it found, or nil.
func (s *sim) run() *violation {
	for i := 0; i < simSteps && s.found == nil && !s.refused; i++ {
		s.step()
	}
	s.calmDown()
	for i := 0; i < simCalm && s.found == nil && !s.refused; i++ {
		s.handOver()
		if s.finished() {
			switch {
			case s.found != nil:
				return s.found
			case s.sick:
				s.heal()
			case len(s.store.pauses) > 0:
				s.resumeAll()
			default:
				return nil
			}
		}
		s.step()
	}
	if s.found == nil && !s.refused {
		s.stuck()
	}
	return s.found
}

func (s *sim) step() {
	if s.delays && s.chance(0.2) {
		s.delayer[s.rng.IntN(len(s.delayer))].step()
		return
	}
	if s.replaces && !s.calm && s.chance(0.01) {
		s.setBack()
	}
	if s.pauses && !s.calm && s.chance(0.01) {
		s.pauseSome()
	}
	switch x := s.rng.IntN(100); {
	case x < 18:
		s.writers[s.rng.IntN(len(s.writers))].step()
	case x < 62:
		r := s.relays[s.rng.IntN(len(s.relays))]
		r.step()
	case x < 78:
		s.broker.step()
	case x < 97 || s.calm:
		s.advance()
	default:
		s.fault()
	}
}

// setBack sets the sequence back, or replaces it, unless an insert is under way.
func (s *sim) setBack() {
	if len(s.store.low.writers) > 0 || s.store.lastSeq == 0 {
		return
	}
	s.store.setsBack(s.rng.Int64N(s.store.lastSeq), s.chance(0.3))
	s.say("the sequence is set back to %d", s.store.lastSeq)
}

// advance moves time to the next event, or part of the way.
func (s *sim) advance() {
	next := s.now + time.Second
	for _, r := range s.relays {
		if !r.frozen {
			next = min(next, r.wakeAt)
		}
		for _, op := range r.pending {
			if op.started && !r.frozen {
				next = min(next, op.deadline)
			}
		}
	}
	if next > s.now {
		if s.busy() && (s.chance(0.95) || s.leftAt > 0) {
			next = min(next, s.now+time.Duration(1+s.rng.IntN(20))*time.Millisecond)
		}
		s.now = next
	}
	if s.chance(0.1) {
		s.store.flush() // the WAL writer
	}
	if len(s.stragglers) > 0 && s.chance(0.05) {
		s.stragglers[0]()
		s.stragglers = s.stragglers[1:]
	}
	for _, r := range s.relays {
		r.timers()
		r.sweep()
	}
}

// busy reports whether something could happen without time passing.
func (s *sim) busy() bool {
	for _, r := range s.relays {
		if !r.frozen && len(r.pending) > 0 {
			return true
		}
	}
	return false
}

func (s *sim) fault() {
	r := s.relays[s.rng.IntN(len(s.relays))]
	kinds := 11
	if s.edits {
		kinds = 16
	}
	if s.pairs || s.forgot {
		kinds = 40
	}
	switch s.rng.IntN(kinds) {
	case 0:
		s.say("relay %d killed", r.id)
		r.kill()
	case 1, 2:
		r.freeze(!r.frozen)
		s.say("relay %d frozen %v", r.id, r.frozen)
		if r.frozen && s.chance(0.5) {
			s.now += time.Duration(1_000+s.rng.IntN(3_000)) * time.Millisecond // perhaps for longer than its term
		}
	case 3:
		s.broker.outage = !s.broker.outage
		s.say("outage %v", s.broker.outage)
	case 4:
		p := simPart{s.topicName(s.rng.IntN(simTopics)), int32(s.rng.IntN(simParts))}
		s.broker.down[p] = !s.broker.down[p]
		s.say("%v down %v", p, s.broker.down[p])
	case 5:
		t := s.topicName(s.rng.IntN(simTopics))
		s.broker.missing[t] = !s.broker.missing[t]
		s.say("%s missing %v", t, s.broker.missing[t])
	case 6:
		if !r.m.stopping {
			s.say("relay %d stops", r.id)
			r.m.stop()
			r.pump()
		}
	case 8:
		if t := s.topicName(s.rng.IntN(simTopics)); s.grow && s.broker.parts[t] < 4 {
			s.broker.parts[t]++
			s.say("%s has %d partitions", t, s.broker.parts[t])
		}
	case 10:
		r.client.fenced = true
		s.say("relay %d is fenced", r.id)
	case 9:
		if s.async {
			s.crash()
		}
	case 7:
		for _, row := range s.store.rows {
			if row.dead && s.chance(0.5) {
				discard := s.chance(0.3)
				s.say("row %d decided, discard %v", row.Seq, discard)
				s.store.Decide(row.Seq, discard)
				break
			}
		}
	default:
		switch {
		case s.pairs:
			s.editTwo()
		case s.forgot:
			s.takeOut()
		default:
			s.edit()
		}
	}
}

// edit is what an operator does by hand to a row that waits.
func (s *sim) edit() {
	var waiting []*memRow
	for _, r := range s.store.rows {
		if s.store.committed(r) && !r.published && !r.gone && (!s.inLog || s.store.log.copied[r]) {
			waiting = append(waiting, r)
		}
	}
	if len(waiting) == 0 {
		return
	}
	r := waiting[s.rng.IntN(len(waiting))]
	before := rowKey(&memRow{Row: r.Row})
	s.keyRows[before] = slices.DeleteFunc(s.keyRows[before], func(o *memRow) bool { return o == r })
	if s.chance(0.2) {
		s.store.Remove(r.Seq)
		s.say("row %d of %s is deleted by hand", r.Seq, before)
		return
	}
	topic, key := r.Topic, r.Key
	if s.chance(0.7) {
		topic = s.topicName(s.rng.IntN(simTopics))
	}
	if s.chance(0.5) {
		k := fmt.Sprintf("k%d", s.rng.IntN(3))
		key = &k
	}
	if s.chance(0.2) {
		key = nil
	}
	s.store.Edit(func(row *Row) { row.Data, row.Headers, row.Topic, row.Key = []byte("x"), nil, topic, key }, r.Seq)
	after := rowKey(r)
	if r.Key != nil {
		s.keyRows[after] = append(s.keyRows[after], r)
	}
	s.say("row %d of %s is edited by hand: %s", r.Seq, before, after)
}

// editTwo moves two waiting rows of a topic to another topic, at a time when no leader
// has one of them or is about to get one without the other.
func (s *sim) editTwo() {
	for _, r := range s.relays {
		if !r.settledDown() {
			return
		}
	}
	var waiting []*memRow
	for _, r := range s.store.rows {
		if s.store.committed(r) && !r.published && !r.gone && !r.dead && r.RetryCount == 0 && r.Key != nil && !s.held(r) {
			waiting = append(waiting, r)
		}
	}
	for i, first := range waiting {
		for _, second := range waiting[i+1:] {
			if first.Topic != second.Topic || s.chance(0.5) {
				continue
			}
			for _, r := range []*memRow{first, second} {
				s.keyRows[rowKey(r)] = slices.DeleteFunc(s.keyRows[rowKey(r)], func(o *memRow) bool { return o == r })
			}
			topic, key := s.topicName(s.rng.IntN(simTopics)), "k9"
			s.store.Edit(func(row *Row) { row.Data, row.Headers, row.Topic, row.Key = []byte("x"), nil, topic, &key }, first.Seq, second.Seq)
			first.pair, second.pair = nil, first
			s.say("rows %d and %d are edited by hand: %s/%s", first.Seq, second.Seq, topic, key)
			return
		}
	}
}

// takeOut makes a row that no leader has in memory unpublished, or takes its next_attempt_at.
func (s *sim) takeOut() {
	for _, r := range s.relays {
		if !r.settledDown() {
			return
		}
	}
	var rows []*memRow
	for _, r := range s.store.rows {
		if s.store.committed(r) && !r.gone && !r.dead && !r.everDead && (r.published || r.nextAttempt > 0 && r.Seq <= s.store.mark()) && !s.held(r) {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return
	}
	r := rows[s.rng.IntN(len(rows))]
	s.keyRows[rowKey(r)] = slices.DeleteFunc(s.keyRows[rowKey(r)], func(o *memRow) bool { return o == r })
	s.say("row %d of %s is made unpublished by hand", r.Seq, rowKey(r))
	s.store.Forget(r.Seq)
}

// held reports whether a leader has a row in memory, or has not read it yet.
func (s *sim) held(row *memRow) bool {
	for _, r := range s.relays {
		if r.m.t == nil {
			continue
		}
		if _, ok := r.m.t.flow.queue.mem[row.Seq]; ok || !s.store.visible(row, s.store.snapshots[r.m.t.reader.from]) {
			return true
		}
		if slices.ContainsFunc(r.pending, func(op *simOp) bool { return op.brings(row.Seq) }) {
			return true // edited before, and read because of that
		}
	}
	return false
}

// brings reports whether a page that was read, and has not arrived, has a row.
func (op *simOp) brings(seq int64) bool {
	return op.page != nil && slices.ContainsFunc(op.page.Rows, func(r Row) bool { return r.Seq == seq }) ||
		slices.ContainsFunc(op.out.entries, func(e *entry) bool { return e.row.Seq == seq })
}

// settledDown reports whether a relay is not reading anything, except perhaps looking
// for edits.
func (r *simRelay) settledDown() bool {
	t := r.m.t
	if t == nil {
		return true
	}
	for _, tp := range t.flow.queue.topics.order {
		if tp.catchUp != nil {
			return false
		}
	}
	for _, op := range r.pending {
		if _, edits := op.cmd.(opEdited); slotOf(op.cmd) == slotRead && !edits && (op.done || op.page != nil) {
			return false
		}
	}
	return t.reader.backlogDone && t.reader.to == ""
}

// crash restarts the database server.
func (s *sim) crash() {
	s.say("the server crashes")
	s.store.crash()
	s.store.sharers = nil
	for _, w := range s.writers {
		w.crash()
	}
	for _, r := range s.store.rows {
		if s.store.rolled[r.tx] && s.broker.delivered[r.ID] > 0 {
			s.violate("invented", "row %d was delivered and the server has forgotten it", r.Seq)
		}
	}
	for key, rows := range s.keyRows {
		s.keyRows[key] = slices.DeleteFunc(rows, func(r *memRow) bool { return s.store.rolled[r.tx] })
	}
	for _, r := range s.relays {
		for _, op := range r.pending {
			if sl := slotOf(op.cmd); !op.done && (sl == slotLease || sl == slotRead || sl == slotSettle) {
				op.out.err, op.done = errSimLost, true
			}
		}
	}
}

func (s *sim) calmDown() {
	s.say("calm")
	s.calm = true
	s.broker.outage = false
	clear(s.broker.down)
	clear(s.broker.missing)
	s.sicken()
	for _, r := range s.relays {
		if r.frozen && !r.hangs() {
			r.freeze(false)
		}
	}
}

func (s *sim) topicName(i int) string { return [simTopics]string{"a", "b"}[i] }

func rowKey(r *memRow) string {
	if r.Key == nil {
		return r.Topic + "/null"
	}
	if r.Partition != nil {
		return fmt.Sprintf("%s/%s at %d", r.Topic, *r.Key, *r.Partition)
	}
	return r.Topic + "/" + *r.Key
}
