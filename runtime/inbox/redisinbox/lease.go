package redisinbox

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/outboxgen/outboxgen/runtime/consume"
	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
)

// done is the value of the key of a handled event. While an event is being handled, the
// value is its lease's token, a UUID.
const done = "done"

// The results of the script hold.
const (
	heldByOther = iota
	held
	handled
)

// hold takes the lease or renews it. It is idempotent, so it may be retried when its
// outcome is unknown. It also takes a lease again that Redis has lost, unless another
// delivery has taken it.
var hold = rueidis.NewLuaScript(`
local value = redis.call('GET', KEYS[1])
if value == 'done' then return 2 end
if value and value ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

// release removes the lease if it still has this token.
var release = rueidis.NewLuaScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)

// lease is one delivery's claim to an event.
type lease struct {
	inbox   *Inbox
	key     string
	token   string
	message consume.Message // for its type and for logs
}

// Growing pauses before a delivery checks again an event that another one handles.
const (
	shortestWait = 15 * time.Millisecond
	longestWait  = 480 * time.Millisecond
)

// take waits until this delivery may handle the event, or until it has been handled.
func (l *lease) take(ctx context.Context) (alreadyHandled bool, err error) {
	for tries := 1; ; tries++ {
		state, err := l.hold(ctx)
		switch {
		case err != nil:
			return false, err
		case state == handled:
			return true, nil
		case state == held:
			return false, nil
		}
		if !backoff.Sleep(ctx, backoff.Jittered(shortestWait, longestWait, tries)) {
			return false, fmt.Errorf("another delivery of it is being handled: %w", context.Cause(ctx))
		}
	}
}

func (l *lease) hold(ctx context.Context) (state int64, err error) {
	err = l.twice(ctx, func(ctx context.Context) error {
		state, err = hold.Exec(ctx, l.inbox.client, []string{l.key},
			[]string{l.token, strconv.FormatInt(l.inbox.options.Lease.Milliseconds(), 10)}).AsInt64()
		return err
	})
	return state, err
}

// twice runs a command within Options.Timeout, and once more if its connection was
// dead. The client's own retries would last as long as allowed, which would delay every
// event while Redis is unavailable.
//
// A panic of the client's hooks is an error, too: the lease is renewed in a goroutine of
// its own, and an event that was handled must not fail because it cannot be marked.
func (l *lease) twice(ctx context.Context, command func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, l.inbox.options.Timeout)
	defer cancel()
	defer consume.RecoverTo(&err)
	err = command(ctx)
	if _, answered := rueidis.IsRedisErr(err); err != nil && !answered && ctx.Err() == nil {
		err = command(ctx)
	}
	if err == nil {
		l.inbox.answered(ctx)
	}
	return err
}

// run handles the event under the lease.
func (l *lease) run(ctx context.Context, next consume.Handler) error {
	handling, end := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() { l.renew(handling, end) })
	succeeded := false
	defer func() { // also if next panics
		end(nil)
		renewing.Wait()
		l.settle(context.WithoutCancel(ctx), succeeded)
	}()
	err := next(handling, l.message)
	if err == nil {
		succeeded = true
		return nil
	}
	if context.Cause(handling) == ErrLeaseLost { //nolint:errorlint // it was given as it is
		return fmt.Errorf("%w: %w", ErrLeaseLost, err)
	}
	return err
}

// renew renews the lease until ctx ends. It calls end if another delivery has the
// event. While Redis is unavailable it keeps trying, because the handler is running
// anyway.
func (l *lease) renew(ctx context.Context, end context.CancelCauseFunc) {
	ticker := time.NewTicker(l.inbox.options.Lease / renewals)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		state, err := l.hold(ctx)
		if err == nil && state != held {
			l.warn(ctx, "the lease on an event was lost while it was handled: it may be handled twice")
			end(ErrLeaseLost)
			return
		}
	}
}

// settle records the outcome of the event, even if the caller's context has ended.
func (l *lease) settle(ctx context.Context, succeeded bool) {
	end, problem := l.release, "the lease on an event whose handler failed could not be released: its next delivery waits until the lease runs out"
	if succeeded {
		end, problem = l.mark, "an event that was handled could not be marked: a repeat of it will be handled again"
	}
	if err := l.twice(ctx, end); err != nil {
		l.missed(ctx, problem, err)
	}
}

// mark sets the key unconditionally: the event was handled, whoever has the lease now.
func (l *lease) mark(ctx context.Context) error {
	set := l.inbox.client.B().Set().Key(l.key).Value(done).PxMilliseconds(l.inbox.ttl(l.message).Milliseconds()).Build()
	return l.inbox.client.Do(ctx, set).Error()
}

func (l *lease) release(ctx context.Context) error {
	return release.Exec(ctx, l.inbox.client, []string{l.key}, []string{l.token}).Error()
}

func (l *lease) warn(ctx context.Context, text string, more ...any) {
	r := l.message.Record()
	args := []any{
		"consumer", l.inbox.consumer, "event_id", r.EventID, "event_type", r.EventType,
		"topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "correlation_id", l.message.CorrelationID(),
	}
	l.inbox.options.Logger.WarnContext(ctx, text, append(args, more...)...)
}
