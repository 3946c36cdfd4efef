package relay

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// topic is what a term knows of a topic: its partitions and their queues.
type topic struct {
	name    string
	invalid bool // no broker can have a topic of that name
	info    *TopicInfo
	infoAt  time.Duration
	parts   []*partition
	waiting []*entry // read before the topic was described
	turn    int      // round robin for rows without a key

	describe bool // to be looked at again
	used     bool // rows came since it was described
	next     *TopicInfo

	paused  *scope
	ready   []*scope // scopes whose rows are to be read again, oldest first
	catchUp *catchUp
	tries   int    // pauses since it last took a record
	trouble string // why it paused, until it takes a record; "": it did
}

// partition is the queue of one partition: rows in seq order within each key.
type partition struct {
	topic  *topic
	part   int32
	queue  []*entry
	active bool // in term.ready
	limit  int  // rows of the next batch while a bad one is looked for; 0: none
	aside  *scope
	tries  int // times set aside since it last took a record
}

// probing reports whether the partition has taken nothing since it, or its topic
// as a whole, had to wait.
func (p *partition) probing() bool { return p.tries > 0 || p.topic.tries > 0 }

func (t *term) topic(name string) *topic {
	tp := t.topics[name]
	if tp == nil {
		tp = &topic{name: name, invalid: !validTopic(name) && !t.m.off.anyName}
		t.topics[name] = tp
		i, _ := slices.BinarySearchFunc(t.order, name, func(o *topic, name string) int { return strings.Compare(o.name, name) })
		t.order = slices.Insert(t.order, i, tp)
	}
	return tp
}

func (tp *topic) unready(s *scope) {
	tp.ready = slices.DeleteFunc(tp.ready, func(o *scope) bool { return o == s })
}

// readsAgain reports whether rows of the topic are being read again, or can be. Those of
// its keys have to wait while it is paused.
func (tp *topic) readsAgain() bool {
	return tp.catchUp != nil || len(tp.ready) > 0 && (tp.paused == nil || tp.paused.state == ready)
}

// admit takes an entry into memory, or has it skipped. src is the reading again
// that brought it, or nil.
func (t *term) admit(e *entry, src *catchUp) {
	seq := e.row.Seq
	if _, ok := t.mem[seq]; ok {
		return
	}
	if _, ok := t.recent[seq]; ok {
		return
	}
	t.reader.high = max(t.reader.high, seq)
	tp := t.topic(e.row.Topic)
	if s := t.blocker(e, tp, src); s != nil {
		s.note(seq)
		if t.m.off.keepSkipped {
			t.mem[seq] = struct{}{}
		}
		return
	}
	t.mem[seq] = struct{}{}
	e.order = t.arrive
	t.arrive++
	t.queued++
	t.bytes += e.size
	if tp.invalid {
		t.queued--
		t.bytes -= e.size
		t.fail(e, e.invalid)
		return
	}
	tp.used = true
	if tp.info == nil {
		tp.waiting = append(tp.waiting, e)
		return
	}
	t.enqueue(e, tp)
}

// enqueue puts an entry behind the others of its partition.
func (t *term) enqueue(e *entry, tp *topic) {
	p := tp.parts[t.partitionOf(e, tp)]
	e.part = p.part
	p.queue = append(p.queue, e)
	t.activate(p)
}

func (t *term) activate(p *partition) {
	if !p.active && len(p.queue) > 0 {
		p.active = true
		t.ready = append(t.ready, p)
	}
}

// partitionOf is the partition of a row: by its key, else the next in turn that
// is not set aside.
func (t *term) partitionOf(e *entry, tp *topic) int32 {
	if e.row.Key != nil {
		return t.cfg.Sink.Partition([]byte(*e.row.Key), len(tp.parts))
	}
	return t.unkeyedPartition(tp, nil).part
}

func (t *term) unkeyedPartition(tp *topic, but *partition) *partition {
	for range tp.parts {
		p := tp.parts[tp.turn%len(tp.parts)]
		tp.turn++
		if p.aside == nil && p != but {
			return p
		}
	}
	return tp.parts[tp.turn%len(tp.parts)] // not reached: such a topic is paused
}

