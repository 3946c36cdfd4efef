package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/outboxgen/outboxgen/runtime/internal/safeerr"
	"github.com/outboxgen/outboxgen/runtime/relay/internal/callctx"
)

// driver runs a machine with the real store, sink and clock. Its loop owns the machine.
// Every command runs in its own goroutine and sends its outcome to the loop.
type driver struct {
	r   *Relay
	cfg *Config
	m   *machine

	outcomes chan outcome
	wakes    chan struct{}
	released <-chan struct{} // hints of the store; nil: none
	idler    Idler
	tidier   Tidier
	delayer  Delayer  // nil: the store has no delayed events
	due      chan Due // what the latest renewal found out; holds one
	stats    chan Stats
	workers  sync.WaitGroup

	root       context.Context // outlives Run's context: the clean end still needs the store
	cancelRoot context.CancelFunc
	term       context.Context // of the current term's commands
	endTerm    context.CancelFunc

	// fence is the machine's deadline for the goroutines of commands. They check it
	// right before they send or settle, because a goroutine may have been suspended.
	fence     atomic.Int64
	checked   atomic.Int64 // when the store was last checked
	explained atomic.Int64 // when it was last checked because of a refused call; 0: never
	failing   failing
	complains complaints
	producer  Producer
	tracer    trace.Tracer

	leftOut map[leftOut]struct{} // what the log has about headers that could not be taken

	leader acquaintance
	led    *Led // nil: this relay does not lead

	fatal    error
	statusAt time.Duration
	current  Stats
	statsAt  time.Time
}

func newDriver(ctx context.Context, r *Relay) *driver {
	root, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d := &driver{
		r: r, cfg: &r.cfg, m: newMachine(&r.cfg),
		outcomes: make(chan outcome, 2*numSlots), wakes: make(chan struct{}, 1), stats: make(chan Stats, 1), due: make(chan Due, 1),
		root: root, cancelRoot: cancel, failing: failing{}, complains: complaints{},
	}
	d.idler, d.m.idles = r.cfg.Store.(Idler)
	d.tidier, d.m.tidies = r.cfg.Store.(Tidier)
	d.delayer, _ = r.cfg.Store.(Delayer)
	if hints, ok := r.cfg.Store.(ReleaseHints); ok {
		d.released = hints.Released()
	}
	d.checked.Store(int64(r.cfg.Clock.Now()))
	if r.cfg.TracerProvider != nil {
		_ = r.guard.call("TracerProvider.Tracer", func() {
			d.tracer = r.cfg.TracerProvider.Tracer("github.com/outboxgen/outboxgen/runtime/relay")
		})
	}
	return d
}

// run returns the loop.
func (d *driver) run(ctx context.Context) error {
	defer d.workers.Wait()
	defer d.cancelRoot()
	timer := time.NewTimer(0)
	defer timer.Stop()
	stop := ctx.Done()
	var drain <-chan time.Time
	for {
		now := d.cfg.Clock.Now()
		cmds, at := d.next(now)
		d.follow(cmds)
		d.report(now)
		if d.m.phase == phaseDone {
			return d.fatal
		}
		timer.Reset(max(0, at-d.cfg.Clock.Now()))
		select {
		case o := <-d.outcomes:
			d.take(o)
		case <-d.wakes:
			d.m.wake()
		case <-d.released:
			d.m.look()
		case d.current = <-d.stats:
			d.statsAt = time.Now()
			d.statusAt = 0
		case <-stop:
			stop = nil
			d.m.stop()
			limit := time.NewTimer(d.cfg.DrainTimeout)
			defer limit.Stop()
			drain = limit.C
		case <-drain:
			drain = nil
			d.cfg.Logger.WarnContext(ctx, "shutdown took too long; the lease will expire",
				slog.Duration("limit", d.cfg.DrainTimeout))
			d.m.abandon()
			d.cancelRoot()
		case <-timer.C:
		}
	}
}

