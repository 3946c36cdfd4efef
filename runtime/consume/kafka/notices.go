package kafka

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// The kinds of problems.
const (
	kindBrokers  = "brokers"  // nobody answers
	kindBroker   = "broker"   // one cannot be reached
	kindFetching = "fetching" // one does not answer fetches as it should
	kindGroup    = "group"    // this member is not in the group
	kindIdle     = "idle"     // it has no partitions
	kindTopic    = "topic"    // the topic is not there, or not to be seen
	kindReading  = "reading"  // fetches fail
	kindStuck    = "stuck"    // a partition stands still for good
	kindFull     = "full"     // no room for records
	kindLost     = "lost"     // records are gone
	kindObserver = "observer" // the observer panics
)

const textReadsAgain = "reading from Kafka works again"

// subject says what a problem is about. One problem stands for all partitions of
// a topic, so that a thousand of them make no thousand log lines; only where
// each has facts of its own, the partition is part of the subject.
type subject struct {
	kind      string
	topic     string // empty: it is not about one topic
	partition int32  // or the broker
}

// problem is something that keeps the consumer from reading.
type problem struct {
	text       string // what happened and what to do
	err        error
	blocking   bool // the consumer is not ready while it lasts
	since      time.Time
	seen       time.Time // the last time that it was reported
	times      int
	logged     int           // times, when it was last logged
	next       time.Time     // when it may be logged again
	pause      time.Duration // from one line to the next
	told       bool          // it was logged since it began
	ended      time.Time     // zero: it lasts
	partitions map[int32]time.Time
}

// notices remembers the problems that last. Each is logged when it begins, then
// ever more slowly, with a count, and once more when it is over.
type notices struct {
	log    *slog.Logger
	timing timing

	mu       sync.Mutex
	problems map[subject]*problem
}

func newNotices(log *slog.Logger, t timing) *notices {
	return &notices{log: log, timing: t, problems: map[subject]*problem{}}
}

// report says that there is a problem. A partition below zero means that it is
// not about one partition.
func (n *notices) report(ctx context.Context, s subject, partition int32, blocking bool, text string, err error, attrs ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	p := n.problems[s]
	if p != nil && !p.ended.IsZero() { // it comes and goes
		p.ended, p.told = time.Time{}, false
	}
	if p == nil {
		p = &problem{since: now, pause: n.timing.repeatMin, partitions: map[int32]time.Time{}}
		n.problems[s] = p
	}
	p.text, p.err, p.blocking, p.seen = text, err, blocking, now
	p.times++
	if partition >= 0 {
		p.partitions[partition] = now
	}
	if now.Before(p.next) {
		return
	}
	if p.times > 1 {
		p.pause = min(2*p.pause, n.timing.repeatMax)
	}
	p.next = now.Add(p.pause)
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

// over says that the problem, if there was one, has ended.
func (n *notices) over(ctx context.Context, s subject, text string, attrs ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.problems[s]; p != nil && p.ended.IsZero() {
		n.end(ctx, s, text, attrs...)
	}
}

// end is called with the lock held. One that comes back soon is remembered: a
// problem that comes and goes is worth no more lines than one that stays.
func (n *notices) end(ctx context.Context, s subject, text string, attrs ...any) {
	p := n.problems[s]
	p.ended = time.Now()
	clear(p.partitions)
	for other, former := range n.problems {
		if !former.ended.IsZero() && time.Since(former.next) > n.timing.repeatMin {
			delete(n.problems, other)
		}
	}
	if !p.told {
		return
	}
	attrs = append(attrs, "after", time.Since(p.since).Round(time.Millisecond), "times", p.times)
	if s.topic != "" {
		attrs = append([]any{"topic", s.topic}, attrs...)
	}
	n.log.InfoContext(ctx, text, attrs...)
}

// overFor is [notices.over] for one partition: the problem ends with the last of
// its partitions.
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

// expire ends the problems of a kind that were not reported for so long.
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

// blocking lists the problems for which the consumer is not ready.
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
