package redisinbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
)

// ErrLeaseLost is the cause of a handler's cancelled context if another consumer has
// taken over the event; see context.Cause. If the handler then returns an error, the
// result wraps it.
var ErrLeaseLost = errors.New("redisinbox: the lease on the event ran out while it was handled, and another consumer has taken it over")

// Away says what happens to an event while Redis is unavailable.
type Away int

const (
	// HandleAnyway handles the event, as without an inbox: a repeat may be handled a
	// second time.
	HandleAnyway Away = iota
	// Fail returns an error without calling the handler, so that the event is
	// delivered again. The consumer waits until Redis is available.
	Fail
)

// Options configure an [Inbox]. The zero value has the defaults.
type Options struct {
	// TTL is how long a handled event is remembered. Use at least the retention of the
	// topic: then a group that is set back to the beginning skips what it handled. Each
	// event uses about 150 bytes of Redis during this time. Default 168h (7 days,
	// Kafka's default retention).
	TTL time.Duration
	// TTLByType is the TTL of single event types. Default nil: TTL for all.
	TTLByType map[string]time.Duration
	// Lease is how long an event stays leased after its consumer died. While the
	// handler runs, the lease is renewed after each third of this time, so a handler can
	// take longer. Default 10s; at least 100ms.
	Lease time.Duration
	// Timeout limits each command to Redis. A Redis that does not answer delays every
	// event by up to two timeouts. Default 1s; at most Lease/3.
	Timeout time.Duration
	// Away says what to do with an event while Redis is unavailable. Default
	// HandleAnyway.
	Away Away
	// Logger gets a warning when Redis is unavailable and when a lease is lost. Default
	// slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	const week = 7 * 24 * time.Hour
	o.TTL = cmp.Or(o.TTL, week)
	o.TTLByType = maps.Clone(o.TTLByType)
	o.Lease = cmp.Or(o.Lease, 10*time.Second)
	o.Timeout = min(cmp.Or(o.Timeout, time.Second), o.Lease/renewals)
	o.Logger = safelog.New(cmp.Or(o.Logger, slog.Default()))
	return o
}

func (o Options) validate() error {
	const shortest = 100 * time.Millisecond
	if o.Lease < shortest {
		return fmt.Errorf("redisinbox: Options.Lease is %v: it must be at least %v", o.Lease, shortest)
	}
	if o.Timeout <= 0 {
		return fmt.Errorf("redisinbox: Options.Timeout is %v: it must be above zero", o.Timeout)
	}
	if o.Away != HandleAnyway && o.Away != Fail {
		return fmt.Errorf("redisinbox: Options.Away is %d: use HandleAnyway or Fail", o.Away)
	}
	if o.TTL < time.Millisecond {
		return fmt.Errorf("redisinbox: Options.TTL is %v: it must be at least 1ms", o.TTL)
	}
	for eventType, ttl := range o.TTLByType {
		if ttl < time.Millisecond {
			return fmt.Errorf("redisinbox: Options.TTLByType[%q] is %v: it must be at least 1ms", eventType, ttl)
		}
	}
	return nil
}

// renewals is how many times a lease is renewed in its lifetime.
const renewals = 3

// Inbox is one consumer's memory of handled events. It is safe for concurrent use.
type Inbox struct {
	client   rueidis.Client
	consumer string
	options  Options
	outage   outage
}

// New returns the inbox of a consumer. The caller shares and closes the client. The
// consumer's name (1 to 255 bytes) identifies one effect: two handlers that both
// handle the same event need an inbox each. Changing the name forgets what was
// handled.
func New(client rueidis.Client, consumer string, options Options) (*Inbox, error) {
	const limit = 255
	if client == nil {
		return nil, errors.New("redisinbox: the client is nil: give it what rueidis.NewClient returns")
	}
	if consumer == "" || len(consumer) > limit {
		return nil, fmt.Errorf("redisinbox: the consumer's name %q must have 1 to %d bytes", consumer, limit)
	}
	options = options.withDefaults()
	if err := options.validate(); err != nil {
		return nil, err
	}
	return &Inbox{client: client, consumer: consumer, options: options}, nil
}

// Key returns the Redis key of an event. Deleting the key makes the consumer forget the
// event.
func (i *Inbox) Key(event uuid.UUID) string { return "inbox:" + i.consumer + ":" + event.String() }

// Once returns a handler that calls next for each event that this consumer has not
// handled before. It is a [consume.Middleware]. For a handled event it returns nil.
// While another delivery of the event is being handled, it waits for the outcome, or
// for ctx to end.
//
// It returns an error of next unchanged, and the next delivery handles the event again.
// Under [Fail] it returns an error of Redis before it calls next. After next succeeded
// it returns nil, even if Redis fails. If next panics, the next delivery handles the
// event again, and the panic continues in the caller. A record without an event id in
// its headers or body is a [consume.DecodeError]; a tombstone without one goes to next
// at every delivery.
func (i *Inbox) Once(next consume.Handler) consume.Handler {
	return func(ctx context.Context, m consume.Message) error {
		id, err := m.EventID()
		if err != nil && m.Tombstone() {
			return next(ctx, m)
		}
		if err != nil {
			return &consume.DecodeError{Record: m.Record(), Err: err}
		}
		l := &lease{inbox: i, key: i.Key(id), token: uuid.NewString(), message: m}
		done, err := l.take(ctx)
		switch {
		case done:
			return nil
		case err == nil:
			return l.run(ctx, next)
		case ctx.Err() != nil || i.options.Away == Fail:
			return fmt.Errorf("redisinbox: ask Redis whether consumer %s has handled event %s: %w", i.consumer, id, err)
		}
		l.missed(ctx, "Redis cannot say whether the event was handled before: it is handled anyway", err)
		return l.run(ctx, next)
	}
}

func (i *Inbox) ttl(m consume.Message) time.Duration {
	if len(i.options.TTLByType) == 0 {
		return i.options.TTL
	}
	eventType, err := m.EventType()
	if err != nil {
		return i.options.TTL
	}
	return cmp.Or(i.options.TTLByType[eventType], i.options.TTL)
}
