package relay

import (
	"errors"
	"log/slog"
	"time"
)

// wave is what is handed to the producer at once: at most one batch for each
// partition. Nothing more is handed over before all of it is resolved, so no
// later row of a key can overtake one that fails.
type wave struct {
	batches []batch
	rows    int
	bytes   int64
	probe   bool // of partitions that failed before
}

type batch struct {
	p    *partition
	rows []*entry
}

// records lays a wave out for the producer, batch after batch.
func (w *wave) records() []Record {
	out := make([]Record, 0, w.rows)
	for _, b := range w.batches {
		for _, e := range b.rows {
			out = append(out, e.record())
		}
	}
	return out
}

// assemble takes the next wave of at most maxRows from the queues, or nil.
func (t *term) assemble(maxRows int) *wave {
	if t.suspectPending || len(t.ready) == 0 {
		return nil
	}
	w := &wave{}
	maxBytes := max(1, t.cfg.BufferBytes/2)
	var passed []*partition // of the other kind: first in the next wave
	for range len(t.ready) {
		if len(t.ready) == 0 || w.rows >= maxRows || w.bytes >= maxBytes {
			break
		}
		p := t.ready[0]
		t.failInvalid(p)
		if len(p.queue) > 0 && w.rows > 0 && w.probe != p.probing() {
			passed = append(passed, p)
			t.ready = t.ready[1:]
			continue
		}
		if w.rows == 0 && len(p.queue) > 0 && t.named != 0 && !t.alone(p.queue[0]) {
			t.wantName = 0 // or a death would be put down to the row that is still named
			return nil
		}
		if len(p.queue) > 0 && t.alone(p.queue[0]) {
			if w.rows > 0 {
				break
			}
			if e := p.queue[0]; t.named != e.row.Seq {
				t.wantName = e.row.Seq
				return nil
			}
			if !t.m.off.notAlone {
				maxRows = 1
			}
		}
		t.ready = t.ready[1:]
		t.take(w, p, maxRows, maxBytes)
		p.active = false
		t.activate(p)
	}
	if len(passed) > 0 {
		t.ready = append(passed, t.ready...)
	}
	if w.rows == 0 {
		return nil
	}
	return w
}

// alone reports whether a row is to be named in the lease row and sent by itself,
// because it may be what killed an earlier leader.
func (t *term) alone(e *entry) bool {
	return t.singles > 0 || t.m.lease.UncleanEnds > 0 && e.row.RetryCount > 0
}

// failInvalid fails the rows at the head of a queue that can never be sent; what
// preceded them is resolved. It comes before the look at which row has to be named:
// the one that is named is the one that is sent.
func (t *term) failInvalid(p *partition) {
	for len(p.queue) > 0 && p.queue[0].invalid != nil {
		e := p.queue[0]
		p.queue = p.queue[1:]
		t.queued--
		t.bytes -= e.size
		t.fail(e, e.invalid)
	}
}

// take adds a partition's batch to the wave: as many of its first rows as the
// topic's limit, a search for a bad row, and the wave allow.
func (t *term) take(w *wave, p *partition, maxRows int, maxBytes int64) {
	limit := int64(p.topic.info.MaxBatchBytes) - batchOverhead
	if t.m.off.twoBatches {
		limit *= 2
	}
	var rows []*entry
	var size int64
	for len(p.queue) > 0 && w.rows+len(rows) < maxRows {
		e := p.queue[0]
		switch {
		case len(rows) == 0:
		case e.invalid != nil,
			p.limit > 0 && len(rows) >= p.limit,
			p.topic.tries > 0, // one row is enough to see whether it can be written
			p.topic.info.MaxBatchBytes > 0 && size+e.size > limit,
			w.bytes+size+e.size > maxBytes,
			e.row.RetryCount > 0 || rows[len(rows)-1].row.RetryCount > 0: // a row that failed goes alone
			t.put(w, p, rows, size)
			return
		}
		if t.alone(e) && len(rows) > 0 && !t.m.off.notAlone {
			break
		}
		p.queue[0] = nil
		p.queue = p.queue[1:]
		rows = append(rows, e)
		size += e.size
	}
	t.put(w, p, rows, size)
}

func (t *term) put(w *wave, p *partition, rows []*entry, size int64) {
	if len(rows) == 0 {
		return
	}
	w.batches = append(w.batches, batch{p, rows})
	w.rows += len(rows)
	w.bytes += size
	w.probe = p.probing()
	t.queued -= len(rows)
}

