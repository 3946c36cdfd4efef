package relay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

type simPart struct {
	topic string
	part  int32
}

// simBroker has the logs, and checks every record that is appended.
type simBroker struct {
	s         *sim
	logs      map[simPart]*simLog
	delivered map[uuid.UUID]int
	ghosts    []*simBatch // of closed clients; each may still be appended, once

	outage  bool
	down    map[simPart]bool
	missing map[string]bool
	parts   map[string]int
}

type simLog struct{ seqs []int64 }

// simBatch is one batch of a client.
type simBatch struct {
	at       simPart
	op       *simOp
	first    int // index of its first record in the wave
	records  []Record
	unknown  bool // its topic was missing when it was handed over
	appended bool
}

const simBatchRows = 3 // the broker's limit

func (b *simBroker) describe(name string) TopicInfo {
	info := TopicInfo{Name: name, Partitions: b.parts[name]}
	info.MaxBatchBytes = b.limit()
	if b.s.off("batches follow what the topic takes") {
		info.MaxBatchBytes = 0
	}
	if b.s.off("a wave has one batch for each partition") {
		info.MaxBatchBytes = 2*info.MaxBatchBytes - batchOverhead
	}
	if b.s.off("rows of a missing topic stay off the client") {
		return info
	}
	if b.missing[name] && !b.s.off("a topic that cannot be written pauses") {
		info.Problem = Result{ClassTopic, errSimLost}
	}
	for p := range int32(simParts) {
		if b.down[simPart{name, p}] && !b.s.off("a partition that does not answer is set aside") && b.s.chance(0.5) {
			info.Unavailable = append(info.Unavailable, p)
		}
	}
	return info
}

// limit returns the largest batch.
func (b *simBroker) limit() int {
	if b.s.wide {
		return batchOverhead + simWideRow/2
	}
	return batchOverhead + simBatchRows*simRecordSize
}

// simRecordSize is above the size of any row of the simulation.
const simRecordSize = 150

func (b *simBroker) append(batch *simBatch, who string) {
	log := b.logs[batch.at]
	if log == nil {
		log = &simLog{}
		b.logs[batch.at] = log
	}
	var seqs []int64
	for i := range batch.records {
		r := &batch.records[i]
		if p := b.s.store.byID[r.EventID].Partition; p != nil && *p != r.Partition {
			b.s.violate("misplaced", "row %d was delivered to partition %d, not %d", r.Seq, r.Partition, *p)
		}
		seqs = append(seqs, r.Seq)
		b.check(r)
		b.delivered[r.EventID]++
		log.seqs = append(log.seqs, r.Seq)
	}
	b.s.say("append %v %v by %s", batch.at, seqs, who)
}

func (b *simBroker) check(r *Record) {
	s := b.s
	row := s.store.byID[r.EventID]
	if !s.store.committed(row) {
		s.violate("invented", "row %d was delivered and is not committed", r.Seq)
	}
	if (!bytes.Equal(row.Data, r.Value) || row.Headers != nil) && !row.edited {
		s.violate("corrupted", "row %d was delivered with other contents", r.Seq)
	}
	if p := row.pair; p != nil && p.edit == row.edit && !p.gone && b.delivered[p.ID] == 0 && r.Topic == row.Topic && row.Key != nil && string(r.Key) == *row.Key {
		s.violate("reordered", "row %d was delivered before row %d, which was edited together with it", row.Seq, p.Seq)
	}
	if row.Key == nil || s.grow || b.delivered[r.EventID] > 0 || row.edited {
		return
	}
	if row.waited != nil {
		b.checkWaited(row)
		return
	}
	for _, before := range s.keyRows[rowKey(row)] {
		if before == row {
			return
		}
		if before.edited || before.era != row.era && !s.orders(before, row, r.Seq) {
			continue
		}
		if before.era != row.era && row.era <= s.store.log.repaired && !s.compared {
			s.compared = true
			if s.compares != nil {
				s.compares.Add(1)
			}
		}
		if s.policy == Block && before.dead && !before.published && before.Seq < row.Seq {
			s.violate("reordered", "row %d of %s was delivered though row %d blocks it", row.Seq, rowKey(row), before.Seq)
		}
		if b.delivered[before.ID] == 0 && !before.everDead {
			s.violate("reordered", "row %d of %s was delivered before row %d", row.Seq, rowKey(row), before.Seq)
		}
	}
}

// orders reports whether a row of a former era is to be delivered before one of a later era, which was read with
// the number seq. What was read before a repair told them apart is not ordered.
func (s *sim) orders(before, row *memRow, seq int64) bool {
	return seq == row.Seq && !row.kept && !row.early && before.passed < row.era && (before.passable < row.era || row.last)
}

// step moves one thing at the broker: a batch of some client, or a ghost.
func (b *simBroker) step() {
	s := b.s
	if len(b.ghosts) > 0 && s.chance(0.2) {
		i := s.rng.IntN(len(b.ghosts))
		g := b.ghosts[i]
		b.ghosts = slices.Delete(b.ghosts, i, i+1)
		if !b.missing[g.at.topic] {
			b.append(g, "a ghost")
		}
		return
	}
	r := s.relays[s.rng.IntN(len(s.relays))]
	r.client.step()
}

