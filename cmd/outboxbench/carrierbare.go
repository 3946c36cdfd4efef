package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
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
	done *atomic.Int64 // all rows up to this seq are settled
	// after is the seq after which it begins to read; 0: it looks for the first row.
	after int64
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
		b.done = new(atomic.Int64)
		ctx, cancel := context.WithCancel(ctx)
		steps, ctx := errgroup.WithContext(ctx)
		steps.Go(func() error { return b.run(ctx, conn, client) })
		if b.keep > 0 {
			sweeper, err := pgx.Connect(ctx, l.url)
			if err != nil {
				cancel()
				return nil, errors.Join(err, steps.Wait())
			}
			atEnd(func() error { return sweeper.Close(context.WithoutCancel(ctx)) })
			steps.Go(func() error { return b.sweep(ctx, sweeper) })
		}
		atEnd(func() error {
			cancel()
			if err := steps.Wait(); err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
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

// run carries rows. It begins to read at the first number that it has not seen, so that it
// neither looks at published rows again nor leaves out a row that commits late. A number
// that is never used, because its transaction failed, would make it slow.
func (b *bareLoop) run(ctx context.Context, conn *pgx.Conn, client *kgo.Client) error {
	settle, err := bareSettle(b.mode)
	if err != nil {
		return err
	}
	after := b.after // everything up to it was seen
	seen := map[int64]bool{}
	for first := true; ; first = false {
		if !first { // rows may be there already
			if err := b.wait(ctx, conn); err != nil {
				return err
			}
		}
		p, err := readPage(ctx, conn, bareRead, topic, after)
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
		if after == 0 {
			after = p.seqs[0] - 1
		}
		for _, seq := range p.seqs {
			seen[seq] = true
		}
		for seen[after+1] {
			after++
			delete(seen, after)
		}
		b.done.Store(after)
	}
}

// sweep deletes the rows that were marked longer ago than keep, as often as the relay does.
func (b *bareLoop) sweep(ctx context.Context, conn *pgx.Conn) error {
	every := max(b.keep/10, time.Millisecond)
	var marks []int64 // after each pause
	for wait.For(ctx, every) {
		marks = append(marks, b.done.Load())
		if n := len(marks) - int(b.keep/every); n > 0 {
			if _, err := conn.Exec(ctx, "DELETE FROM event_outbox WHERE seq <= $1 AND published_at IS NOT NULL", marks[n-1]); err != nil {
				return err
			}
			marks = marks[n:]
		}
	}
	return ctx.Err()
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
	loop := bareLoop{mode: pgstore.Mark, done: new(atomic.Int64), wait: func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.WaitForNotification(ctx)
		return err
	}}
	return loop.run(ctx, conn, client)
}
