package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/cmd/internal/proxy"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/workload"
	"github.com/outboxgen/outboxgen/runtime/outboxtest/services"
)

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
	for _, d := range r.deeds() {
		if d.Name == f.Kind {
			d.lock.Lock()
			defer d.lock.Unlock()
			return d.do(ctx, f)
		}
	}
	return fmt.Errorf("unknown fault %q", f.Kind)
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

// restart restarts Postgres.
func (r *run) restart(mode services.StopMode) func(context.Context, fault.Fault) error {
	return func(ctx context.Context, _ fault.Fault) error { return r.Servers.Postgres.Restart(ctx, mode) }
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

func (r *run) flushRedis(ctx context.Context, _ fault.Fault) error {
	option, err := rueidis.ParseURL(r.Servers.Redis.URL)
	if err != nil {
		return err
	}
	option.DisableCache = true
	client, err := rueidis.NewClient(option)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Do(ctx, client.B().Flushall().Build()).Error()
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
