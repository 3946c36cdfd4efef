package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The simulation runs the machine of several relays against an outbox and a
// broker in memory. One seed decides everything: what writers do, when a call
// takes effect and when its answer comes, what fails, who is frozen or killed,
// how time goes. After a while faults stop and everything has to come to rest.
type sim struct {
	simOptions
	rng    *rand.Rand
	now    time.Duration
	store  *memStore
	broker *simBroker
	relays []*simRelay
	ids    uint64

	writers []*simWriter
	locks   map[string]bool
	keyRows map[string][]*memRow // by topic and key, in the order of commits

	calm  bool
	found *violation
	log   []string
}

// simOptions is what a test chooses.
type simOptions struct {
	seed    uint64
	off     switches
	store   func(*memStore)
	policy  Policy
	killer  bool // one row kills whoever sends it
	grow    bool // topics get more partitions, which voids the promise of order
	verbose bool
}

type violation struct{ kind, detail string }

func (v *violation) String() string { return v.kind + ": " + v.detail }

const (
	simSteps  = 600
	simCalm   = 60_000
	simRows   = 30
	simTopics = 2
	simParts  = 2
)

func newSim(o simOptions) *sim {
	s := &sim{
		simOptions: o,
		rng:        rand.New(rand.NewPCG(o.seed, 1)),
		locks:      map[string]bool{},
		keyRows:    map[string][]*memRow{},
	}
	s.store = newMemStore(func() time.Duration { return s.now })
	if o.store != nil {
		o.store(s.store)
	}
	s.store.onSettle = func(l Lease, current bool, st Settlement) {
		if !current {
			s.violate("unfenced", "epoch %d settled %v after its term", l.Epoch, st)
		}
	}
	s.broker = &simBroker{s: s, logs: map[simPart]*simLog{}, delivered: map[int64]int{}, down: map[simPart]bool{}, missing: map[string]bool{}, parts: map[string]int{}}
	for i := range simTopics {
		s.broker.parts[s.topicName(i)] = simParts
	}
	for i := range 2 {
		s.relays = append(s.relays, s.newRelay(i))
	}
	for range 3 {
		s.writers = append(s.writers, &simWriter{s: s})
	}
	return s
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
	for i := 0; i < simSteps && s.found == nil; i++ {
		s.step()
	}
	s.calmDown()
	for i := 0; i < simCalm && s.found == nil; i++ {
		if s.finished() {
			return s.found
		}
		s.step()
	}
	if s.found == nil {
		s.stuck()
	}
	return s.found
}

