package relay

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/google/uuid"
)

// simRelay is one instance: its machine, the calls under way, its client.
type simRelay struct {
	s        *sim
	store    simStore
	id       int
	cfg      *Config
	m        *machine
	pending  []*simOp
	client   *simClient
	frozen   bool
	wakeAt   time.Duration
	deadline time.Duration // by the rule, even if it is switched off
	began    time.Duration // when its last term did
	frozenAt time.Duration
	origin   time.Duration // of its clock
	lost     time.Duration // time that a clock without the rule does not count
	drift    float64       // how much faster than time its clock goes
	leaving  bool          // asked to stop, to see who follows
}

// simStore is what a relay calls.
type simStore interface {
	Store
	Tidier
	Pauser
}

// simOp is a call: first it takes effect, later its outcome arrives.
type simOp struct {
	cmd       command
	issued    time.Duration
	lease     Lease
	done      bool
	out       outcome
	started   bool // a wave that was handed to the client
	deadline  time.Duration
	pos       int           // results so far
	notBefore time.Duration // takes effect then, at the earliest
	page      *Page         // read, and not yet known to be on disk
	looked    bool          // at the lease, before settling
	hung      bool          // holds the lease row; its client is frozen
	idle      *memIdle      // what it waits for
}

type simSink struct{}

func (simSink) Open(context.Context) (Producer, error) { return nil, errors.New("not used") }
func (simSink) Partition(key []byte, n int) int32      { return int32(key[len(key)-1]) % int32(n) }

var simLogger = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))

func (s *sim) newRelay(id int) *simRelay {
	cfg := Config{
		Store: s.store, Sink: simSink{},
		BufferRows: []int{3, 6, 12}[s.seed%3], UnsettledRows: s.unsettledRows(), BufferBytes: 1 << 20, PageRows: 3, SettleRows: 3, MaxAttempts: 2,
		RetryMin: 300 * time.Millisecond, RetryMax: time.Second, WaveTimeout: 2 * time.Second,
		PauseMin: 200 * time.Millisecond, PauseMax: 2 * time.Second, OnDead: s.policy, TopicsEvery: 2 * time.Second,
		RenewEvery: time.Second, ObserveEvery: 250 * time.Millisecond, DecisionsEvery: time.Second, // so that many faults happen
		NewHolder: func() uuid.UUID {
			s.ids++
			return uuid.UUID{15: byte(s.ids), 14: byte(s.ids >> 8)}
		},
		Logger: simLogger, Keep: simKeep,
	}.WithDefaults()
	if s.named {
		cfg.NewHolder = func() uuid.UUID { return uuid.UUID{15: byte(id + 1)} }
	}
	if s.wide {
		cfg.BufferBytes, cfg.PageBytes = simWideBuffer, simWideBuffer/2
	}
	s.loosen(&cfg)
	r := &simRelay{s: s, id: id, cfg: &cfg, m: newMachine(&cfg), origin: time.Duration(s.rng.IntN(3_600)) * time.Second}
	// A mark that stays would make the leader look for such a row.
	r.m.idles, r.m.tidies = s.seed%2 == 0, !s.off("a settlement without an answer is repeated")
	if s.drift {
		r.drift = []float64{-simDrift, simDrift}[(id+int(s.seed%2))%2]
	}
	r.store = s.store
	if s.inLog {
		r.store = &memLogStore{memStore: s.store, floors: map[string]int64{}}
	}
	r.client = newSimClient(s, r)
	return r
}

