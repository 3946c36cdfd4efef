package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// latency measures how long events take from the commit to a consumer, with so many
// transactions a second.
type latency struct{ perSecond int }

// latencyColumns are what latency measures. All but the times are for each event.
var latencyColumns = []string{"p50 ms", "p99 ms", "server µs", "WAL bytes", "client µs", "allocs"}

// latencyWriters is the number of connections that insert.
const latencyWriters = 4

func (s latency) variants(_ context.Context, l *lab) ([]variant, error) {
	bare := bareLoop{mode: pgstore.Mark}
	out := []variant{
		{"bare loop, NOTIFY", bareLabel, 0, s.with(l, bare.carrier(l, l.byNotify))},
		{"relay, woken by Postgres", "postgres", 0, s.with(l, l.postgresCarrier(pgstore.Mark, relay.Config{}))},
		{"bare loop, polling", bareLabel, 2, s.with(l, bare.carrier(l, byPolling))},
		{"relay, polling", "polling", 2, s.with(l, l.pollingCarrier)},
	}
	if l.redis != nil {
		out = append(out,
			variant{"bare loop, Redis", bareLabel, 4, s.with(l, bare.carrier(l, l.byRedis))},
			variant{"relay, woken by Redis", "redis", 4, s.with(l, l.redisCarrier)})
	}
	return out, nil
}

func (s latency) with(l *lab, start carrier) measurement {
	return func(ctx context.Context) ([]float64, error) {
		waits, used, err := s.measure(ctx, l, start)
		if err != nil {
			return nil, err
		}
		return append([]float64{percentile(waits, 50), percentile(waits, 99)}, used.each()[1:]...), nil
	}
}

func (s latency) measure(ctx context.Context, l *lab, start carrier) (waits []float64, used usage, err error) {
	if err := l.newBatches(ctx); err != nil {
		return nil, usage{}, err
	}
	carried, err := l.carried(ctx, start)
	if err != nil {
		return nil, usage{}, err
	}
	defer func() { err = errors.Join(err, carried.end()) }()
	return s.load(ctx, l, carried)
}

// load inserts events at the rate and consumes them. It returns how long each took after the
// warm-up, and what all of them used.
func (s latency) load(ctx context.Context, l *lab, carried *carried) (waits []float64, used usage, err error) {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()

	pause := time.Second / time.Duration(s.perSecond)
	warmUp, counted := int(l.effort.warmUp/pause), max(latencyWriters, int(l.effort.latency/pause))
	all := warmUp + counted
	arrivals := map[uuid.UUID]time.Time{}
	var consumer errgroup.Group
	consumer.Go(func() error {
		return carried.consume(ctx, func(e envelope, at time.Time) bool {
			if _, seen := arrivals[e.EventID]; !seen {
				arrivals[e.EventID] = at
			}
			return len(arrivals) == all
		})
	})
	var commits []commit
	used, err = l.during(ctx, func() error {
		commits, err = s.commit(ctx, carried.outbox, pause, all)
		if err != nil {
			cancel()
		}
		return errors.Join(err, consumer.Wait())
	})
	if err != nil {
		return nil, usage{}, err
	}
	used.transactions = int64(all)
	for _, c := range commits[warmUp:] {
		waits = append(waits, milliseconds(c.at, arrivals[c.id]))
	}
	return waits, used, nil
}

// milliseconds returns the time from a commit to an arrival, which may be before the
// answer to COMMIT.
func milliseconds(commit, arrival time.Time) float64 {
	return float64(max(0, arrival.Sub(commit))) / float64(time.Millisecond)
}

// percentile returns a percentile of the values, which it sorts.
func percentile(values []float64, percent int) float64 {
	slices.Sort(values)
	return values[len(values)*percent/100]
}

// commit is one transaction of a writer.
type commit struct {
	id uuid.UUID
	at time.Time
}

// commit runs n transactions with a pause between two beginnings, on several connections.
// It returns them in the order of their ends.
func (latency) commit(ctx context.Context, ob *outbox.Outbox, pause time.Duration, n int) (commits []commit, err error) {
	var mu sync.Mutex
	var all errgroup.Group
	all.SetLimit(latencyWriters)
	began := time.Now()
	for i := range n {
		if !wait.For(ctx, time.Until(began.Add(time.Duration(i)*pause))) {
			return nil, errors.Join(ctx.Err(), all.Wait())
		}
		all.Go(func() error {
			id := uuid.New()
			if err := insertOne(ctx, ob, i, id); err != nil {
				return err
			}
			at := time.Now()
			mu.Lock()
			defer mu.Unlock()
			commits = append(commits, commit{id, at})
			return nil
		})
	}
	err = all.Wait()
	return commits, err
}

// insertOne runs a transaction that updates a batch and inserts an event.
func insertOne(ctx context.Context, ob *outbox.Outbox, n int, id uuid.UUID) error {
	return ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
		if _, err := tx.Exec(ctx, update, batchID(n)); err != nil {
			return err
		}
		return events.InsertEssayGradedV1(ctx, tx, sample(n), outbox.WithID(id))
	})
}

type envelope = outbox.Envelope[events.EssayGradedV1]

// carried is an outbox whose events something carries to Kafka.
type carried struct {
	kafka  *kafka
	outbox *outbox.Outbox
	ends   []func() error // the last one first
}

// carried starts a kfake and the carrier, and an outbox that wakes it.
func (l *lab) carried(ctx context.Context, start carrier) (_ *carried, err error) {
	c := &carried{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.end())
		}
	}()
	atEnd := func(end func() error) { c.ends = append(c.ends, end) }
	if c.kafka, err = l.kafka(); err != nil {
		return nil, err
	}
	atEnd(func() error { c.kafka.close(); return nil })
	pool, err := l.pool(ctx, latencyWriters)
	if err != nil {
		return nil, err
	}
	atEnd(func() error { pool.Close(); return nil })
	waker, err := start(ctx, c.kafka.addrs, atEnd)
	if err != nil {
		return nil, err
	}
	c.outbox = outbox.New(pool, outbox.Options{Logger: l.log, Waker: waker})
	atEnd(func() error { c.outbox.Close(); return nil })
	return c, nil
}

func (c *carried) end() error {
	var errs []error
	for _, end := range slices.Backward(c.ends) {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}

// consume gives each record and its arrival to see, until that returns true.
func (c *carried) consume(ctx context.Context, see func(e envelope, at time.Time) (done bool)) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.kafka.addrs...), kgo.ConsumeTopics(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		now := time.Now()
		if err := fetches.Err(); err != nil {
			return err
		}
		for r := range fetches.RecordsAll() {
			e, err := events.DecodeEssayGradedV1(r.Value)
			if err != nil {
				return err
			}
			if see(e, now) {
				return nil
			}
		}
	}
}
