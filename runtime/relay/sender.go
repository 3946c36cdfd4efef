package relay

import (
	"errors"
	"log/slog"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// sender makes waves of the queued rows, and decides what their results mean.
type sender struct {
	cfg *Config
	log *journal
	f   *flow

	open  bool          // there is a producer
	until time.Duration // Kafka is left alone until then
	tries int           // outages in a row
	err   error         // of the last outage
}

// plan starts the next wave.
func (s *sender) plan(n *agenda) {
	if !n.due(s.until) {
		return
	}
	if !s.open {
		n.do(opOpen{})
		return
	}
	room := s.f.queue.waveRoom()
	if room <= 0 {
		return // settling is too far behind
	}
	if w := s.assemble(room); w != nil {
		s.f.queue.depart(w)
		timeout := s.cfg.WaveTimeout
		if w.probe {
			timeout /= probeShare
		}
		n.do(opSend{w, timeout})
	}
}

// probeShare divides WaveTimeout for partitions that failed before and have accepted
// nothing since: all others wait for their answer.
const probeShare = 5

func (s *sender) opened(now time.Duration, err error) {
	if err != nil {
		s.outage(now, err)
		return
	}
	s.open = true
}

// outage records that Kafka is unavailable, and returns until when it is left alone.
func (s *sender) outage(now time.Duration, err error) time.Duration {
	s.tries++
	s.until = now + backoff.Pause(s.cfg.OutageMin, s.cfg.OutageMax, s.tries)
	s.err = err
	return s.until
}

// assemble takes the next wave of at most maxRows from the queues, or returns nil.
func (s *sender) assemble(maxRows int) *wave {
	q, suspect := &s.f.queue, &s.f.suspect
	if !suspect.judged {
		return nil
	}
	w := &wave{}
	maxBytes := max(1, s.cfg.BufferBytes/2)
	var passed []*partition // of the other kind: first in the next wave
	for range len(q.active) {
		if len(q.active) == 0 || w.rows >= maxRows || w.bytes >= maxBytes {
			break
		}
		p := q.active[0]
		s.failInvalid(p)
		if len(p.queue) > 0 {
			if w.rows > 0 && w.probe != p.probing() {
				passed = append(passed, p)
				q.shift()
				continue
			}
			first := p.queue[0]
			if w.rows > 0 && suspect.alone(first) {
				break
			}
			if w.rows == 0 && !suspect.mayGo(first) {
				return nil
			}
			if suspect.alone(first) {
				maxRows = 1
			}
		}
		q.shift()
		s.take(w, p, maxRows, maxBytes)
		p.active = false
		q.activate(p)
	}
	q.unshift(passed)
	if w.rows == 0 {
		return nil
	}
	return w
}

// failInvalid fails the rows at the head of a queue that can never be sent. Their
// predecessors are resolved. It runs before the check of which row has to be named,
// because the named row must be the one that is sent.
func (s *sender) failInvalid(p *partition) {
	for len(p.queue) > 0 && p.queue[0].invalid != nil {
		e := s.f.queue.pop(p)
		s.f.queue.vacate(e)
		s.f.fail(e, e.invalid)
	}
}

// take adds a partition's batch to the wave: as many rows as the topic's limit, the
// search for a bad row, and the wave allow.
func (s *sender) take(w *wave, p *partition, maxRows int, maxBytes int64) {
	limit := int64(p.topic.info.MaxBatchBytes) - batchOverhead
	var rows []*entry
	var size int64
	full := func(e *entry) bool {
		return e.invalid != nil ||
			p.limit > 0 && len(rows) >= p.limit ||
			p.topic.tries > 0 || // one row shows whether it can be written
			p.topic.info.MaxBatchBytes > 0 && size+e.size > limit ||
			w.bytes+size+e.size > maxBytes ||
			e.row.RetryCount > 0 || rows[len(rows)-1].row.RetryCount > 0 || // a row that failed goes alone
			s.f.suspect.alone(e)
	}
	for len(p.queue) > 0 && w.rows+len(rows) < maxRows && (len(rows) == 0 || !full(p.queue[0])) {
		e := s.f.queue.pop(p)
		rows = append(rows, e)
		size += e.size
	}
	w.put(p, rows, size)
}

// troubleKafka is the name of outages in the journal.
const troubleKafka = "Kafka"

var errNoResult = errors.New("relay: the sink gave no result for the record")

// resolved handles the results of a wave. An error ends the term.
func (s *sender) resolved(now time.Duration, w *wave, results []Result) error {
	f := s.f
	f.queue.landed(w)
	outage := error(nil)
	acked := false
	for _, b := range w.batches {
		failed, cause := s.ack(&b, &results)
		acked = acked || len(failed) < len(b.rows)
		if len(failed) == 0 {
			continue
		}
		switch cause.Class {
		case ClassLeadership:
			return cause.Err
		case ClassRecord:
			b.p.topic.resumed(s.log) // the topic can be written, but not with this record
			if len(b.rows) == 1 {
				f.fail(failed[0], cause.Err)
				break
			}
			b.p.limit = max(1, len(b.rows)/2)
			b.p.topic.describe = true // its limit may have changed
			f.queue.requeue(b.p, failed)
		case ClassTopic:
			f.queue.requeue(b.p, failed)
			if paused := b.p.topic.paused; paused == nil || paused.state != waiting {
				f.targets.pause(now, b.p.topic, cause.Err.Error())
			}
		case ClassPartition:
			f.queue.requeue(b.p, failed)
			b.p.topic.describe = true
			f.targets.setAside(now, b.p, cause.Err.Error())
		default:
			outage = cause.Err
			b.p.topic.describe = true // its number of partitions may have changed
			f.queue.requeue(b.p, failed)
		}
		f.targets.keepOut(b.p)
	}
	if outage != nil {
		s.log.trouble(now, troubleKafka, "Kafka unavailable, retrying; attempts are not counted", slog.Any("error", outage))
		s.outage(now, outage)
	} else if acked {
		s.tries, s.err = 0, nil
		s.log.recovered(now, troubleKafka, "Kafka answers again")
	}
	f.suspect.landed(w)
	for _, b := range w.batches {
		f.targets.landed(now, b.p.topic)
	}
	return nil
}

// ack takes the results of a batch from the front of the wave's results. It returns the
// rows that were not acknowledged, and the result of the first of them.
func (s *sender) ack(b *batch, results *[]Result) (failed []*entry, cause Result) {
	for _, e := range b.rows {
		r := Result{ClassRelay, errNoResult}
		if len(*results) > 0 {
			r = (*results)[0]
			*results = (*results)[1:]
		}
		if r.Class == ClassOK {
			s.f.queue.vacate(e)
			s.f.settler.sent(e.row.Seq)
			continue
		}
		if len(failed) == 0 {
			cause = r
		}
		failed = append(failed, e)
		if r.Class == ClassRecord && len(b.rows) == 1 {
			s.f.queue.vacate(e)
		}
	}
	if len(failed) == 0 {
		s.f.targets.took(b.p)
	}
	return failed, cause
}
