package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/proxy"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/workload"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

// locks make sure that only one fault at a time affects the same server or link.
type locks struct {
	relays, postgres, kafka, redis, topics, consumer sync.Mutex
	toPostgres, toKafka, toRedis                     sync.Mutex // the links to it
}

// breakThings goes through the schedule until the time is over. It ends each fault that
// it begins.
func (r *run) breakThings(ctx context.Context) {
	const calm = 3 * time.Second // at first
	if !wait.For(ctx, calm) {
		return
	}
	for {
		step := r.schedule.Next()
		var together sync.WaitGroup
		for _, f := range step.Faults {
			together.Go(func() { r.inflict(ctx, f) })
		}
		together.Wait()
		if !wait.For(ctx, step.Rest) {
			return
		}
	}
}

// errMissed means that a fault had no effect, because its target did not exist.
var errMissed = errors.New("the fault did not happen")

func (r *run) inflict(ctx context.Context, f fault.Fault) {
	if ctx.Err() != nil {
		return
	}
	r.say("%s", f)
	// When the time is over, a fault that has begun still ends cleanly.
	err := r.perform(context.WithoutCancel(ctx), f)
	switch {
	case errors.Is(err, errMissed):
		r.say("(%s: %v)", f, err)
		r.counted(f.Kind, false)
	case err != nil:
		r.problem(fmt.Errorf("%s: %w", f, err))
	default:
		r.counted(f.Kind, true)
	}
}

func (r *run) perform(ctx context.Context, f fault.Fault) error {
	lock, do := r.action(f.Kind)
	if do == nil {
		return unknown(f)
	}
	lock.Lock()
	defer lock.Unlock()
	return do(ctx, f)
}

func unknown(f fault.Fault) error { return fmt.Errorf("unknown fault %q", f.Kind) }

// action returns the function that causes and ends a fault of a kind, and the lock that
// it needs. The function is nil for an unknown kind.
func (r *run) action(k fault.Kind) (*sync.Mutex, func(context.Context, fault.Fault) error) {
	postgres, kafka, redis := r.Servers.Postgres, r.Servers.Kafka, r.Servers.Redis
	switch k {
	case fault.KillAtStage, fault.StopAtStage, fault.KillAtTakeOver, fault.StopAtTakeOver, fault.KillAtRelease,
		fault.KillAnywhere, fault.KillAll, fault.StopAnywhere, fault.EndLeader:
		return &r.locks.relays, r.breakRelays
	case fault.KafkaLink, fault.KafkaLinks:
		return &r.locks.toKafka, r.breakLinks
	case fault.PostgresLink, fault.PostgresLinks:
		return &r.locks.toPostgres, r.breakLinks
	case fault.RedisLinks:
		return &r.locks.toRedis, r.breakLinks
	case fault.CutWriters:
		return &r.locks.toPostgres, r.cutWriters
	case fault.FewConnections, fault.NoConnections:
		return &r.locks.postgres, r.limitConnections
	case fault.RestartPostgres:
		return &r.locks.postgres, func(ctx context.Context, _ fault.Fault) error { return postgres.Restart(ctx, services.Fast) }
	case fault.CrashPostgres:
		return &r.locks.postgres, func(ctx context.Context, _ fault.Fault) error { return postgres.Restart(ctx, services.Immediate) }
	case fault.EndSessions:
		return &r.locks.postgres, r.endSessions
	case fault.LockTable:
		return &r.locks.postgres, r.blocked("LOCK TABLE event_outbox IN ACCESS EXCLUSIVE MODE")
	case fault.LockLease:
		return &r.locks.postgres, r.blocked("SELECT 1 FROM event_outbox_lease FOR UPDATE")
	case fault.StopKafka:
		return &r.locks.kafka, away(kafka.Stop, kafka.Start)
	case fault.KillKafka:
		return &r.locks.kafka, away(kafka.Kill, kafka.Start)
	case fault.DeleteTopic:
		return &r.locks.topics, r.deleteTopic
	case fault.CloseTopic:
		return &r.locks.topics, r.closeTopic
	case fault.KillRedis:
		return &r.locks.redis, away(redis.Kill, redis.Start)
	case fault.FlushRedis:
		return &r.locks.redis, r.flushRedis
	case fault.KillConsumer:
		return &r.locks.consumer, r.killConsumer
	case fault.HandlersPanic:
		return &r.locks.consumer, r.panicHandlers
	}
	return nil, nil
}

// away ends a server, and starts it again later.
func away(end func() error, start func(context.Context) error) func(context.Context, fault.Fault) error {
	return func(ctx context.Context, f fault.Fault) error {
		if err := end(); err != nil {
			return err
		}
		wait.For(ctx, f.Hold)
		return start(ctx)
	}
}

// aWhile limits the wait for something that should happen soon.
const aWhile = 10 * time.Second

func (r *run) leader(ctx context.Context) (*lab.Relay, error) {
	ctx, cancel := context.WithTimeout(ctx, aWhile)
	defer cancel()
	var leader *lab.Relay
	if !r.Until(ctx, func() bool { leader = r.Leader(); return leader != nil }) {
		return nil, errMissed
	}
	return leader, nil
}