// follow starts commands and keeps the term's context, fence and producer in line with
// the machine.
func (d *driver) follow(cmds []command) {
	d.fence.Store(int64(d.m.own.deadline))
	switch {
	case d.m.leads() && d.term == nil:
		d.beginTerm()
	case !d.m.leads() && d.term != nil:
		d.endTerm()
		d.term = nil
		clear(d.failing)
		d.r.stuck.Store(0)
		d.cfg.Observer.Term(false, d.m.own.lease.Epoch)
	}
	if d.m.t == nil && d.producer != nil {
		p := d.producer
		d.producer = nil
		d.workers.Go(p.Close)
	}
	for _, c := range cmds {
		d.start(c)
	}
}

func (d *driver) beginTerm() {
	d.term, d.endTerm = context.WithCancel(d.root)
	d.cfg.Observer.Term(true, d.m.own.lease.Epoch)
	d.led = d.introduce()
	d.succeed(d.root)
	ctx := d.term
	d.workers.Go(func() { d.keepStats(ctx) })
	if d.cfg.Keep > 0 {
		lease := d.m.own.lease
		d.workers.Go(func() { d.sweep(ctx, lease) })
	}
	if m, ok := d.cfg.Store.(Maintainer); ok {
		lease := d.m.own.lease
		d.workers.Go(func() { d.maintain(ctx, m, lease) })
	}
	if d.delayer != nil {
		d.workers.Go(func() { d.moveDue(ctx) })
	}
	if d.cfg.Wake != nil {
		d.workers.Go(func() { d.listen(ctx) })
	}
}

// start runs a command. It reads what the command needs of the machine here, in the
// loop.
func (d *driver) start(c command) {
	lease, producer := d.m.own.lease, d.producer
	ctx, limit := d.term, d.cfg.StoreTimeout
	switch op := c.(type) {
	case opObserve, opTakeOver, opRelease:
		ctx, limit = d.root, d.cfg.Term
	case opRenew:
		ctx, limit = d.root, op.sentAt+d.cfg.Term-d.cfg.Clock.Now()
	case opSend:
		limit = op.timeout
	case opIdle:
		limit += op.limit
	}
	d.workers.Go(func() {
		callCtx, cancel := callctx.WithTimeout(ctx, limit)
		defer cancel()
		var o outcome
		if err := d.r.guard.call("the call "+callName(c), func() {
			o = d.exec(callCtx, c, lease, producer)
			safeerr.Use(o.err)
		}); err != nil {
			o = outcome{op: c, err: err}
		}
		d.outcomes <- o
	})
}

// expired reports whether the fence has passed. Goroutines of commands call it.
func (d *driver) expired() bool {
	return d.cfg.Clock.Now() >= time.Duration(d.fence.Load())
}

func (d *driver) exec(ctx context.Context, c command, lease Lease, producer Producer) outcome {
	o := outcome{op: c}
	store := d.cfg.Store
	switch op := c.(type) {
	case opObserve:
		o.state, o.err = store.Observe(ctx)
	case opTakeOver:
		if o.err = d.recheck(ctx); o.err == nil {
			// The check may have taken most of the term, so the term begins now.
			op.sentAt = d.cfg.Clock.Now()
			o.op = op
			o.lease, o.err = d.takeOver(op)
		}
	case opRenew:
		if op.progress.State, o.err = json.Marshal(d.r.Status()); o.err == nil {
			o.renewal, o.err = store.Renew(ctx, op.lease, op.progress)
		}
		if o.err == nil {
			d.tellDue(o.renewal.Next)
		}
	case opRelease:
		o.err = store.Release(ctx, op.lease)
	case opPauses:
		o.pauses, o.err = store.(Pauser).Pauses(ctx)
	case opReadHeld:
		o.held, o.err = store.ReadHeld(ctx, d.cfg.blocking())
	case opDecisions:
		o.decisions, o.err = store.Decisions(ctx, lease, op.done)
	case opSnapshot:
		o.snapshot, o.err = store.Snapshot(ctx)
	case opBacklog:
		page, err := store.ReadBacklog(ctx, op.s, op.after, op.limit)
		d.page(ctx, &o, page, err)
	case opTick:
		page, err := store.ReadTick(ctx, op.from, op.to, op.after, op.limit)
		d.page(ctx, &o, page, err)
	case opAgain:
		page, err := store.ReadAgain(ctx, op.s, op.rows, op.after, op.upTo, op.limit)
		d.page(ctx, &o, page, err)
	case opEdited:
		var page Page
		var err error
		page, o.end, err = store.ReadEdited(ctx, op.s, op.edits, op.after, op.upTo, op.limit)
		d.page(ctx, &o, page, err)
	case opTidy:
		o.tidied, o.err = d.tidier.Tidy(ctx, lease, op.setAside)
	case opSearch:
		o.found, o.err = d.tidier.Search(ctx, lease)
	case opIdle:
		o.moved, o.err = d.idler.Idle(ctx, op.read, op.limit)
	case opTopics:
		o.topics, o.err = producer.Topics(ctx, op.names)
	case opOpen:
		o.producer, o.err = d.cfg.Sink.Open(ctx)
	case opSend:
		o.results = d.send(ctx, op.wave, producer)
		o.err = panicOf(o.results)
	case opSettle:
		if d.expired() {
			o.err = errExpired
		} else {
			o.err = store.Settle(ctx, lease, op.settlement)
		}
	default:
		o.err = fmt.Errorf("relay: no such command: %T", c)
	}
	o.err = d.explain(o.err)
	return o
}

