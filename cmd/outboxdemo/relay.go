package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/consume/kafka"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// startRelay starts the relay, and what counts the published rows for the live
// line. The function that it returns ends both and waits for them.
func (d *demo) startRelay(ctx context.Context) (end func() error, err error) {
	conn, err := pgx.ParseConfig(d.parts.databaseURL)
	if err != nil {
		return nil, err
	}
	store, err := pgstore.New(pgstore.Config{Conn: conn, Logger: d.log})
	if err != nil {
		return nil, err
	}
	sink, err := kafkasink.New(kafkasink.Config{Opts: []kgo.Opt{kgo.SeedBrokers(d.parts.kafka.Brokers...)}})
	if err != nil {
		return nil, err
	}
	r, err := relay.New(relay.Config{Name: events.Service, Store: store, Sink: sink, Wake: d.parts.wakeSource(), Logger: d.log})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running errgroup.Group
	running.Go(func() error { return r.Run(ctx) })
	running.Go(func() error { d.watchTable(ctx); return nil })
	return func() error { cancel(); return running.Wait() }, nil
}

// watchTable keeps the number of published rows up to date.
func (d *demo) watchTable(ctx context.Context) {
	for wait.For(ctx, 200*time.Millisecond) {
		if err := d.countPublished(ctx); err != nil && ctx.Err() == nil {
			d.log.Warn("the published rows cannot be counted", "error", err)
		}
	}
}

// startConsumer starts a consumer that notes every event in the ledger. The
// function that it returns ends it and waits for it.
func (d *demo) startConsumer(ctx context.Context) (end func() error) {
	router := consume.NewRouter()
	events.OnEssayGradedV1(router, func(_ context.Context, e outbox.Envelope[events.EssayGradedV1]) error {
		d.ledger.consume(change{e.Data.BatchID, e.Data.Number})
		return nil
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running errgroup.Group
	running.Go(func() error {
		return kafka.Run(ctx, kafka.Config{
			Brokers: d.parts.kafka.Brokers,
			Group:   "outboxdemo",
			Topics:  []string{topic},
			Router:  router,
			Logger:  d.log,
		})
	})
	return func() error { cancel(); return running.Wait() }
}
