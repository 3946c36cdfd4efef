package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pollRecords bounds one poll, so that a rebalance need not wait for long.
const pollRecords = 1_000

// Run reads records and handles them until ctx ends or a record stops it. It
// returns nil when ctx ended: then running handlers have finished, what was
// handled is committed, and the group was left. Otherwise the error is that of the
// record, a *consume.HandlerError, *consume.DecodeError or
// *consume.UnknownTypeError, or says what is wrong with the configuration.
func Run(ctx context.Context, cfg Config) error {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	r := &run{cfg: cfg, workers: map[partition]*worker{}, failed: make(chan error, 1)}
	opts := append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, cfg.Options...)
	client, err := kgo.NewClient(append(opts,
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(cfg.Topics...),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(cfg.CommitEvery),
		kgo.BlockRebalanceOnPoll(),
		kgo.RebalanceTimeout(cfg.DrainTimeout+30*time.Second),
		kgo.OnPartitionsRevoked(r.revoked),
		kgo.OnPartitionsLost(r.lost),
	)...)
	if err != nil {
		return fmt.Errorf("consume/kafka: make a client for group %s: %w", cfg.Group, err)
	}
	defer client.CloseAllowingRebalance()
	r.client = client

	// Handlers outlive ctx by as long as it takes to finish what they began.
	handling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	r.handling = handling

	err = r.poll(ctx)
	r.stopAll()
	commit, cancelCommit := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainTimeout)
	defer cancelCommit()
	if commitErr := client.CommitMarkedOffsets(commit); commitErr != nil {
		// The records will come again; whoever runs next bears that.
		cfg.Logger.WarnContext(ctx, "the last offsets could not be committed; their records will be delivered again",
			"group", cfg.Group, "error", commitErr)
	}
	return err
}

type partition struct {
	topic string
	id    int32
}

// run is the state of one Run.
type run struct {
	cfg      Config
	client   *kgo.Client
	handling context.Context //nolint:containedctx // the parent of every handler's context
	failed   chan error      // the first error that stops the run

	mu      sync.Mutex
	workers map[partition]*worker
}

// poll hands records to the workers until ctx ends (nil) or one of them fails.
func (r *run) poll(ctx context.Context) error {
	polling, stop := context.WithCancel(ctx)
	defer stop()
	var failure error
	watched := make(chan struct{})
	go func() { // a failing worker interrupts a poll that waits
		defer close(watched)
		select {
		case failure = <-r.failed:
			stop()
		case <-polling.Done():
		}
	}()
	for polling.Err() == nil {
		fetches := r.client.PollRecords(polling, pollRecords)
		fetches.EachError(func(topic string, id int32, err error) {
			if polling.Err() == nil && !errors.Is(err, context.Canceled) {
				r.cfg.Logger.WarnContext(ctx, "reading from Kafka failed; it goes on",
					"group", r.cfg.Group, "topic", topic, "partition", id, "error", err)
			}
		})
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if len(p.Records) > 0 {
				r.worker(partition{p.Topic, p.Partition}).add(p.Records)
			}
		})
		// Only now may partitions be taken away: each record that was polled has
		// a worker, which the callbacks know of.
		r.client.AllowRebalance()
	}
	stop()
	<-watched
	if failure == nil {
		select { // it failed while ctx ended
		case failure = <-r.failed:
		default:
		}
	}
	return failure
}

func (r *run) worker(p partition) *worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.workers[p]
	if w == nil {
		w = newWorker(r, p)
		r.workers[p] = w
	}
	return w
}

// take removes the workers of the partitions, or all of them when nil is given.
func (r *run) take(partitions map[string][]int32) []*worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	var taken []*worker
	if partitions == nil {
		for p, w := range r.workers {
			taken = append(taken, w)
			delete(r.workers, p)
		}
		return taken
	}
	for topic, ids := range partitions {
		for _, id := range ids {
			p := partition{topic, id}
			if w := r.workers[p]; w != nil {
				taken = append(taken, w)
				delete(r.workers, p)
			}
		}
	}
	return taken
}

// drain lets the workers finish the record that they are at, and cancels
// handlers that take longer than wait.
func drain(workers []*worker, wait time.Duration) {
	for _, w := range workers {
		w.stop()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for _, w := range workers {
		select {
		case <-w.done:
		case <-timer.C:
			for _, slow := range workers {
				slow.cancel()
			}
			<-w.done
		}
	}
}

func (r *run) stopAll() { drain(r.take(nil), r.cfg.DrainTimeout) }

// revoked runs before partitions go to another member: what is being handled is
// finished and committed, what waits is dropped, for the other to read.
func (r *run) revoked(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	workers := r.take(partitions)
	if len(workers) == 0 {
		return
	}
	drain(workers, r.cfg.DrainTimeout)
	if err := client.CommitMarkedOffsets(ctx); err != nil {
		r.cfg.Logger.WarnContext(ctx, "offsets could not be committed before their partitions were revoked; "+
			"the next member reads those records again", "group", r.cfg.Group, "error", err)
	}
}

// lost runs when partitions are gone already: another member may be handling
// them, so what is being handled here is cancelled, and nothing is committed.
func (r *run) lost(ctx context.Context, _ *kgo.Client, partitions map[string][]int32) {
	workers := r.take(partitions)
	if len(workers) > 0 {
		r.cfg.Logger.WarnContext(ctx, "partitions were lost: this member was not heard of for too long",
			"group", r.cfg.Group, "partitions", partitions)
	}
	for _, w := range workers {
		w.cancel()
	}
	drain(workers, 0)
}

// fail ends the run with err; the first failure counts.
func (r *run) fail(err error) {
	select {
	case r.failed <- err:
	default:
	}
}
