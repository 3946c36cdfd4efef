package kafka

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
)

const (
	// pollRecords limits the records of one poll, so that a rebalance does not wait
	// long.
	pollRecords = 1_000

	// After these times the client tries another broker if one accepts connections and
	// does not answer.
	dialTimeout   = 3 * time.Second
	answerTimeout = 5 * time.Second

	// fetchWait is how long a broker waits for records. A partition that was paused is
	// fetched again only when the fetch of the others has returned.
	fetchWait = 500 * time.Millisecond

	// leaveTimeout limits leaving the group.
	leaveTimeout = 5 * time.Second
)

type partition struct {
	topic string
	id    int32
}

func (p partition) list() map[string][]int32 { return map[string][]int32{p.topic: {p.id}} }

// each lists partitions that the client has by topic.
func each(partitions map[string][]int32) iter.Seq[partition] {
	return func(yield func(partition) bool) {
		for topic, ids := range partitions {
			for _, id := range ids {
				if !yield(partition{topic, id}) {
					return
				}
			}
		}
	}
}

// eachOffset lists partitions with their offsets.
func eachOffset[O any](offsets map[string]map[int32]O) iter.Seq2[partition, O] {
	return func(yield func(partition, O) bool) {
		for topic, ids := range offsets {
			for id, offset := range ids {
				if !yield(partition{topic, id}, offset) {
					return
				}
			}
		}
	}
}

// run is the state of one Run.
type run struct {
	cfg       Config
	log       *slog.Logger
	client    *kgo.Client
	stats     *stats
	made      chan struct{}   // closed when the other fields are set: the client calls hooks early
	handling  context.Context // the parent of every handler's context
	failed    chan error      // the first error that stops the run
	ended     atomic.Bool     // an error stops the run
	owing     atomic.Bool     // an offset of Seek was not committed
	polled    atomic.Bool     // no more records are polled: the run ends
	gate      *gate
	budget    *budget
	notices   *notices
	positions *positions
	origins   *origins
	commits   commits
	watch     *watch
	brokers   *brokers
	abort     func() // ends every request of the client
	resting   resting
	seeks     seeks
	producing chan struct{}   // holds a token while a record is being written
	begun     map[string]bool // topics of which the group had no offsets; belongs to offsetsFetched

	mu       sync.Mutex
	workers  map[partition]*worker
	detached []*worker // of topics that were deleted
}

func newRun(cfg Config, stats *stats) (*run, error) {
	log := safelog.New(cfg.Logger).With("group", cfg.Group)
	r := &run{
		cfg: cfg, log: log, stats: stats,
		workers: map[partition]*worker{}, failed: make(chan error, 1), made: make(chan struct{}),
		budget:    &budget{limit: cfg.BufferBytes},
		begun:     map[string]bool{},
		producing: make(chan struct{}, 1),
		notices:   newNotices(log, cfg.timing),
		commits:   commits{failed: map[string]int{}},
		positions: &positions{at: map[partition]position{}}, origins: newOrigins(), resting: resting{rests: map[partition]*rest{}},
	}
	r.watch, r.brokers = newWatch(r), newBrokers(r.notices)
	var ctx context.Context
	ctx, r.abort = context.WithCancel(context.Background()) // the client's own context
	opts := append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.DialTimeout(dialTimeout),
		kgo.RequestTimeoutOverhead(answerTimeout),
		kgo.FetchMaxWait(fetchWait),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(fetchMark),
		kgo.FetchMaxPartitionBytes(partitionFetchMark),
		kgo.AdjustFetchOffsetsFn(r.offsetsFetched),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytes(largestForward),
		kgo.ProducerBatchCompression(kgo.NoCompression()), // every client can read that
		kgo.WithHooks(r.budget, r.brokers, sessions{r}),
	}, cfg.Options...)
	if cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(cfg.InstanceID))
	}
	client, err := kgo.NewClient(append(opts,
		kgo.WithContext(r.committing(ctx)),
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(cfg.consumed()...),
		kgo.KeepRetryableFetchErrors(), // otherwise the client fetches failing partitions in a loop
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(cfg.CommitEvery),
		kgo.BlockRebalanceOnPoll(),
		kgo.RebalanceTimeout(cfg.DrainTimeout+30*time.Second),
		kgo.OnPartitionsAssigned(r.assigned),
		kgo.OnPartitionsRevoked(r.revoked),
		kgo.OnPartitionsLost(r.lost),
		kgo.OnOffsetsFetched(r.offsetsAnswered),
		kgo.AutoCommitCallback(r.committed),
	)...)
	if err != nil {
		r.abort()
		return nil, fmt.Errorf("consume/kafka: make a client for group %s: %w", cfg.Group, err)
	}
	r.client = client
	r.gate = newGate(client)
	r.budget.begin(client, r.gate)
	r.brokers.begin(client)
	close(r.made)
	if err := cfg.checkPatterns(client); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// all runs everything.
func (r *run) all(ctx context.Context) error {
	defer r.close()

	// Handlers may run longer than ctx, to finish their records.
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.handling = handling

	watching, stopWatching := context.WithCancel(ctx)
	var watched sync.WaitGroup
	watched.Go(func() { r.watch.run(watching) })
	err := r.poll(ctx)
	stopWatching()
	watched.Wait()
	r.resting.stop()
	if abandoned := r.stopAll(); abandoned != nil {
		err = errors.Join(err, abandoned)
	}
	r.seeks.emptying.Wait() // for the same workers
	commit, cancelCommit := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.DrainTimeout)
	defer cancelCommit()
	r.watch.commitStarts(commit)
	if commitErr := r.client.CommitMarkedOffsets(r.committing(commit)); commitErr != nil {
		// The records are delivered again, which is allowed.
		r.log.WarnContext(ctx, "last offsets not committed; their records will be delivered again", "error", commitErr)
	}
	r.observe(ctx, func(o Observer) {
		o.Status(Status{Reasons: []string{"Run has ended"}, Lag: []Lag{}, Stats: r.stats.read(nil)})
	})
	return err
}

