package kafka

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// poll hands records to the workers until ctx ends (it returns nil) or an error stops
// the run.
func (r *run) poll(ctx context.Context) error {
	defer r.polled.Store(true)
	defer r.seeks.end()
	polling, stop := context.WithCancel(ctx)
	defer stop()
	var failure error
	var watched sync.WaitGroup
	watched.Go(func() { // a failing worker interrupts a poll that waits
		select {
		case failure = <-r.failed:
			stop()
		case <-polling.Done():
		}
	})
	for barren := 0; polling.Err() == nil; {
		once, polled := r.seeks.poll(polling)
		fetches := r.client.PollRecords(once, pollRecords)
		polled()
		r.stats.polls.Add(1)
		errs, records := 0, 0
		fetches.EachError(func(topic string, id int32, err error) {
			if polling.Err() == nil && !errors.Is(err, context.Canceled) {
				errs++
				r.fetchFailed(ctx, topic, id, err)
			}
		})
		fetches.EachTopic(func(t kgo.FetchTopic) {
			for _, p := range t.Partitions {
				if len(p.Records) > 0 && r.deliver(ctx, t, p) {
					records += len(p.Records)
				}
			}
		})
		if len(fetches) > 0 { // or rebalances are not blocked
			r.seeks.serve(r)
		}
		// Partitions may be revoked only now: every polled record has a worker, which
		// the callbacks know.
		r.client.AllowRebalance()
		if barren++; errs == 0 || records > 0 {
			barren = 0
		}
		r.brake(polling, barren)
	}
	stop()
	watched.Wait()
	if failure == nil {
		select { // it failed while ctx ended
		case failure = <-r.failed:
		default:
		}
	}
	return failure
}

// brake pauses after polls that returned only errors: some errors come back immediately, as
// often as the client is polled.
func (r *run) brake(ctx context.Context, barren int) {
	const shortest = 10 * time.Millisecond
	if barren > 0 {
		backoff.Sleep(ctx, backoff.Pause(shortest, r.cfg.timing.brake, barren))
	}
}

// deliver gives the records of one partition to its worker, and reports whether it did.
func (r *run) deliver(ctx context.Context, t kgo.FetchTopic, f kgo.FetchPartition) bool {
	p := partition{t.Topic, f.Partition}
	r.recovered(ctx, p)
	switch r.origins.delivered(p, t.TopicID) {
	case ofTopic:
	case ofFormer:
		r.orphan(p, t.TopicID, f.Records)
		return true
	case misplaced:
		r.watch.unknownTopic(p.topic, true)
		return false
	}
	if from, lost := r.positions.read(p, f.Records, f.LogStartOffset, r.cfg.OnLoss == Stop); lost {
		if !r.lostRecords(ctx, &LostRecordsError{Group: r.cfg.Group, Topic: p.topic, Partition: p.id, From: from, To: f.LogStartOffset}) {
			return false
		}
	}
	r.worker(p, t.TopicID).add(f.Records)
	return true
}

// lostRecords reports a loss, and returns whether to continue.
func (r *run) lostRecords(ctx context.Context, lost *LostRecordsError) bool {
	if r.cfg.OnLoss == Stop {
		if r.fail(lost) {
			r.stats.lost.Add(uint64(max(0, lost.To-lost.From)))
			r.log.ErrorContext(ctx, "records lost before they were read; the consumer stops",
				"topic", lost.Topic, "partition", lost.Partition, "first_lost", lost.From, "first_kept", lost.To)
		}
		return false
	}
	r.stats.lost.Add(uint64(max(0, lost.To-lost.From)))
	text := "records were removed before this group read them (retention or a delete); continuing with the oldest record that is left"
	at := lost.To
	if lost.Truncated {
		text = "a partition was truncated: the brokers lost records that this group had read; continuing at the end of the log"
		at = lost.From
	}
	r.notices.report(ctx, subject{kind: kindLost, topic: lost.Topic, partition: lost.Partition}, lost.Partition, false, text, nil,
		"first_lost", lost.From, "first_kept", lost.To, "goes_on_at", at, "records", lost.To-lost.From)
	return true
}