// learned takes a description of a topic.
func (t *term) learned(now time.Duration, info TopicInfo) {
	tp := t.topic(info.Name)
	tp.describe = false
	tp.infoAt = now
	tp.next = nil
	if tp.paused != nil {
		t.reader.wantEdits() // an operator may have corrected the rows instead of the topic
	}
	switch info.Problem.Class {
	case ClassOK:
		if info.Partitions <= 0 {
			t.pause(now, tp, "the topic has no partitions")
			return
		}
		if len(info.Unavailable) >= info.Partitions && !t.m.off.noFallback {
			t.pause(now, tp, "no partition of the topic has a leader")
			return
		}
		if t.flyingTo(tp) && len(tp.parts) != info.Partitions {
			tp.next = &info // once its rows in flight are resolved
			return
		}
		t.apply(now, tp, &info)
	default:
		t.pause(now, tp, info.Problem.Err.Error())
	}
}

// goesOn notes that a topic can be written again: it took a record, or none is left
// for it. That it can be described says nothing yet.
func (t *term) goesOn(tp *topic) {
	if tp.trouble != "" {
		t.m.say(slog.LevelInfo, "topic resumed", slog.String("topic", tp.name))
		tp.trouble = ""
	}
}

// noneLeft ends the pause of a topic for which no row is left.
func (t *term) noneLeft(s *scope) {
	s.topic.describe = false
	s.skipped = 0
	t.readyScope(s)
}

// forgetTopics forgets topics that were never described and that no row waits for, so
// that rows of ever new topics that do not exist take no memory for long.
func (t *term) forgetTopics() {
	unused := func(tp *topic) bool {
		return tp.info == nil && tp.paused == nil && tp.catchUp == nil && !tp.describe && len(tp.waiting)+len(tp.ready) == 0
	}
	if !slices.ContainsFunc(t.order, unused) {
		return
	}
	held := map[*topic]bool{}
	for _, s := range t.holds {
		held[s.topic] = true
	}
	t.order = slices.DeleteFunc(t.order, func(tp *topic) bool {
		gone := unused(tp) && !held[tp]
		if gone {
			delete(t.topics, tp.name)
		}
		return gone
	})
}

// idle reports whether no row of the topic is in memory.
func (t *term) idle(tp *topic) bool {
	for _, p := range tp.parts {
		if len(p.queue) > 0 {
			return false
		}
	}
	return len(tp.waiting) == 0 && !t.flyingTo(tp)
}

func (t *term) flyingTo(tp *topic) bool {
	for _, w := range t.inflight {
		for i := range w.batches {
			if w.batches[i].p.topic == tp {
				return true
			}
		}
	}
	return false
}

// apply makes a description the current one and lets go what it allows.
func (t *term) apply(now time.Duration, tp *topic, info *TopicInfo) {
	if tp.info != nil && len(tp.parts) != info.Partitions {
		t.repartition(tp)
	}
	if len(tp.parts) != info.Partitions {
		tp.parts = make([]*partition, info.Partitions)
		for i := range tp.parts {
			tp.parts[i] = &partition{topic: tp, part: int32(i)} //nolint:gosec // a partition count is an int32 in Kafka
		}
	}
	tp.info = info
	if s := tp.paused; s != nil && s.state == waiting && s.until <= now {
		t.readyScope(s)
	}
	for _, p := range tp.parts {
		unavailable := slices.Contains(info.Unavailable, p.part)
		switch s := p.aside; {
		case s != nil && s.state != waiting:
		case s == nil && unavailable, s != nil && unavailable && s.until <= now:
			t.setAside(now, p, fmt.Sprintf("partition %d has no leader", p.part))
		case s != nil && s.until <= now:
			t.readyScope(s)
		}
	}
	rows := tp.waiting
	tp.waiting = nil
	for _, e := range rows {
		t.enqueue(e, tp)
	}
	for _, p := range tp.parts {
		t.keepOut(p)
	}
}

// repartition takes everything of a topic out of its queues because the number of
// its partitions changed; it is read again and finds its new partitions.
func (t *term) repartition(tp *topic) {
	s := tp.paused
	if s == nil {
		s = t.begin(&scope{kind: scopeTopic, topic: tp, reason: "the number of partitions changed"})
		tp.paused = s
	}
	t.wait(s)
	t.fold(tp, s)
	for _, p := range tp.parts {
		p.active = false
	}
	t.ready = slices.DeleteFunc(t.ready, func(p *partition) bool { return p.topic == tp })
}
