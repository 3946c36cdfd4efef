package relay

import "slices"

// queue has the rows in memory: rows that wait for a wave, by topic and partition; rows
// in flight; and rows that were sent and are not settled.
type queue struct {
	cfg    *Config
	topics topics

	// mem is all of them. recent has the rows that were settled while a read is under
	// way, whose page may still show them.
	mem    map[int64]struct{}
	recent map[int64]struct{}
	queued int
	bytes  int64 // of queued and in-flight rows
	high   int64 // highest seq that was admitted or skipped

	active   []*partition // with queued rows, in turn
	inflight []*wave
	flying   int // rows in flight
}

func newQueue(cfg *Config) queue {
	return queue{
		cfg: cfg, topics: topics{byName: map[string]*topic{}},
		mem: map[int64]struct{}{}, recent: map[int64]struct{}{},
	}
}

// waveRows limits a wave, so that there is room for reading ahead, and one wave can be
// sent while the one before is settled.
func (q *queue) waveRows() int { return max(1, min(q.cfg.BufferRows, q.cfg.UnsettledRows)/2) }

// waveRoom returns how many rows the next wave may have: with the unsettled rows at most
// UnsettledRows. It is 0 while only a small wave would fit and more rows wait.
func (q *queue) waveRoom() int {
	room := min(q.waveRows(), q.cfg.UnsettledRows-q.unsettled())
	if room < q.waveRows() && room < q.queued {
		return 0
	}
	return room
}

// unsettled counts the rows that were sent and are not settled.
func (q *queue) unsettled() int { return len(q.mem) - q.queued - q.flying }

// pageRoom returns the limit of the next page. It is nothing until a good part of a page
// fits.
func (q *queue) pageRoom() (Limit, bool) {
	cfg := q.cfg
	rows := cfg.BufferRows - q.queued - q.flying
	size := cfg.BufferBytes - q.bytes
	if q.queued+q.flying > 0 && (rows < min(cfg.PageRows, cfg.BufferRows/4) || size < min(cfg.PageBytes, cfg.BufferBytes/4)) {
		return Limit{}, false
	}
	return Limit{Rows: max(1, min(rows, cfg.PageRows)), Bytes: max(1, min(size, cfg.PageBytes))}, true
}

// has reports whether a row is in memory, or was when the read that shows it began.
func (q *queue) has(seq int64) bool {
	_, known := q.mem[seq]
	_, settled := q.recent[seq]
	return known || settled
}

// met records that a row was read.
func (q *queue) met(seq int64) { q.high = max(q.high, seq) }

// add appends an entry to its topic.
func (q *queue) add(e *entry, tp *topic) {
	q.mem[e.row.Seq] = struct{}{}
	q.queued++
	q.bytes += e.size
	tp.used = true
	tp.chosen = tp.chosen || e.row.Partition != nil
	switch {
	case tp.info == nil:
		tp.waiting = append(tp.waiting, e)
	case tp.lacks(e):
		q.await(e, tp)
	default:
		q.enqueue(e, tp)
	}
}

// await keeps a row whose partition the topic does not have until the topic has been
// described again: it may have got more partitions since.
func (q *queue) await(e *entry, tp *topic) {
	tp.waiting = append(tp.waiting, e)
	tp.describe = true
}

// enqueue appends an entry to its partition.
func (q *queue) enqueue(e *entry, tp *topic) { q.push(e, tp.parts[q.partitionOf(e, tp)]) }

func (q *queue) push(e *entry, p *partition) {
	e.part = p.part
	p.queue = append(p.queue, e)
	q.activate(p)
}

// requeue puts rows back at the head of their partition.
func (q *queue) requeue(p *partition, rows []*entry) {
	p.queue = append(rows, p.queue...)
	q.queued += len(rows)
	q.activate(p)
}

func (q *queue) activate(p *partition) {
	if !p.active && len(p.queue) > 0 {
		p.active = true
		q.active = append(q.active, p)
	}
}

// shift removes the first partition from the turn; unshift adds partitions at its head.
func (q *queue) shift() { q.active = q.active[1:] }

func (q *queue) unshift(ps []*partition) {
	if len(ps) > 0 {
		q.active = append(ps, q.active...)
	}
}

