package relay

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Status is a snapshot of a relay. As JSON, which the leader also leaves in the
// lease row, its durations are nanoseconds.
type Status struct {
	// Name is the outbox's, as Config has it.
	Name string `json:"name"`
	// Leader is true while this instance leads the outbox.
	Leader bool `json:"leader"`
	// Epoch is the epoch of the current term, or the last one seen.
	Epoch int64 `json:"epoch"`
	// CaughtUp is true once a leader has read its whole backlog.
	CaughtUp bool `json:"caught_up"`
	// Queued, InFlight and Unsettled count rows in memory: read and waiting, in
	// the current wave, sent and not yet settled.
	Queued    int `json:"queued"`
	InFlight  int `json:"in_flight"`
	Unsettled int `json:"unsettled"`
	// HeldKeys counts the keys that wait for a row that failed.
	HeldKeys int `json:"held_keys"`
	// Held lists the first of them, at most 100.
	Held []HeldKey `json:"held,omitempty"`
	// PausedTopicCount counts the topics that cannot be written now, and PausedTopics
	// lists the first of them, at most 100.
	PausedTopicCount int      `json:"paused_topic_count"`
	PausedTopics     []Paused `json:"paused_topics,omitempty"`
	// SetAsideCount counts the partitions that are set aside, and SetAside lists the
	// first of them, at most 100.
	SetAsideCount int      `json:"set_aside_count"`
	SetAside      []Paused `json:"set_aside,omitempty"`
	// Reason says why nothing moves, in words; empty when rows are moving or
	// there are none.
	Reason string `json:"reason"`
	// Led says who leads and with which settings; nil while standing by.
	Led *Led `json:"led,omitempty"`
	// Panics counts the panics of code that the relay was given (Observer, Sink,
	// WakeSource, Store, tracer) since it was made. They are in its log.
	Panics int64 `json:"panics"`
	// Stats are the store's numbers, as of StatsAt (zero: not known yet).
	Stats   Stats     `json:"stats"`
	StatsAt time.Time `json:"stats_at,omitzero"`
}

// HeldKey is a key whose rows wait because an earlier one failed.
type HeldKey struct {
	Topic string  `json:"topic"`
	Key   *string `json:"key"` // nil: a row without a key, which holds up nothing but itself
	Seq   int64   `json:"seq"` // of the row that holds it
	// Blocked is true when the row is dead and its policy is to block: the key
	// waits for a replay or a discard. RetryIn is the pause until the next
	// attempt otherwise.
	Blocked bool          `json:"blocked"`
	RetryIn time.Duration `json:"retry_in_ns"`
}

// Paused is a topic or partition that waits.
type Paused struct {
	Topic     string        `json:"topic"`
	Partition int32         `json:"partition"` // -1: the topic as a whole
	Reason    string        `json:"reason"`
	RetryIn   time.Duration `json:"retry_in_ns"`
}

// status describes the machine.
func (m *machine) status(now time.Duration) Status {
	s := Status{Name: m.cfg.Name, Leader: m.leads(), Epoch: max(m.own.lease.Epoch, m.seen.state.Epoch)}
	if !m.leads() {
		s.Reason = m.whyStandby()
		return s
	}
	f := m.t.flow
	s.CaughtUp = m.t.reader.backlogDone
	s.Queued, s.InFlight, s.Unsettled = f.queue.queued, f.queue.flying, f.queue.unsettled()
	s.HeldKeys = len(f.waits.keys.byKey)
	for _, k := range f.waits.keys.byKey {
		if len(s.Held) == maxShown {
			break
		}
		s.Held = append(s.Held, k.describe(now))
	}
	slices.SortFunc(s.Held, func(a, b HeldKey) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, tp := range f.queue.topics.order {
		if p := tp.paused; p != nil {
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
	s.Reason = m.t.whyStill(now, &s)
	return s
}

// maxShown bounds the lists of a Status, which goes into the lease row with each renewal.
const maxShown = 100

// list adds one while there is room, and counts it.
func list(shown *[]Paused, p Paused) int {
	if len(*shown) < maxShown {
		*shown = append(*shown, p)
	}
	return 1
}

func (s *scope) describe(now time.Duration) HeldKey {
	h := HeldKey{Topic: s.key.topic, Key: s.key.pointer(), RetryIn: max(0, s.until-now)}
	for seq, r := range s.rows {
		if h.Seq == 0 || seq < h.Seq {
			h.Seq = seq
		}
		h.Blocked = h.Blocked || r.blocked
	}
	return h
}

func (m *machine) whyStandby() string {
	switch {
	case m.phase == phaseDone:
		return "stopped"
	case m.phase == phaseEnding:
		return "the lease is being given back"
	case !m.seen.reached:
		return "the lease has not been read yet"
	case m.own.giveBack != nil:
		return "the store does not answer: the lease cannot be given back"
	}
	return fmt.Sprintf("standing by: epoch %d is led by %s", m.seen.state.Epoch, m.seen.state.Holder)
}

// whyStill says why a leader does not move rows, or nothing.
func (t *term) whyStill(now time.Duration, s *Status) string {
	switch {
	case t.reader.err != nil:
		return "the outbox cannot be read: " + t.reader.err.Error()
	case t.flow.settler.retry != nil:
		return "the outcomes of what was sent cannot be recorded: the store does not answer"
	case t.sender.err != nil && now < t.sender.until+t.sender.cfg.OutageMax:
		return "Kafka unavailable, retrying: " + t.sender.err.Error()
	case !t.sender.open:
		return "the sink is being opened"
	case !t.flow.suspect.judged:
		return "a row that may have killed the relay is being judged"
	case s.Queued+s.InFlight+s.Unsettled > 0:
		return ""
	case len(s.PausedTopics) > 0:
		return fmt.Sprintf("topic %s is paused: %s", s.PausedTopics[0].Topic, s.PausedTopics[0].Reason)
	case len(s.SetAside) > 0:
		return fmt.Sprintf("partition %d of %s is set aside: %s", s.SetAside[0].Partition, s.SetAside[0].Topic, s.SetAside[0].Reason)
	case s.HeldKeys > 0:
		return fmt.Sprintf("%d keys are held by rows that failed", s.HeldKeys)
	}
	return ""
}
