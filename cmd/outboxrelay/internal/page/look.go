package page

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// lookLasts is how long a look at the database serves everybody who asks.
const lookLasts = 1500 * time.Millisecond

// look is the latest look at the database for one outbox.
type look struct {
	mu    sync.Mutex
	known known
	took  time.Duration
	asked time.Time
}

// restAfter is how many times as long as a look took nobody looks again.
const restAfter = 4

// shared returns what read returns. However many people watch, it is called once in
// lookLasts for each key, and less often if it is slow.
func (p *Page) shared(ctx context.Context, key string, limit time.Duration, read func(context.Context) known) known {
	p.mu.Lock()
	l := p.looks[key]
	if l == nil {
		l = &look{}
		p.looks[key] = l
	}
	l.asked = time.Now()
	p.mu.Unlock()

	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.known.at) < max(lookLasts, restAfter*l.took) {
		return l.known
	}
	// Others wait for the answer too, so it does not end with this request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	began := time.Now()
	l.known = read(ctx)
	l.known.at = time.Now()
	l.took = l.known.at.Sub(began)
	return l.known
}

// inspect returns what the database knows about an outbox. It is for people who may see dead
// rows: others see what the leader has counted.
func (p *Page) inspect(ctx context.Context, o Outbox) known {
	return p.unlessBusy(o, p.shared(ctx, allOf(o), lookLimit, func(ctx context.Context) (k known) {
		k.err = p.sessions.with(ctx, o.Database, func(conn *pgx.Conn) error {
			var err error
			k.state, err = admin.Inspect(ctx, conn, "")
			return err
		})
		k.counted, k.asOf = k.err == nil, time.Now()
		return k
	}))
}

// mostFresh is up to how many outboxes the overview of a standby asks the database when
// somebody looks. With more, it shows what the last samples have learned.
const mostFresh = 20

// glance returns what is known about an outbox without making the database count, unless
// nobody leads it.
func (p *Page) glance(ctx context.Context, o Outbox, now time.Time, fresh bool) known {
	if o.Status.Leader {
		return fromMemory(o, now)
	}
	if k, ok := p.samples.latest(o.Name); ok && (!fresh || now.Sub(k.at) < lookLasts) {
		return k
	}
	if !fresh { // the sampler reads it soon
		return known{unread: true, at: now}
	}
	return p.unlessBusy(o, p.shared(ctx, "lease of "+o.Name, lookLimit, func(ctx context.Context) known { return p.fromLeader(ctx, o, now) }))
}

// unlessBusy returns k. If the page's sessions are busy, which is no fault of the database, it
// returns what is known from before.
func (p *Page) unlessBusy(o Outbox, k known) known {
	if !errors.Is(k.err, errBusy) {
		return k
	}
	if o.Status.Leader {
		return fromMemory(o, k.at)
	}
	if last, ok := p.samples.latest(o.Name); ok {
		return last
	}
	return known{unread: true, at: k.at}
}

// changed forgets what the database knew about an outbox: whoever changes something sees it
// at once.
func (p *Page) changed(o Outbox) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.looks, allOf(o))
}

// allOf is the key of a look at everything about an outbox.
func allOf(o Outbox) string { return "all of " + o.Name }

// forget removes looks that nobody has asked for lately.
func (p *Page) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, l := range p.looks {
		if time.Since(l.asked) > time.Minute {
			delete(p.looks, key)
		}
	}
}