// simClient behaves like franz-go's client: batches of a partition are sent one after
// the other. When one fails, all buffered batches of the partition fail with it, and
// later ones are accepted at once.
type simClient struct {
	s      *sim
	r      *simRelay
	queues map[simPart][]*simBatch
	order  []simPart
	known  map[simPart]bool // the broker has a sequence of this producer
	fenced bool             // the broker takes nothing more of this producer
}

func newSimClient(s *sim, r *simRelay) *simClient {
	return &simClient{s: s, r: r, queues: map[simPart][]*simBatch{}, known: map[simPart]bool{}}
}

func (c *simClient) hand(op *simOp, records []Record) {
	for i := range records {
		at := simPart{records[i].Topic, records[i].Partition}
		q := c.queues[at]
		var last *simBatch
		if n := len(q); n > 0 && q[n-1].op == op && (len(q[n-1].records) < simBatchRows || c.s.wide) {
			last = q[n-1]
		} else {
			last = &simBatch{at: at, op: op, first: i, unknown: c.s.stall && c.s.broker.missing[at.topic]}
			if !slices.Contains(c.order, at) {
				c.order = append(c.order, at)
			}
			c.queues[at] = append(q, last)
			c.checkMissing(last)
		}
		last.records = append(last.records, records[i])
	}
	var b strings.Builder
	for i := range records {
		fmt.Fprintf(&b, " %d", records[i].Seq)
	}
	c.checkSizes()
	c.checkBuffered()
	c.s.say("relay %d sends%s", c.r.id, b.String())
}

func (c *simClient) step() {
	s := c.s
	if len(c.order) == 0 {
		return
	}
	at := c.order[s.rng.IntN(len(c.order))]
	q := c.queues[at]
	if len(q) == 0 || c.stalls() {
		return
	}
	batch := q[0]
	broker := s.broker
	switch {
	case broker.outage || broker.down[at]:
		// The client retries.
	case c.fenced:
		c.fail(at, ClassLeadership)
	case s.off("records have the time of sending") && s.outdated(batch):
		c.fail(at, ClassRelay)
	case broker.missing[at.topic]:
		c.fail(at, ClassTopic)
	case batch.poisoned():
		if len(q) > 1 && !q[1].poisoned() && !c.known[at] && s.chance(0.5) {
			// The next batch was in flight as well. A broker that has not seen this
			// producer accepts it although its sequence does not begin at zero.
			c.queues[at] = q[2:]
			broker.append(q[1], fmt.Sprintf("relay %d", c.r.id))
			c.resolve(q[1], ClassOK)
			c.resolve(batch, ClassRecord)
		}
		c.fail(at, ClassRecord)
	case !s.calm && s.chance(0.05):
		if s.chance(0.5) && !batch.appended {
			broker.append(batch, fmt.Sprintf("relay %d", c.r.id))
			batch.appended = true
		}
		if s.chance(0.3) {
			c.fail(at, ClassRelay)
		}
	default:
		if !batch.appended {
			broker.append(batch, fmt.Sprintf("relay %d", c.r.id))
		}
		c.known[at] = true
		c.queues[at] = q[1:]
		c.resolve(batch, ClassOK)
	}
}

// stalls reports whether the client is looking for a missing topic, which delays all
// others.
func (c *simClient) stalls() bool {
	for _, at := range c.order {
		if q := c.queues[at]; len(q) > 0 && q[0].unknown && c.s.broker.missing[at.topic] {
			return true
		}
	}
	return false
}

func (b *simBatch) poisoned() bool {
	return slices.ContainsFunc(b.records, func(r Record) bool { return string(r.Value) == "poison" })
}

// fail fails everything buffered for a partition.
func (c *simClient) fail(at simPart, class Class) {
	q := c.queues[at]
	c.queues[at] = nil
	for _, b := range q {
		c.resolve(b, class)
	}
}

func (c *simClient) resolve(b *simBatch, class Class) {
	if c.s.verbose && class != ClassOK {
		c.s.say("relay %d: batch %v of %d records: %s", c.r.id, b.at, len(b.records), class)
	}
	if b.op.done {
		return // given up
	}
	for i := range b.records {
		res := Result{Class: class}
		if class != ClassOK {
			res.Err = errSimLost
		}
		// A wave lays its records out batch after batch, so those of a batch are
		// next to each other.
		b.op.out.results[b.first+i] = res
	}
	b.op.pos += len(b.records)
	b.op.done = b.op.pos == len(b.op.out.results)
}

// ghosts leaves the batches in flight, which may still be appended.
func (c *simClient) ghosts() {
	for _, at := range c.order {
		if q := c.queues[at]; len(q) > 0 && !q[0].appended && !q[0].poisoned() && c.s.chance(0.5) {
			c.s.broker.ghosts = append(c.s.broker.ghosts, q[0])
		}
	}
}

// close fails everything, as the end of a wave's time does.
func (c *simClient) close() {
	c.ghosts()
	class := ClassPartition
	if c.s.off("a closed client's records are not sent") {
		class = ClassOK
	} else if c.s.broker.outage {
		class = ClassRelay
	}
	if c.s.off("the end of a wave's time closes the client") {
		c.abandon(class)
		return
	}
	for _, at := range c.order {
		c.fail(at, class)
	}
	c.order = nil
	clear(c.known)
	c.fenced = false
}

// abandon fails what is in flight, and leaves it with the client.
func (c *simClient) abandon(class Class) {
	for _, at := range c.order {
		for _, b := range c.queues[at] {
			c.resolve(b, class)
		}
	}
}
