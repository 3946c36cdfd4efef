package orms_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxsql"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
	"github.com/outboxgen/outboxgen/testdata/orms/events"
)

// A service with a client of go-redis wakes the relay after its commits.
func TestWakeUpsWithGoRedis(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, "postgres")
	addr := services.Redis(t).Addr
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}()
	waker := wake.RedisWith(func(ctx context.Context, command ...any) error {
		return client.Do(ctx, command...).Err()
	}, events.Service)

	source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{addr}}, events.Service,
		wake.SourceOptions{Logger: slog.New(slog.DiscardHandler)})
	defer source.Close()
	if err := waker.Wake(t.Context()); err != nil { // for the first wait
		t.Fatal(err)
	}
	for range 2 { // the new connection, and that wake-up
		if err := source.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	ob := outboxsql.New(db, outbox.Options{Waker: waker, Logger: slog.New(slog.DiscardHandler)})
	defer ob.Close()
	err := ob.InTx(t.Context(), func(ctx context.Context, tx *outboxsql.Tx) error {
		return events.InsertOrderPlacedV1(ctx, tx, placed("o-1"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Wait(t.Context()); err != nil {
		t.Error(err)
	}
}
