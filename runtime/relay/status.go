package relay

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Status is the state of a relay at one moment. In JSON, which the leader also writes
// into the lease row, durations are in nanoseconds.
type Status struct {
	// Name is Config.Name.
	Name string `json:"name"`
	// Leader is true while this instance leads the outbox.
	Leader bool `json:"leader"`
	// Epoch is the epoch of the current term, or the last one seen.
	Epoch int64 `json:"epoch"`
	// CaughtUp is true once a leader has read its whole backlog.
	CaughtUp bool `json:"caught_up"`
	// Queued, InFlight and Unsettled count rows in memory: waiting to be sent, in the
	// current wave, and sent but not yet settled.
	Queued    int `json:"queued"`
	InFlight  int `json:"in_flight"`
	Unsettled int `json:"unsettled"`
	// HeldKeys counts the keys that wait for a failed row.
	HeldKeys int `json:"held_keys"`
	// Held lists the first of these keys by seq, at most 100. With more than 10,000 keys, it
	// lists any 100 of them.
	Held []HeldKey `json:"held,omitempty"`
	// PausedTopicCount counts the topics that cannot be written now. PausedTopics lists
	// the first of them, at most 100.
	PausedTopicCount int      `json:"paused_topic_count"`
	PausedTopics     []Paused `json:"paused_topics,omitempty"`
	// OperatorPauseCount counts the pauses of operators that are in force; one of all topics
	// counts as one. OperatorPauses lists the first of them, at most 100. These topics are
	// not in PausedTopics.
	OperatorPauseCount int             `json:"operator_pause_count"`
	OperatorPauses     []OperatorPause `json:"operator_pauses,omitempty"`
	// Withheld counts the topics that operators have paused and that have rows waiting.
	Withheld int `json:"withheld_topic_count"`
	// SetAsideCount counts the partitions that are set aside. SetAside lists the first
	// of them, at most 100.
	SetAsideCount int      `json:"set_aside_count"`
	SetAside      []Paused `json:"set_aside,omitempty"`
	// Reason says why no rows are moving. It is empty if rows are moving or there are
	// none.
	Reason string `json:"reason"`
	// ReasonKind says what Reason is about. It is empty if none of the kinds fits, or if
	// an earlier version of the relay leads.
	ReasonKind ReasonKind `json:"reason_kind,omitempty"`
	// ByOperator is true if Reason is an operator's pause.
	ByOperator bool `json:"by_operator,omitempty"`
	// Led describes the leader and its settings; nil while standing by.
	Led *Led `json:"led,omitempty"`
	// Panics counts the panics of code that the relay was given (Observer, Sink,
	// WakeSource, Store, tracer) since New. The log has them.
	Panics int64 `json:"panics"`
	// Stats are the store's statistics at StatsAt; a zero StatsAt means not known yet.
	Stats   Stats     `json:"stats"`
	StatsAt time.Time `json:"stats_at,omitzero"`
}

// ReasonKind says what kind of problem keeps rows from moving.
type ReasonKind string

// The kinds of reasons.
const (
	ReasonStore       ReasonKind = "store"       // the outbox cannot be read, or outcomes cannot be recorded
	ReasonKafka       ReasonKind = "kafka"       // Kafka is unavailable
	ReasonCredentials ReasonKind = "credentials" // Kafka refuses the credentials
	ReasonTopic       ReasonKind = "topic"       // a topic cannot be written
	ReasonPartition   ReasonKind = "partition"   // a partition cannot be written
	ReasonPause       ReasonKind = "pause"       // an operator has paused the topics whose rows wait
	ReasonHeld        ReasonKind = "held"        // failed rows hold their keys
	ReasonStandby     ReasonKind = "standby"     // another relay leads
)

// HeldKey is a key whose rows wait because an earlier row failed.
type HeldKey struct {
	Topic string  `json:"topic"`
	Key   *string `json:"key"` // nil: a row without a key, for which no other row waits
	Seq   int64   `json:"seq"` // of the row that holds it
	// Blocked is true if the row is dead and its policy is Block: the key waits for a
	// replay or a discard. Otherwise RetryIn is the pause until the next attempt.
	Blocked bool          `json:"blocked"`
	RetryIn time.Duration `json:"retry_in_ns"`
}

// Paused is a topic or partition that waits.
type Paused struct {
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"` // -1: the whole topic
	Reason    string        `json:"reason"`
	RetryIn   time.Duration `json:"retry_in_ns"`
}

