package wake_test

import (
	"context"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/rueidis"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// A service wakes the relay by Redis after each commit, with the client that it
// has anyway.
func ExampleRedis() {
	start := func(pool *pgxpool.Pool, client rueidis.Client) *outbox.Outbox {
		return outbox.New(pool, outbox.Options{Waker: wake.Redis(client, "grading"), Logger: slog.Default()})
	}
	_ = start // needs servers
}

// A service that must start while Redis is away.
func ExampleRedisLazy() {
	waker := wake.RedisLazy(rueidis.ClientOption{InitAddress: []string{"localhost:6379"}}, "grading")
	defer waker.Close()
	start := func(pool *pgxpool.Pool) *outbox.Outbox {
		return outbox.New(pool, outbox.Options{Waker: waker})
	}
	_ = start // needs a database
}

// The relay's end: the leader waits, then reads.
func ExampleRedisSource() {
	lead := func(ctx context.Context, read func()) error {
		source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{"localhost:6379"}}, "grading", wake.SourceOptions{})
		defer source.Close()
		for {
			if err := source.Wait(ctx); err != nil {
				return err
			}
			read()
		}
	}
	_ = lead // needs a server
}

// Without Redis, Postgres carries the wake-ups.
func ExamplePostgres() {
	start := func(ctx context.Context, pool *pgxpool.Pool, url string) error {
		waker, err := wake.Postgres(url, "grading", wake.PostgresOptions{})
		if err != nil {
			return err
		}
		defer func() { _ = waker.Close(ctx) }()
		ob := outbox.New(pool, outbox.Options{Waker: waker})
		defer ob.Close()
		<-ctx.Done()
		return nil
	}
	_ = start // needs a server
}
