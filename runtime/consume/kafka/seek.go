package kafka

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Seek lets this member continue at an offset of a partition: back, to handle records
// again, or forward, to leave records out. Handlers of the partition that are running can
// finish within Config.DrainTimeout, and until ctx ends; waiting records are dropped.
// Then their context is cancelled, and a handler that has not returned 5s later is left
// running, as in a rebalance. When they have ended, the offset is committed, so that a
// restart begins there too, and reading continues at it. Meanwhile other partitions are
// read, and rebalances do not wait for it. A call for a partition that another call is
// moving waits for that one.
//
// If ctx ends first, Seek returns its error immediately. If the context of the handlers
// was already cancelled, the partition is still moved.
//
// The partition may be one of a retry topic. It must be assigned to this member;
// otherwise the error is a *[NotAssignedError]. The offset must be in the log or at its
// end. The error is [ErrNotRunning] if Run is not running. After another error the
// partition may have been moved, with or without a commit: call Seek again. Do not call
// it from a handler: it would wait for that handler. If a handler was left running, the
// partition continues when the handler returns.
func (c *Consumer) Seek(ctx context.Context, topic string, partitionID int32, offset int64) error {
	r, err := c.live()
	if err != nil {
		return err
	}
	p := partition{topic, partitionID}
	if !r.watch.has(p) {
		return r.notAssigned([]partition{p})
	}
	asking, cancel := context.WithTimeout(ctx, r.cfg.timing.answer)
	defer cancel()
	admin := kadm.NewClient(r.client)
	start, err := listed(admin.ListStartOffsets(asking, topic))(p)
	if err != nil {
		return fmt.Errorf("consume/kafka: %w", err)
	}
	end, err := listed(admin.ListEndOffsets(asking, topic))(p)
	if err != nil {
		return fmt.Errorf("consume/kafka: %w", err)
	}
	if offset < start || offset > end {
		return fmt.Errorf("consume/kafka: offset %d is not in partition %s/%d, which has the offsets %d to %d", offset, topic, partitionID, start, end)
	}
	return r.seek(ctx, map[partition]int64{p: offset})
}

// SeekToTime is [Consumer.Seek] for all partitions of Config.Topics that this member has.
// Each continues at its first record whose timestamp is not before that time, or at its
// end if there is none. The zero time is before all records. Retry topics are not moved.
// It does not move the partitions of other members: call it on each of them, or stop them
// all and use kafka-consumer-groups.sh.
func (c *Consumer) SeekToTime(ctx context.Context, at time.Time) error {
	r, err := c.live()
	if err != nil {
		return err
	}
	have := slices.DeleteFunc(r.watch.have(), func(p partition) bool { return r.cfg.field(p.topic) == fieldRetryTopics })
	if len(have) == 0 {
		return &NotAssignedError{Group: r.cfg.Group}
	}
	asking, cancel := context.WithTimeout(ctx, r.cfg.timing.answer)
	defer cancel()
	offset := listed(kadm.NewClient(r.client).ListOffsetsAfterMilli(asking, milli(at), topicsOf(have)...))
	to := map[partition]int64{}
	for _, p := range have {
		if to[p], err = offset(p); err != nil {
			return fmt.Errorf("consume/kafka: %w", err)
		}
	}
	return r.seek(ctx, to)
}

// live returns the current run.
func (c *Consumer) live() (*run, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running == nil {
		return nil, ErrNotRunning
	}
	return c.running, nil
}

// listed returns the offset of a partition in an answer.
func listed(offsets kadm.ListedOffsets, err error) func(partition) (int64, error) {
	return func(p partition) (int64, error) {
		at, ok := offsets.Lookup(p.topic, p.id)
		switch {
		case err != nil:
			return 0, fmt.Errorf("ask for the offsets of topic %s: %w", p.topic, err)
		case !ok:
			return 0, fmt.Errorf("no broker knows partition %s/%d", p.topic, p.id)
		case at.Err != nil:
			return 0, fmt.Errorf("ask for the offsets of partition %s/%d: %w", p.topic, p.id, at.Err)
		}
		return at.Offset, nil
	}
}

// seeks are the calls of Seek that wait for the goroutine that polls: between two polls no
// partition comes or goes.
type seeks struct {
	mu        sync.Mutex
	ended     bool
	waiting   []*seeking
	interrupt func() // ends the current poll

	moving   map[partition]*seeking // the calls that have begun; only the goroutine that polls uses it
	emptying sync.WaitGroup         // the goroutines that wait for handlers
}

// seeking is one call.
type seeking struct {
	ctx   context.Context
	to    map[partition]int64
	begun bool       // handlers were told to end
	done  chan error // gets the outcome
}

// seekAgain is how long a call waits if the offsets of a partition that was just assigned
// are still being fetched.
const seekAgain = 20 * time.Millisecond

// seek moves the partitions, and waits until they are moved.
func (r *run) seek(ctx context.Context, to map[partition]int64) error {
	s := &seeking{ctx: ctx, to: to, done: make(chan error, 1)}
	if !r.seeks.add(s) {
		return ErrNotRunning
	}
	select {
	case err := <-s.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("consume/kafka: seek: %w", context.Cause(ctx))
	}
}

func (q *seeks) add(s *seeking) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return false
	}
	q.waiting = append(q.waiting, s)
	if q.interrupt != nil {
		q.interrupt()
	}
	return true
}

// poll returns the context of one poll, which ends when there is a call to serve.
func (q *seeks) poll(ctx context.Context) (context.Context, func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	once, cancel := context.WithCancel(ctx)
	q.interrupt = cancel
	if len(q.waiting) == 0 {
		return once, cancel
	}
	timer := time.AfterFunc(seekAgain, cancel)
	return once, func() {
		timer.Stop()
		cancel()
	}
}

