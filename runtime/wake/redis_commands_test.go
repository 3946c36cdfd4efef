package wake_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

var _ outbox.Waker = (*wake.RedisCommandWaker)(nil)

// A client of another library sends the same commands to Redis, and wakes the same
// source.
func TestRedisWithAnotherClient(t *testing.T) {
	t.Parallel()
	addr := services.Redis(t).Addr
	client := redisClient(t, addr)
	do := func(ctx context.Context, command ...any) error {
		built := client.B().Arbitrary()
		for _, word := range command {
			built = built.Args(word.(string))
		}
		return client.Do(ctx, built.Build()).Error()
	}
	waker := wake.RedisWith(do, "commands")
	for range 3 { // no source waits yet
		if err := waker.Wake(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, key := testContext(t), wake.RedisKey("commands")
	left, err := client.Do(ctx, client.B().Llen().Key(key).Build()).ToInt64()
	if err != nil || left != 1 {
		t.Errorf("%d wake-ups are left (%v), want one", left, err)
	}
	if expiry, err := client.Do(ctx, client.B().Ttl().Key(key).Build()).ToInt64(); err != nil || expiry <= 0 || expiry > 60 {
		t.Errorf("they expire in %d s (%v)", expiry, err)
	}
	source := redisSource(t, addr, "commands")
	for range 2 { // the new connection, and the wake-up
		if err := waker.Wake(ctx); err != nil {
			t.Fatal(err)
		}
		if err := source.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRedisWithSaysWhatFailed(t *testing.T) {
	t.Parallel()
	broken := errors.New("LTRIM is forbidden")
	var sent []string
	err := wake.RedisWith(func(_ context.Context, command ...any) error {
		sent = append(sent, command[0].(string))
		if command[0] == "LTRIM" {
			return broken
		}
		return nil
	}, "shop").Wake(t.Context())
	if !errors.Is(err, broken) || err.Error() != "wake: LTRIM outbox:wake:shop: LTRIM is forbidden" {
		t.Errorf("%v", err)
	}
	if diff := cmp.Diff([]string{"LPUSH", "LTRIM"}, sent); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
