package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/testdata/service/grading"
	"github.com/outboxgen/outboxgen/testdata/service/migrations"
)

// topic is where the sample's only event goes: its type.
const (
	topic      = "grading.essay.graded.v1"
	partitions = 6
)

type demo struct {
	options options
	out     *os.File
	log     *slog.Logger
	ledger  *ledger

	parts   parts
	pool    *pgxpool.Pool
	service *grading.Service

	published atomic.Int64 // rows, as last read from the table
	phase     atomic.Value // string
}

func (d *demo) run(ctx context.Context) (v verdict, err error) {
	began := time.Now()
	defer func() { err = errors.Join(err, d.parts.stop()) }()
	if err := d.parts.start(ctx, d.options, d.say); err != nil {
		return verdict{}, err
	}
	if err := d.prepare(ctx); err != nil {
		return verdict{}, err
	}
	defer d.pool.Close()

	relayEnds, err := d.startRelay(ctx)
	if err != nil {
		return verdict{}, err
	}
	consumerEnds := d.startConsumer(ctx)
	d.phase.Store("writing")
	liveCtx, stopLive := context.WithCancel(ctx)
	var liveDone sync.WaitGroup
	liveDone.Go(func() { live(liveCtx, d.out, isTerminal(d.out), d.line) })

	d.say("%d writers change %d batches, %d events in all; one change in %d is rolled back",
		d.options.writers, d.options.aggregates, d.options.events, rollbackOneIn)
	err = d.perform(ctx)
	stopLive()
	liveDone.Wait()
	err = errors.Join(err, consumerEnds(), relayEnds(), d.countPublished(context.WithoutCancel(ctx)))
	if err != nil {
		return verdict{}, err
	}
	d.say("read every event after %s", time.Since(began).Round(time.Second))
	return d.ledger.judge(), nil
}

// prepare makes the tables, the topic and the service.
func (d *demo) prepare(ctx context.Context) error {
	var err error
	if d.pool, err = pgxpool.New(ctx, d.parts.databaseURL); err != nil {
		return err
	}
	err = d.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error { return migrations.Up(ctx, conn.Conn()) })
	if err != nil {
		return err
	}
	if err := createTopic(ctx, d.parts.kafka.Brokers); err != nil {
		return err
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil)) // one line an event is too much here
	d.service = grading.New(outbox.New(d.pool, outbox.Options{Waker: d.parts.waker(), Logger: quiet}))
	for i := range d.options.aggregates {
		if err := d.service.CreateBatch(ctx, batchName(i)); err != nil {
			return err
		}
	}
	return nil
}

func createTopic(ctx context.Context, brokers []string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).CreateTopic(ctx, partitions, 1, nil, topic)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// perform writes events, stops and starts Kafka, and waits until all committed events
// were read.
func (d *demo) perform(ctx context.Context) error {
	working, limited := errgroup.WithContext(ctx)
	working.Go(func() error { return d.outage(limited) })
	working.Go(func() error { return d.write(limited) })
	if err := working.Wait(); err != nil {
		return err
	}
	d.phase.Store("draining")
	return d.drain(ctx)
}

// outage stops Kafka once a third of the events are in the table.
func (d *demo) outage(ctx context.Context) error {
	if d.options.outage <= 0 {
		return nil
	}
	third := int64(d.options.events / 3)
	if err := until(ctx, func() bool { inserted, _ := d.ledger.counts(); return inserted >= third }); err != nil {
		return nil //nolint:nilerr // the run ended before the outage began; why is told elsewhere
	}
	if err := d.parts.kafka.Stop(); err != nil {
		return fmt.Errorf("stop Kafka: %w", err)
	}
	d.phase.Store("Kafka stopped")
	wait.For(ctx, d.options.outage)
	if err := d.parts.kafka.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start Kafka again: %w", err)
	}
	d.phase.Store("Kafka started again")
	return nil
}

// drain waits until everything was read. If nothing moves for a minute, it returns, and
// the ledger reports what is missing.
func (d *demo) drain(ctx context.Context) error {
	const patience = time.Minute
	last, moved := int64(-1), time.Now()
	return until(ctx, func() bool {
		inserted, read := d.ledger.counts()
		if read != last {
			last, moved = read, time.Now()
		}
		return read >= inserted || time.Since(moved) > patience
	})
}

// until waits for a condition, or for the end of ctx.
func until(ctx context.Context, done func() bool) error {
	return wait.Until(ctx, 10*time.Millisecond, func() (bool, error) { return done(), nil })
}

func (d *demo) countPublished(ctx context.Context) error {
	var n int64
	err := d.pool.QueryRow(ctx, "SELECT count(*) FROM event_outbox WHERE published_at IS NOT NULL").Scan(&n)
	if err == nil {
		d.published.Store(n)
	}
	return err
}

func (d *demo) line() string {
	inserted, read := d.ledger.counts()
	published := d.published.Load()
	return fmt.Sprintf("inserted %6d  published %6d  pending %6d  consumed %6d  lag %6d  %s",
		inserted, published, max(0, inserted-published), read, max(0, inserted-read), d.phase.Load())
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
