package page

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// known is what the page knows about the state of an outbox.
type known struct {
	state   admin.State
	counted bool // by the database, for this page; else by the leader for its metrics
	silent  bool // no numbers are known yet
	unread  bool // the database was not asked yet
	skipped bool // nobody looks at the page, so the database was not asked
	err     error
	doubt   error // the database could not be asked, so the process says what it knows itself
	at      time.Time
	asOf    time.Time // when the rows were counted; zero: not known

	// card sets the rest.
	age   time.Duration // of the count
	still time.Duration // how long rows have been in flight without one being published
}

// sampler takes samples of all outboxes.
type sampler struct {
	page *Page

	mu    sync.Mutex
	all   map[string]*sampled
	first map[string]string // for each server, the outbox with which the next round begins
}

// sampled is what the sampler keeps of one outbox.
type sampled struct {
	history *history
	counts  []count // of the latest samples, for the throughput now
	last    known
	seen    bool      // in the current round
	still   time.Time // since when rows are in flight without one being published; zero: they are not
}

// count is how many rows this process had recorded as published at one time.
type count struct {
	at        time.Time
	published int64
	leads     bool
	inFlight  int
}

func countOf(o Outbox, now time.Time) count {
	return count{now, o.Published, o.Status.Leader, inFlight(o.Status)}
}

// inFlight counts the rows that a relay has read and not finished.
func inFlight(s relay.Status) int { return s.Queued + s.InFlight + s.Unsettled }

// stuckSince reports whether rows were in flight at both times and none was published between.
func stuckSince(from, to count) bool {
	return from.leads && to.leads && from.inFlight > 0 && to.inFlight > 0 && from.published == to.published
}

func newSampler(p *Page) *sampler {
	return &sampler{page: p, all: map[string]*sampled{}, first: map[string]string{}}
}

// take takes one sample of each outbox. Where the process stands by, the database is asked
// only if somebody has looked at the page lately: a page that nobody needs costs no
// session. Outboxes of one server are read one after the
// other. If the time of a round is not enough, the next one begins where it ended.
func (s *sampler) take(ctx context.Context, now time.Time) {
	outboxes := s.page.cfg.Outboxes()
	elsewhere := map[string][]Outbox{}
	for _, o := range outboxes {
		switch {
		case o.Status.Leader:
			s.add(o, fromMemory(o, now), now)
		case !s.page.watched(now):
			s.add(o, known{silent: true, skipped: true, at: now}, now)
		default:
			elsewhere[o.Database.Server] = append(elsewhere[o.Database.Server], o)
		}
	}
	var reading sync.WaitGroup
	for server, list := range elsewhere {
		reading.Go(func() {
			defer s.page.survive("take samples")
			limited, cancel := context.WithTimeout(ctx, sampleEvery/2)
			defer cancel()
			s.read(limited, server, list, now)
		})
	}
	reading.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, one := range s.all {
		if !one.seen {
			delete(s.all, name)
		}
		one.seen = false
	}
}

// read takes samples of the outboxes of one server until ctx ends.
func (s *sampler) read(ctx context.Context, server string, list []Outbox, now time.Time) {
	s.mu.Lock()
	begin := max(0, slices.IndexFunc(list, func(o Outbox) bool { return o.Name == s.first[server] }))
	s.mu.Unlock()
	list = slices.Concat(list[begin:], list[:begin])
	for i, o := range list {
		k := s.page.fromLeader(ctx, o, now)
		if k.err == nil || ctx.Err() == nil {
			s.add(o, k, now)
			continue
		}
		for _, rest := range list[i:] {
			if i == 0 && !errors.Is(k.err, errBusy) { // the server does not answer at all
				s.add(rest, k, now)
			} else {
				s.keep(rest, now)
			}
		}
		s.mu.Lock()
		s.first[server] = o.Name
		s.mu.Unlock()
		return
	}
}

// keep adds a sample without numbers: the outbox was not read in this round, and what was
// learned before stays.
func (s *sampler) keep(o Outbox, now time.Time) {
	last, ok := s.latest(o.Name)
	s.add(o, known{silent: true, skipped: true, at: now}, now)
	if ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all[o.Name].last = last
	}
}

func (s *sampler) add(o Outbox, k known, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[o.Name]
	if one == nil {
		one = &sampled{history: newHistory(now)}
		s.all[o.Name] = one
	}
	c := countOf(o, now)
	next := sample{at: now, rate: math.NaN(), pending: math.NaN(), oldest: math.NaN(), dead: math.NaN()}
	if len(one.counts) > 0 {
		before := one.counts[len(one.counts)-1]
		next.rate = rate(before, c)
		switch {
		case !stuckSince(before, c):
			one.still = time.Time{}
		case one.still.IsZero():
			one.still = before.at
		}
	}
	if k.err == nil && !k.silent && now.Sub(k.asOf) < longestAge { // a plot must not repeat an old count
		next.pending, next.dead = float64(k.state.Pending), float64(k.state.Dead)
		next.oldest = 0
		if k.state.Oldest != nil {
			next.oldest = k.state.Oldest.Age.Seconds()
		}
	}
	one.history.add(next)
	const kept = 3
	if one.counts = append(one.counts, c); len(one.counts) > kept {
		one.counts = one.counts[1:]
	}
	one.last, one.seen = k, true
}

