package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// newRelay puts the relay of this outbox together. It connects to nothing yet.
func (o outbox) newRelay(registry prometheus.Registerer, log *slog.Logger, stdout io.Writer) (*relay.Relay, error) {
	log = log.With("outbox", o.name)
	config := o.relay
	config.Logger = log
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

func (o outbox) newStore(log *slog.Logger) (*pgstore.Store, error) {
	conn, err := o.connConfig()
	if err != nil {
		return nil, err
	}
	return pgstore.New(pgstore.Config{Conn: conn, Schema: o.schema, Mode: o.mode, Logger: log})
}

// connConfig reads the database's address. pgx leaves the password out of its
// errors.
func (o outbox) connConfig() (*pgx.ConnConfig, error) {
	conn, err := pgx.ParseConfig(o.databaseURL)
	if err != nil {
		return nil, misuse{fmt.Errorf("setting database-url: %w", err)}
	}
	return conn, nil
}

func (o outbox) newWake(log *slog.Logger) (relay.WakeSource, error) {
	options := wake.SourceOptions{Logger: log}
	switch o.wake {
	case "redis":
		redis, err := rueidis.ParseURL(o.redisURL)
		if err != nil {
			return nil, misuse{fmt.Errorf("setting redis-url: it is not an address such as redis://localhost:6379: %w", err)}
		}
		return wake.RedisSource(redis, o.service, options), nil
	case "postgres":
		return wake.PostgresSource(o.databaseURL, o.service, options)
	}
	return nil, nil //nolint:nilnil // no source is a choice, not a failure: the relay then polls
}