// fetchFailed handles an error of a poll.
func (r *run) fetchFailed(ctx context.Context, topic string, id int32, err error) {
	r.stats.fetchErrors.Add(1)
	_, isSession := errors.AsType[*kgo.ErrGroupSession](err)
	loss, isLoss := errors.AsType[*kgo.ErrDataLoss](err)
	tooLarge, isTooLarge := errors.AsType[*kgo.ErrDecompressTooLarge](err)
	switch {
	case errors.Is(err, kgo.ErrClientClosed):
		r.fail(err)
	case isSession: // the hook has reported it
	case isLoss && !r.positions.known(partition{loss.Topic, loss.Partition}):
		// The offset belongs to a former topic, which this run no longer reads.
	case isLoss && r.recreatedTopic(ctx, loss.Topic): // nothing was lost: it is another log
		r.watch.unknownTopic(loss.Topic, true)
	case isLoss:
		r.lostRecords(ctx, &LostRecordsError{
			Group: r.cfg.Group, Topic: loss.Topic, Partition: loss.Partition,
			From: min(loss.ResetTo, loss.ConsumedTo), To: max(loss.ResetTo, loss.ConsumedTo), Truncated: loss.ResetTo <= loss.ConsumedTo,
		})
	case isTooLarge: // the client no longer fetches the partition
		r.notices.report(ctx, subject{kind: kindStuck, topic: topic, partition: id}, id, true,
			"a batch is too large to decompress; its partition is not read until the consumer is restarted with a larger kgo.MaxDecompressBatchBytes in Config.Options",
			err, "offset", tooLarge.Offset)
	case topic != "" && id < 0 && kerr.IsRetriable(err):
		r.watch.look() // it knows more about topics
	case topic == "" || id < 0:
		r.notices.report(ctx, subject{kind: kindReading, topic: topic}, -1, true, fetchHint(err), err)
	default:
		r.rest(ctx, partition{topic, id}, err)
	}
}

// resting has the partitions whose fetches fail immediately. Such a partition is paused,
// longer each time, so that it uses no CPU and fills no log. The others continue.
type resting struct {
	mu      sync.Mutex
	stopped bool
	rests   map[partition]*rest
}

type rest struct {
	failures int
	until    time.Time
	timer    *time.Timer
}

// patientWith is how many fetches in a row may fail before a warning, if the error
// usually passes by itself, for example when a partition's leader moves.
const patientWith = 5

// rest pauses a partition whose fetch failed.
func (r *run) rest(ctx context.Context, p partition, err error) {
	failures := r.resting.add(p, r.cfg.timing, func() { r.gate.open(p, holdFailing) })
	if failures == 0 {
		return
	}
	r.gate.shut(p, holdFailing)
	passing := kerr.IsRetriable(err) && failures < patientWith
	if errors.Is(err, kerr.UnknownTopicID) || errors.Is(err, kerr.InconsistentTopicID) {
		r.watch.unknownTopic(p.topic, !passing)
	}
	if !passing {
		r.notices.report(ctx, subject{kind: kindReading, topic: p.topic}, p.id, true, fetchHint(err), err)
	}
}

// add counts a failure, and calls open when the partition's pause is over. It returns
// the number of failures in a row; 0 means that the run has ended.
func (s *resting) add(p partition, t timing, open func()) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return 0
	}
	at := s.rests[p]
	if at == nil {
		at = &rest{}
		s.rests[p] = at
	} else {
		at.timer.Stop()
	}
	at.failures++
	pause := backoff.Pause(t.failMin, t.failMax, at.failures)
	at.until = time.Now().Add(pause)
	at.timer = time.AfterFunc(pause, open)
	return at.failures
}

// recovered handles a partition that returns records again.
func (r *run) recovered(ctx context.Context, p partition) {
	s := &r.resting
	s.mu.Lock()
	at := s.rests[p]
	delete(s.rests, p)
	s.mu.Unlock()
	if at == nil {
		return
	}
	at.timer.Stop()
	r.gate.open(p, holdFailing)
	r.notices.overFor(ctx, subject{kind: kindReading, topic: p.topic}, p.id, textReadsAgain)
}

// settled ends the problem for partitions that are fetched again without an error: they
// have no new records.
func (r *run) settled(ctx context.Context) {
	s := &r.resting
	var well []partition
	s.mu.Lock()
	for p, at := range s.rests {
		if time.Since(at.until) > r.cfg.timing.settle {
			delete(s.rests, p)
			well = append(well, p)
		}
	}
	s.mu.Unlock()
	for _, p := range well {
		r.notices.overFor(ctx, subject{kind: kindReading, topic: p.topic}, p.id, textReadsAgain)
	}
}

// forget removes partitions that this member no longer has, or whose topic was
// recreated.
func (s *resting) forget(partitions map[string][]int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := range each(partitions) {
		if at := s.rests[p]; at != nil {
			at.timer.Stop()
			delete(s.rests, p)
		}
	}
}

// ofTopic lists the resting partitions of a topic.
func (s *resting) ofTopic(topic string) []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []int32
	for p := range s.rests {
		if p.topic == topic {
			ids = append(ids, p.id)
		}
	}
	return ids
}

func (s *resting) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for _, at := range s.rests {
		at.timer.Stop()
	}
}
