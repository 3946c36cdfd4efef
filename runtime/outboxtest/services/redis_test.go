package services_test

import (
	"testing"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

func TestRedisIsKilledAndComesBackEmpty(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	redis := services.PrivateRedis(t)
	before := redisClient(t, redis)
	if err := before.Do(ctx, before.B().Set().Key("k").Value("v").Build()).Error(); err != nil {
		t.Fatal(err)
	}

	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := connect(redis); err == nil {
		t.Fatal("the server answers although it was killed")
	}
	if err := redis.Start(ctx); err != nil {
		t.Fatal(err)
	}

	after := redisClient(t, redis)
	if n, err := after.Do(ctx, after.B().Exists().Key("k").Build()).AsInt64(); err != nil || n != 0 {
		t.Errorf("after the restart: %d keys, error %v", n, err)
	}
}

func TestRedisURLIsUsedFirst(t *testing.T) {
	redis := services.PrivateRedis(t)
	t.Setenv("REDIS_URL", redis.URL)
	named := services.Redis(t)
	if named.Addr != redis.Addr {
		t.Errorf("got %s, want %s", named.Addr, redis.Addr)
	}
	if err := named.Kill(); err == nil {
		t.Error("the named server could be killed")
	}
}

func redisClient(t *testing.T, redis *services.RedisServer) rueidis.Client {
	t.Helper()
	client, err := connect(redis)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func connect(redis *services.RedisServer) (rueidis.Client, error) {
	return rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{redis.Addr}, DisableCache: true})
}
