package wake

import (
	"context"
	"fmt"
	"time"
)

// RedisCommandWaker sends wake-ups with a Redis client of any kind. It is safe for
// concurrent use if the client is.
type RedisCommandWaker struct {
	do  func(ctx context.Context, command ...any) error
	key string
}

// RedisWith is [Redis] for services whose Redis client is not rueidis. do sends one
// command. With a client of go-redis:
//
//	waker := wake.RedisWith(func(ctx context.Context, command ...any) error {
//		return client.Do(ctx, command...).Err()
//	}, events.Service)
//
// A wake-up takes three round trips instead of one; no transaction waits for them. do
// must return when ctx ends.
func RedisWith(do func(ctx context.Context, command ...any) error, service string) *RedisCommandWaker {
	return &RedisCommandWaker{do: do, key: RedisKey(service)}
}

// Wake leaves one wake-up in the list, or hands it to the relay that waits there.
func (w *RedisCommandWaker) Wake(ctx context.Context) error {
	for _, command := range [][]any{
		{"LPUSH", w.key, "1"},
		{"LTRIM", w.key, "0", "0"},
		{"EXPIRE", w.key, fmt.Sprint(int64(redisExpiry / time.Second))},
	} {
		if err := w.do(ctx, command...); err != nil {
			return fmt.Errorf("wake: %s %s: %w", command[0], w.key, err)
		}
	}
	return nil
}