// rate returns the rows per second between two counts; NaN if this process did not lead.
func rate(from, to count) float64 {
	seconds := to.at.Sub(from.at).Seconds()
	if !from.leads || !to.leads || seconds <= 0 || to.published < from.published {
		return math.NaN()
	}
	return float64(to.published-from.published) / seconds
}

// shortestRate is the time over which the throughput now is measured at least.
const shortestRate = 5 * time.Second

// throughput returns the rows per second now; NaN if it is not known.
func (s *sampler) throughput(o Outbox, now time.Time) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[o.Name]
	if one == nil {
		return math.NaN()
	}
	to := countOf(o, now)
	for i := len(one.counts) - 1; i >= 0; i-- {
		if from := one.counts[i]; now.Sub(from.at) >= shortestRate || i == 0 {
			return rate(from, to)
		}
	}
	return math.NaN()
}

// still returns how long rows of an outbox have been in flight without one being published;
// 0: they are not, or it is not known.
func (s *sampler) still(o Outbox, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[o.Name]
	if one == nil || len(one.counts) == 0 {
		return 0
	}
	last := one.counts[len(one.counts)-1]
	switch {
	case !stuckSince(last, countOf(o, now)):
		return 0
	case one.still.IsZero():
		return now.Sub(last.at)
	}
	return now.Sub(one.still)
}

// samples returns the samples of the last hour or of the last days, and since when there
// are any.
func (s *sampler) samples(name string, days bool) (list []sample, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[name]
	if one == nil {
		return nil, time.Time{}
	}
	if !days {
		return one.history.hour.samples(), one.history.since
	}
	list = one.history.days.samples()
	if len(one.history.step) > 0 { // the current step, so that the plot is not empty at first
		list = append(list, summary(one.history.step))
	}
	return list, one.history.since
}

// latest returns what the last sample has learned.
func (s *sampler) latest(name string) (known, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[name]
	if one == nil || one.last.skipped {
		return known{}, false
	}
	return one.last, true
}

// fromMemory returns the state of an outbox that this process leads, without asking the
// database: its relay counts the rows anyway.
func fromMemory(o Outbox, now time.Time) known {
	led := admin.Leader{Known: true, Holder: ours, Epoch: o.Status.Epoch, State: o.Status}
	k := fromStats(led, now)
	k.state.Pauses = o.Status.OperatorPauses
	return k
}

// ours stands for the id of the term, which the relay does not tell.
var ours = uuid.UUID{15: 1}

// fromStats returns the state that a leader's status has.
func fromStats(l admin.Leader, now time.Time) known {
	stats := l.State.Stats
	k := known{at: now, asOf: l.State.StatsAt, silent: l.State.StatsAt.IsZero(), state: admin.State{
		Leader: l, Now: now, Pending: stats.Pending, Retrying: stats.Held, Dead: stats.Dead, Delayed: stats.Delayed,
		Pauses: l.State.OperatorPauses,
	}}
	if stats.OldestAge > 0 {
		k.state.Oldest = &admin.Row{Age: stats.OldestAge}
		if l.State.HeldKeys > 0 { // it may be one that waits for its next attempt: that is another reason
			k.state.Oldest.NextAttempt = now
		}
		k.state.OldestUnpaused = k.state.Oldest // the statistics leave out paused topics
	}
	if stats.Delayed > 0 {
		k.state.NextDelayed = &admin.DelayedEvent{DueIn: stats.DelayedIn}
	}
	return k
}

// fromLeader returns the state that the leader has published in the lease row. Without a
// leader, nobody counts the rows: then the database does.
func (p *Page) fromLeader(ctx context.Context, o Outbox, now time.Time) (k known) {
	err := p.sessions.withShared(ctx, o.Database, func(conn *pgx.Conn) error {
		l, err := admin.ReadLeader(ctx, conn, "")
		if err != nil {
			return err
		}
		if l.Holder != uuid.Nil && l.Silent < silence {
			k = fromStats(l, now)
			return nil
		}
		state, err := admin.Inspect(ctx, conn, "")
		k = known{state: state, counted: true, at: now, asOf: time.Now()}
		return err
	})
	if err != nil {
		return known{err: err, at: now}
	}
	return k
}

// silence is how long a leader may go without a renewal before the page doubts it.
const silence = 5 * time.Second
