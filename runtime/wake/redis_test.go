package wake_test

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	outbox "github.com/outboxgen/outboxgen/runtime"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/wake"
)

var (
	_ outbox.Waker = (*wake.RedisWaker)(nil)
	_ outbox.Waker = (*wake.PostgresWaker)(nil)
)

// waiter has the methods that the sources share.
type waiter interface {
	Wait(ctx context.Context) error
	Close()
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func quiet() wake.SourceOptions { return wake.SourceOptions{Logger: slog.New(slog.DiscardHandler)} }

func redisClient(t *testing.T, addr string) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func redisSource(t *testing.T, addr, service string) *wake.RedisWaitSource {
	t.Helper()
	source := wake.RedisSource(rueidis.ClientOption{InitAddress: []string{addr}}, service, quiet())
	t.Cleanup(source.Close)
	return source
}

// connected waits until the source listens; the new connection is its first
// wake-up.
func connected(t *testing.T, source waiter) {
	t.Helper()
	if err := source.Wait(testContext(t)); err != nil {
		t.Fatalf("connect: %v", err)
	}
}

// waitAsync starts a Wait, and returns a channel for its result.
func waitAsync(ctx context.Context, source waiter) <-chan error {
	result := make(chan error, 1)
	go func() { result <- source.Wait(ctx) }()
	return result
}

// requireSilent fails if a wake-up comes within a moment.
func requireSilent(t *testing.T, source waiter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := source.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Wait = %v, want nothing to come until the deadline", err)
	}
}

