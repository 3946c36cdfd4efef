package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// newRelay puts the relay of this outbox together. It connects to nothing yet.
func (o outbox) newRelay(registry prometheus.Registerer, log *slog.Logger, stdout io.Writer) (*relay.Relay, error) {
	config := o.relay
	config.Logger = log // the relay adds the outbox's name itself
	log = log.With("outbox", o.name)
	observer := metrics.New(o.name)
	if err := registry.Register(observer); err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	config.Observer = observer
	store, err := o.newStore(log)
	if err != nil {
		return nil, err
	}
	config.Store = store
	if o.toStdout {
		config.Sink = relay.NewStdoutSink(stdout)
	} else if config.Sink, err = kafkasink.New(kafkasink.Config{Opts: o.kafka.options(), Compression: o.kafka.codecs}); err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	if config.Wake, err = o.newWake(log); err != nil {
		return nil, fmt.Errorf("wake-ups: %w", err)
	}
	return relay.New(config)
}

// lookForKafka says in the log when Kafka cannot be reached now. The relay itself
// speaks to Kafka only once there are rows, and then tries without end; a wrong
// address should be seen before that.
func (o outbox) lookForKafka(ctx context.Context, log *slog.Logger) {
	if o.toStdout {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	client, err := kgo.NewClient(o.kafka.options()...)
	if err == nil {
		defer client.Close()
		err = client.Ping(ctx)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Warn("Kafka cannot be reached now; rows will wait until it can",
			"outbox", o.name, "brokers", o.kafka.brokers, "error", err)
	}
}

func (o outbox) newStore(log *slog.Logger) (*pgstore.Store, error) {
	return pgstore.New(pgstore.Config{Conn: o.database, Schema: o.schema, Mode: o.mode, Logger: log})
}

func (o outbox) newWake(log *slog.Logger) (relay.WakeSource, error) {
	options := wake.SourceOptions{Logger: log}
	switch o.wake {
	case "redis":
		return wake.RedisSource(o.redis, o.service, options), nil
	case "postgres":
		return wake.PostgresSource(o.database.ConnString(), o.service, options)
	}
	return nil, nil //nolint:nilnil // no source is a choice, not a failure: the relay then polls
}