func (d *driver) takeOver(op opTakeOver) (Lease, error) {
	ctx, cancel := context.WithTimeout(d.root, d.cfg.Term)
	defer cancel()
	return d.cfg.Store.TakeOver(ctx, op.seen, op.holder)
}

// recheckAfter is how long a check of the outbox is trusted. Between two terms somebody
// may restore the database or set a sequence back.
const recheckAfter = 10 * time.Second

func (d *driver) recheck(ctx context.Context) error {
	if d.cfg.Clock.Now()-time.Duration(d.checked.Load()) < recheckAfter {
		return nil
	}
	err := d.cfg.Store.Check(ctx)
	if err == nil {
		d.checked.Store(int64(d.cfg.Clock.Now()))
	}
	return err
}

// page waits until the rows of a page are on disk, and prepares them for the sink.
func (d *driver) page(ctx context.Context, o *outcome, page Page, err error) {
	if err == nil && len(page.Rows) > 0 {
		err = d.cfg.Store.Flushed(ctx, page)
	}
	if err != nil {
		o.err = err
		return
	}
	o.entries, o.left = prepare(page.Rows, d.cfg.StripRouting)
	o.more = page.More
	if page.End > 0 {
		o.end = page.End
	}
}

// send hands a wave to the producer and reports the result to the observer.
func (d *driver) send(ctx context.Context, w *wave, producer Producer) []Result {
	records := w.records()
	results := make([]Result, len(records))
	if d.expired() {
		for i := range results {
			results[i] = Result{ClassRelay, errExpired}
		}
		return results
	}
	span := d.trace(ctx, records)
	start := time.Now()
	producer.Send(fenced{ctx, d}, records, results)
	report := WaveReport{Rows: w.rows, Bytes: w.bytes, Took: time.Since(start), Ages: make([]time.Duration, 0, w.rows)}
	wall := time.Now()
	var first error
	classes := map[Class]error{}
	for i := range results {
		if results[i].Class == ClassOK {
			report.Acked++
			report.Ages = append(report.Ages, wall.Sub(records[i].CreatedAt))
			continue
		}
		if first == nil {
			first = results[i].Err
		}
		classes[results[i].Class] = results[i].Err
	}
	span.end(results, report.Acked, first)
	d.cfg.Observer.Wave(report)
	if ctx.Err() == nil || !errors.Is(ctx.Err(), context.Canceled) {
		for class, err := range classes {
			d.cfg.Observer.Failed("send", class, err)
		}
	}
	return results
}

// fenced is the context of a wave. Its Err is not nil as soon as the fence has passed,
// also before the loop cancels it, as after a suspension.
type fenced struct {
	context.Context

	d *driver
}

func (f fenced) Err() error {
	if err := f.Context.Err(); err != nil || !f.d.expired() {
		return err
	}
	return errExpired
}