var errNoResult = errors.New("relay: the sink gave no result for the record")

// resolved takes a wave's results.
func (t *term) resolved(now time.Duration, w *wave, results []Result) {
	for i, other := range t.inflight {
		if other == w {
			t.inflight = append(t.inflight[:i:i], t.inflight[i+1:]...)
			break
		}
	}
	t.flying -= w.rows
	outage := error(nil)
	acked := false
	for _, b := range w.batches {
		failed, cause := t.ack(&b, &results)
		acked = acked || len(failed) < len(b.rows)
		if len(failed) == 0 {
			continue
		}
		switch cause.Class {
		case ClassLeadership:
			t.m.endTerm(cause.Err, true)
			return
		case ClassRecord:
			t.goesOn(b.p.topic) // it can be written, but not with this
			if len(b.rows) == 1 || t.m.off.noHalving {
				for _, e := range failed {
					t.fail(e, cause.Err)
				}
				break
			}
			b.p.limit = max(1, len(b.rows)/2)
			b.p.topic.describe = true // its limit may have changed
			t.requeue(b.p, failed)
		case ClassTopic:
			t.requeue(b.p, failed)
			if s := b.p.topic.paused; s == nil || s.state != waiting {
				t.pause(now, b.p.topic, cause.Err.Error())
			}
		case ClassPartition:
			t.requeue(b.p, failed)
			b.p.topic.describe = true
			t.setAside(now, b.p, cause.Err.Error())
		default:
			outage = cause.Err
			b.p.topic.describe = true // it may have other partitions by now
			if t.m.off.countOutage {
				for _, e := range failed {
					t.fail(e, cause.Err)
				}
				break
			}
			t.requeue(b.p, failed)
		}
		t.keepOut(b.p)
	}
	if outage != nil {
		t.m.say(slog.LevelWarn, "Kafka unavailable, retrying; attempts are not counted", slog.Any("error", outage))
		t.outage(now, outage)
	} else if acked {
		t.outageTries, t.outageErr = 0, nil
	}
	if t.singles > 0 {
		t.singles--
	}
	if w.rows == 1 && t.wantName == w.batches[0].rows[0].row.Seq {
		t.wantName = 0
	}
	for _, b := range w.batches {
		if tp := b.p.topic; tp.next != nil && !t.flyingTo(tp) {
			info := tp.next
			tp.next = nil
			t.apply(now, tp, info)
		}
	}
}

// ack takes a batch's results from the front of the wave's. It returns the rows
// that were not acknowledged, and why the first of them was not.
func (t *term) ack(b *batch, results *[]Result) (failed []*entry, cause Result) {
	for _, e := range b.rows {
		r := Result{ClassRelay, errNoResult}
		if len(*results) > 0 {
			r = (*results)[0]
			*results = (*results)[1:]
		}
		if r.Class == ClassOK {
			t.bytes -= e.size
			t.published = append(t.published, e.row.Seq)
			t.sent++
			continue
		}
		if len(failed) == 0 {
			cause = r
		}
		failed = append(failed, e)
		if r.Class == ClassRecord && len(b.rows) == 1 || t.m.off.countOutage && r.Class == ClassRelay {
			t.bytes -= e.size
		}
	}
	if len(failed) == 0 {
		b.p.tries, b.p.topic.tries = 0, 0
		t.goesOn(b.p.topic)
		if b.p.limit > 0 {
			b.p.limit *= 2
			if b.p.limit > t.waveRows() {
				b.p.limit = 0
			}
		}
	}
	return failed, cause
}

// requeue puts rows back where they came from: before all others of their
// partition.
func (t *term) requeue(p *partition, rows []*entry) {
	if t.m.off.requeueLast {
		p.queue = append(p.queue, rows...)
	} else {
		p.queue = append(rows, p.queue...)
	}
	t.queued += len(rows)
	t.activate(p)
}

// keepOut drops what has come back to a partition that has begun to wait while
// its rows were in flight.
func (t *term) keepOut(p *partition) {
	if s := p.topic.paused; s != nil && s.state != catching {
		s.note(t.dropPartition(p, true))
	} else if s := p.aside; s != nil && s.state != catching {
		s.note(t.dropPartition(p, false))
	}
}