func (s *sim) step() {
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

// advance moves time to the next thing that waits for it, or part of the way.
func (s *sim) advance() {
	next := s.now + time.Second
	for _, r := range s.relays {
		if !r.frozen {
			next = min(next, r.wakeAt)
		}
		for _, op := range r.pending {
			if op.started {
				next = min(next, op.deadline)
			}
		}
	}
	if next > s.now {
		if s.busy() && s.chance(0.95) {
			next = min(next, s.now+time.Duration(1+s.rng.IntN(20))*time.Millisecond)
		}
		s.now = next
	}
	for _, r := range s.relays {
		r.timers()
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
	switch s.rng.IntN(9) {
	case 0:
		s.say("relay %d killed", r.id)
		r.kill()
	case 1, 2:
		r.frozen = !r.frozen
		s.say("relay %d frozen %v", r.id, r.frozen)
		if r.frozen && s.chance(0.5) {
			s.now += 4 * time.Second // for longer than its term
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
	case 7:
		for _, row := range s.store.rows {
			if row.dead && s.chance(0.5) {
				discard := s.chance(0.3)
				s.say("row %d decided, discard %v", row.Seq, discard)
				s.store.Decide(row.Seq, discard)
				break
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
	for _, r := range s.relays {
		r.frozen = false
	}
}

// finished reports whether everything that was committed is settled.
func (s *sim) finished() bool {
	for _, w := range s.writers {
		if w.phase != 0 {
			return false
		}
	}
	for _, r := range s.store.rows {
		if s.store.committed(r) && !r.published && !r.dead {
			return s.blockedByDead(r)
		}
	}
	return s.checkEnd()
}

// blockedByDead is for the block policy: rows behind a dead row wait.
func (s *sim) blockedByDead(r *memRow) bool {
	if s.policy != Block || r.Key == nil {
		return false
	}
	for _, o := range s.store.rows {
		if !s.store.committed(o) || o.published || o.dead {
			continue
		}
		blocked := false
		for _, d := range s.keyRows[rowKey(o)] {
			blocked = blocked || d.dead && !d.published && d.Seq < o.Seq
		}
		if !blocked {
			return false
		}
	}
	return s.checkEnd()
}

func (s *sim) checkEnd() bool {
	for _, r := range s.store.rows {
		if s.store.committed(r) && r.published && s.broker.delivered[r.Seq] == 0 && !r.everDead {
			s.violate("lost", "row %d is settled as published and was never delivered", r.Seq)
		}
		sound := string(r.Data) == "x" && r.Headers == nil
		if sound && (r.RetryCount > 0 || r.everDead) && r.lastErr != errSuspectDied.Error() {
			s.violate("counted", "row %d is sound and has %d failures: %s", r.Seq, r.RetryCount, r.lastErr)
		}
	}
	return true
}

func (s *sim) stuck() {
	var b strings.Builder
	for _, r := range s.store.rows {
		if s.store.committed(r) && !r.published && !r.dead {
			fmt.Fprintf(&b, "row %d of %s waits; ", r.Seq, rowKey(r))
		}
	}
	for _, r := range s.relays {
		fmt.Fprintf(&b, "relay %d: %+v; ", r.id, r.m.status(s.now))
	}
	s.violate("lost", "not delivered after the faults had stopped: %s", b.String())
}

func (s *sim) topicName(i int) string { return [simTopics]string{"a", "b"}[i] }

func rowKey(r *memRow) string {
	if r.Key == nil {
		return r.Topic + "/null"
	}
	return r.Topic + "/" + *r.Key
}

// simRelay is one instance: its machine, the calls under way, its client.
type simRelay struct {
	s        *sim
	id       int
	cfg      *Config
	m        *machine
	pending  []*simOp
	client   *simClient
	frozen   bool
	wakeAt   time.Duration
	deadline time.Duration // by the rule, whatever the switches say
}

// simOp is a call: first it takes effect, later its outcome arrives.
type simOp struct {
	cmd      command
	lease    Lease
	done     bool
	out      outcome
	started  bool // a wave that was handed to the client
	deadline time.Duration
	pos      int // results so far
}

type simSink struct{}

func (simSink) Open(context.Context) (Producer, error) { return nil, errors.New("not used") }
func (simSink) Partition(key []byte, n int) int32      { return int32(key[len(key)-1]) % int32(n) }

var simLogger = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))

func (s *sim) newRelay(id int) *simRelay {
	cfg := Config{
		Store: s.store, Sink: simSink{},
		BufferRows: []int{3, 6, 12}[s.seed%3], BufferBytes: 1 << 20, PageRows: 3, SettleRows: 3, MaxAttempts: 2,
		RetryMin: 300 * time.Millisecond, RetryMax: time.Second, WaveTimeout: 2 * time.Second,
		PauseMin: 200 * time.Millisecond, PauseMax: 2 * time.Second, OnDead: s.policy, TopicsEvery: 2 * time.Second,
		NewHolder: func() uuid.UUID {
			s.ids++
			return uuid.UUID{15: byte(s.ids), 14: byte(s.ids >> 8)}
		},
		Logger: simLogger,
	}.WithDefaults()
	r := &simRelay{s: s, id: id, cfg: &cfg, m: newMachine(&cfg)}
	r.m.off = s.off
	r.client = newSimClient(s, r)
	return r
}

func (r *simRelay) pump() {
	if r.frozen {
		return
	}
	cmds, at := r.m.next(r.s.now)
	for _, n := range r.m.notes {
		if r.s.verbose {
			r.s.say("relay %d: %s %v", r.id, n.text, n.attrs)
		}
	}
	r.m.notes = nil
	r.wakeAt = at
	for _, c := range cmds {
		r.pending = append(r.pending, &simOp{cmd: c, lease: r.m.lease, out: outcome{op: c}})
	}
	if r.m.phase == phaseDone { // stopped cleanly; started again
		*r = *r.s.newRelay(r.id)
	}
}

// timers ends waves whose time is over and calls the machine when it is due.
func (r *simRelay) timers() {
	if r.frozen {
		return
	}
	for _, op := range r.pending {
		if op.started && !op.done && r.s.now >= op.deadline {
			r.client.close()
			break
		}
	}
	if r.s.now >= r.wakeAt {
		r.pump()
	}
}

func (r *simRelay) step() {
	if r.frozen && r.s.chance(0.7) || len(r.pending) == 0 {
		if len(r.pending) == 0 && !r.frozen {
			r.pump()
		}
		return
	}
	op := r.pending[r.s.rng.IntN(len(r.pending))]
	if !op.done {
		r.execute(op)
		return
	}
	if r.frozen {
		return
	}
	for i, o := range r.pending {
		if o == op {
			r.pending = append(r.pending[:i:i], r.pending[i+1:]...)
			break
		}
	}
	r.deliver(op)
}

func (r *simRelay) deliver(op *simOp) {
	s := r.s
	r.m.handle(s.now, op.out)
	if op.out.err == nil {
		switch c := op.cmd.(type) {
		case opTakeOver:
			r.deadline = c.sentAt + r.cfg.Term - r.cfg.TermMargin
		case opRenew:
			r.deadline = c.sentAt + r.cfg.Term - r.cfg.TermMargin
		}
	}
	r.pump()
}

var errSimLost = errors.New("the connection broke")

// execute lets a call take effect. In between, its answer or the call itself may
// get lost.
func (r *simRelay) execute(op *simOp) {
	s, ctx := r.s, context.Background()
	if c, ok := op.cmd.(opSend); ok {
		if op.started && !r.m.leads() {
			r.client.close()
			return
		}
		if !op.started && !r.frozen {
			r.send(op, c)
		}
		return
	}
	lose := !s.calm && s.chance(0.03)
	if lose && s.chance(0.5) {
		op.out.err, op.done = errSimLost, true
		return
	}
	o := &op.out
	var page Page
	switch c := op.cmd.(type) {
	case opObserve:
		o.state, o.err = s.store.Observe(ctx)
	case opTakeOver:
		o.lease, o.err = s.store.TakeOver(ctx, c.seen, c.holder)
		s.say("relay %d takes over: %+v %v", r.id, o.lease.Epoch, o.err)
	case opRenew:
		o.err = s.store.Renew(ctx, c.lease, c.progress)
	case opRelease:
		o.err = s.store.Release(ctx, c.lease)
	case opReadHeld:
		o.held, o.err = s.store.ReadHeld(ctx, r.cfg.blocking())
	case opDecisions:
		o.decisions, o.err = s.store.Decisions(ctx, op.lease, c.done)
	case opSnapshot:
		o.snapshot, o.err = s.store.Snapshot(ctx)
	case opBacklog:
		page, o.err = s.store.ReadBacklog(ctx, c.s, c.after, c.limit)
	case opTick:
		page, o.err = s.store.ReadTick(ctx, c.from, c.to, c.after, c.limit)
	case opAgain:
		page, o.err = s.store.ReadAgain(ctx, c.s, c.scope, c.after, c.upTo, c.limit)
	case opTopics:
		if s.broker.outage {
			o.err = errSimLost
			break
		}
		for _, name := range c.names {
			o.topics = append(o.topics, s.broker.describe(name))
		}
	case opSettle:
		o.err = s.store.Settle(ctx, op.lease, c.settlement)
		s.say("relay %d settles %v %v: %v", r.id, c.settlement.Published, c.settlement.Failed, o.err)
	case opOpen:
	}
	o.entries, o.more = prepare(page.Rows), page.More
	if s.verbose && len(page.Rows) > 0 {
		var seqs []int64
		for _, row := range page.Rows {
			seqs = append(seqs, row.Seq)
		}
		s.say("relay %d %T %+v: rows %v more %v", r.id, op.cmd, op.cmd, seqs, page.More)
	}
	op.done = true
	if lose {
		op.out = outcome{op: op.cmd, err: errSimLost}
	}
}

// send is what the worker does: look at the deadline, then hand the wave over.
func (r *simRelay) send(op *simOp, c opSend) {
	s := r.s
	records := c.wave.records()
	op.out.results = make([]Result, len(records))
	if r.m.expired(s.now) || !r.m.leads() {
		for i := range op.out.results {
			op.out.results[i] = Result{ClassRelay, errExpired}
		}
		op.done = true
		return
	}
	if s.now >= r.deadline {
		s.violate("deadline", "relay %d sends %v past its own deadline", r.id, s.now-r.deadline)
	}
	for i := range records {
		if string(records[i].Value) == "killer" {
			s.say("relay %d dies of row %d", r.id, records[i].Seq)
			r.kill()
			return
		}
	}
	op.started = true
	op.deadline = s.now + c.timeout
	r.client.hand(op, records)
}

// kill ends the process and starts another in its place.
func (r *simRelay) kill() {
	r.client.ghosts()
	*r = *r.s.newRelay(r.id)
}