// take hands an outcome to the machine and to the observer.
func (d *driver) take(o outcome) {
	now := d.cfg.Clock.Now()
	cancelled := !d.m.leads() && slotOf(o.op) != slotLease
	if o.producer != nil {
		d.producer = o.producer
	}
	if !cancelled {
		d.failing.update(now, o)
	}
	var setup *SetupError
	switch {
	case o.err == nil:
		if slotOf(o.op) == slotLease {
			d.r.reached.Store(int64(max(1, now)))
		}
		if len(d.complains) > 0 { // else the name need not be built
			if failed, say := d.complains.worked(now, callName(o.op)); say {
				d.cfg.Logger.LogAttrs(d.root, slog.LevelInfo, "call works again", slog.String("call", callName(o.op)), after(failed))
			}
		}
		d.observe(o)
	case errors.As(o.err, &setup) && !setup.Transient:
		d.fatal = o.err
		d.m.stop()
	case errors.Is(o.err, ErrLeaseLost), errors.Is(o.err, ErrLeaseMoved), cancelled:
	case slotOf(o.op) == slotIdle: // the relay polls instead
	default:
		what := [numSlots]string{"lease", "store", "topics", "open", "store", "store", "store"}[slotOf(o.op)]
		d.cfg.Observer.Failed(what, ClassRelay, o.err)
		if attrs, say := d.complains.failed(now, callName(o.op), o.err); say {
			d.cfg.Logger.WarnContext(d.root, "call failed, retrying", append(attrs, slog.String("what", what))...)
		}
	}
	d.m.handle(now, o)
	d.r.stuck.Store(int64(d.failing.since(d.m.repeats)))
	if _, ok := o.op.(opObserve); ok && o.err == nil && !d.m.seen.take {
		d.meet(d.root, o.state)
	}
}

// callName returns the name of a call in the log.
func callName(c command) string { return fmt.Sprintf("%T", c)[len("relay.op"):] }

func (d *driver) observe(o outcome) {
	switch op := o.op.(type) {
	case opBacklog, opTick:
		d.cfg.Observer.Read(len(o.entries))
		d.leaveOut(o.left)
	case opSettle:
		s := Settled{Published: len(op.settlement.Published)}
		for _, f := range op.settlement.Failed {
			s.Failed++
			if f.Dead {
				s.Dead++
			}
		}
		d.cfg.Observer.Settled(s)
	}
}

// mostLeftOut bounds the lines about headers that could not be taken.
const mostLeftOut = 1_000

// leaveOut counts the headers that could not be taken from the data of rows, and logs
// each kind once.
func (d *driver) leaveOut(left leftOuts) {
	if left.count == 0 {
		return
	}
	d.cfg.Observer.HeadersLeftOut(left.count)
	for _, l := range left.list {
		kind := l
		kind.seq = 0
		if _, said := d.leftOut[kind]; said || len(d.leftOut) == mostLeftOut {
			continue
		}
		if d.leftOut == nil {
			d.leftOut = map[leftOut]struct{}{}
		}
		d.leftOut[kind] = struct{}{}
		d.cfg.Logger.LogAttrs(d.root, slog.LevelWarn, "a header cannot be taken from event_data; the record goes without it, or with the row's column",
			slog.String("header", l.header), slog.String("reason", l.why), slog.String("event_type", l.eventType), slog.Int64("seq", l.seq),
			slog.String("note", "this is logged once for each event type and reason, and counted"))
	}
}

// statusEvery limits how often the status is built.
const statusEvery = 250 * time.Millisecond

// report writes the log and updates the status.
func (d *driver) report(now time.Duration) {
	lines := d.m.log.take()
	for _, n := range lines {
		d.cfg.Logger.LogAttrs(d.root, n.level, n.text, n.attrs...)
	}
	if len(lines) == 0 && now < d.statusAt {
		return
	}
	d.statusAt = now + statusEvery
	s := d.m.status(now)
	s.Stats, s.StatsAt = d.current, d.statsAt
	if s.Leader {
		s.Led = d.led
	}
	s.Panics = d.r.guard.count.Load()
	d.r.status.Store(&s)
	d.cfg.Observer.Status(s)
}