func (r *simRelay) pump() {
	if r.frozen {
		return
	}
	cmds, at := r.next()
	r.checkMemory()
	for _, n := range r.m.log.take() {
		if r.s.verbose {
			r.s.say("relay %d: %s %v", r.id, n.text, n.attrs)
		}
	}
	r.wakeAt = r.s.now + r.during(at-r.now())
	for _, c := range cmds {
		op := &simOp{cmd: c, issued: r.s.now, lease: r.m.own.lease, out: outcome{op: c}}
		if _, renews := c.(opRenew); renews && !r.s.calm && r.s.chance(0.1) {
			op.notBefore = r.s.now + time.Duration(r.s.rng.IntN(3_000))*time.Millisecond // in progress for long
		}
		r.pending = append(r.pending, op)
	}
	if r.m.phase == phaseDone { // stopped cleanly; started again
		if r.leaving && r.s.store.lease.Epoch == r.m.own.lease.Epoch {
			r.s.leftAt = r.s.now
		}
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
		if r.s.now >= op.notBefore {
			r.execute(op)
		}
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
	switch c := op.cmd.(type) {
	case opTakeOver:
		if s.off("the own deadline counts from before the asking") {
			c.sentAt = r.now()
			op.out.op = c
		}
	case opRenew:
		if s.off("the own deadline counts from before the asking") {
			c.sentAt = r.now()
			op.out.op = c
		}
	case opSend:
		s.reclass(op.out.results)
	case opSettle:
		if s.off("a settlement without an answer is repeated") && errors.Is(op.out.err, errSimLost) {
			op.out.err = nil
		}
	}
	if setup, ok := errors.AsType[*SetupError](op.out.err); ok && !s.refused { // as the driver does
		s.say("relay %d ends: %v", r.id, setup)
		r.m.stop()
	}
	r.handle(op.out)
	if op.out.err == nil {
		switch op.cmd.(type) {
		case opTakeOver, opRenew:
			r.deadline = op.issued + r.during(r.cfg.Term-r.cfg.TermMargin)
		}
	}
	r.pump()
}

// reclass makes results less specific.
func (s *sim) reclass(results []Result) {
	for i := range results {
		r := &results[i]
		class := r.Class
		switch s.without {
		case "a fenced producer ends the term":
			if class == ClassLeadership {
				r.Class = ClassRelay
			}
		case "only acknowledged rows are settled":
			*r = Result{}
		case "a partition that does not answer is set aside":
			if class == ClassPartition {
				r.Class = ClassRelay
			}
		case "a topic that cannot be written pauses":
			if class == ClassTopic {
				r.Class = ClassRelay
			}
		case "topics and partitions count against no row":
			if class == ClassPartition || class == ClassTopic {
				r.Class = ClassRecord
			}
		case "outages count against no row":
			if class == ClassRelay {
				r.Class = ClassRecord
			}
		}
	}
}

var errSimLost = errors.New("the connection broke")

// execute makes a call take effect. The call or its answer may get lost.
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
	if op.hung && r.frozen {
		return
	}
	if s.named && !r.m.leads() && r.leaves(op) {
		op.out.err, op.done = errSimLost, true // it is cancelled
		return
	}
	if op.page != nil {
		r.flushed(op, *op.page)
		return
	}
	if c, ok := op.cmd.(opSettle); ok && s.off("the lease is locked while settling") {
		if !op.looked {
			op.looked, op.done = true, !s.store.holds(op.lease)
			if op.done {
				op.out.err = ErrLeaseLost
			}
			return
		}
		if log, isLog := r.store.(*memLogStore); isLog {
			op.out.err = log.write(op.lease, c.settlement)
		} else {
			s.store.settle(op.lease, c.settlement)
		}
		op.done = true
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
		o.state, o.err = r.store.Observe(ctx)
	case opTakeOver:
		if o.err = r.store.Check(ctx); o.err != nil {
			s.refused = true
			break
		}
		if o.lease, o.err = r.store.TakeOver(ctx, c.seen, c.holder); o.err == nil {
			s.tookOver(o.lease)
			r.began = s.now
		}
		s.say("relay %d takes over: %+v %v", r.id, o.lease.Epoch, o.err)
	case opRenew:
		o.renewal, o.err = r.store.Renew(ctx, c.lease, c.progress)
	case opRelease:
		o.err = r.store.Release(ctx, c.lease)
	case opPauses:
		o.pauses, o.err = r.store.Pauses(ctx)
		if s.off("a term begins with the pauses of operators") && r.m.t != nil && r.m.t.reader.pauses == "" {
			o.pauses = OperatorPauses{Version: "none"}
		}
		if s.off("a topic continues when its pause ends") && o.err == nil {
			o.pauses.List = append(o.pauses.List, r.obeyed()...)
		}
	case opReadHeld:
		o.held, o.err = r.store.ReadHeld(ctx, r.cfg.blocking())
	case opDecisions:
		o.decisions, o.err = r.store.Decisions(ctx, op.lease, c.done)
	case opSnapshot:
		o.snapshot, o.err = r.store.Snapshot(ctx)
	case opIdle:
		if op.idle == nil {
			op.idle = s.store.beginIdle()
			return // each look is a step of its own
		}
		if o.moved = s.store.moved(c.read, op.idle); !o.moved && s.now < op.issued+c.limit {
			return // it goes on waiting
		}
	case opBacklog:
		page, o.err = r.store.ReadBacklog(ctx, c.s, c.after, c.limit)
	case opTick:
		page, o.err = r.store.ReadTick(ctx, c.from, c.to, c.after, c.limit)
	case opAgain:
		page, o.err = r.store.ReadAgain(ctx, c.s, c.rows, c.after, c.upTo, c.limit)
	case opEdited:
		page, o.end, o.err = r.store.ReadEdited(ctx, c.s, c.edits, c.after, c.upTo, c.limit)
	case opTidy:
		// That rows which are sent soon are not set aside only saves writes. A look begins and
		// ends between two reads, so the stage is that of the command.
		idle := r.m.t != nil && r.m.t.reader.edit.stage == editIdle
		if idle && s.chance(0.5) || s.off("no row is set aside during a look for edits") {
			c.setAside = math.MaxInt64
			if s.inLog && r.m.t != nil && !s.off("rows of a page that comes again are not set aside") {
				c.setAside = r.m.t.reader.received()
			}
		}
		o.tidied, o.err = r.store.Tidy(ctx, op.lease, c.setAside)
		if s.inLog {
			s.say("relay %d, epoch %d, sets rows aside: %v; cursor %+v, late %v", r.id, op.lease.Epoch, o.err, s.store.log.cursor, s.store.log.late)
		}
	case opSearch:
		if o.found, o.err = r.store.Search(ctx, op.lease); s.off("what a search found is read") {
			o.found = 0
		}
	case opTopics:
		if s.broker.outage {
			o.err = errSimLost
			break
		}
		for _, name := range c.names {
			o.topics = append(o.topics, s.broker.describe(name))
		}
	case opSettle:
		s.store.sharers = nil
		o.err = r.store.Settle(ctx, op.lease, c.settlement)
		s.say("relay %d settles %v %v: %v", r.id, c.settlement.Published, c.settlement.Failed, o.err)
	case opOpen:
		r.client.fenced = r.client.fenced && s.off("a term has a client of its own")
	}
	if s.verbose && len(page.Rows) > 0 {
		var seqs []int64
		for _, row := range page.Rows {
			seqs = append(seqs, row.Seq)
		}
		s.say("relay %d %T %+v: rows %v more %v", r.id, op.cmd, op.cmd, seqs, page.More)
	}
	if lose {
		op.out, op.done = outcome{op: op.cmd, err: errSimLost}, true
		return
	}
	r.flushed(op, page)
}

