package page

import (
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/outboxgen/outboxgen/runtime/relay"
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

const (
	// longestAge is the age of a count above which the page warns. The leader counts every 15
	// seconds.
	longestAge = 40 * time.Second
	// startLasts is how long a leader may say that nothing moves before the page repeats it,
	// and countLasts how long its first count may take.
	startLasts = 5 * time.Second
	countLasts = time.Minute
)

// longWait is how long a row may be pending under a leader before the page mentions it.
const longWait = 3 * time.Second

// judge says whether the events of an outbox flow.
func judge(o Outbox, k known, rate float64, reasons []Reason) verdict {
	l := k.state.Leader
	led := l.Known && l.Holder != uuid.Nil
	waits := k.state.Pending > 0 || k.state.AtLeast
	switch {
	case o.Problem != "":
		return verdict{bad, "Needs action", "This process cannot serve the outbox until an operator acts."}
	case k.err != nil:
		return verdict{bad, "Not known", "The database cannot be read."}
	case k.unread:
		return verdict{paused, "Not read yet", "The page reads the outboxes one after the other."}
	case !led && waits:
		return verdict{bad, "Not flowing", "No relay leads. Rows that wait: " + pendingWords(k.state) + "."}
	case !led:
		return verdict{warn, "No leader", "No relay leads. No rows wait now."}
	case l.Silent > silence && waits:
		return verdict{bad, "Not flowing", "The leader is silent, and rows wait."}
	case l.Silent > silence:
		return verdict{warn, "Leader silent", "The leader is silent. No rows wait now."}
	case k.silent && led && ledFor(l.State) < startLasts:
		return verdict{good, "Starting", "The leader has not counted the rows yet."}
	case l.State.Reason != "" && l.State.ByOperator:
		return verdict{paused, "Paused", "An operator has paused the topics whose rows wait."}
	case l.State.Reason != "" && l.State.ReasonKind != relay.ReasonHeld: // other keys flow, if rows of them come
		return verdict{bad, "Not flowing", "The relay leads, but no rows move."}
	case k.silent && ledFor(l.State) > countLasts:
		return verdict{warn, "Not counted", "The relay leads, but could not count the rows yet. Its log says why."}
	case k.still > longWait:
		return verdict{bad, "Not flowing", "Rows have been in flight for " + span(k.still) + ", and none of them was published."}
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

// ledFor returns how long a leader has led; if it does not tell, long enough for the page to
// believe what it says, and not longer.
func ledFor(s relay.Status) time.Duration {
	if s.Led == nil || s.Led.Since.IsZero() {
		return startLasts
	}
	return time.Since(s.Led.Since)
}

// judgeFlowing says what is wrong although events flow.
func judgeFlowing(k known, rate float64, reasons []Reason) verdict {
	kinds := map[Kind]bool{}
	for _, r := range reasons {
		kinds[r.Kind] = true
	}
	state := k.state.Leader.State
	partly := state.PausedTopicCount+state.SetAsideCount > 0
	switch {
	case kinds[Fault] || partly:
		return verdict{warn, "Flowing, with problems", "Events flow, except for the rows named here."}
	case k.silent:
		return verdict{good, "Starting", "The leader has not counted the rows yet."}
	case k.age > longestAge:
		return verdict{warn, "Numbers are old", "The rows were counted " + span(k.age) + " ago. The log of the leader says why."}
	case kinds[DeadRow]:
		return verdict{warn, "Flowing, dead rows", "Events flow. Dead rows that need a decision: " + grouped(k.state.Dead) + "."}
	case kinds[Paused]:
		return verdict{paused, "Flowing, with pauses", "Events flow, except for paused topics."}
	case k.state.Pending > 0 || rate > 0 || inFlight(state) > 0:
		return verdict{good, "Flowing", "Events flow."}
	case k.state.Delayed > 0:
		return verdict{good, "Nothing waits", "No row waited at the last count. Delayed events wait for their time."}
	}
	return verdict{good, "Nothing waits", "No row waited at the last count."}
}

// whyNot says why this process does not lead an outbox that nobody leads.
func (p *Page) whyNot(o Outbox) string {
	if o.Status.Reason == "" || o.Status.ReasonKind == relay.ReasonStandby {
		return "this process has not taken over yet"
	}
	return "this process does not either: " + visible(p.cfg.WithoutSecrets(o.Status.Reason))
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
		w := why{Text: visible(p.cfg.WithoutSecrets(r.Text))}
		switch {
		case r.Kind == DeadRow:
			w.Link, w.Doing = address("dead", "outbox", o.Name), "Look at the dead rows, then replay or discard them"
			w.Command, w.Note = "outboxrelay dead list"+only, "lists them"
		case r.Kind == Paused:
			w.Link, w.Doing = address("outbox", "outbox", o.Name)+"#pauses", "See who paused what and why, and resume"
			w.Command, w.Note = "outboxrelay resume TOPIC"+only, "ends a pause"
		case nobody && r.Kind == NoLeader:
			w.Text = "no relay leads: " + p.whyNot(o)
			w.Command, w.Note = "outboxrelay doctor"+only, "says what keeps relays from leading; so does the log of this process"
		default:
			w.Link, w.Doing = address("outbox", "outbox", o.Name)+"#waiting", "See which topics and keys wait"
			w.Command, w.Note = "outboxrelay doctor"+only, "checks database, Kafka and topics, and says how to fix what is wrong"
		}
		all = append(all, w)
	}
	return all
}
