package relay

import (
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// targets keeps what the broker says about topics and partitions. Those that cannot be
// written wait.
type targets struct {
	cfg   *Config
	q     *queue
	waits *waits
	log   *journal

	describeAt time.Duration
	stopped    operatorPauses
}

// toDescribe lists the topics to describe now.
func (ts *targets) toDescribe(n *agenda) []string {
	if !n.due(ts.describeAt) {
		return nil
	}
	var names []string
	for _, tp := range ts.q.topics.order {
		if tp.invalid {
			continue
		}
		idle := tp.info != nil && !tp.describe
		if idle && tp.used && n.due(tp.infoAt+ts.cfg.TopicsEvery) {
			idle = false
		}
		if !idle && (tp.info != nil || tp.describe || len(tp.waiting) > 0) {
			names = append(names, tp.name)
			tp.used = false
			for _, e := range tp.waiting {
				e.asked = true
			}
		}
	}
	return names
}

// pauseAll records that no topic could be described. The next try is not before until.
func (ts *targets) pauseAll(until time.Duration) { ts.describeAt = until }

// learned handles a description of a topic.
func (ts *targets) learned(now time.Duration, info TopicInfo) {
	tp := ts.q.topics.get(info.Name)
	tp.describe = false
	tp.infoAt = now
	tp.next = nil
	if tp.stopped != nil {
		return // it is described again when the operators' pause ends
	}
	if tp.paused != nil {
		ts.waits.changed() // an operator may have corrected the rows instead of the topic
	}
	switch {
	case info.Problem.Class != ClassOK:
		ts.pause(now, tp, info.Problem.Err.Error())
	case info.Partitions <= 0:
		ts.pause(now, tp, "the topic has no partitions")
	case len(info.Unavailable) >= info.Partitions:
		ts.pause(now, tp, "no partition of the topic has a leader")
	case len(tp.parts) != info.Partitions && ts.q.flyingTo(tp):
		tp.next = &info // applied when its rows in flight are resolved
	default:
		ts.apply(now, tp, &info)
	}
}

// landed applies a description that came while rows of the topic were in flight.
func (ts *targets) landed(now time.Duration, tp *topic) {
	if info := tp.next; info != nil && !ts.q.flyingTo(tp) {
		tp.next = nil
		ts.apply(now, tp, info)
	}
}

// apply makes a description the current one and lets the rows go on that it allows.
func (ts *targets) apply(now time.Duration, tp *topic, info *TopicInfo) {
	if tp.info != nil && len(tp.parts) != info.Partitions {
		ts.repartition(tp)
	}
	if len(tp.parts) != info.Partitions {
		tp.parts = make([]*partition, info.Partitions)
		for i := range tp.parts {
			tp.parts[i] = &partition{topic: tp, part: int32(i)} // a partition count is an int32 in Kafka
		}
	}
	tp.info = info
	if s := tp.paused; s != nil && s.state == waiting && s.until <= now && tp.stopped == nil {
		ts.waits.goOn(s)
	}
	for _, p := range tp.parts {
		unavailable := slices.Contains(info.Unavailable, p.part)
		switch s := p.aside; {
		case s != nil && s.state != waiting:
		case s == nil && unavailable, s != nil && unavailable && s.until <= now:
			ts.setAside(now, p, fmt.Sprintf("partition %d has no leader", p.part))
		case s != nil && s.until <= now:
			ts.waits.goOn(s)
		}
	}
	rows := tp.waiting
	tp.waiting = nil
	for _, e := range rows {
		switch {
		case !tp.lacks(e):
		case !e.asked: // it came after the question
			ts.q.await(e, tp)
			continue
		default:
			e.invalid = fmt.Errorf("topic %s has no partition %d, only %d of them, from 0; give it more, or correct the row's column partition",
				tp.name, *e.row.Partition, len(tp.parts))
		}
		ts.q.enqueue(e, tp)
	}
	for _, p := range tp.parts {
		ts.keepOut(p)
	}
}

// repartition removes all rows of a topic from its queues because its number of
// partitions changed. They are read again and get their new partitions.
func (ts *targets) repartition(tp *topic) {
	s := tp.paused
	if s == nil {
		s = ts.waits.add(&scope{kind: scopeTopic, topic: tp, reason: "the number of partitions changed"})
		tp.paused = s
	}
	ts.waits.wait(s)
	ts.fold(tp, s)
	ts.q.deactivate(tp)
}

// setAside makes a partition wait. Its rows that can go to any partition move to others. If
// there is none, the topic pauses.
func (ts *targets) setAside(now time.Duration, p *partition, reason string) {
	tp := p.topic
	if tp.paused != nil && tp.paused.state == waiting {
		return // the whole topic waits
	}
	if !slices.ContainsFunc(tp.parts, func(o *partition) bool { return o != p && o.aside == nil }) {
		tp.tries = max(tp.tries, p.tries)
		ts.pause(now, tp, reason)
		return
	}
	s := p.aside
	if s == nil {
		s = ts.waits.add(&scope{kind: scopePartition, topic: tp, part: p.part})
		p.aside = s
	}
	ts.waits.wait(s)
	s.reason = reason
	if !p.told {
		p.told = ts.log.trouble(now, fmt.Sprintf("partition %s/%d", tp.name, p.part), "partition set aside, retrying; its rows wait, attempts are not counted",
			slog.String("topic", tp.name), slog.Int("partition", int(p.part)), slog.String("reason", reason))
	}
	s.skip(ts.q.dropPartition(p, false))
	p.tries++
	ts.waits.alarm(s, now+backoff.Pause(ts.cfg.PauseMin, ts.cfg.PauseMax, p.tries))
}

// pause makes a whole topic wait.
func (ts *targets) pause(now time.Duration, tp *topic, reason string) {
	s := tp.paused
	if s == nil {
		s = ts.waits.add(&scope{kind: scopeTopic, topic: tp})
		tp.paused = s
	}
	ts.waits.wait(s)
	s.reason = reason
	tp.trouble = reason
	if reason != tp.told && ts.log.trouble(now, "topic "+tp.name+": "+reason, "topic paused, retrying; its rows wait, attempts are not counted",
		slog.String("topic", tp.name), slog.String("reason", reason)) {
		tp.told = reason
	}
	ts.fold(tp, s)
	tp.tries++
	ts.waits.alarm(s, now+backoff.Pause(ts.cfg.PauseMin, ts.cfg.PauseMax, tp.tries))
}

// fold drops all queued rows of a topic and replaces the scopes of its partitions by
// the topic's. A key that was catching up starts again.
func (ts *targets) fold(tp *topic, s *scope) {
	for _, p := range tp.parts {
		s.skip(ts.q.dropPartition(p, true))
		if a := p.aside; a != nil {
			ts.waits.wait(a)
			s.skip(a.skipped)
			ts.waits.forget(a)
		}
	}
	s.skip(ts.q.dropWaiting(tp))
	if c := tp.catchUp; c != nil && c != s.catchUp {
		for _, k := range slices.Clone(c.scopes) {
			ts.waits.wait(k)
			ts.waits.goOn(k)
		}
	}
}

// keepOut drops the rows that came back to a partition which began to wait while they
// were in flight.
func (ts *targets) keepOut(p *partition) {
	if s := p.topic.paused; s != nil && s.state != catching {
		s.skip(ts.q.dropPartition(p, true))
	} else if s := p.aside; s != nil && s.state != catching {
		s.skip(ts.q.dropPartition(p, false))
	}
}

// took records that a partition accepted a whole batch.
func (ts *targets) took(p *partition) {
	if p.told {
		ts.log.say(slog.LevelInfo, "partition resumed", slog.String("topic", p.topic.name), slog.Int("partition", int(p.part)))
	}
	p.tries, p.topic.tries, p.told = 0, 0, false
	p.topic.resumed(ts.log)
	if p.limit *= 2; p.limit > ts.q.waveRows() {
		p.limit = 0
	}
}

// noneLeft ends the pause of a topic that has no rows left.
func (ts *targets) noneLeft(s *scope) {
	s.topic.describe = false
	s.skipped = 0
	if s.topic.stopped == nil {
		ts.waits.goOn(s)
	}
}

// paused lists the topics that are paused.
func (ts *targets) paused() []*topic {
	return slices.DeleteFunc(slices.Clone(ts.q.topics.order), func(tp *topic) bool { return tp.paused == nil })
}

// forgetUnused forgets topics that were never described and for which no row waits.
// Otherwise rows with many topics that do not exist would fill the memory.
func (ts *targets) forgetUnused() {
	if !slices.ContainsFunc(ts.q.topics.order, (*topic).unused) {
		return
	}
	held := map[*topic]bool{}
	for _, s := range ts.waits.keys.byKey {
		held[s.topic] = true
	}
	ts.q.topics.forgetUnused(held)
}