func TestRedisWakesTheRelayThatWaits(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	waker := wake.Redis(redisClient(t, redis.Addr), t.Name())
	source := redisSource(t, redis.Addr, t.Name())
	connected(t, source)

	for range 3 {
		woken := waitAsync(testContext(t), source)
		if err := waker.Wake(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if err := <-woken; err != nil {
			t.Fatal(err)
		}
	}
}

func TestRedisWakeUpsCoalesce(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	client := redisClient(t, redis.Addr)
	waker := wake.Redis(client, t.Name())
	source := redisSource(t, redis.Addr, t.Name())
	connected(t, source)

	for range 100 {
		if err := waker.Wake(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	key := wake.RedisKey(t.Name())
	if n, err := client.Do(t.Context(), client.B().Llen().Key(key).Build()).AsInt64(); err != nil || n != 1 {
		t.Fatalf("the list has %d elements (%v), want 1", n, err)
	}
	if ttl, err := client.Do(t.Context(), client.B().Ttl().Key(key).Build()).AsInt64(); err != nil || ttl <= 0 {
		t.Fatalf("the key's time to live is %d (%v), want one", ttl, err)
	}
	if err := source.Wait(testContext(t)); err != nil {
		t.Fatal(err)
	}
	requireSilent(t, source)
}

// A wake-up that comes after Wait has returned, while the relay reads, ends the next
// Wait.
func TestRedisWakeUpDuringAReadIsKept(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	waker := wake.Redis(redisClient(t, redis.Addr), t.Name())
	source := redisSource(t, redis.Addr, t.Name())
	connected(t, source)

	for range 2 {
		if err := waker.Wake(testContext(t)); err != nil {
			t.Fatal(err)
		}
		if err := source.Wait(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRedisOneOutboxDoesNotWakeAnother(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	source := redisSource(t, redis.Addr, t.Name())
	connected(t, source)
	if err := wake.Redis(redisClient(t, redis.Addr), "other").Wake(testContext(t)); err != nil {
		t.Fatal(err)
	}
	requireSilent(t, source)
}

// Wait ends with its context even if Redis no longer answers. It does not wait for the
// end of the blocking command.
func TestRedisWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	g := newGate(t, "tcp", redis.Addr)
	source := redisSource(t, g.addr, t.Name())
	connected(t, source)

	ctx, cancel := context.WithCancel(t.Context())
	result := waitAsync(ctx, source)
	waitForBlocked(t, redis.Addr)
	g.freeze()
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait = %v, want context.Canceled", err)
	}
}

func TestRedisCloseEndsWait(t *testing.T) {
	t.Parallel()
	redis := services.Redis(t)
	source := redisSource(t, redis.Addr, t.Name())
	connected(t, source)
	result := waitAsync(testContext(t), source)
	source.Close()
	if err := <-result; !errors.Is(err, wake.ErrClosed) {
		t.Fatalf("Wait = %v, want ErrClosed", err)
	}
}

// Redis is killed while the relay waits, and starts again later. The relay is woken by
// the new connection, and by wake-ups after it.
func TestRedisKilledAndRestarted(t *testing.T) {
	t.Parallel()
	redis := services.PrivateRedis(t)
	waker := wake.Redis(redisClient(t, redis.Addr), t.Name())
	source := redisSource(t, redis.Addr, t.Name())
	connected(t, source)

	result := waitAsync(testContext(t), source)
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := waker.Wake(testContext(t)); err == nil {
		t.Error("Wake succeeds without Redis")
	}
	if err := redis.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err != nil {
		t.Fatalf("Wait over the restart = %v", err)
	}
	result = waitAsync(testContext(t), source)
	if err := waker.Wake(testContext(t)); err != nil {
		t.Fatalf("Wake after the restart: %v", err)
	}
	if err := <-result; err != nil {
		t.Fatal(err)
	}
}

func TestRedisAbsentAtTheStart(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	var log lines
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	dials := 0
	source := wake.RedisSource(rueidis.ClientOption{
		InitAddress: []string{addr},
		DialCtxFn: func(ctx context.Context, address string, dialer *net.Dialer, _ *tls.Config) (net.Conn, error) {
			if dials++; dials == 3 {
				cancel()
			}
			return dialer.DialContext(ctx, "tcp", address)
		},
	}, t.Name(), wake.SourceOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer source.Close()
	if err := source.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait = %v, want the end of the context", err)
	}
	if got := log.String(); strings.Count(got, "level=WARN") != 1 {
		t.Errorf("want one warning however often it tries, got:\n%s", got)
	}
}

// waitForBlocked waits until a client blocks in Redis.
func waitForBlocked(t *testing.T, addr string) {
	t.Helper()
	client := redisClient(t, addr)
	ctx := testContext(t)
	for {
		info, err := client.Do(ctx, client.B().Info().Section("clients").Build()).ToString()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(info, "blocked_clients:0") {
			return
		}
	}
}

// A waker that is created while Redis does not run returns errors within the time
// limit, and works once Redis runs.
func TestRedisLazy(t *testing.T) {
	t.Parallel()
	redis := services.PrivateRedis(t)
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	waker := wake.RedisLazy(rueidis.ClientOption{InitAddress: []string{redis.Addr}}, t.Name())
	defer waker.Close()
	if err := waker.Wake(testContext(t)); err == nil {
		t.Error("Wake succeeds without Redis")
	}
	if err := redis.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	source := redisSource(t, redis.Addr, t.Name())
	connected(t, source)
	woken := waitAsync(testContext(t), source)
	if err := waker.Wake(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := <-woken; err != nil {
		t.Fatal(err)
	}
	waker.Close()
	waker.Close()
	if err := waker.Wake(testContext(t)); !errors.Is(err, wake.ErrClosed) {
		t.Errorf("Wake after Close = %v, want ErrClosed", err)
	}
}

// With an address that never answers, a wake-up ends within its time limit.
func TestRedisLazyKeepsToItsTime(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and sends nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	// By itself the client would wait for an hour.
	waker := wake.RedisLazy(rueidis.ClientOption{InitAddress: []string{listener.Addr().String()}, Dialer: net.Dialer{Timeout: time.Hour}}, t.Name())
	defer waker.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	if err := waker.Wake(ctx); err == nil {
		t.Error("Wake succeeds without an answer")
	}
}
