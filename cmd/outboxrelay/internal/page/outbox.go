package page

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

// outboxView is the page of one outbox.
type outboxView struct {
	frame
	card

	ByName  string // in addresses
	At      *moment
	Spoken  string
	MayRead bool
	// MayChange is true for people who may pause and resume topics.
	MayChange bool
	DeadLink  string
	// Pauses of operators, and topics or partitions that cannot be written.
	Pauses     []pauseView
	MorePauses string
	PauseLink  string
	Troubles   []trouble
	MoreOf     string
	// Keys that wait, and rows that wait for their next attempt.
	HeldKeys int64
	Keys     []heldKey
	MoreKeys string
	Retried  []retried
	Oldest   *waitingRow
	Settings []number
	Plots    plots
}

// trouble is a topic or a partition that cannot be written now.
type trouble struct{ Place, Reason, Again string }

// heldKey is a key whose rows wait.
type heldKey struct{ Topic, Key, Seq, Row, Why string }

// retried is a row that failed and waits for its next attempt.
type retried struct {
	Seq, Row, Type, Topic, Key, Error string
	Attempts                          int
	Next                              *moment
}

type waitingRow struct{ Seq, Row, Type, Topic, Key, Age string }

func (p *Page) outbox(w http.ResponseWriter, r *http.Request) {
	o, ok := p.named(w, r)
	if !ok {
		return
	}
	now := time.Now()
	p.watch(now)
	mayRead := p.cfg.Access.mayRead(r)
	var k known
	if mayRead {
		k = p.inspect(r.Context(), o)
	} else {
		k = p.glance(r.Context(), o, now, true)
	}
	if k.err != nil && o.Status.Leader { // what the process knows itself is better than nothing
		doubt := k.err
		k = fromMemory(o, now)
		k.doubt = doubt
	}
	view := outboxView{
		frame: p.frame(r, visible(o.Name)), card: p.card(o, k, now, len(p.cfg.Outboxes()) > 1), At: at(now),
		ByName: o.Name, DeadLink: address("dead", "outbox", o.Name), PauseLink: address("pause", "outbox", o.Name),
		MayRead: mayRead, MayChange: p.cfg.Access.visitor(r).mayChange(),
	}
	view.Refresh = true
	view.Spoken = view.Word + ". " + view.Sentence
	if k.err != nil || k.silent || view.Level == good || k.state.Pending > 0 {
		view.Spoken = view.Word + "." // the rest has numbers that change all the time
	}
	p.addWaiting(&view, o, k)
	view.Plots = p.plots(o.Name, r.FormValue("range") == "days")
	p.show(w, http.StatusOK, "outbox", view)
}

// addWaiting adds what waits, and why.
func (p *Page) addWaiting(view *outboxView, o Outbox, k known) {
	clean := func(text string) string { return visible(p.cfg.WithoutSecrets(text)) }
	row := func(seq int64) string { return address("row", "outbox", o.Name, "seq", strconv.FormatInt(seq, 10)) }
	p.addPauses(view, o, k)
	state := k.state.Leader.State
	for _, list := range [][]relay.Paused{state.PausedTopics, state.SetAside} {
		for _, one := range list {
			t := trouble{Place: "topic " + visible(one.Topic), Reason: clean(one.Reason), Again: "is being tried"}
			if one.Partition >= 0 {
				t.Place += ", partition " + strconv.Itoa(int(one.Partition))
			}
			if one.RetryIn > 0 {
				t.Again = "in " + span(one.RetryIn)
			}
			view.Troubles = append(view.Troubles, t)
		}
	}
	if more := state.PausedTopicCount + state.SetAsideCount - len(view.Troubles); more > 0 {
		view.MoreOf = several(int64(more), "more topic or partition")
	}
	if led := state.Led; led != nil {
		for _, name := range slices.Sorted(maps.Keys(led.Settings)) {
			view.Settings = append(view.Settings, number{Name: visible(name), Value: clean(led.Settings[name])})
		}
	}
	view.HeldKeys = int64(state.HeldKeys)
	if !view.MayRead { // keys and errors may be personal
		return
	}
	for _, one := range state.Held {
		held := heldKey{Topic: visible(one.Topic), Key: keyText(one.Key), Seq: strconv.FormatInt(one.Seq, 10), Row: row(one.Seq), Why: "the row is tried again in " + span(one.RetryIn)}
		if one.Blocked {
			held.Why = "the row is dead and blocks its key: replay or discard it"
		}
		view.Keys = append(view.Keys, held)
	}
	if more := state.HeldKeys - len(state.Held); more > 0 {
		view.MoreKeys = several(int64(more), "more key")
	}
	for _, one := range k.state.RetryingRows {
		view.Retried = append(view.Retried, retried{
			Seq: strconv.FormatInt(one.Seq, 10), Row: row(one.Seq), Type: visible(one.EventType), Topic: visible(one.Topic), Key: keyText(one.Key),
			Error: short(clean(one.LastError), longestCell), Attempts: one.RetryCount, Next: at(one.NextAttempt),
		})
	}
	if one := k.state.Oldest; one != nil && one.Seq > 0 {
		view.Oldest = &waitingRow{
			Seq: strconv.FormatInt(one.Seq, 10), Row: row(one.Seq), Type: visible(one.EventType), Topic: visible(one.Topic),
			Key: keyText(one.Key), Age: span(one.Age),
		}
	}
}
