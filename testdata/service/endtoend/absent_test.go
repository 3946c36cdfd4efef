package endtoend_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
	"github.com/outboxgen/outboxgen/runtime/relay"
	"github.com/outboxgen/outboxgen/runtime/wake"
	"github.com/outboxgen/outboxgen/testdata/service/events"
)

// absence is how long there is no Kafka: OUTBOXGEN_ABSENCE, such as 60s, or a few
// seconds.
func absence(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("OUTBOXGEN_ABSENCE")
	if text == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(text)
	must(t, err)
	return d
}

// There is no Kafka when the events are inserted, and for a while after that. Then it
// starts, at first without the topic. Everything arrives, and no attempt was counted.
func TestKafkaAbsentAtInsert(t *testing.T) {
	services.EachPrivateKafka(t, func(t *testing.T, k *services.KafkaCluster) {
		services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
			must(t, k.Stop())
			p := newPath(t, pg, k, nil)
			p.relay()
			p.gradeAll([]string{"b-1", "b-2"}, 40)
			time.Sleep(absence(t)) // this is the absence
			rows := p.rows()
			if len(rows) != 80 {
				t.Fatalf("%d rows, want 80", len(rows))
			}
			p.eventually("no row is published", `select count(published_at) = 0 from event_outbox`)
			p.requireNothingCounted()

			began := time.Now()
			must(t, k.Start(t.Context()))
			started := time.Now()
			k.CreateTopic(t, topic, 3)
			p.gradeAll([]string{"b-3"}, 8)
			p.published(88)
			t.Logf("Kafka was away for %s and took %s to start; everything was there %s later",
				absence(t), started.Sub(began).Round(time.Millisecond), time.Since(started).Round(time.Millisecond))
			p.requireNothingCounted()
			p.consume(p.journal(), topic)
			p.handled(88)
		})
	})
}

// counted counts the wake-ups that come from a source.
type counted struct {
	relay.WakeSource
	wakes atomic.Int64
}

func (c *counted) Wait(ctx context.Context) error {
	err := c.WakeSource.Wait(ctx)
	if err == nil {
		c.wakes.Add(1)
	}
	return err
}

// redisPath is a path on which the relay is woken by Redis, and polls.
func redisPath(t *testing.T, pg *services.PG, k *services.KafkaCluster, addr string, poll time.Duration) (*path, *counted) {
	t.Helper()
	option := rueidis.ClientOption{InitAddress: []string{addr}}
	waker := wake.RedisLazy(option, events.Service)
	t.Cleanup(waker.Close)
	p := newPath(t, pg, k, waker)
	source := &counted{WakeSource: wake.RedisSource(option, events.Service, wake.SourceOptions{Logger: quiet()})}
	p.relay(func(cfg *relay.Config) {
		cfg.Wake = source
		cfg.PollMin, cfg.PollMax = poll, poll
	})
	return p, source
}

// There is no Redis. The service and the relay start nevertheless, and everything
// arrives by polling.
func TestRedisAbsent(t *testing.T) {
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		k := services.KFake(t)
		k.CreateTopic(t, topic, 3)
		redis := services.PrivateRedis(t)
		must(t, redis.Kill())
		p, _ := redisPath(t, pg, k, redis.Addr, 100*time.Millisecond)
		p.gradeAll([]string{"b-1"}, 20)
		p.published(20)
		p.consume(p.journal(), topic)
		p.handled(20)
	})
}

// Redis wakes the relay long before its next poll. It is killed, and everything arrives
// by polling. It starts again, and wakes the relay again.
func TestRedisKilledAndBack(t *testing.T) {
	services.EachPostgres(t, func(t *testing.T, pg *services.PG) {
		k := services.KFake(t)
		k.CreateTopic(t, topic, 3)
		redis := services.PrivateRedis(t)
		const poll = 5 * time.Second
		p, source := redisPath(t, pg, k, redis.Addr, poll)
		must(t, p.grade.CreateBatch(t.Context(), "b-1"))
		p.consume(p.journal(), topic)
		n := 0
		grade := func() {
			t.Helper()
			_, err := p.grade.Grade(t.Context(), "b-1", uuid.New(), 0.5)
			must(t, err)
			n++
			p.published(n)
		}
		grade() // perhaps by the poll at the start
		// The relay also finds rows by itself while it looks for more after a row, and
		// it may pause before it connects to Redis again. But in the end rows wake it.
		wakes := func(when string) {
			t.Helper()
			const most = 200
			before, first := source.wakes.Load(), n
			for source.wakes.Load() < before+2 {
				if grade(); n-first == most {
					t.Fatalf("%s: %d rows woke the relay %d times", when, most, source.wakes.Load()-before)
				}
			}
		}
		wakes("Redis is there")
		must(t, redis.Kill())
		for range 2 {
			grade()
		}
		must(t, redis.Start(t.Context()))
		grade() // by a poll, or by the new connection
		wakes("Redis is back")
		p.handled(n)
	})
}
