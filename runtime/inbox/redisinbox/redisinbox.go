package redisinbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/internal/safelog"
)

// ErrLeaseLost is the cause of the end of a handler's context when another
// consumer has taken the event over; see context.Cause. The handler's error, if it
// returns one then, wraps it.
var ErrLeaseLost = errors.New("redisinbox: the lease on the event ran out while it was handled, and another consumer has taken it over")

// Away says what becomes of an event while Redis cannot be asked about it.
type Away int

const (
	// HandleAnyway handles the event: a repeat may then be handled a second time.
	// The consumer goes on as one without an inbox would.
	HandleAnyway Away = iota
	// Fail returns an error without calling the handler, so that the event is
	// delivered again. The consumer stands still until Redis is back.
	Fail
)

// Options configure an [Inbox]. The zero value is a good start.
type Options struct {
	// TTL is how long a handled event is remembered. It should be no shorter than a
	// repeat can be away: the retention of the topic covers a group that is set back
	// to the beginning. Each event costs about 150 bytes of Redis for so long.
	// Default 168h (7 days, Kafka's default retention).
	TTL time.Duration
	// TTLByType are the event types with another TTL.
	TTLByType map[string]time.Duration
	// Lease is how long a consumer that died keeps its event from the others. It
	// is renewed every third of it while the handler runs, so a handler may take
	// longer. Default 10s; at least 100ms.
	Lease time.Duration
	// Timeout bounds each question to Redis. A Redis that is silent, rather than
	// gone, costs every event up to two of them. Default 1s; more than Lease/3 is
	// taken as Lease/3.
	Timeout time.Duration
	// Away says what becomes of an event while Redis is away. Default HandleAnyway:
	// a service does not stand still for the sake of its memory.
	Away Away
	// Logger gets a warning when Redis is away and when a lease is lost. Default
	// slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	const week = 7 * 24 * time.Hour
	o.TTL = cmp.Or(o.TTL, week)
	o.TTLByType = maps.Clone(o.TTLByType)
	o.Lease = cmp.Or(o.Lease, 10*time.Second)
	o.Timeout = min(cmp.Or(o.Timeout, time.Second), o.Lease/renewals)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Logger = safelog.New(o.Logger)
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

// renewals is how many times a lease is renewed before it would run out.
const renewals = 3

// Inbox is one consumer's memory of handled events. It is safe for concurrent use.
type Inbox struct {
	client   rueidis.Client
	consumer string
	options  Options
	outage   outage
}

// New returns the inbox of a consumer. The client stays the caller's, to share
// and to close. The consumer's name (1 to 255 bytes) stands for one effect: two
// handlers that both want the same event need an inbox each. Changing it forgets
// what was handled.
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

// Key is the Redis key of an event, for people who want to look at it or to make
// the consumer forget the event.
func (i *Inbox) Key(event uuid.UUID) string { return "inbox:" + i.consumer + ":" + event.String() }

// Once returns a handler that calls next for each event that this consumer has
// not handled before; it is a [consume.Middleware]. For one that was handled, the
// result is nil. While another delivery of the event is being handled, it waits
// for what becomes of that, or for ctx to end.
//
// An error of next is returned as it is, and the event is free to be handled by
// its next delivery. Under [Fail], an error of Redis is returned before next is
// called. After next has succeeded the result is nil whatever Redis says: the
// event has been handled. When next panics, the event is free in the same way and
// the panic goes on to the caller. A record that carries no event id, neither in
// its headers nor in its body, is a [consume.DecodeError]; a tombstone without one
// goes to next each time that it is delivered.
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
		switch done, err := l.take(ctx); {
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

// pause is how long a delivery waits before it looks again at an event that
// another one handles: longer each time, and not in step with others.
func pause(tries int) time.Duration {
	const shortest, doublings = 10 * time.Millisecond, 5
	d := shortest << min(tries, doublings)
	return d/2 + rand.N(d)
}
