package wake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// redisExpiry is how long a wake-up that nobody takes stays in Redis.
	redisExpiry = time.Minute
	// redisBlock is how long the relay blocks in one BLPOP. The client gives up
	// redisGrace later: then the connection is half open.
	redisBlock = 5 * time.Second
	redisGrace = 2 * time.Second
)

// RedisKey is the list that carries the wake-ups of a service's outbox.
func RedisKey(service string) string { return "outbox:wake:" + service }

// RedisWaker sends wake-ups by Redis. It is safe for concurrent use.
type RedisWaker struct {
	key     string
	options rueidis.ClientOption // of its own client, if it makes one

	mu     sync.Mutex
	client rueidis.Client // nil: not made yet
	own    bool           // the client is the waker's own
	closed bool
}

// Redis returns a waker for the outbox of the service. The client stays the
// caller's, to share and to close. A service that has to start while Redis is
// away, when no client can be made, uses RedisLazy.
func Redis(client rueidis.Client, service string) *RedisWaker {
	return &RedisWaker{client: client, key: RedisKey(service)}
}

// RedisLazy is Redis with a client of the waker's own, which it makes at the
// first wake-up that finds Redis there; so Redis may be away when the service
// starts. Close it at the end.
func RedisLazy(redis rueidis.ClientOption, service string) *RedisWaker {
	redis.DisableCache = true // nothing is cached, so older servers and proxies will do
	return &RedisWaker{options: redis, own: true, key: RedisKey(service)}
}

// Close closes the client of RedisLazy; after it, Wake returns ErrClosed. It does
// nothing to the client that was given to Redis.
func (w *RedisWaker) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.own || w.closed {
		return
	}
	w.closed = true
	if w.client != nil {
		w.client.Close()
	}
}

// connected is the client, made now if need be, within the time that ctx leaves.
func (w *RedisWaker) connected(ctx context.Context) (rueidis.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, ErrClosed
	}
	if w.client != nil {
		return w.client, nil
	}
	options := w.options
	if deadline, ok := ctx.Deadline(); ok {
		left := max(time.Until(deadline), time.Millisecond)
		options.Dialer.Timeout = min(cmp.Or(options.Dialer.Timeout, left), left)
	}
	client, err := rueidis.NewClient(options)
	if err != nil {
		return nil, fmt.Errorf("wake: connect to Redis: %w", err)
	}
	w.client = client
	return client, nil
}

// Wake leaves one wake-up in the list, or hands it to the relay that waits there,
// in one round trip. It tries once more on a connection that turns out to be
// dead: pushing twice does no harm.
func (w *RedisWaker) Wake(ctx context.Context) error {
	client, err := w.connected(ctx)
	if err != nil {
		return err
	}
	err = w.push(ctx, client)
	if _, answered := rueidis.IsRedisErr(err); err != nil && !answered && ctx.Err() == nil {
		err = w.push(ctx, client)
	}
	if err != nil {
		return fmt.Errorf("wake: push to the Redis list %s: %w", w.key, err)
	}
	return nil
}

func (w *RedisWaker) push(ctx context.Context, client rueidis.Client) error {
	b := client.B()
	for _, r := range client.DoMulti(ctx,
		b.Lpush().Key(w.key).Element("1").Build(),
		b.Ltrim().Key(w.key).Start(0).Stop(0).Build(),
		b.Expire().Key(w.key).Seconds(int64(redisExpiry/time.Second)).Build(),
	) {
		if err := r.Error(); err != nil {
			return err
		}
	}
	return nil
}

// RedisWaitSource is the relay's end of Redis wake-ups.
type RedisWaitSource struct {
	options rueidis.ClientOption
	key     string
	source  source
	client  rueidis.Client // nil: not connected
}

// RedisSource returns the relay's end of the wake-ups of the service's outbox. It
// connects with a client of its own when it is first waited on, so Redis need not
// be there yet.
func RedisSource(redis rueidis.ClientOption, service string, options SourceOptions) *RedisWaitSource {
	redis.DisableCache = true // nothing is cached, so older servers and proxies will do
	return &RedisWaitSource{options: redis, key: RedisKey(service), source: newSource(options, "Redis")}
}

// Wait returns nil when there is a wake-up, and an error only when ctx ends or
// the source is closed: while Redis is away it tries again, with back-off. It
// must not be called twice at the same time.
func (s *RedisWaitSource) Wait(ctx context.Context) error { return s.source.wait(ctx, s) }

// Close ends a Wait under way and closes the connection.
func (s *RedisWaitSource) Close() { s.source.close(s) }

func (s *RedisWaitSource) connect(ctx context.Context) error {
	if s.client == nil {
		client, err := rueidis.NewClient(s.options)
		if err != nil {
			return err
		}
		s.client = client
	}
	ctx, cancel := context.WithTimeout(ctx, redisGrace)
	defer cancel()
	return s.client.Do(ctx, s.client.B().Ping().Build()).Error()
}

func (s *RedisWaitSource) receive(ctx context.Context) (bool, error) {
	blocked, cancel := context.WithTimeout(ctx, redisBlock+redisGrace)
	defer cancel()
	b := s.client.B()
	pop := b.Blpop().Key(s.key).Timeout(redisBlock.Seconds()).Build().ToPipe().UnblockOnCancel()
	err := s.client.Do(blocked, pop).Error()
	switch {
	case rueidis.IsRedisNil(err):
		return false, nil // nothing came, and the connection works
	case err != nil:
		return false, fmt.Errorf("wait on the list %s: %w", s.key, err)
	}
	// What has piled up is covered by the read that follows. A failure is no
	// matter: the worst is a read for nothing.
	deleting, cancel := context.WithTimeout(ctx, redisGrace)
	defer cancel()
	if err := s.client.Do(deleting, b.Del().Key(s.key).Build()).Error(); err != nil && !errors.Is(err, context.Canceled) {
		s.source.options.Logger.Debug("wake-up taken, the rest of the list not deleted", "error", err)
	}
	return true, nil
}

// disconnect keeps the client, which connects again by itself.
func (s *RedisWaitSource) disconnect() {}

func (s *RedisWaitSource) shutdown() {
	if s.client != nil {
		s.client.Close()
		s.client = nil
	}
}