func (r *run) breakRelays(ctx context.Context, f fault.Fault) error {
	leader, err := r.leader(ctx)
	if err != nil {
		return err
	}
	switch f.Kind {
	case fault.KillAnywhere:
		leader.Kill()
	case fault.KillAll:
		for _, one := range r.Relays {
			one.Kill()
		}
	case fault.StopAnywhere:
		leader.Signal(syscall.SIGSTOP)
		wait.For(ctx, f.Hold)
		leader.Signal(syscall.SIGCONT)
	case fault.EndLeader:
		if !leader.End(aWhile) {
			r.say("the leader did not end within %s", aWhile)
		}
	case fault.KillAtStage:
		err = r.killAt(ctx, f.Point, leader)
	case fault.StopAtStage:
		err = r.stopAt(ctx, f, leader)
	case fault.KillAtRelease:
		leader.Tell(fmt.Sprintf("arm %s %s", f.Point, instance.Kill))
		leader.End(aWhile)
	case fault.KillAtTakeOver, fault.StopAtTakeOver:
		var others []*lab.Relay
		for _, one := range r.Relays {
			if one != leader {
				others = append(others, one)
			}
		}
		leader.Kill()
		if f.Kind == fault.KillAtTakeOver {
			err = r.killAt(ctx, f.Point, others...)
		} else {
			err = r.stopAt(ctx, f, others...)
		}
	default:
		err = unknown(f)
	}
	return errors.Join(err, r.startRelays())
}

// killAt arms a failpoint in the instances, and waits until one instance has reached
// it.
func (r *run) killAt(ctx context.Context, p instance.Point, in ...*lab.Relay) error {
	return r.armed(ctx, p, instance.Kill, in, func(one *lab.Relay) bool { return !one.Running() })
}

func (r *run) stopAt(ctx context.Context, f fault.Fault, in ...*lab.Relay) error {
	var stopped *lab.Relay
	err := r.armed(ctx, f.Point, instance.Stop, in, func(one *lab.Relay) bool {
		if one.Stopped() {
			stopped = one
		}
		return stopped != nil
	})
	if stopped != nil {
		wait.For(ctx, f.Hold)
	}
	for _, one := range in {
		one.Signal(syscall.SIGCONT) // also one that was reached late
	}
	return err
}

func (r *run) armed(ctx context.Context, p instance.Point, a instance.Action, in []*lab.Relay, off func(*lab.Relay) bool) error {
	for _, one := range in {
		one.Tell(fmt.Sprintf("arm %s %s", p, a))
	}
	defer func() {
		for _, one := range in {
			one.Tell("disarm")
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, aWhile)
	defer cancel()
	const pause = 20 * time.Millisecond
	if wait.Until(ctx, pause, func() (bool, error) { return slices.ContainsFunc(in, off), nil }) != nil {
		return errMissed
	}
	return nil
}

func (r *run) cutWriters(ctx context.Context, _ fault.Fault) error {
	r.WritersLink.Set(proxy.Weather{HoldAnswers: true})
	const moment = 30 * time.Millisecond
	wait.For(ctx, moment)
	r.WritersLink.Cut()
	r.WritersLink.Set(proxy.Weather{})
	return nil
}

func (r *run) endSessions(ctx context.Context, _ fault.Fault) error {
	_, err := r.Pool.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'outboxrelay' AND random() < 0.5")
	return err
}

// blocked holds the lock that a statement takes.
func (r *run) blocked(statement string) func(context.Context, fault.Fault) error {
	return func(ctx context.Context, f fault.Fault) error {
		tx, err := r.Pool.Begin(ctx)
		if err != nil {
			return err
		}
		// Do not wait for a transaction that a writer holds open.
		if _, err = tx.Exec(ctx, "SET LOCAL lock_timeout = '3s'"); err == nil {
			if _, err = tx.Exec(ctx, statement); err != nil {
				err = errMissed
			} else {
				wait.For(ctx, f.Hold)
			}
		}
		_ = tx.Rollback(ctx) // nothing was changed; after a restart it may not exist
		return err
	}
}

// closeTopic needs a broker that answers, as deleteTopic does. So they lock Kafka for
// each request.
func (r *run) closeTopic(ctx context.Context, f fault.Fault) error {
	const topic = workload.TopicSmall
	if err := r.withKafka(func() error { return r.SetWritable(ctx, topic, false) }); err != nil {
		return err
	}
	wait.For(ctx, f.Hold)
	return r.withKafka(func() error { return r.SetWritable(ctx, topic, true) })
}

func (r *run) withKafka(do func() error) error {
	r.locks.kafka.Lock()
	defer r.locks.kafka.Unlock()
	return do()
}

// deleteTopic deletes a topic once everything that was committed for it has been read.
// Otherwise records that the deletion removes would count as lost. Events that are
// written while the topic does not exist wait for it.
func (r *run) deleteTopic(ctx context.Context, f fault.Fault) error {
	const topic = workload.TopicFleeting
	r.fleeting.Store(false)
	defer r.fleeting.Store(true)
	const moment = 200 * time.Millisecond
	wait.For(ctx, moment) // transactions that were planned before have begun
	closed := time.Now()
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if wait.Until(limited, moment, func() (bool, error) { return r.isRead(limited, topic, closed), nil }) != nil {
		return errMissed
	}
	err := r.withKafka(func() error {
		_, err := r.Admin.DeleteTopic(ctx, topic)
		return err
	})
	if err != nil {
		return err
	}
	r.fleeting.Store(true)
	wait.For(ctx, f.Hold)
	return r.withKafka(func() error {
		if err := r.CreateTopic(ctx, topic); err != nil {
			return err
		}
		return r.read(topic)
	})
}

// isRead reports whether everything that was committed for a topic has been read,
// once all transactions that began before the given time have ended.
func (r *run) isRead(ctx context.Context, topic string, before time.Time) bool {
	var under int
	err := r.Pool.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND xact_start <= $2", lab.WritersName, before).Scan(&under)
	if err != nil || under > 0 {
		return false // Postgres may be unavailable
	}
	var unknown int
	err = r.Pool.QueryRow(ctx, "SELECT count(*) FROM chaos_tx WHERE id = ANY($1)", r.history.Open(topic)).Scan(&unknown)
	return err == nil && unknown == 0 && r.history.Unread(topic, false) == 0
}
