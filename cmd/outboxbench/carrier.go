package main

import (
	"context"

	"github.com/redis/rueidis"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// carrier starts what moves events from the table to Kafka, and returns what wakes it;
// nil: nothing does. atEnd takes what ends it, the last one first.
type carrier func(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error)

// carry starts a relay.
func (l *lab) carry(ctx context.Context, brokers []string, mode pgstore.Mode, config relay.Config, atEnd func(func() error)) error {
	w := newWatch()
	config.Observer = w
	r, err := l.startRelay(ctx, brokers, mode, config)
	if err != nil {
		return err
	}
	atEnd(r.stop)
	return r.wait(w.began)
}

func (l *lab) pollingCarrier(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error) {
	return nil, l.carry(ctx, brokers, pgstore.Mark, relay.Config{}, atEnd)
}

// postgresCarrier returns a carrier with a relay that Postgres wakes.
func (l *lab) postgresCarrier(mode pgstore.Mode, config relay.Config) carrier {
	return func(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error) {
		waker, err := l.postgresWaker(ctx, atEnd)
		if err != nil {
			return nil, err
		}
		if config.Wake, err = l.postgresSource(); err != nil {
			return nil, err
		}
		return waker, l.carry(ctx, brokers, mode, config, atEnd)
	}
}

func (l *lab) postgresWaker(ctx context.Context, atEnd func(func() error)) (outbox.Waker, error) {
	waker, err := wake.Postgres(l.url, service, wake.PostgresOptions{})
	if err != nil {
		return nil, err
	}
	atEnd(func() error { return waker.Close(context.WithoutCancel(ctx)) })
	return waker, nil
}

func (l *lab) postgresSource() (relay.WakeSource, error) {
	return wake.PostgresSource(l.url, service, wake.SourceOptions{Logger: l.log})
}

func (l *lab) redisCarrier(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error) {
	option, err := rueidis.ParseURL(l.redis.URL)
	if err != nil {
		return nil, err
	}
	waker := wake.RedisLazy(option, service)
	atEnd(func() error { waker.Close(); return nil })
	source := wake.RedisSource(option, service, wake.SourceOptions{Logger: l.log})
	return waker, l.carry(ctx, brokers, pgstore.Mark, relay.Config{Wake: source}, atEnd)
}