// flushed ends a call once what it read is on disk.
func (r *simRelay) flushed(op *simOp, page Page) {
	if len(page.Rows) > 0 && !r.s.off("a row is on disk before it is sent") {
		if err := r.s.store.Flushed(context.Background(), page); errors.Is(err, errNotFlushed) {
			op.page = &page
			return
		}
	}
	op.out.entries, op.out.left = prepare(page.Rows, false)
	op.out.more = page.More
	if page.End > 0 {
		op.out.end = page.End
	}
	if r.s.off("headers that do not parse fail here") {
		for _, e := range op.out.entries {
			e.invalid = nil
		}
	}
	if r.s.off("rows with a topic that cannot be fail here") {
		for _, e := range op.out.entries {
			if !validTopic(e.row.Topic) {
				e.invalid = nil
			}
		}
	}
	op.done = true
}

// send does what the driver does: check the deadline, then hand over the wave.
func (r *simRelay) send(op *simOp, c opSend) {
	s := r.s
	records := c.wave.records()
	op.out.results = make([]Result, len(records))
	if (r.m.own.expired(r.now()) || !r.m.leads()) && !s.off("the deadline is looked at right before sending") {
		for i := range op.out.results {
			op.out.results[i] = Result{ClassRelay, errExpired}
		}
		op.done = true
		return
	}
	if s.now >= r.deadline {
		s.violate("deadline", "relay %d sends %v past its own deadline", r.id, s.now-r.deadline)
	}
	if !s.store.holds(r.m.own.lease) && !s.forget {
		s.violate("overlap", "relay %d sends in epoch %d, and epoch %d has begun", r.id, r.m.own.lease.Epoch, s.store.lease.Epoch)
	}
	for i := range records {
		if string(records[i].Value) == "killer" {
			s.say("relay %d dies of row %d", r.id, records[i].Seq)
			r.checkSuspect(records[i].Seq)
			r.kill()
			return
		}
	}
	r.checkPauses(records)
	op.started = true
	op.deadline = s.now + c.timeout
	if s.off("a wave has a deadline") {
		op.deadline += 1000 * time.Hour
	}
	r.client.hand(op, records)
}

// leaves leaves a settlement to the server, which runs it after its caller is gone.
func (r *simRelay) leaves(op *simOp) bool {
	c, ok := op.cmd.(opSettle)
	if !ok {
		return false
	}
	lease, store := op.lease, r.store
	r.s.stragglers = append(r.s.stragglers, func() {
		err := store.Settle(context.Background(), lease, c.settlement)
		r.s.say("a settlement of epoch %d that was left behind: %v", lease.Epoch, err)
	})
	return true
}

// kill ends the process and starts another in its place.
func (r *simRelay) kill() {
	for _, op := range r.pending {
		if r.s.named && !op.done {
			r.leaves(op)
		}
		if op.hung {
			r.s.store.sharers = nil // its socket is closed
		}
	}
	r.client.ghosts()
	*r = *r.s.newRelay(r.id)
}
