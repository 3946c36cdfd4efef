package relay

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// memPause is a pause of an operator in memory.
type memPause struct {
	OperatorPause
	at time.Duration
}

// Pause pauses a topic, or with "" all topics, and Resume ends a pause.
func (s *memStore) Pause(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pauses = append(s.pauses, memPause{OperatorPause{Topic: topic, Actor: "ann", Reason: "test"}, s.now()})
	s.pausesChanged++
}

func (s *memStore) Resume(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pauses = slices.DeleteFunc(s.pauses, func(p memPause) bool { return p.Topic == topic })
	s.pausesChanged++
}

// pauseOf returns the pause of a topic that is in force for the longest time; nil: none.
func (s *memStore) pauseOf(topic string) *memPause {
	for i, p := range s.pauses {
		if p.Topic == topic || p.Topic == "" {
			return &s.pauses[i]
		}
	}
	return nil
}

func (s *memStore) pausesVersion() string { return fmt.Sprintf("v%d", s.pausesChanged) }

// Pauses implements Pauser.
func (s *memStore) Pauses(context.Context) (OperatorPauses, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := OperatorPauses{Version: s.pausesVersion()}
	for _, p := range s.pauses {
		out.List = append(out.List, p.OperatorPause)
	}
	return out, nil
}

// pauseSome is what an operator does: pauses a topic or all, or ends a pause.
func (s *sim) pauseSome() {
	topic := ""
	if s.chance(0.8) {
		topic = s.topicName(s.rng.IntN(simTopics))
	}
	if slices.ContainsFunc(s.store.pauses, func(p memPause) bool { return p.Topic == topic }) {
		s.say("an operator resumes %q", topic)
		s.store.Resume(topic)
		return
	}
	s.say("an operator pauses %q", topic)
	s.store.Pause(topic)
}

// resumeAll ends all pauses.
func (s *sim) resumeAll() {
	s.say("an operator resumes all")
	for _, p := range slices.Clone(s.store.pauses) {
		s.store.Resume(p.Topic)
	}
}

// obeyed lists the pauses that the leader knows.
func (r *simRelay) obeyed() []OperatorPause {
	if r.m.t == nil {
		return nil
	}
	return slices.Clone(r.m.t.flow.targets.stopped.list)
}

// simObeys is how long a leader may take to obey a pause, with lost calls and a suspension.
const simObeys = 20 * time.Second

// checkPauses checks that no wave has rows of a topic that was paused before the term
// began, or long ago.
func (r *simRelay) checkPauses(records []Record) {
	for i := range records {
		p := r.s.store.pauseOf(records[i].Topic)
		switch {
		case p == nil:
		case p.at < r.began:
			r.s.violate("disobeyed", "relay %d sends row %d, whose topic was paused before the term", r.id, records[i].Seq)
		case r.s.now-p.at > simObeys:
			r.s.violate("disobeyed", "relay %d sends row %d, whose topic was paused %v ago", r.id, records[i].Seq, r.s.now-p.at)
		}
	}
}
