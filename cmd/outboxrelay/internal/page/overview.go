package page

import (
	"context"
	"fmt"
	"hash/fnv"
	"html/template"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// card is what the first page says about an outbox.
type card struct {
	verdict

	ID, Name, Link string
	Whys           []why
	Numbers        []number
	Leader         string
	LeaderNote     string
	Counted        string // when the rows were counted

	unread bool
	age    time.Duration
}

// number is one fact with its name.
type number struct {
	Name, Value string
	Link        string // the page that has more; "": none
	Urgent      bool
	At          *moment
}

// overviewPage is the first page.
type overviewPage struct {
	frame

	Every int // seconds until it changes by itself
	Live  template.HTML
}

// overviewView is the part of it that changes by itself.
type overviewView struct {
	Summary string
	Spoken  string // the same for screen readers, which say it when it changes
	At      *moment
	Cards   []card
	Rows    []card // the others, in short
	Counted string // when the rows were counted

	oldest time.Duration
}

// mostCards limits the outboxes that are shown with reasons, and fewCards is up to how many
// all are.
const (
	mostCards = 50
	fewCards  = 8
)

func (p *Page) overview(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	p.watch(now)
	all := p.cfg.Outboxes()
	live, err := p.first.of(len(all) > mostFresh, func() (template.HTML, error) { return p.overviewOf(context.WithoutCancel(r.Context()), all, now) })
	if err != nil {
		p.broken(w, "overview", err)
		return
	}
	view := overviewPage{frame: p.frame(r, "Outboxes"), Every: 2, Live: live}
	if len(all) > manyOutboxes {
		view.Every = 10
	}
	view.Refresh = true
	p.show(w, http.StatusOK, "overview", view)
}

// manyOutboxes is the number above which the first page changes less often.
const manyOutboxes = 100

// rendered is a part of a page that is the same for everybody. One that takes long to make is
// kept for restAfter as long, so that many browsers do not take the relay's time.
type rendered struct {
	mu    sync.Mutex
	html  template.HTML
	until time.Time
}

// of returns what build returns, or what is kept of it.
func (c *rendered) of(kept bool, build func() (template.HTML, error)) (template.HTML, error) {
	if !kept {
		return build()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	began := time.Now()
	if began.Before(c.until) {
		return c.html, nil
	}
	html, err := build()
	if err == nil {
		c.html, c.until = html, time.Now().Add(restAfter*time.Since(began))
	}
	return html, err
}

// overviewOf describes the outboxes.
func (p *Page) overviewOf(ctx context.Context, all []Outbox, now time.Time) (template.HTML, error) {
	view := overviewView{At: at(now)}
	view.Cards = make([]card, len(all))
	var reading sync.WaitGroup // together they wait no longer than one, if a database is silent
	for i, o := range all {
		// What a bug leaves.
		view.Cards[i] = card{verdict: verdict{bad, "Not known", "The page has a bug: the log of the relay has more."}, ID: anchor(o.Name), Name: visible(o.Name), Link: address("outbox", "outbox", o.Name)}
		reading.Go(func() {
			defer p.survive("describe an outbox")
			view.Cards[i] = p.card(o, p.glance(ctx, o, now, len(all) <= mostFresh), now, len(all) > 1)
		})
	}
	reading.Wait()
	slices.SortStableFunc(view.Cards, func(a, b card) int { return int(b.Level) - int(a.Level) })
	view.Summary = summarize(view.Cards)
	for _, c := range view.Cards {
		view.oldest = max(view.oldest, c.age)
	}
	if view.oldest > 0 {
		view.Counted = "The rows were counted at most " + span(view.oldest) + " ago."
	}
	view.Spoken = view.Summary
	for i, c := range view.Cards {
		if i < fewCards {
			view.Spoken += " " + c.Name + ": " + c.Word + "."
		}
	}
	if len(view.Cards) > fewCards {
		full := 0
		for full < len(view.Cards) && full < mostCards && view.Cards[full].Level > good {
			full++
		}
		view.Cards, view.Rows = view.Cards[:full], view.Cards[full:]
	}
	var b strings.Builder
	err := parsed.ExecuteTemplate(&b, "overview-live", view)
	return template.HTML(b.String()), err // a template has escaped it
}

// summarize says which outboxes somebody should look at. The cards are in the order of
// their urgency.
func summarize(cards []card) string {
	var urgent []string
	unread := 0
	for _, c := range cards {
		if c.unread {
			unread++
		}
		if c.Level >= warn {
			urgent = append(urgent, c.Name)
		}
	}
	const named = 3
	switch {
	case len(cards) == 0:
		return "This process serves no outbox now."
	case len(urgent) == 0 && unread > 0:
		return fmt.Sprintf("%s. Not read yet: %d. Of the others, none needs your attention.", outboxes(len(cards)), unread)
	case len(urgent) == 0:
		return outboxes(len(cards)) + ", and nothing needs your attention."
	case len(urgent) > named:
		return fmt.Sprintf("Need attention: %s and %d more, of %s.", strings.Join(urgent[:named], ", "), len(urgent)-named, outboxes(len(cards)))
	case len(urgent) == 1:
		return fmt.Sprintf("Needs attention: %s, 1 of %s.", urgent[0], outboxes(len(cards)))
	}
	return fmt.Sprintf("Need attention: %s, of %s.", strings.Join(urgent, ", "), outboxes(len(cards)))
}

// heads are the numbers that the short table has.
var heads = []string{"Pending rows", "Oldest waits for", "Throughput", "Dead rows", "Held keys", "Paused topics"}

// Heads returns the heads of the short table.
func (overviewView) Heads() []string { return heads }

// Cells returns a cell for each head.
func (c card) Cells() []number {
	out := make([]number, 0, len(heads))
	for _, head := range heads {
		i := slices.IndexFunc(c.Numbers, func(n number) bool { return n.Name == head })
		if i < 0 {
			out = append(out, number{Name: head, Value: "not known"})
		} else {
			out = append(out, c.Numbers[i])
		}
	}
	return out
}

func outboxes(n int) string {
	if n == 1 {
		return "1 outbox"
	}
	return fmt.Sprintf("%d outboxes", n)
}

// card describes an outbox.
func (p *Page) card(o Outbox, k known, now time.Time, named bool) card {
	rate := p.samples.throughput(o, now)
	k = p.aged(o, k, now)
	var reasons []Reason
	if k.err == nil && !k.unread {
		reasons = p.cfg.Reasons(k.state)
	}
	if k.still > longWait && !slices.ContainsFunc(reasons, func(r Reason) bool { return r.Kind == Fault }) {
		reasons = slices.Insert(reasons, 0, Reason{Fault, "rows have been in flight for " + span(k.still) + ", and none of them was published: Kafka or the database may not answer"})
	}
	c := card{
		verdict: judge(o, k, rate, reasons), ID: anchor(o.Name), Name: visible(o.Name), Link: address("outbox", "outbox", o.Name),
		Whys: p.explain(o, k, reasons, named), Numbers: numbers(o, k, rate),
	}
	c.Leader, c.LeaderNote = p.leader(o, k)
	c.unread = k.unread
	if k.err == nil && !k.silent && !k.unread && !k.counted {
		c.age = k.age
		c.Counted = "The leader counted the rows " + span(k.age) + " ago."
	}
	return c
}

// aged adds what has happened since the leader counted the rows.
func (p *Page) aged(o Outbox, k known, now time.Time) known {
	if !k.asOf.IsZero() {
		k.age = max(0, now.Sub(k.asOf))
	}
	if o.Status.Leader {
		k.still = p.samples.still(o, now)
	}
	if oldest := k.state.Oldest; oldest != nil && k.still > 0 && !k.counted { // nothing was published, so it waits still
		older := *oldest
		older.Age += k.age
		k.state.Oldest, k.state.OldestUnpaused = &older, &older
	}
	return k
}

// anchor returns the id of an outbox in a page.
func anchor(name string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it never fails
	return fmt.Sprintf("o%x", h.Sum64())
}

// numbers returns the facts that matter most.
func numbers(o Outbox, k known, rate float64) []number {
	if k.err != nil || k.silent || k.unread {
		return nil
	}
	s := k.state
	pending := number{Name: "Pending rows", Value: pendingWords(s)}
	oldest := number{Name: "Oldest waits for", Value: "no row waits"}
	if s.AtLeast {
		oldest.Value = "not known"
	}
	if s.Oldest != nil {
		oldest.Value, oldest.Urgent = span(s.Oldest.Age), s.Oldest.Age > time.Minute
	}
	dead := number{Name: "Dead rows", Value: grouped(s.Dead), Link: address("dead", "outbox", o.Name), Urgent: s.Dead > 0}
	held := number{Name: "Held keys", Value: grouped(int64(s.Leader.State.HeldKeys)), Link: address("outbox", "outbox", o.Name) + "#waiting"}
	operators := len(s.Pauses)
	if !k.counted { // the leader's list is cut, its count is not
		operators = max(operators, s.Leader.State.OperatorPauseCount)
	}
	stopped := int64(operators + s.Leader.State.PausedTopicCount)
	pauses := number{Name: "Paused topics", Value: grouped(stopped), Link: address("outbox", "outbox", o.Name) + "#pauses", Urgent: stopped > 0}
	all := []number{pending, oldest, {Name: "Throughput", Value: perSecond(rate)}, dead, held, pauses}
	if s.Delayed > 0 {
		all = append(all, number{Name: "Delayed events", Value: counted(s.Delayed)})
	}
	return all
}

// leader says who leads, and what this process is.
func (p *Page) leader(o Outbox, k known) (who, note string) {
	l := k.state.Leader
	switch {
	case k.err != nil, k.unread:
		return "not known", ""
	case !l.Known:
		return "none: no relay has run on this outbox yet", ""
	case l.Holder == uuid.Nil:
		return "none: the last one ended cleanly " + span(l.Silent) + " ago", ""
	}
	who = "the relay with the id " + l.Holder.String()
	if led := l.State.Led; led != nil {
		who = fmt.Sprintf("%s, pid %d", visible(led.Host), led.PID)
		if !led.Since.IsZero() {
			who += ", for " + span(time.Since(led.Since))
		}
	}
	if o.Status.Leader {
		return who, "this process"
	}
	who += ", last heard of " + span(l.Silent) + " ago"
	return who, "this process stands by; the throughput is known on the page of the leader"
}

// isKnown reports whether a number is known.
func isKnown(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }
