package page

import (
	"math"
	"strings"
	"time"

	"github.com/google/uuid"
)

// level is how urgent the state of an outbox is, the most urgent last.
type level int

const (
	good level = iota
	paused
	warn
	bad
)

// String returns the name of a level for the style sheet.
func (l level) String() string { return [...]string{"good", "paused", "warn", "bad"}[l] }

// Icon returns a sign for a level, next to which a word always stands.
func (l level) Icon() string { return [...]string{"✓", "=", "!", "✕"}[l] }

// verdict says whether events flow.
type verdict struct {
	Level    level
	Word     string
	Sentence string
}

// why is a reason why rows do not move, and what to do.
type why struct {
	Text          string
	Link, Doing   string // the page that helps, and what to do there
	Command, Note string // the command that helps, and what it does
}

// longWait is how long a row may be pending under a leader before the page mentions it.
const longWait = 3 * time.Second

// judge says whether the events of an outbox flow.
func judge(o Outbox, k known, rate float64, reasons []Reason) verdict {
	l := k.state.Leader
	led := l.Known && l.Holder != uuid.Nil
	waits := k.state.Pending > 0
	switch {
	case o.Problem != "":
		return verdict{bad, "Needs action", "This process cannot serve the outbox until an operator acts."}
	case k.err != nil:
		return verdict{bad, "Not known", "The database cannot be read."}
	case k.silent:
		return verdict{good, "Starting", "The leader has not counted the rows yet."}
	case !led && waits:
		return verdict{bad, "Not flowing", "No relay leads. Rows that wait: " + counted(k.state.Pending) + "."}
	case !led:
		return verdict{warn, "No leader", "No relay leads. No rows wait now."}
	case l.Silent > silence && waits:
		return verdict{bad, "Not flowing", "The leader is silent, and rows wait."}
	case l.Silent > silence:
		return verdict{warn, "Leader silent", "The leader is silent. No rows wait now."}
	case l.State.Reason != "" && l.State.ByOperator:
		return verdict{paused, "Paused", "An operator has paused the topics whose rows wait."}
	case l.State.Reason != "":
		return verdict{bad, "Not flowing", "The relay leads, but no rows move."}
	}
	if old := k.state.Oldest; old != nil && old.Age > longWait && old.NextAttempt.IsZero() && len(reasons) > 0 && reasons[0].Kind == Fault {
		if rate > 0 {
			return verdict{warn, "Catching up", "Events flow, but the oldest row has waited for " + span(old.Age) + "."}
		}
		if math.IsNaN(rate) {
			return verdict{warn, "Late", "The oldest row has waited for " + span(old.Age) + "."}
		}
		return verdict{bad, "Not flowing", "The relay leads, but the oldest row has waited for " + span(old.Age) + "."}
	}
	return judgeFlowing(k, rate, reasons)
}

// judgeFlowing says what is wrong although events flow.
func judgeFlowing(k known, rate float64, reasons []Reason) verdict {
	kinds := map[Kind]bool{}
	for _, r := range reasons {
		kinds[r.Kind] = true
	}
	partly := k.state.Leader.State.PausedTopicCount+k.state.Leader.State.SetAsideCount > 0
	switch {
	case kinds[Fault] || partly:
		return verdict{warn, "Flowing, with problems", "Events flow, except for the rows named here."}
	case kinds[DeadRow]:
		return verdict{warn, "Flowing, dead rows", "Events flow. Dead rows that need a decision: " + grouped(k.state.Dead) + "."}
	case kinds[Paused]:
		return verdict{paused, "Flowing, with pauses", "Events flow, except for paused topics."}
	case k.state.Pending > 0 || rate > 0:
		return verdict{good, "Flowing", "Events flow."}
	}
	return verdict{good, "Nothing waits", "Every event that was committed is published."}
}

// explain adds to each reason what to do about it.
func (p *Page) explain(o Outbox, k known, reasons []Reason, named bool) []why {
	only := ""
	if named {
		only = " --outbox " + shellWord(o.Name)
	}
	var all []why
	if o.Problem != "" {
		all = append(all, why{Text: visibleLines(p.cfg.WithoutSecrets(o.Problem)), Command: "outboxrelay doctor" + only, Note: "says how to fix it; the relay tries again every 30 seconds"})
	}
	if k.err != nil {
		all = append(all, why{Text: visibleLines(p.cfg.WithoutSecrets(k.err.Error())), Command: "outboxrelay doctor" + only, Note: "checks the database and the privileges"})
	}
	if k.doubt != nil {
		all = append(all, why{Text: "the page cannot read the database, so this is what the process knows itself: " + visibleLines(p.cfg.WithoutSecrets(k.doubt.Error())), Command: "outboxrelay doctor" + only, Note: "checks the database and the privileges"})
	}
	nobody := k.err == nil && !k.silent && (!k.state.Leader.Known || k.state.Leader.Holder == uuid.Nil)
	for _, r := range reasons {
		text, _, _ := strings.Cut(r.Text, ": see outboxrelay ") // the page has links instead
		w := why{Text: visible(p.cfg.WithoutSecrets(text))}
		switch {
		case r.Kind == DeadRow:
			w.Link, w.Doing = address("dead", "outbox", o.Name), "Look at the dead rows, then replay or discard them"
			w.Command, w.Note = "outboxrelay dead list"+only, "lists them"
		case r.Kind == Paused:
			w.Link, w.Doing = address("outbox", "outbox", o.Name)+"#pauses", "See who paused what and why, and resume"
			w.Command, w.Note = "outboxrelay resume TOPIC"+only, "ends a pause"
		case nobody:
			w.Command, w.Note = "outboxrelay run", "on a machine that reaches the database and Kafka; its log says what it lacks"
		default:
			w.Link, w.Doing = address("outbox", "outbox", o.Name)+"#waiting", "See which topics and keys wait"
			w.Command, w.Note = "outboxrelay doctor"+only, "checks database, Kafka and topics, and says how to fix what is wrong"
		}
		all = append(all, w)
	}
	return all
}