// partitionOf returns the partition of a row: the one that the row names, else by its
// key; with neither, the next partition in turn that is not set aside. A row that names
// a partition which the topic does not have queues, and waits, with one that the topic
// has. It fails there.
func (q *queue) partitionOf(e *entry, tp *topic) int32 {
	switch {
	case e.row.Partition != nil:
		return int32(uint32(*e.row.Partition) % uint32(len(tp.parts))) // a partition count is an int32 in Kafka
	case e.row.Key != nil:
		return q.cfg.Sink.Partition([]byte(*e.row.Key), len(tp.parts))
	}
	return tp.unkeyed(nil).part
}

// pop removes the first row of a partition.
func (q *queue) pop(p *partition) *entry {
	e := p.queue[0]
	p.queue[0] = nil
	p.queue = p.queue[1:]
	q.queued--
	return e
}

// drop removes a queued row from memory.
func (q *queue) drop(e *entry) {
	delete(q.mem, e.row.Seq)
	q.queued--
	q.bytes -= e.size
}

// dropPartition empties a partition's queue and returns the highest seq that has to be
// read again. Unless all is set, rows that can go to any partition move to others.
func (q *queue) dropPartition(p *partition, all bool) int64 {
	var high int64
	rows := p.queue
	p.queue = nil
	for _, e := range rows {
		if !e.row.bound() && !all {
			q.push(e, p.topic.unkeyed(p))
			continue
		}
		q.drop(e)
		high = max(high, e.row.Seq)
	}
	return high
}

// dropWaiting does the same for rows that came before their topic was described.
func (q *queue) dropWaiting(tp *topic) int64 {
	var high int64
	for _, e := range tp.waiting {
		q.drop(e)
		high = max(high, e.row.Seq)
	}
	tp.waiting = nil
	return high
}

// dropKey does the same for the rows of a row's key.
func (q *queue) dropKey(of *entry) int64 {
	if of.row.Key == nil {
		return 0
	}
	var high int64
	drop := func(rows []*entry) []*entry {
		kept := rows[:0]
		for _, e := range rows {
			if e.row.Key == nil || *e.row.Key != *of.row.Key {
				kept = append(kept, e)
				continue
			}
			q.drop(e)
			high = max(high, e.row.Seq)
		}
		clear(rows[len(kept):])
		return kept
	}
	tp := q.topics.get(of.row.Topic)
	tp.waiting = drop(tp.waiting)
	for _, p := range q.partitionsOf(of, tp) {
		p.queue = drop(p.queue)
	}
	return high
}

// partitionsOf returns the partitions that can have rows of a row's key.
func (q *queue) partitionsOf(of *entry, tp *topic) []*partition {
	switch {
	case tp.info == nil:
		return nil
	case tp.chosen: // each row of the key may name another one
		return tp.parts
	}
	at := q.partitionOf(of, tp)
	return tp.parts[at : at+1]
}

// deactivate removes a topic's partitions, which are empty, from the turn.
func (q *queue) deactivate(tp *topic) {
	for _, p := range tp.parts {
		p.active = false
	}
	q.active = slices.DeleteFunc(q.active, func(p *partition) bool { return p.topic == tp })
}

// depart records that a wave is under way, and landed that it is resolved.
func (q *queue) depart(w *wave) {
	q.inflight = append(q.inflight, w)
	q.flying += w.rows
}

func (q *queue) landed(w *wave) {
	q.inflight = slices.DeleteFunc(q.inflight, func(o *wave) bool { return o == w })
	q.flying -= w.rows
}

// forget removes a row from memory that was sent or has failed.
func (q *queue) forget(seq int64) { delete(q.mem, seq) }

// mayShow records that the read under way may show the row as it was before it was
// settled. readEnded ends that.
func (q *queue) mayShow(seq int64) { q.recent[seq] = struct{}{} }
func (q *queue) readEnded()        { clear(q.recent) }

// vacate records that a row in flight needs no room any more: it was acknowledged or
// failed.
func (q *queue) vacate(e *entry) { q.bytes -= e.size }

// idle reports whether the topic has no row queued or in flight.
func (q *queue) idle(tp *topic) bool {
	for _, p := range tp.parts {
		if len(p.queue) > 0 {
			return false
		}
	}
	return len(tp.waiting) == 0 && !q.flyingTo(tp)
}

func (q *queue) flyingTo(tp *topic) bool {
	for _, w := range q.inflight {
		for i := range w.batches {
			if w.batches[i].p.topic == tp {
				return true
			}
		}
	}
	return false
}
