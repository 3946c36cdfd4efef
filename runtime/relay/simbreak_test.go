package relay

import (
	"slices"
	"time"
)

// The relay's own code has no switches. To turn off one of its rules, the simulation
// changes the relay's state or inputs around each step.

// later never comes.
const later = time.Duration(1) << 60

// loosen changes the setting of a rule.
func (s *sim) loosen(c *Config) {
	switch s.without {
	case "the own deadline has a margin for clocks that err":
		c.TermMargin = 0
	case "memory is bounded by rows":
		c.BufferRows = 1 << 20
	case "memory is bounded by bytes":
		c.BufferBytes, c.PageBytes = 1<<30, 1<<30
	case "what a kill repeats is bounded":
		c.UnsettledRows = 1 << 20
	case "a dead row blocks its key where that is asked for":
		c.OnDead = Park
	case "a dead row frees its key where that is asked for":
		c.OnDead = Block
	case "a row that goes on failing is dead in the end":
		c.MaxAttempts = 1 << 30
	}
}

// next asks the machine what to do.
func (r *simRelay) next() ([]command, time.Duration) {
	m := r.m
	if m.t == nil {
		return m.next(r.now())
	}
	if r.s.chance(0.1) {
		m.t.reader.tidier.at, m.t.reader.tidier.behind = r.now()-tidySlowly, true
		m.t.reader.tidier.searchAt = r.now()
		m.t.reader.tidier.thereAt -= asideAfter
	}
	switch t := m.t; r.s.without {
	case "the own deadline is obeyed":
		m.own.deadline = later
	case "one wave is resolved before the next is sent":
		if m.leads() && !m.own.expired(r.now()) && t.sender.open && m.busy[slotSend] {
			m.busy[slotSend] = false
			defer func() { m.busy[slotSend] = true }()
		}
	case "skipped rows are read again":
		r.forgetSkipped()
	case "rows that were edited are looked for", "also while their topic waits":
		t.reader.edit.at = later
	}
	cmds, at := m.next(r.now())
	if r.s.off("a suspect is sent alone") {
		for _, c := range cmds {
			if send, ok := c.(opSend); ok && m.t.flow.suspect.alone(send.wave.batches[0].rows[0]) {
				r.addNeighbours(send.wave)
			}
		}
	}
	return cmds, at
}

// handle gives the machine an outcome.
func (r *simRelay) handle(o outcome) {
	if r.m.t == nil || !r.m.leads() {
		r.m.handle(r.now(), o)
		return
	}
	unkeyed := r.before(o)
	r.m.handle(r.now(), o)
	if r.m.leads() {
		r.after(o, unkeyed)
	}
}

// before returns the rows without a key that are queued or in flight, by topic, of the
// topics that are not paused.
func (r *simRelay) before(o outcome) map[*topic][]*entry {
	f := r.m.t.flow
	switch r.s.without {
	case "a row fails alone": // all rows of a batch answer for one that is bad
		if send, ok := o.op.(opSend); ok {
			send.wave.batches = answerForEachOther(send.wave.batches, o.results)
		}
	case "skipped rows are read again":
		r.forgetSkipped()
	case "rows with a topic that cannot be fail here":
		for _, e := range o.entries {
			f.queue.topics.get(e.row.Topic).invalid = false
		}
	case "a row goes to the partition that it names":
		for _, e := range o.entries {
			e.row.Partition = nil
		}
	case "rows with a partition that is missing fail here":
		for _, tp := range f.queue.topics.order {
			for _, e := range tp.waiting {
				e.asked = false
			}
		}
	case "what was settled meanwhile stays held":
		for seq, s := range f.waits.keys.byRow {
			s.rows[seq].fresh = false
		}
	case "a topic without a usable partition pauses":
		return r.unkeyed(o)
	}
	return nil
}

func (r *simRelay) after(o outcome, unkeyed map[*topic][]*entry) {
	t := r.m.t
	switch r.s.without {
	case "rows that failed go before those that wait":
		if send, ok := o.op.(opSend); ok {
			for _, b := range send.wave.batches {
				n := 0
				for n < len(b.p.queue) && slices.Contains(b.rows, b.p.queue[n]) {
					n++
				}
				b.p.queue = slices.Concat(b.p.queue[n:], b.p.queue[:n])
			}
		}
	case "a topic is described again before it lacks a partition":
		for _, tp := range t.flow.queue.topics.order {
			for _, e := range tp.waiting {
				if tp.info != nil {
					e.invalid = errSimLost
					t.flow.queue.enqueue(e, tp)
				}
			}
			if tp.info != nil {
				tp.waiting = nil
			}
		}
	case "the key of a failed row is held":
		r.letIn(o, func(s *scope, e *entry) bool { return s.kind == scopeKey && s.rows[e.row.Seq] == nil })
	case "skipped rows are read before later ones":
		r.letIn(o, func(s *scope, _ *entry) bool { return s.state != waiting })
	case "rows of what waits are not kept":
		for e, s := range r.skipped(o) {
			if s.rows[e.row.Seq] == nil {
				t.flow.queue.mem[e.row.Seq] = struct{}{}
			}
		}
	case "a look shows what was read from the log":
		if _, ok := o.op.(opSnapshot); ok && t.reader.edit.stage == editPages {
			t.reader.edit.shown = t.reader.shown()
		}
	case "a topic without a usable partition pauses":
		r.setAllAside(unkeyed)
	}
}

