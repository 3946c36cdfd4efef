package chaos

import (
	"context"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// locks make sure that only one fault at a time affects the same server or link.
type locks struct {
	relays, postgres, kafka, redis, topics, consumer sync.Mutex
	toPostgres, toKafka, toRedis                     sync.Mutex // the links to it
}

// deed is a kind of faults, with the lock that it needs and what causes and ends it.
type deed struct {
	fault.Kind
	lock *sync.Mutex
	do   func(context.Context, fault.Fault) error
}

// Kinds returns every kind of faults, for a table or for a log.
func Kinds(isLog bool) []fault.Kind {
	var kinds []fault.Kind
	for _, d := range (&run{Options: Options{Log: isLog}}).deeds() {
		kinds = append(kinds, d.Kind)
	}
	return kinds
}

// deeds lists every kind of faults. The term is 3s.
func (r *run) deeds() []deed {
	const (
		second = time.Second
		half   = second / 2
		few    = 5 // connections: fewer than a leader and the writers need
	)
	link := []fault.Weather{
		fault.Delayed, fault.Cut, fault.Refused, fault.HalfOpen, fault.Silent, fault.SilentFlows, fault.AnswersLater,
	}
	long := []fault.Weather{fault.Refused, fault.HalfOpen, fault.LongSilent, fault.LongSilentFlows}
	longKafka := []fault.Weather{fault.Refused, fault.HalfOpen, fault.SilentFlows, fault.LongSilent, fault.LongSilentFlows}
	kafka, redis, l := r.Servers.Kafka, r.Servers.Redis, &r.locks
	deeds := []deed{
		{fault.Kind{Name: "kill the leader", About: "SIGKILL at a point of its work", Points: instance.Stages()},
			&l.relays, r.onLeader(alone(r.killAt))},
		{fault.Kind{Name: "stop the leader", About: "SIGSTOP there, then SIGCONT", Points: instance.Stages(), Low: second, High: 7 * second},
			&l.relays, r.onLeader(alone(r.stopAt))},
		{fault.Kind{Name: "kill the next leader", About: "the leader is killed, and its successor as it takes over", Points: instance.TakeOverStages()},
			&l.relays, r.onLeader(r.successors(r.killAt))},
		{fault.Kind{Name: "stop the next leader", About: "the leader is killed, and its successor stopped as it takes over", Points: instance.TakeOverStages(), Low: second, High: 7 * second},
			&l.relays, r.onLeader(r.successors(r.stopAt))},
		{fault.Kind{Name: "kill a leader that ends", About: "SIGKILL as it hands over", Points: instance.ReleaseStages()},
			&l.relays, r.onLeader(killAtRelease)},
		{fault.Kind{Name: "kill the leader anywhere", About: "SIGKILL"}, &l.relays, r.onLeader(killAnywhere)},
		{fault.Kind{Name: "kill all relays", About: "SIGKILL"}, &l.relays, r.onLeader(r.killAll)},
		{fault.Kind{Name: "stop the leader anywhere", About: "SIGSTOP, then SIGCONT", Low: second, High: 7 * second},
			&l.relays, r.onLeader(stopAnywhere)},
		{fault.Kind{Name: "end the leader in order", About: "as by SIGTERM"}, &l.relays, r.onLeader(r.endLeader)},
		{fault.Kind{Name: "kill the consumer", About: "SIGKILL"}, &l.consumer, r.killConsumer},
		{fault.Kind{Name: "handlers panic", About: "some deliveries panic, before or after their effect", Low: second, High: 6 * second},
			&l.consumer, r.panicHandlers},
		{fault.Kind{Name: "restart Postgres fast", About: "sessions are closed"}, &l.postgres, r.restart(services.Fast)},
		{fault.Kind{Name: "restart Postgres immediate", About: "as by a crash"}, &l.postgres, r.restart(services.Immediate)},
		{fault.Kind{Name: "end the relay's sessions", About: "pg_terminate_backend for half of them"}, &l.postgres, r.endSessions},
		{fault.Kind{Name: "few connections left", About: "relays, writers and consumer lose their sessions and share five", Low: second, High: 9 * second},
			&l.postgres, r.limitConnections(few)},
		{fault.Kind{Name: "no connections left", About: "they lose them, and get 53300 for new ones", Low: second, High: 9 * second},
			&l.postgres, r.limitConnections(0)},
		{fault.Kind{Name: "stop Kafka", About: "in order, then started again", High: 4 * second},
			&l.kafka, away(kafka.Stop, kafka.Start)},
		{fault.Kind{Name: "kill Kafka", About: "SIGKILL, then started again", High: 4 * second}, &l.kafka, away(kafka.Kill, kafka.Start)},
		{fault.Kind{Name: "kill Redis", About: "SIGKILL, then started again, empty", High: 4 * second},
			&l.redis, away(redis.Kill, redis.Start)},
		{fault.Kind{Name: "flush Redis", About: "FLUSHALL"}, &l.redis, r.flushRedis},
		{fault.Kind{Name: "lock the table", About: "ACCESS EXCLUSIVE, beyond the statement timeout", Low: half, High: 5 * second},
			&l.postgres, r.blocked("LOCK TABLE event_outbox IN ACCESS EXCLUSIVE MODE")},
		{fault.Kind{Name: "lock the lease row", About: "FOR UPDATE", Low: half, High: 5 * second},
			&l.postgres, r.blocked("SELECT 1 FROM event_outbox_lease FOR UPDATE")},
		{fault.Kind{Name: "delete a topic", About: "and make it again", Low: half, High: 6 * second}, &l.topics, r.deleteTopic},
		{fault.Kind{Name: "forbid writing a topic", About: "by an ACL", Low: half, High: 6 * second}, &l.topics, r.closeTopic},
		{fault.Kind{Name: "cut the writers off", About: "between COMMIT and its answer"}, &l.toPostgres, r.cutWriters},
		{fault.Kind{Name: "the leader's way to Kafka", About: "one relay's connections", Weathers: link, Low: half, High: 6 * second},
			&l.toKafka, r.breakLinks(r.leaderToKafka)},
		{fault.Kind{Name: "the leader's way to Postgres", About: "one relay's connections", Weathers: link, Low: half, High: 6 * second},
			&l.toPostgres, r.breakLinks(r.leaderToPostgres)},
		{fault.Kind{Name: "all ways to Kafka", About: "those of relays and consumer", Weathers: longKafka, Low: half, High: 6 * second},
			&l.toKafka, r.breakLinks(r.allToKafka)},
		{fault.Kind{Name: "all ways to Postgres", About: "those of relays, writers and consumer", Weathers: long, Low: half, High: 6 * second},
			&l.toPostgres, r.breakLinks(r.allToPostgres)},
		{fault.Kind{Name: "all ways to Redis", About: "those of relays and writers", Weathers: long, Low: half, High: 6 * second},
			&l.toRedis, r.breakLinks(r.allToRedis)},
	}
	if !r.Options.Log {
		return deeds
	}
	return append(deeds,
		deed{fault.Kind{Name: "move the outbox", About: "with -store log: to a table and back, while everybody works; then all relays are started again"},
			&l.relays, r.move},
		deed{fault.Kind{Name: "fill a former partition", About: "with -store log: events with ids of a former day, whose partition a leader drops later", Low: second, High: 6 * second},
			&l.relays, r.fillFormer},
		deed{fault.Kind{Name: "forbid writing a topic for long", About: "with -store log: by an ACL, until its rows are set aside", Low: 12 * second, High: 20 * second},
			&l.topics, r.closeTopic},
	)
}