// close leaves the group. A client that is joining would wait for the join first, up to
// the session timeout, so its requests are cancelled.
func (r *run) close() {
	timer := time.AfterFunc(leaveTimeout, r.abort)
	defer timer.Stop()
	defer r.abort()
	r.client.CloseAllowingRebalance()
}

func (r *run) buffered() (records, bytes int64) {
	fetched := r.client.BufferedFetchRecords()
	return r.budget.records.Load() + fetched,
		r.budget.waiting.Load() + r.client.BufferedFetchBytes() + fetched*recordOverhead
}

// worker returns the worker of a partition. After a topic was recreated it is a new
// one, which starts when the former has ended.
func (r *run) worker(p partition, topic topicID) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.workers[p]
	if w != nil && w.topic != topic {
		r.detach(w)
		w = nil
	}
	if w == nil {
		w = newWorker(r, p, topic, r.former(p))
		r.workers[p] = w
		w.work()
	}
	return w
}

// detach requires the lock.
func (r *run) detach(w *worker) {
	delete(r.workers, w.p)
	r.keep(w)
	w.detach()
	r.gate.open(w.p, holdFull|holdFailing)
}

// detachTopic detaches the workers of a deleted topic. They handle the records that
// they have, because these cannot be read again.
func (r *run) detachTopic(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, w := range r.workers {
		if p.topic == topic {
			r.detach(w)
		}
	}
}

// take removes the workers of the partitions.
func (r *run) take(partitions map[string][]int32) []*worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken []*worker
	for p := range each(partitions) {
		if w := r.workers[p]; w != nil {
			taken = append(taken, w)
			delete(r.workers, p)
		}
	}
	return taken
}

// having returns the workers of the partitions.
func (r *run) having(partitions map[partition]int64) (workers []*worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p := range partitions {
		if w := r.workers[p]; w != nil {
			workers = append(workers, w)
		}
	}
	return workers
}

// drop removes workers that have ended, or were abandoned.
func (r *run) drop(workers []*worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range workers {
		if r.workers[w.p] == w {
			delete(r.workers, w.p)
		}
	}
}

// everyWorker returns all workers. The run still knows those that have a partition: if
// this is revoked meanwhile, [run.revoked] waits for them, too.
func (r *run) everyWorker() []*worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	every := r.detached
	r.detached = nil
	for _, w := range r.workers {
		every = append(every, w)
	}
	return every
}

// assigned runs after each rebalance, even without new partitions.
func (r *run) assigned(ctx context.Context, _ *kgo.Client, partitions map[string][]int32) {
	<-r.made
	for topic := range partitions {
		r.gate.know(topic)
	}
	r.watch.assigned(ctx, partitions)
}

// offsetsAnswered runs before offsetsFetched.
func (r *run) offsetsAnswered(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	r.origins.offsets(resp)
	return nil
}

// offsetsFetched takes the group's offsets of the assigned partitions.
func (r *run) offsetsFetched(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-r.made
	begin, err := r.startOffsets(ctx, offsets)
	if err != nil {
		return nil, fmt.Errorf("consume/kafka: %w", err)
	}
	for topic, n := range r.origins.adjust(offsets) {
		r.log.WarnContext(ctx, "offsets belong to a deleted topic of this name, or have no topic id; the topic is read from its beginning",
			"topic", topic, "partitions", n)
	}
	r.positions.begin(offsets)
	r.watch.starts(begin, offsets)
	r.watch.look()
	return offsets, nil
}

// revoked runs before partitions go to another member. It finishes and commits the
// records that are being handled, and drops the waiting ones, which the other member
// reads.
func (r *run) revoked(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	<-r.made
	workers := r.take(partitions)
	r.drain(context.WithoutCancel(ctx), workers, r.cfg.DrainTimeout)
	r.watch.commitStarts(ctx)
	r.left(partitions)
	if len(workers) == 0 && !r.owing.Swap(false) { // a commit after a topic was purged could be one of the former topic
		return
	}
	if err := client.CommitMarkedOffsets(r.committing(ctx)); err != nil {
		r.log.WarnContext(ctx, "offsets not committed before their partitions were revoked; "+
			"the next member reads those records again", "error", err)
	}
}

// lost runs when partitions are gone already. Another member may be handling them, so
// their handlers are cancelled and nothing is committed.
func (r *run) lost(ctx context.Context, _ *kgo.Client, partitions map[string][]int32) {
	<-r.made
	workers := r.take(partitions)
	if len(workers) > 0 {
		r.log.WarnContext(ctx, "partitions lost: this member sent no heartbeat for too long, or another process took its place",
			"partitions", partitions)
	}
	for _, w := range workers {
		w.cancel()
	}
	r.drain(context.WithoutCancel(ctx), workers, 0)
	r.left(partitions)
	r.watch.lost()
}

// left removes partitions that this member no longer has.
func (r *run) left(partitions map[string][]int32) {
	r.resting.forget(partitions)
	r.gate.forget(partitions)
	r.positions.forget(partitions)
	r.origins.forget(partitions)
	r.watch.unassigned(partitions)
}

// fail stops the run with err. Only the first failure counts; fail returns whether this
// is the first.
func (r *run) fail(err error) bool {
	if r.ended.Swap(true) {
		return false
	}
	r.failed <- err
	return true
}