// forgetSkipped treats waiting scopes as if they had skipped nothing.
func (r *simRelay) forgetSkipped() {
	f := r.m.t.flow
	for _, s := range f.waits.keys.byKey {
		s.skipped = 0
	}
	for _, tp := range f.queue.topics.order {
		if tp.paused != nil {
			tp.paused.skipped = 0
		}
		for _, p := range tp.parts {
			if p.aside != nil {
				p.aside.skipped = 0
			}
		}
	}
}

// addNeighbours adds rows of other partitions to a wave.
func (r *simRelay) addNeighbours(w *wave) {
	t := r.m.t
	q := &t.flow.queue
	rows := w.rows
	for _, p := range slices.Clone(q.active) {
		if !slices.ContainsFunc(w.batches, func(b batch) bool { return b.p == p }) {
			t.sender.failInvalid(p)
			t.sender.take(w, p, q.waveRows(), r.cfg.BufferBytes)
		}
	}
	q.flying += w.rows - rows
}

// answerForEachOther makes a batch of each row of a batch with a bad one.
func answerForEachOther(batches []batch, results []Result) (out []batch) {
	for _, b := range batches {
		n := len(b.rows)
		bad := slices.ContainsFunc(results[:n], func(r Result) bool { return r.Class == ClassRecord })
		results = results[n:]
		if !bad {
			out = append(out, b)
			continue
		}
		for i := range b.rows {
			out = append(out, batch{b.p, b.rows[i : i+1 : i+1]})
		}
	}
	return out
}

// skipped returns the skipped rows of a page that was read for the first time, with the
// scopes that caused it.
func (r *simRelay) skipped(o outcome) map[*entry]*scope {
	switch o.op.(type) {
	case opBacklog, opTick:
	default:
		return nil
	}
	f := r.m.t.flow
	out := map[*entry]*scope{}
	for _, e := range o.entries {
		tp := f.queue.topics.get(e.row.Topic)
		if s := f.waits.blocker(e, tp, nil); s != nil && !tp.invalid && !f.queue.has(e.row.Seq) {
			out[e] = s
		}
	}
	return out
}

// letIn admits the skipped rows for which because is true.
func (r *simRelay) letIn(o outcome, because func(*scope, *entry) bool) {
	skipped := r.skipped(o)
	for _, e := range o.entries {
		if s := skipped[e]; s != nil && because(s, e) {
			r.m.t.flow.queue.add(e, s.topic)
		}
	}
}

// unkeyed gives the rows without a key that are queued or in flight, by topic, of the
// topics that are not paused.
func (r *simRelay) unkeyed(o outcome) map[*topic][]*entry {
	out := map[*topic][]*entry{}
	add := func(tp *topic, rows []*entry) {
		if tp.paused == nil {
			keyed := func(e *entry) bool { return e.row.Key != nil }
			out[tp] = slices.Concat(out[tp], slices.DeleteFunc(slices.Clone(rows), keyed))
		}
	}
	for _, tp := range r.m.t.flow.queue.topics.order {
		add(tp, tp.waiting)
		for _, p := range tp.parts {
			add(tp, p.queue)
		}
	}
	if send, ok := o.op.(opSend); ok {
		for _, b := range send.wave.batches {
			add(b.p.topic, b.rows)
		}
	}
	return out
}

// setAllAside sets aside the partitions of a topic that just paused because there was
// no other; the rows without a key continue to be sent.
func (r *simRelay) setAllAside(unkeyed map[*topic][]*entry) {
	f := r.m.t.flow
	for _, tp := range f.queue.topics.order {
		rows, wasOpen := unkeyed[tp]
		s := tp.paused
		if s == nil || !wasOpen || len(tp.parts) == 0 || r.s.broker.missing[tp.name] {
			continue
		}
		for _, p := range tp.parts {
			p.aside = f.waits.add(&scope{kind: scopePartition, topic: tp, part: p.part, skipped: s.skipped})
			f.waits.alarm(p.aside, s.until)
		}
		f.waits.wait(s)
		f.waits.forget(s)
		for _, e := range rows {
			if !f.queue.has(e.row.Seq) && f.waits.keys.of(e) == nil {
				f.queue.add(e, tp)
			}
		}
	}
}
