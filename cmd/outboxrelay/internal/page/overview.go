package page

import (
	"fmt"
	"hash/fnv"
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
}

// number is one fact with its name.
type number struct {
	Name, Value string
	Link        string // the page that has more; "": none
	Urgent      bool
	At          *moment
}

// overviewView is the first page.
type overviewView struct {
	frame

	Summary string
	Spoken  string // the same for screen readers, which say it when it changes
	At      *moment
	Cards   []card
	Rows    []card // the others, in short
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
	view := overviewView{frame: p.frame(r, "Outboxes"), At: at(now)}
	view.Refresh = true
	view.Cards = make([]card, len(all))
	var reading sync.WaitGroup // together they wait no longer than one, if a database is silent
	for i, o := range all {
		reading.Go(func() {
			view.Cards[i] = p.card(o, p.glance(r.Context(), o, now, len(all) <= mostFresh), now, len(all) > 1)
		})
	}
	reading.Wait()
	slices.SortStableFunc(view.Cards, func(a, b card) int { return int(b.Level) - int(a.Level) })
	view.Summary = summarize(view.Cards)
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
	p.show(w, http.StatusOK, "overview", view)
}

// summarize says which outboxes somebody should look at. The cards are in the order of
// their urgency.
func summarize(cards []card) string {
	var urgent []string
	for _, c := range cards {
		if c.Level >= warn {
			urgent = append(urgent, c.Name)
		}
	}
	const named = 3
	switch {
	case len(cards) == 0:
		return "This process serves no outbox now."
	case len(urgent) == 0:
		return outboxes(len(cards)) + ", and nothing needs your attention."
	case len(urgent) > named:
		return fmt.Sprintf("Need attention: %s and %d more, of %s.", strings.Join(urgent[:named], ", "), len(urgent)-named, outboxes(len(cards)))
	case len(urgent) == 1:
		return fmt.Sprintf("Needs attention: %s, 1 of %s.", urgent[0], outboxes(len(cards)))
	}
	return fmt.Sprintf("Need attention: %s, of %s.", strings.Join(urgent, ", "), outboxes(len(cards)))
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
	var reasons []Reason
	if k.err == nil && !k.silent {
		reasons = p.cfg.Reasons(k.state)
	}
	c := card{
		verdict: judge(o, k, rate, reasons), ID: anchor(o.Name), Name: visible(o.Name), Link: address("outbox", "outbox", o.Name),
		Whys: p.explain(o, k, reasons, named), Numbers: numbers(o, k, rate),
	}
	c.Leader, c.LeaderNote = p.leader(o, k)
	return c
}

// anchor returns the id of an outbox in a page.
func anchor(name string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // it never fails
	return fmt.Sprintf("o%x", h.Sum64())
}

// numbers returns the facts that matter most.
func numbers(o Outbox, k known, rate float64) []number {
	if k.err != nil || k.silent {
		return nil
	}
	s := k.state
	pending := number{Name: "Pending rows", Value: counted(s.Pending)}
	oldest := number{Name: "Oldest waits for", Value: "no row waits"}
	if s.Oldest != nil {
		oldest.Value, oldest.Urgent = span(s.Oldest.Age), s.Oldest.Age > time.Minute
	}
	dead := number{Name: "Dead rows", Value: grouped(s.Dead), Link: address("dead", "outbox", o.Name), Urgent: s.Dead > 0}
	held := number{Name: "Held keys", Value: grouped(int64(s.Leader.State.HeldKeys)), Link: address("outbox", "outbox", o.Name) + "#waiting"}
	stopped := int64(len(s.Pauses)) + int64(s.Leader.State.PausedTopicCount)
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
	case k.err != nil:
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
