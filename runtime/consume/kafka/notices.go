package kafka

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// The kinds of problems.
const (
	kindBrokers     = "brokers"      // no broker answers
	kindBroker      = "broker"       // one cannot be reached
	kindFetching    = "fetching"     // one does not answer fetches correctly
	kindGroup       = "group"        // this member is not in the group
	kindIdle        = "idle"         // it has no partitions
	kindTopic       = "topic"        // the topic does not exist, or is not visible
	kindReading     = "reading"      // fetches fail
	kindStuck       = "stuck"        // a partition cannot be read until a restart
	kindFull        = "full"         // the memory is full
	kindLost        = "lost"         // records were lost
	kindObserver    = "observer"     // the observer panics
	kindDeadLetters = "dead letters" // the dead-letter topic cannot be written
	kindHandler     = "handler"      // a handler does not return
	kindCommits     = "commits"      // offsets are not committed
)

const (
	textReadsAgain    = "reading from Kafka works again"
	textJoinedAgain   = "joined the group again"
	textAssignedAgain = "partitions are assigned again"
)

// subject identifies a problem. All partitions of a topic share one problem, so that a
// thousand partitions do not write a thousand log lines. The partition is part of the
// subject only if each one has its own facts.
type subject struct {
	kind      string
	topic     string // empty: not about one topic
	partition int32  // or the id of the broker
}

// problem is something that keeps the consumer from reading.
type problem struct {
	text       string // what happened and what to do
	err        error
	blocking   bool // the consumer is not ready while it lasts
	since      time.Time
	seen       time.Time // when it was last reported
	times      int
	logged     int       // reports up to the last log line
	told       bool      // it was logged since it began
	ended      time.Time // zero: it lasts
	partitions map[int32]time.Time
	causes     map[cause]*pace
}

// cause is why there is a problem. While a problem lasts, its cause may become known, or
// change: the group was not joined yet, then its coordinator refuses this member.
type cause struct {
	text string
	code int16 // of Kafka's error
}

func causeOf(text string, err error) cause {
	c := cause{text: text}
	if answer, ok := errors.AsType[*kerr.Error](err); ok {
		c.code = answer.Code
	}
	return c
}

// maxCauses limits the causes of a problem that are logged on their own. The others share
// their lines: the partitions of a topic may fail in a hundred ways.
const maxCauses = 10

// pace limits the log lines about one cause.
type pace struct {
	next  time.Time     // earliest time of the next line
	pause time.Duration // after the last one
}

// notices remembers the current problems. Each is logged when it begins and when it has
// another cause, then after growing pauses with a count, and once more when it is over.
type notices struct {
	log    *slog.Logger
	timing timing

	mu       sync.Mutex
	problems map[subject]*problem
}

func newNotices(log *slog.Logger, t timing) *notices {
	return &notices{log: log, timing: t, problems: map[subject]*problem{}}
}

// report records that there is a problem. A partition below zero means that it is not
// about one partition.
func (n *notices) report(ctx context.Context, s subject, partition int32, blocking bool, text string, err error, attrs ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	p := n.problems[s]
	if p != nil && !p.ended.IsZero() { // it comes and goes
		p.ended, p.told = time.Time{}, false
	}
	if p == nil {
		p = &problem{since: now, partitions: map[int32]time.Time{}, causes: map[cause]*pace{}}
		n.problems[s] = p
	}
	p.text, p.err, p.blocking, p.seen = text, err, blocking, now
	p.times++
	if partition >= 0 {
		p.partitions[partition] = now
	}
	if !p.mayLog(causeOf(text, err), now, n.timing) {
		return
	}
	if partition >= 0 {
		attrs = append(attrs, "partition", partition)
	}
	if len(p.partitions) > 1 {
		attrs = append(attrs, "partitions_concerned", len(p.partitions))
	}
	if p.times > 1 {
		attrs = append(attrs, "since", p.since, "times", p.times, "times_since_last_line", p.times-p.logged)
	}
	if err != nil {
		attrs = append(attrs, "error", err)
	}
	p.logged, p.told = p.times, true
	if s.topic != "" {
		attrs = append([]any{"topic", s.topic}, attrs...)
	}
	n.log.WarnContext(ctx, text, attrs...)
}

// mayLog reports whether a line about the cause is due, and then counts it.
func (p *problem) mayLog(c cause, now time.Time, t timing) bool {
	at := p.causes[c]
	if at == nil && len(p.causes) >= maxCauses {
		c = cause{}
		at = p.causes[c]
	}
	switch {
	case at == nil:
		at = &pace{pause: t.repeatMin}
		p.causes[c] = at
	case now.Before(at.next):
		return false
	default:
		at.pause = min(2*at.pause, t.repeatMax)
	}
	at.next = now.Add(at.pause)
	return true
}

// forgettable reports whether a problem that has ended may begin with a new line.
func (p *problem) forgettable(t timing) bool {
	for _, at := range p.causes {
		if time.Since(at.next) <= t.repeatMin {
			return false
		}
	}
	return !p.ended.IsZero()
}

// over records that the problem, if there was one, has ended.
func (n *notices) over(ctx context.Context, s subject, text string, attrs ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.problems[s]; p != nil && p.ended.IsZero() {
		n.end(ctx, s, text, attrs...)
	}
}

// end requires the lock. It remembers the problem for a while, so that one which comes
// and goes is not logged more often than one that stays.
func (n *notices) end(ctx context.Context, s subject, text string, attrs ...any) {
	p := n.problems[s]
	p.ended = time.Now()
	clear(p.partitions)
	for other, former := range n.problems {
		if former.forgettable(n.timing) {
			delete(n.problems, other)
		}
	}
	if !p.told {
		return
	}
	attrs = append(attrs, "after", time.Since(p.since).Round(time.Millisecond).String(), "times", p.times)
	if s.topic != "" {
		attrs = append([]any{"topic", s.topic}, attrs...)
	}
	n.log.InfoContext(ctx, text, attrs...)
}

// overFor is [notices.over] for one partition. The problem ends when none of its
// partitions has it any more.
func (n *notices) overFor(ctx context.Context, s subject, partition int32, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.problems[s]
	if p == nil || !p.ended.IsZero() {
		return
	}
	delete(p.partitions, partition)
	if len(p.partitions) == 0 {
		n.end(ctx, s, text)
	}
}

// expire ends the problems of a kind that were not reported for the given time.
func (n *notices) expire(ctx context.Context, kind string, quiet time.Duration, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s, p := range n.problems {
		if s.kind != kind || !p.ended.IsZero() {
			continue
		}
		maps.DeleteFunc(p.partitions, func(_ int32, seen time.Time) bool { return time.Since(seen) >= quiet })
		if time.Since(p.seen) >= quiet {
			n.end(ctx, s, text)
		}
	}
}

// lasting lists the subjects of the problems of a kind.
func (n *notices) lasting(kind string) (subjects []subject) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for s, p := range n.problems {
		if s.kind == kind && p.ended.IsZero() {
			subjects = append(subjects, s)
		}
	}
	return subjects
}

// blocking lists the problems because of which the consumer is not ready.
func (n *notices) blocking() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	subjects := slices.SortedFunc(maps.Keys(n.problems), func(a, b subject) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.topic, b.topic))
	})
	var reasons []string
	for _, s := range subjects {
		p := n.problems[s]
		if !p.blocking || !p.ended.IsZero() {
			continue
		}
		reason := p.text
		if s.topic != "" {
			reason = "topic " + s.topic + ": " + reason
		}
		if p.err != nil {
			reason += ": " + p.err.Error()
		}
		reasons = append(reasons, reason)
	}
	return reasons
}
