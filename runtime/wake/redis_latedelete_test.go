package wake_test

import (
	"bytes"
	"testing"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

// The relay deletes the rest of the list after a wake-up. If there is no answer in
// time, Redis may still delete later, together with a new wake-up. The new wake-up must
// not be lost.
func TestRedisLateDeleteLosesNoWakeUp(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	client := redisClient(t, redis.Addr)
	release := make(chan struct{})
	g := newHoldingGate(t, "tcp", redis.Addr, func(sent []byte) {
		if bytes.Contains(sent, []byte("\r\nDEL\r\n")) {
			<-release
		}
	})
	waker := wake.Redis(client, t.Name())
	source := redisSource(t, g.addr, t.Name())
	connected(t, source)
	woken := waitAsync(testContext(t), source)
	if err := waker.Wake(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-woken; err != nil {
		t.Fatal(err)
	}

	if err := waker.Wake(testContext(t)); err != nil {
		t.Fatal(err)
	}
	close(release)
	ctx := testContext(t)
	for {
		n, err := client.Do(ctx, client.B().Exists().Key(wake.RedisKey(t.Name())).Build()).ToInt64()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
	}
	if err := source.Wait(testContext(t)); err != nil {
		t.Fatalf("the wake-up that was deleted late is lost: %v", err)
	}
}
