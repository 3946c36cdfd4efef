package page

import (
	"slices"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/admin"
)

// pauseView is a pause of an operator.
type pauseView struct {
	ID                   string // of its row in the page
	Topic, Actor, Reason string
	Since                *moment
	Leader               string // what the leader does about it
	Waits                bool   // the leader does not follow yet
	Resume               string // the address of the page that ends it; "": somebody has ended it
}

// mostPauses limits the pauses that the page of an outbox lists. The leader lists as many.
const mostPauses = 100

func (p *Page) pauseView(o Outbox, one relay.OperatorPause) pauseView {
	out := pauseView{
		ID: "pause-" + anchor(one.Topic), Topic: visible(one.Topic), Actor: visible(one.Actor), Reason: visible(p.cfg.WithoutSecrets(one.Reason)), Since: at(one.Since),
		Resume: address("pause", "outbox", o.Name, "do", "resume", "topic", one.Topic),
	}
	if one.Topic == admin.AllTopics {
		out.Topic, out.Resume = "all topics", address("pause", "outbox", o.Name, "do", "resume", "all", "1")
	}
	return out
}

// addPauses adds the pauses that are recorded, those that have ended and that the leader still
// obeys, and whether the leader follows.
func (p *Page) addPauses(view *outboxView, o Outbox, k known) {
	for _, one := range k.state.Pauses[:min(len(k.state.Pauses), mostPauses)] {
		shown := p.pauseView(o, one)
		shown.Leader, shown.Waits = follows(one, k)
		view.Pauses = append(view.Pauses, shown)
	}
	for _, one := range endedLately(k) {
		shown := p.pauseView(o, one)
		shown.ID += "-ended"
		shown.Leader, shown.Waits, shown.Resume = "does not send the rows yet, although somebody has resumed", true, ""
		view.Pauses = append(view.Pauses, shown)
	}
	if more := max(len(k.state.Pauses), k.state.Leader.State.OperatorPauseCount) - mostPauses; more > 0 {
		view.MorePauses = several(int64(more), "more pause")
	}
	waits := 0
	for _, one := range view.Pauses {
		if one.Waits {
			waits++
		}
	}
	if waits > 0 {
		view.Spoken += " The leader does not follow yet: " + several(int64(waits), "change") + " of pauses."
	}
}

// leads reports whether a relay leads and is heard of.
func leads(l admin.Leader) bool { return l.Known && l.Holder != uuid.Nil && l.Silent <= silence }

// follows says what the leader does about a pause that is recorded.
func follows(one relay.OperatorPause, k known) (words string, waits bool) {
	l := k.state.Leader
	obeyed := slices.ContainsFunc(l.State.OperatorPauses, func(other relay.OperatorPause) bool {
		return other.Topic == one.Topic && other.Since.Equal(one.Since)
	})
	cut := l.State.OperatorPauseCount > len(l.State.OperatorPauses)
	switch {
	case !l.Known || l.Holder == uuid.Nil:
		return "none now; the next one obeys before it sends anything", false
	case !leads(l):
		return "is silent, so it is not known", false
	case !l.State.Leader:
		return "has not said so yet; it obeys before it sends anything", false
	case obeyed, !k.counted, cut && l.State.OperatorPauseCount == len(k.state.Pauses): // without a count, the list is the leader's own
		return "sends none of these rows", false
	case k.state.Now.Sub(one.Since) > silence:
		return "does not follow, for " + span(k.state.Now.Sub(one.Since)) + ": it may be stuck, or its version is from before pauses; see its log", true
	}
	return "does not follow yet; it does within about a second", true
}

// endedLately returns the pauses that the leader obeys and that somebody has ended.
func endedLately(k known) (out []relay.OperatorPause) {
	if !k.counted || !leads(k.state.Leader) {
		return nil
	}
	for _, one := range k.state.Leader.State.OperatorPauses {
		if !slices.ContainsFunc(k.state.Pauses, func(other relay.OperatorPause) bool { return other.Topic == one.Topic }) {
			out = append(out, one)
		}
	}
	return out
}