// status returns the machine's status.
func (m *machine) status(now time.Duration) Status {
	s := Status{Name: m.cfg.Name, Leader: m.leads(), Epoch: max(m.own.lease.Epoch, m.seen.state.Epoch)}
	if !m.leads() {
		s.Reason, s.ReasonKind = m.whyStandby()
		return s
	}
	f := m.t.flow
	s.CaughtUp = m.t.reader.backlogDone
	s.Queued, s.InFlight, s.Unsettled = f.queue.queued, f.queue.flying, f.queue.unsettled()
	s.HeldKeys = len(f.waits.keys.byKey)
	s.Held = f.waits.keys.first(now)
	stopped := f.targets.stopped.list
	s.OperatorPauseCount, s.OperatorPauses = len(stopped), slices.Clone(stopped[:min(len(stopped), maxShown)])
	for _, tp := range f.queue.topics.order {
		if tp.stopped != nil {
			if tp.paused.skipped > 0 {
				s.Withheld++
			}
		} else if p := tp.paused; p != nil {
			s.PausedTopicCount += list(&s.PausedTopics, Paused{tp.name, -1, p.reason, max(0, p.until-now)})
		} else if tp.trouble != "" {
			s.PausedTopicCount += list(&s.PausedTopics, Paused{tp.name, -1, tp.trouble, 0}) // being tried
		}
		for _, p := range tp.parts {
			if p.aside != nil {
				s.SetAsideCount += list(&s.SetAside, Paused{tp.name, p.part, p.aside.reason, max(0, p.aside.until-now)})
			}
		}
	}
	s.Reason, s.ReasonKind = m.t.whyStill(now, &s)
	s.ByOperator = s.ReasonKind == ReasonPause
	return s
}

// whyStopped names an operator's pause for which rows wait.
func (ts *targets) whyStopped() string {
	for _, tp := range ts.q.topics.order {
		if tp.stopped == nil || tp.paused.skipped == 0 {
			continue
		}
		what := "topic " + tp.name + " is"
		if tp.stopped.Topic == "" {
			what = "all topics are"
		}
		return fmt.Sprintf("%s paused by an operator, %s: %s", what, tp.stopped.Actor, cmp.Or(tp.stopped.Reason, "no reason was given"))
	}
	return ""
}

// maxShown limits the lists of a Status, because each renewal writes it into the lease
// row.
const maxShown = 100

// maxSorted limits the keys among which the first are looked for, because a status is made
// often.
const maxSorted = 10_000

// first describes the keys that are held by the rows with the smallest seqs.
func (h *heldKeys) first(now time.Duration) (held []HeldKey) {
	for _, k := range h.byKey {
		if len(held) == maxSorted {
			break
		}
		held = append(held, k.describe(now))
	}
	slices.SortFunc(held, func(a, b HeldKey) int { return cmp.Compare(a.Seq, b.Seq) })
	if len(held) > maxShown {
		held = slices.Clone(held[:maxShown])
	}
	return held
}

// list adds p if there is room, and returns 1 for the count.
func list(shown *[]Paused, p Paused) int {
	if len(*shown) < maxShown {
		*shown = append(*shown, p)
	}
	return 1
}

func (s *scope) describe(now time.Duration) HeldKey {
	h := HeldKey{Topic: s.key.topic, Key: s.key.pointer(), RetryIn: max(0, s.until-now), Blocked: s.look}
	for seq, r := range s.rows {
		if h.Seq == 0 || seq < h.Seq {
			h.Seq = seq
		}
		h.Blocked = h.Blocked || r.blocked
	}
	return h
}

// whyStandby says why the relay does not lead.
func (m *machine) whyStandby() (reason string, kind ReasonKind) {
	switch {
	case m.phase == phaseDone:
		return "stopped", ""
	case m.phase == phaseEnding:
		return "the lease is being released", ""
	case !m.seen.reached:
		return "the lease has not been read yet", ""
	case m.own.giveBack != nil:
		return "the store does not answer: the lease cannot be released", ""
	}
	return fmt.Sprintf("standing by: epoch %d is led by %s", m.seen.state.Epoch, m.seen.state.Holder), ReasonStandby
}

// whyStill says why a leader does not move rows, or returns "".
func (t *term) whyStill(now time.Duration, s *Status) (reason string, kind ReasonKind) {
	switch {
	case t.reader.err != nil:
		return "the outbox cannot be read: " + t.reader.err.Error(), ReasonStore
	case t.flow.settler.retry != nil:
		return "the store does not answer: the outcomes of sent rows cannot be recorded", ReasonStore
	case t.sender.err != nil && now < t.sender.until+t.sender.cfg.OutageMax:
		kind = ReasonKafka
		if errors.Is(t.sender.err, ErrCredentials) {
			kind = ReasonCredentials
		}
		return "Kafka unavailable, retrying: " + t.sender.err.Error(), kind
	case !t.sender.open:
		return "the sink is being opened", ""
	case !t.flow.suspect.judged:
		return "a row that may have killed the relay is being checked", ""
	case s.Queued+s.InFlight+s.Unsettled > 0:
		return "", ""
	case len(s.PausedTopics) > 0: // a fault before a decision
		return fmt.Sprintf("topic %s is paused: %s", s.PausedTopics[0].Topic, s.PausedTopics[0].Reason), ReasonTopic
	case len(s.SetAside) > 0:
		p := s.SetAside[0]
		return fmt.Sprintf("partition %d of %s is set aside: %s", p.Partition, p.Topic, p.Reason), ReasonPartition
	case s.Withheld > 0:
		return t.flow.targets.whyStopped(), ReasonPause
	case s.HeldKeys == 1:
		return "1 key is held by a failed row", ReasonHeld
	case s.HeldKeys > 0:
		return fmt.Sprintf("%d keys are held by failed rows", s.HeldKeys), ReasonHeld
	}
	return "", ""
}
