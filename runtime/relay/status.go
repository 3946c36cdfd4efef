package relay

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Status is a snapshot of a relay.
type Status struct {
	// Leader is true while this instance leads the outbox.
	Leader bool
	// Epoch is the epoch of the current term, or the last one seen.
	Epoch int64
	// CaughtUp is true once a leader has read its whole backlog.
	CaughtUp bool
	// Queued, InFlight and Unsettled count rows in memory: read and waiting, in
	// the current wave, sent and not yet settled.
	Queued, InFlight, Unsettled int
	// HeldKeys counts the keys that wait for a row that failed.
	HeldKeys int
	// Held lists the first of them, at most 100.
	Held []HeldKey
	// PausedTopics lists the topics that cannot be written now.
	PausedTopics []Paused
	// SetAside lists the partitions that are set aside.
	SetAside []Paused
	// Reason says why nothing moves, in words; empty when rows are moving or
	// there are none.
	Reason string
	// Stats are the store's numbers, as of StatsAt (zero: not known yet).
	Stats   Stats
	StatsAt time.Time
}

// HeldKey is a key whose rows wait because an earlier one failed.
type HeldKey struct {
	Topic string
	Key   *string // nil: a row without a key, which holds up nothing but itself
	Seq   int64   // of the row that holds it
	// Blocked is true when the row is dead and its policy is to block: the key
	// waits for a replay or a discard. RetryIn is the pause until the next
	// attempt otherwise.
	Blocked bool
	RetryIn time.Duration
}

// Paused is a topic or partition that waits.
type Paused struct {
	Topic     string
	Partition int32 // -1: the topic as a whole
	Reason    string
	RetryIn   time.Duration
}

// status describes the machine.
func (m *machine) status(now time.Duration) Status {
	s := Status{Leader: m.leads(), Epoch: max(m.lease.Epoch, m.seen.Epoch)}
	if !m.leads() {
		s.Reason = m.whyStandby()
		return s
	}
	t := m.t
	s.CaughtUp = t.reader.backlogDone
	s.Queued, s.InFlight, s.Unsettled = t.queued, t.flying, t.unsettled()
	s.HeldKeys = len(t.holds)
	for _, k := range t.holds {
		if len(s.Held) == maxHeldShown {
			break
		}
		s.Held = append(s.Held, k.describe(now))
	}
	slices.SortFunc(s.Held, func(a, b HeldKey) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, tp := range t.order {
		if p := tp.paused; p != nil {
			s.PausedTopics = append(s.PausedTopics, Paused{tp.name, -1, p.reason, max(0, p.until-now)})
		}
		for _, p := range tp.parts {
			if p.aside != nil {
				s.SetAside = append(s.SetAside, Paused{tp.name, p.part, p.aside.reason, max(0, p.aside.until-now)})
			}
		}
	}
	s.Reason = t.whyStill(now, &s)
	return s
}

// maxHeldShown bounds Status.Held.
const maxHeldShown = 100

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
		return "the term is ending"
	case !m.reached:
		return "the lease has not been read yet"
	case m.release != nil:
		return "the store does not answer: the ended term cannot be given back"
	}
	return fmt.Sprintf("standing by: epoch %d is led by %s", m.seen.Epoch, m.seen.Holder)
}

// whyStill says why a leader does not move rows, or nothing.
func (t *term) whyStill(now time.Duration, s *Status) string {
	switch {
	case t.reader.err != nil:
		return "the outbox cannot be read: " + t.reader.err.Error()
	case t.retry != nil:
		return "what was sent cannot be settled: the store does not answer"
	case t.outageErr != nil && now < t.outageUntil+t.cfg.OutageMax:
		return "nothing can be sent: " + t.outageErr.Error()
	case !t.open:
		return "the sink is being opened"
	case t.suspectPending:
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
