package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// bareLoop is a loop as people write it first: wait, read, send, settle.
type bareLoop struct {
	mode pgstore.Mode
	// wait returns when rows may be there.
	wait func(ctx context.Context, conn *pgx.Conn) error
	// keep is how long rows stay that were marked; 0: forever.
	keep time.Duration
}

// carrier returns a carrier with the loop. listen prepares its wait, and returns what
// wakes it.
func (b bareLoop) carrier(l *lab, listen func(ctx context.Context, b *bareLoop, conn *pgx.Conn, atEnd func(func() error)) (outbox.Waker, error)) carrier {
	return func(ctx context.Context, brokers []string, atEnd func(func() error)) (outbox.Waker, error) {
		conn, err := pgx.Connect(ctx, l.url)
		if err != nil {
			return nil, err
		}
		atEnd(func() error { return conn.Close(context.WithoutCancel(ctx)) })
		client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
		if err != nil {
			return nil, err
		}
		atEnd(func() error { client.Close(); return nil })
		waker, err := listen(ctx, &b, conn, atEnd)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			err := b.run(ctx, conn, client)
			if ctx.Err() != nil { // it was told to end
				err = nil
			}
			ended <- err
		}()
		atEnd(func() error { cancel(); return <-ended })
		return waker, nil
	}
}

// byNotify makes the loop wait for NOTIFY, which the relay's own waker sends.
func (l *lab) byNotify(ctx context.Context, b *bareLoop, conn *pgx.Conn, atEnd func(func() error)) (outbox.Waker, error) {
	if err := listen(ctx, conn); err != nil {
		return nil, err
	}
	b.wait = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.WaitForNotification(ctx)
		return err
	}
	return l.postgresWaker(ctx, atEnd)
}

func listen(ctx context.Context, conn *pgx.Conn) error {
	channel, err := wake.PostgresChannel(service)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize())
	return err
}

// byRedis makes the loop wait for the list that the relay's own waker fills.
func (l *lab) byRedis(_ context.Context, b *bareLoop, _ *pgx.Conn, atEnd func(func() error)) (outbox.Waker, error) {
	option, err := rueidis.ParseURL(l.redis.URL)
	if err != nil {
		return nil, err
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, err
	}
	atEnd(func() error { client.Close(); return nil })
	b.wait = func(ctx context.Context, _ *pgx.Conn) error {
		return client.Do(ctx, client.B().Blpop().Key(wake.RedisKey(service)).Timeout(0).Build()).Error()
	}
	waker := wake.RedisLazy(option, service)
	atEnd(func() error { waker.Close(); return nil })
	return waker, nil
}

// byPolling makes the loop look again after a pause, which is the relay's PollMin.
func byPolling(_ context.Context, b *bareLoop, _ *pgx.Conn, _ func(func() error)) (outbox.Waker, error) {
	const pause = 10 * time.Millisecond
	b.wait = func(ctx context.Context, _ *pgx.Conn) error {
		select {
		case <-time.After(pause):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil, nil
}

func (b *bareLoop) run(ctx context.Context, conn *pgx.Conn, client *kgo.Client) error {
	settle, err := bareSettle(b.mode)
	if err != nil {
		return err
	}
	for first, swept := true, time.Now(); ; first = false {
		if !first { // rows may be there already
			if err := b.wait(ctx, conn); err != nil {
				return err
			}
		}
		p, err := readPage(ctx, conn, topic, 0) // rows may commit in another order than that of their seq
		if err != nil {
			return err
		}
		if len(p.seqs) == 0 {
			continue
		}
		if err := client.ProduceSync(ctx, p.records...).FirstErr(); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, settle, p.seqs); err != nil {
			return err
		}
		if b.keep > 0 && time.Since(swept) > b.keep/10 {
			swept = time.Now()
			if _, err := conn.Exec(ctx, "DELETE FROM event_outbox WHERE published_at < now() - make_interval(secs => $1)", b.keep.Seconds()); err != nil {
				return err
			}
		}
	}
}

// bareLeader runs the loop while it holds an advisory lock, so that another process can
// go on.
func bareLeader(ctx context.Context, l *lab, brokers []string) error {
	conn, err := pgx.Connect(ctx, l.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing depends on the goodbye
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("connect to Kafka: %w", err)
	}
	if err := listen(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(42)"); err != nil {
		return err
	}
	loop := bareLoop{mode: pgstore.Mark, wait: func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.WaitForNotification(ctx)
		return err
	}}
	return loop.run(ctx, conn, client)
}
