package page

import (
	"context"
	"math"
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
	skipped bool // nobody looks at the page, so the database was not asked
	err     error
	doubt   error // the database could not be asked, so the process says what it knows itself
	at      time.Time
}

// sampler takes samples of all outboxes.
type sampler struct {
	page *Page

	mu  sync.Mutex
	all map[string]*sampled
}

// sampled is what the sampler keeps of one outbox.
type sampled struct {
	history *history
	counts  []count // of the latest samples, for the throughput now
	last    known
	seen    bool // in the current round
}

// count is how many rows this process had recorded as published at one time.
type count struct {
	at        time.Time
	published int64
	leads     bool
}

func newSampler(p *Page) *sampler { return &sampler{page: p, all: map[string]*sampled{}} }

// take takes one sample of each outbox. Where the process stands by, the database is asked
// only if somebody has looked at the page lately: a page that nobody needs costs no
// session. Outboxes of one server are read one after the
// other; if the server does not answer, the rest of them is left out.
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
	for _, list := range elsewhere {
		reading.Go(func() {
			limited, cancel := context.WithTimeout(ctx, sampleEvery/2)
			defer cancel()
			for _, o := range list {
				s.add(o, s.page.fromLeader(limited, o, now), now)
			}
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

func (s *sampler) add(o Outbox, k known, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.all[o.Name]
	if one == nil {
		one = &sampled{history: newHistory(now)}
		s.all[o.Name] = one
	}
	c := count{now, o.Published, o.Status.Leader}
	next := sample{at: now, rate: math.NaN(), pending: math.NaN(), oldest: math.NaN(), dead: math.NaN()}
	if len(one.counts) > 0 {
		next.rate = rate(one.counts[len(one.counts)-1], c)
	}
	if k.err == nil && !k.silent {
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
	to := count{now, o.Published, o.Status.Leader}
	for i := len(one.counts) - 1; i >= 0; i-- {
		if from := one.counts[i]; now.Sub(from.at) >= shortestRate || i == 0 {
			return rate(from, to)
		}
	}
	return math.NaN()
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
	k := known{at: now, silent: l.State.StatsAt.IsZero(), state: admin.State{
		Leader: l, Now: now, Pending: stats.Pending, Waiting: stats.Held, Dead: stats.Dead, Delayed: stats.Delayed,
		Pauses: l.State.OperatorPauses,
	}}
	if stats.OldestAge > 0 {
		k.state.Oldest = &admin.Row{Age: stats.OldestAge, Topic: withheldTopic(l.State)}
		if l.State.HeldKeys > 0 { // it may be one that waits for its next attempt: that is another reason
			k.state.Oldest.NextAttempt = now
		}
	}
	if stats.Delayed > 0 {
		k.state.NextDelayed = &admin.DelayedEvent{DueIn: stats.DelayedIn}
	}
	return k
}

// withheldTopic returns a topic that an operator has paused and for which rows wait. The
// statistics do not tell the topic of the oldest row; it is most likely one of these.
func withheldTopic(s relay.Status) string {
	if s.Withheld == 0 || len(s.OperatorPauses) == 0 {
		return ""
	}
	return s.OperatorPauses[0].Topic
}

// fromLeader returns the state that the leader has published in the lease row. Without a
// leader, nobody counts the rows: then the database does.
func (p *Page) fromLeader(ctx context.Context, o Outbox, now time.Time) (k known) {
	err := p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
		l, err := admin.ReadLeader(ctx, conn, "")
		if err != nil {
			return err
		}
		if l.Holder != uuid.Nil && l.Silent < silence {
			k = fromStats(l, now)
			return nil
		}
		state, err := admin.Inspect(ctx, conn, "")
		k = known{state: state, counted: true, at: now}
		return err
	})
	if err != nil {
		return known{err: err, at: now}
	}
	return k
}

// silence is how long a leader may go without a renewal before the page doubts it.
const silence = 5 * time.Second
