package relay

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"
)

// OperatorPause is a topic that an operator has paused, or all topics. It survives terms
// and restarts, and ends only when an operator resumes it.
type OperatorPause struct {
	Topic  string    `json:"topic"` // "": all topics
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"` // by the database's clock
}

// OperatorPauses are the pauses that are in force.
type OperatorPauses struct {
	// Version differs after each pause and each resumption. It is not empty.
	Version string
	List    []OperatorPause
}

// Pauser is a Store in which operators pause topics.
type Pauser interface {
	// Pauses returns the pauses that are in force.
	Pauses(ctx context.Context) (OperatorPauses, error)
}

// operatorPauses are the topics that operators have paused.
type operatorPauses struct {
	all     *OperatorPause
	byTopic map[string]*OperatorPause
	list    []OperatorPause // by topic; all topics first
}

func newOperatorPauses(list []OperatorPause) operatorPauses {
	p := operatorPauses{byTopic: map[string]*OperatorPause{}, list: slices.Clone(list)}
	slices.SortFunc(p.list, func(a, b OperatorPause) int { return cmp.Compare(a.Topic, b.Topic) })
	for i := range p.list {
		if one := &p.list[i]; one.Topic == "" {
			p.all = one
		} else {
			p.byTopic[one.Topic] = one
		}
	}
	return p
}

// of returns the pause of a topic, or nil.
func (p *operatorPauses) of(topic string) *OperatorPause {
	if one := p.byTopic[topic]; one != nil {
		return one
	}
	return p.all
}

// has reports whether a pause of the topic, or of all topics, is among them.
func (p *operatorPauses) has(topic string) bool {
	if topic == "" {
		return p.all != nil
	}
	return p.byTopic[topic] != nil
}

// operatorPaused replaces the pauses of operators: topics pause, and others continue.
func (ts *targets) operatorPaused(list []OperatorPause) {
	before, now := ts.stopped, newOperatorPauses(list)
	ts.stopped = now
	for _, p := range now.list {
		if before.has(p.Topic) {
			continue
		}
		attrs := []slog.Attr{slog.String("actor", p.Actor), slog.String("reason", p.Reason), slog.Time("since", p.Since)}
		if p.Topic == "" {
			ts.log.say(slog.LevelWarn, "all topics paused by an operator; rows wait until outboxrelay resume", attrs...)
		} else {
			ts.log.say(slog.LevelWarn, "topic paused by an operator; its rows wait until outboxrelay resume", append(attrs, slog.String("topic", p.Topic))...)
		}
	}
	for _, p := range before.list {
		if now.has(p.Topic) {
			continue
		}
		if p.Topic == "" {
			ts.log.say(slog.LevelInfo, "all topics resumed: an operator has ended their pause, or its entry in the audit is gone")
		} else {
			ts.log.say(slog.LevelInfo, "topic resumed: an operator has ended its pause, or the entry of it in the audit is gone", slog.String("topic", p.Topic))
		}
	}
	for _, tp := range ts.q.topics.order {
		ts.obey(tp)
	}
}

// obey begins or ends the operators' pause of one topic. Rows in flight are not called
// back. When the pause ends, the topic is described before its rows are read again, because
// it may have other partitions now.
func (ts *targets) obey(tp *topic) {
	stop, was := ts.stopped.of(tp.name), tp.stopped
	tp.stopped = stop
	switch {
	case stop != nil && was == nil:
		s := tp.paused
		if s == nil {
			s = ts.waits.add(&scope{kind: scopeTopic, topic: tp})
			tp.paused = s
		}
		ts.waits.wait(s)
		s.reason = "paused by an operator"
		ts.fold(tp, s)
		tp.describe, tp.next = false, nil
	case stop == nil && was != nil:
		s := tp.paused
		switch {
		case s.state != waiting: // not reached: only this ends its wait
		case tp.invalid || s.skipped == 0:
			ts.waits.goOn(s)
		default:
			tp.describe = true
		}
	}
}
