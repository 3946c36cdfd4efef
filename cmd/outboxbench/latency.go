package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// latencyPause is the time between two transactions.
const latencyPause = time.Second / 200

func latencyVariants(_ context.Context, l *lab) ([]variant, error) {
	out := []variant{
		{"bare loop, NOTIFY", bareLabel, l.latency(l.bareCarrier)},
		{"relay, woken by Postgres", "postgres", l.latency(l.postgresCarrier)},
		{"relay, polling", "polling", l.latency(l.pollingCarrier)},
	}
	if l.redis != nil {
		out = append(out, variant{"relay, woken by Redis", "redis", l.latency(l.redisCarrier)})
	}
	return out, nil
}

// latency measures how long events take with a carrier.
func (l *lab) latency(start carrier) measurement {
	return func(ctx context.Context) ([]float64, error) { return l.measureLatency(ctx, start) }
}

// carrier starts what moves events from the table to Kafka, and returns what wakes it;
// nil: nothing does. atEnd takes what ends it, the last one first.
type carrier func(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error)

func (l *lab) measureLatency(ctx context.Context, start carrier) (_ []float64, err error) {
	if err := l.newBatches(ctx); err != nil {
		return nil, err
	}
	kafka, err := l.kafka()
	if err != nil {
		return nil, err
	}
	defer kafka.Close()
	brokers := kafka.ListenAddrs()
	pool, err := l.pool(ctx, 1)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	var ends []func() error
	defer func() {
		for _, end := range slices.Backward(ends) {
			err = errors.Join(err, end())
		}
	}()
	waker, err := start(ctx, brokers, func(end func() error) { ends = append(ends, end) })
	if err != nil {
		return nil, err
	}
	ob := outbox.New(pool, outbox.Options{Logger: l.log, Waker: waker})
	defer ob.Close()

	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	var arrivals map[uuid.UUID]time.Time
	var consumer errgroup.Group
	consumer.Go(func() (err error) {
		arrivals, err = consume(ctx, brokers, l.effort.warmUp+l.effort.latency)
		return err
	})
	commits, err := l.commitSteadily(ctx, ob)
	if err != nil {
		cancel()
	}
	if err := errors.Join(err, consumer.Wait()); err != nil {
		return nil, err
	}
	var waits []float64
	for _, c := range commits[l.effort.warmUp:] {
		wait := max(0, arrivals[c.id].Sub(c.at)) // the record may arrive before the answer to COMMIT
		waits = append(waits, float64(wait)/float64(time.Millisecond))
	}
	slices.Sort(waits)
	return []float64{waits[len(waits)/2], waits[len(waits)*99/100]}, nil
}

// commit is one transaction of the writer.
type commit struct {
	id uuid.UUID
	at time.Time
}

func (l *lab) commitSteadily(ctx context.Context, ob *outbox.Outbox) ([]commit, error) {
	commits := make([]commit, 0, l.effort.warmUp+l.effort.latency)
	tick := time.NewTicker(latencyPause)
	defer tick.Stop()
	for n := range cap(commits) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		id := uuid.New()
		err := ob.InTx(ctx, func(ctx context.Context, tx *outbox.Tx) error {
			if _, err := tx.Exec(ctx, update, batchID(n)); err != nil {
				return err
			}
			return events.InsertEssayGradedV1(ctx, tx, sample(n), outbox.WithID(id))
		})
		if err != nil {
			return nil, err
		}
		commits = append(commits, commit{id, time.Now()})
	}
	return commits, nil
}

// consume records when each event arrives first, until n events have arrived.
func consume(ctx context.Context, brokers []string, n int) (map[uuid.UUID]time.Time, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	arrivals := make(map[uuid.UUID]time.Time, n)
	for len(arrivals) < n {
		fetches := client.PollFetches(ctx)
		now := time.Now()
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		for r := range fetches.RecordsAll() {
			e, err := events.DecodeEssayGradedV1(r.Value)
			if err != nil {
				return nil, err
			}
			if _, seen := arrivals[e.EventID]; !seen {
				arrivals[e.EventID] = now
			}
		}
	}
	return arrivals, nil
}

// carry starts a relay.
func (l *lab) carry(ctx context.Context, brokers []string, source relay.WakeSource, atEnd func(func() error)) error {
	w := newWatch()
	r, err := l.startRelay(ctx, brokers, pgstore.Mark, source, w, 0)
	if err != nil {
		return err
	}
	atEnd(r.stop)
	return r.wait(w.began)
}

func (l *lab) pollingCarrier(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error) {
	return nil, l.carry(ctx, brokers, nil, atEnd)
}

func (l *lab) postgresCarrier(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error) {
	waker, err := wake.Postgres(l.url, service, wake.PostgresOptions{})
	if err != nil {
		return nil, err
	}
	atEnd(func() error { return waker.Close(context.WithoutCancel(ctx)) })
	source, err := wake.PostgresSource(l.url, service, wake.SourceOptions{Logger: l.log})
	if err != nil {
		return nil, err
	}
	return waker, l.carry(ctx, brokers, source, atEnd)
}

func (l *lab) redisCarrier(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error) {
	option, err := rueidis.ParseURL(l.redis.URL)
	if err != nil {
		return nil, err
	}
	waker := wake.RedisLazy(option, service)
	atEnd(func() error { waker.Close(); return nil })
	return waker, l.carry(ctx, brokers, wake.RedisSource(option, service, wake.SourceOptions{Logger: l.log}), atEnd)
}

// bareCarrier starts a loop as people write it first.
func (l *lab) bareCarrier(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error) {
	pool, err := l.pool(ctx, 3)
	if err != nil {
		return nil, err
	}
	atEnd(func() error { pool.Close(); return nil })
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, err
	}
	atEnd(func() error { client.Close(); return nil })
	ctx, cancel := context.WithCancel(ctx)
	listening, failed := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(failed)
		if err := bareLoop(ctx, pool, client, listening); ctx.Err() == nil { // it was not told to end
			failed <- err
		}
	}()
	atEnd(func() error { cancel(); return <-failed })
	select {
	case <-listening:
		return notifier{pool}, nil
	case err := <-failed:
		return nil, err
	}
}

type notifier struct{ pool *pgxpool.Pool }

func (n notifier) Wake(ctx context.Context) error {
	_, err := n.pool.Exec(ctx, "NOTIFY outboxbench")
	return err
}

func bareLoop(ctx context.Context, pool *pgxpool.Pool, client *kgo.Client, listening chan<- struct{}) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "LISTEN outboxbench"); err != nil {
		return err
	}
	close(listening)
	var after int64
	for {
		if _, err := conn.Conn().WaitForNotification(ctx); err != nil {
			return err
		}
		p, err := readPage(ctx, conn.Conn(), after)
		if err != nil {
			return err
		}
		if len(p.seqs) == 0 {
			continue
		}
		after = p.seqs[len(p.seqs)-1]
		if err := client.ProduceSync(ctx, p.records...).FirstErr(); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, bareMark, p.seqs); err != nil {
			return err
		}
	}
}
