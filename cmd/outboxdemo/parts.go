package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/wake"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// parts are the servers that the demo runs on.
type parts struct {
	databaseURL string
	kafka       *services.KafkaCluster
	redis       *rueidis.ClientOption // nil: there is none, and the relay polls
	stops       []func() error
}

func (p *parts) start(ctx context.Context, o options, say func(string, ...any)) error {
	began := time.Now()
	postgres, err := services.StartPostgres(ctx)
	if err != nil {
		return err
	}
	p.stops = append(p.stops, postgres.Close)
	database := "outboxdemo_" + uuid.NewString()[:8]
	if p.databaseURL, err = postgres.CreateDatabase(ctx, database); err != nil {
		return err
	}
	p.stops = append(p.stops, func() error { return postgres.DropDatabase(context.WithoutCancel(ctx), database) })
	say("Postgres %d is ready", postgres.Version)

	if o.kafka == "kafka" {
		say("starting Kafka, this takes some seconds")
		p.kafka, err = services.StartKafka(ctx)
	} else {
		p.kafka, err = services.StartKFake()
	}
	if err != nil {
		return err
	}
	p.stops = append(p.stops, p.kafka.Close)
	if o.kafka == "kafka" {
		say("Kafka is ready at %v", p.kafka.Brokers)
	} else {
		say("Kafka is ready: kfake, franz-go's fake broker (-kafka kafka for a real one)")
	}

	redis, err := services.StartRedis(ctx)
	switch {
	case errors.Is(err, services.ErrNotFound):
		say("no Redis: the relay polls")
	case err != nil:
		return err
	default:
		p.stops = append(p.stops, redis.Close)
		option, err := rueidis.ParseURL(redis.URL)
		if err != nil { // it may repeat a password
			return errors.New("invalid Redis address: use the form redis://host:6379")
		}
		p.redis = &option
		say("Redis is ready, for wake-ups")
	}
	say("set-up took %s", time.Since(began).Round(100*time.Millisecond))
	return nil
}

// stop ends what start started, last things first.
func (p *parts) stop() error {
	var errs []error
	for i := len(p.stops) - 1; i >= 0; i-- {
		errs = append(errs, p.stops[i]())
	}
	return errors.Join(errs...)
}

// waker returns the service's end of the wake-ups; nil without Redis.
func (p *parts) waker() outbox.Waker {
	if p.redis == nil {
		return nil // an Outbox without a waker sends no wake-ups
	}
	waker := wake.RedisLazy(*p.redis, events.Service)
	p.stops = append(p.stops, func() error { waker.Close(); return nil })
	return waker
}

// wakeSource returns the relay's end; nil without Redis.
func (p *parts) wakeSource() relay.WakeSource {
	if p.redis == nil {
		return nil // a relay without a source polls
	}
	return wake.RedisSource(*p.redis, events.Service, wake.SourceOptions{})
}
