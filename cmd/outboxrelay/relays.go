package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/framing"
	"github.com/outboxgen/outboxgen/runtime/relay/kafkasink"
	"github.com/outboxgen/outboxgen/runtime/relay/metrics"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// newRelay creates the relay of an outbox. It does not connect yet. forget removes its
// metrics.
func (f *fleet) newRelay(o outbox) (_ *relay.Relay, forget func(), err error) {
	config := o.relay
	config.Name = o.name
	config.Logger = f.log // the relay adds the outbox's name itself
	log := f.log.With("outbox", o.name)
	observer := metrics.New(o.name)
	if err := f.metrics.Register(observer); err != nil {
		return nil, nil, fmt.Errorf("metrics: %w", err)
	}
	forget = func() { f.metrics.Unregister(observer) }
	undo := []func(){forget}
	defer func() {
		if err != nil {
			for _, f := range undo {
				f()
			}
		}
	}()
	config.Observer = counting{observer, f.counterOf(o.name)}
	store, err := f.newStore(o, pgstore.Config{Server: f.server(o), Schema: o.schema, Mode: o.mode, Logger: log})
	if err != nil {
		return nil, nil, err
	}
	undo = append(undo, store.Close)
	config.Store = withoutSecretsOf(store, o.secrets)
	if o.toStdout {
		config.Sink = relay.NewStdoutSink(f.stdout)
	} else if config.Sink, err = o.sink(log); err != nil {
		return nil, nil, err
	}
	if config.Wake, err = f.newWake(o, log); err != nil {
		return nil, nil, fmt.Errorf("wake-ups: %w", err)
	}
	if config.Wake != nil {
		undo = append(undo, config.Wake.Close)
	}
	r, err := relay.New(config)
	return r, forget, err
}

func (o outbox) sink(log *slog.Logger) (relay.Sink, error) {
	if o.kafka.tls != nil {
		o.kafka.tls.warnTo(log)
	}
	sink, err := o.kafkaSink()
	if err != nil {
		return nil, err
	}
	return o.framed(sink, log)
}

func (o outbox) kafkaSink() (relay.Sink, error) {
	config := kafkasink.Config{Opts: o.kafka.plainOptions(), Compression: o.kafka.codecs}
	if o.kafka.tls != nil {
		config.TLS = o.kafka.tls.current
	}
	sink, err := kafkasink.New(config)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return sink, nil
}

// framed adds the schema ids of a registry, if there is one.
func (o outbox) framed(sink relay.Sink, log *slog.Logger) (relay.Sink, error) {
	if o.registry == nil {
		return sink, nil
	}
	registry := *o.registry
	registry.Logger = log
	return framing.New(sink, registry)
}

func (f *fleet) newWake(o outbox, log *slog.Logger) (relay.WakeSource, error) {
	switch o.wake {
	case "redis":
		if o.redisTLS != nil {
			o.redisTLS.warnTo(log)
		}
		return wake.RedisSource(o.redis, o.service, wake.SourceOptions{Logger: log}), nil
	case "postgres":
		channel, err := wake.PostgresChannel(o.service)
		if err != nil {
			return nil, err
		}
		return f.server(o).WakeSource(channel), nil
	}
	return nil, nil // without a source, which is allowed, the relay polls
}

// lookForKafka logs a warning if Kafka cannot be reached now. The relay connects only
// once there are rows, and then retries without end; a wrong address should be found
// before that.
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
		log.Warn("Kafka unavailable, rows wait until it is back",
			"outbox", o.name, "brokers", o.kafka.brokers, "error", err, "remedy", o.kafka.advice(err))
	}
}

// discreet is a store that writes no secret into the lease row, which everybody who
// reads the database can see.
type discreet struct {
	outboxStore
	secrets *secret.Redactor
}

// withoutSecretsOf returns a store that does the same and writes no secret.
func withoutSecretsOf(store outboxStore, secrets *secret.Redactor) relay.Store {
	d := discreet{store, secrets}
	if m, ok := store.(relay.Maintainer); ok { // only the store of a log is one
		return struct {
			discreet
			relay.Maintainer
		}{d, m}
	}
	return d
}

func (d discreet) Renew(ctx context.Context, l relay.Lease, p relay.Progress) (relay.Renewal, error) {
	p.State = stateWithoutSecrets(p.State, d.secrets)
	return d.outboxStore.Renew(ctx, l, p)
}

// outboxStore is the store of a table or of a log.
type outboxStore interface {
	relay.Store
	relay.Delayer
	relay.Idler
	relay.Tidier
	relay.Pauser
	relay.ReleaseHints
	Settings() map[string]string
	Examine(ctx context.Context) ([]*relay.SetupError, error)
}

// newStore returns the store of an outbox. It does not connect.
func newStore(o outbox, config pgstore.Config) (outboxStore, error) {
	if o.isLog {
		return pgstore.NewLogStore(config)
	}
	return pgstore.New(config)
}

func stateWithoutSecrets(state []byte, secrets *secret.Redactor) []byte {
	if secrets.Text(string(state)) == string(state) {
		return state
	}
	var s relay.Status
	if err := json.Unmarshal(state, &s); err != nil {
		return nil // better no state than a secret
	}
	clean, err := json.Marshal(withoutSecrets(s, secrets))
	if err != nil {
		return nil
	}
	return clean
}