func (q *seeks) take() []*seeking {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting
	q.waiting = nil
	return waiting
}

// end refuses the calls that wait, and those to come.
func (q *seeks) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	for _, s := range q.waiting {
		s.done <- ErrNotRunning
	}
	q.waiting = nil
}

// serve moves the partitions of a call, or tells their handlers to end first. Rebalances
// are blocked meanwhile, so it moves those of one call only and waits for no handler.
func (q *seeks) serve(r *run) {
	waiting := q.take()
	for i, s := range waiting {
		switch {
		case s.ctx.Err() != nil && !s.begun:
			// The caller has gone.
		case !r.watch.placed(s.to), q.others(s):
			q.again(s)
		case q.empty(r, s):
			// It comes back when the handlers have ended.
		default:
			s.done <- r.move(s)
			maps.DeleteFunc(q.moving, func(_ partition, moving *seeking) bool { return moving == s })
			q.again(waiting[i+1:]...)
			return
		}
	}
}

func (q *seeks) again(calls ...*seeking) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, calls...)
}

// others reports whether another call is moving one of the partitions.
func (q *seeks) others(s *seeking) bool {
	for p := range s.to {
		if other := q.moving[p]; other != nil && other != s {
			return true
		}
	}
	return false
}

// empty tells the handlers of the partitions to end, and returns false if there are none.
func (q *seeks) empty(r *run, s *seeking) bool {
	workers := r.having(s.to)
	if len(workers) == 0 || !s.begun && len(r.watch.without(s.to)) > 0 {
		return false
	}
	s.begun = true
	if q.moving == nil {
		q.moving = map[partition]*seeking{}
	}
	for p := range s.to {
		if q.moving[p] = s; r.watch.has(p) {
			r.gate.shut(p, holdSeeking)
		}
	}
	q.emptying.Go(func() {
		r.drain(s.ctx, workers, r.cfg.DrainTimeout)
		r.drop(workers)
		if !q.add(s) {
			s.done <- ErrNotRunning
		}
	})
	return true
}

// move sets and commits the offsets of partitions, whose workers have ended. If handlers
// were told to end, those that this member still has are moved in any case, because they
// have to continue somewhere.
func (r *run) move(s *seeking) error {
	missing := r.watch.without(s.to)
	for _, p := range missing {
		delete(s.to, p)
	}
	if len(missing) > 0 && (!s.begun || len(s.to) == 0) {
		return r.notAssigned(missing)
	}
	partitions, to := map[string][]int32{}, map[string]map[int32]kgo.Offset{}
	set := map[string]map[int32]kgo.EpochOffset{}
	for p, at := range s.to {
		partitions[p.topic] = append(partitions[p.topic], p.id)
		if to[p.topic] == nil {
			to[p.topic], set[p.topic] = map[int32]kgo.Offset{}, map[int32]kgo.EpochOffset{}
		}
		to[p.topic][p.id] = kgo.NewOffset().At(at)
		set[p.topic][p.id] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	r.resting.forget(partitions)
	r.gate.forget(partitions)
	r.positions.begin(to)
	r.origins.seek(partitions)
	r.watch.moved(s.to)
	r.client.SetOffsets(set)
	for p, at := range s.to {
		r.log.InfoContext(s.ctx, "reading continues at another offset (Seek)", "topic", p.topic, "partition", p.id, "offset", at)
	}
	committing, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), r.cfg.timing.answer)
	defer cancel()
	if err := r.commit(committing, set); err != nil {
		r.owing.Store(true)
		return fmt.Errorf("consume/kafka: reading continues at the offset, but it is not committed yet, and a restart may begin elsewhere: %w", err)
	}
	if len(missing) > 0 {
		return r.notAssigned(missing)
	}
	return nil
}

// commit commits offsets, and returns the first error.
func (r *run) commit(ctx context.Context, offsets map[string]map[int32]kgo.EpochOffset) (err error) {
	r.client.CommitOffsetsSync(r.committing(ctx), offsets, func(c *kgo.Client, req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, failed error) {
		if err = failed; failed != nil {
			return // without an answer, resp is nil
		}
		r.origins.committed(c, req, resp, nil)
		for i := range resp.Topics {
			for _, p := range resp.Topics[i].Partitions {
				err = cmp.Or(err, kerr.ErrorForCode(p.ErrorCode))
			}
		}
	})
	return err
}

func (r *run) notAssigned(missing []partition) error {
	e := &NotAssignedError{Group: r.cfg.Group, Topic: missing[0].topic}
	for _, p := range missing {
		if p.topic == e.Topic {
			e.Partitions = append(e.Partitions, p.id)
		}
	}
	return e
}

// has reports whether this member has the partition.
func (w *watch) has(p partition) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.partitions[p]
}

// without lists those of the partitions that this member does not have.
func (w *watch) without(to map[partition]int64) (missing []partition) {
	for _, p := range sortedPartitions(maps.Keys(to)) {
		if !w.has(p) {
			missing = append(missing, p)
		}
	}
	return missing
}

// placed reports whether the client knows where each of the partitions begins that this
// member has.
func (w *watch) placed(to map[partition]int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range to {
		if w.partitions[p] && w.fetching[p] {
			return false
		}
	}
	return true
}

// moved forgets where the partitions would have begun. A commit of that which is under way
// ends first, so that it does not replace the one of Seek.
func (w *watch) moved(to map[partition]int64) {
	w.starting.Lock()
	defer w.starting.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	for p := range to {
		delete(w.begin, p)
	}
}

// seek forgets to which topic the offsets belong at which the partitions began.
func (o *origins) seek(partitions map[string][]int32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p := range each(partitions) {
		delete(o.of(p.topic).starts, p.id)
	}
}
