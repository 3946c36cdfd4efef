package wake

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// redisExpiry is how long an unused wake-up stays in Redis.
	redisExpiry = time.Minute
	// redisBlock is how long the relay blocks in one BLPOP. The client gives up
	// redisGrace later, because the connection is then half open.
	redisBlock = 5 * time.Second
	redisGrace = 2 * time.Second
	// redisPushes limits the pushes of a waker that are under way, and so the
	// goroutines that wait for a Redis which does not answer.
	redisPushes = 8
)

// RedisKey returns the list for the wake-ups of a service's outbox.
func RedisKey(service string) string { return "outbox:wake:" + service }

// RedisWaker sends wake-ups through Redis. It is safe for concurrent use.
type RedisWaker struct {
	key     string
	options rueidis.ClientOption // of its own client, if it creates one
	pushes  chan struct{}        // holds a token for each push under way
	dialing chan struct{}        // holds a token while a client is being created

	mu     sync.Mutex
	client rueidis.Client // nil: not created yet
	own    bool           // the client is the waker's own
	closed bool
}

// Redis returns a waker for the outbox of the service. The caller shares and closes
// the client. If the service must start while Redis is unavailable, use RedisLazy.
func Redis(client rueidis.Client, service string) *RedisWaker {
	w := newRedisWaker(service)
	w.client = client
	return w
}

// RedisLazy is Redis with its own client, which it creates at the first wake-up that
// reaches Redis. So Redis can be unavailable when the service starts. Connecting takes at
// most Dialer.Timeout (2 s if it is zero), and continues after the wake-up that began it
// has ended. Close the waker at the end.
func RedisLazy(redis rueidis.ClientOption, service string) *RedisWaker {
	w := newRedisWaker(service)
	w.options, w.own = bounded(redis), true
	return w
}

func newRedisWaker(service string) *RedisWaker {
	return &RedisWaker{key: RedisKey(service), pushes: make(chan struct{}, redisPushes), dialing: make(chan struct{}, 1)}
}

// bounded returns the options with time limits for a server that does not answer,
// unless they are set.
func bounded(options rueidis.ClientOption) rueidis.ClientOption {
	options.DisableCache = true // nothing is cached, so older servers and proxies work
	options.Dialer.Timeout = cmp.Or(options.Dialer.Timeout, redisGrace)
	options.ConnWriteTimeout = cmp.Or(options.ConnWriteTimeout, redisGrace)
	return options
}

// Close closes the client of RedisLazy; after it, Wake returns ErrClosed. It does not
// close the client that was given to Redis.
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

// existing returns the client, or nil if it was not created yet.
func (w *RedisWaker) existing() (rueidis.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, ErrClosed
	}
	return w.client, nil
}

// connected returns the client, and creates it if needed.
func (w *RedisWaker) connected(ctx context.Context) (rueidis.Client, error) {
	select {
	case w.dialing <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-w.dialing }()
	if client, err := w.existing(); err != nil || client != nil {
		return client, err
	}
	client, err := rueidis.NewClient(w.options)
	if err != nil {
		return nil, fmt.Errorf("wake: connect to Redis: %w%s", redisConnectCause(err, w.options), redisRemedy(err, w.options.Username, w.key, writerCommands))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		client.Close()
		return nil, ErrClosed
	}
	w.client = client
	return client, nil
}

// Wake puts one wake-up into the list, or hands it to the relay that waits there, in
// one round trip. If the connection is dead it tries once more; pushing twice is
// harmless. It returns when ctx ends, even if Redis does not answer.
func (w *RedisWaker) Wake(ctx context.Context) error {
	select {
	case w.pushes <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("wake: Redis does not answer: %w", context.Cause(ctx))
	}
	// The client respects ctx, except while it waits for a connection that another
	// goroutine is opening. A panic of a client with hooks continues in the caller.
	type outcome struct {
		err      error
		panicked any
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			o.panicked = recover()
			done <- o
			<-w.pushes
		}()
		o.err = w.wake(ctx)
	}()
	select {
	case o := <-done:
		if o.panicked != nil {
			panic(o.panicked)
		}
		return o.err
	case <-ctx.Done():
		return fmt.Errorf("wake: Redis does not answer: %w", context.Cause(ctx))
	}
}

func (w *RedisWaker) wake(ctx context.Context) error {
	client, err := w.connected(ctx)
	if err != nil {
		return err
	}
	err = w.push(ctx, client)
	if _, answered := rueidis.IsRedisErr(err); err != nil && !answered && ctx.Err() == nil {
		err = w.push(ctx, client)
	}
	if err != nil {
		return fmt.Errorf("wake: push to the Redis list %s: %w%s", w.key, redisCause(err, w.options), redisRemedy(err, w.options.Username, w.key, writerCommands))
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

// RedisWaitSource receives a service's wake-ups from Redis, for the relay. Any
// goroutine may call Close; call Wait from one goroutine at a time.
type RedisWaitSource struct {
	options rueidis.ClientOption
	key     string
	source  source
	conn    *redisConn // nil: not connected
	spared  bool       // it was logged that the list cannot be deleted
}

// RedisSource returns the source of wake-ups for the outbox of the service. It creates
// its own client in the first Wait, so Redis can be unavailable before. Connecting and
// each answer take at most 2 s, unless the options set Dialer.Timeout and
// ConnWriteTimeout. A connection that no longer answers while the relay waits is closed
// after 7 s. The Redis user needs PING, BLPOP and DEL.
func RedisSource(redis rueidis.ClientOption, service string, options SourceOptions) *RedisWaitSource {
	// The user may be allowed to connect and not to wait, so a connection proves nothing.
	return &RedisWaitSource{options: bounded(redis), key: RedisKey(service), source: newSource(options, "Redis", false)}
}

// Wait returns nil when there is a wake-up, and an error only when ctx ends or the source
// is closed: while Redis is unavailable, or does not allow the relay to wait, it retries
// with back-off. Do not call it twice at the same time.
func (s *RedisWaitSource) Wait(ctx context.Context) error { return s.source.wait(ctx, s) }

// Check connects and sends PING, as Wait does. The error says what to do. Use it at start-up.
func (s *RedisWaitSource) Check(ctx context.Context) error {
	s.source.mu.Lock()
	defer s.source.mu.Unlock()
	if s.source.connected {
		return nil
	}
	return s.connect(ctx)
}

// Close ends a Wait under way and closes the connection.
func (s *RedisWaitSource) Close() { s.source.close(s) }

func (s *RedisWaitSource) connect(ctx context.Context) error {
	if s.conn == nil {
		conn, err := dialRedis(ctx, s.options)
		if err != nil {
			return s.failed("connect", redisConnectCause(err, s.options))
		}
		s.conn = conn
	}
	// In a cluster the connection is one to the node that has the list.
	if err := s.conn.do(ctx, redisGrace, s.conn.B().Ping().Build().SetSlot(s.key)); err != nil {
		return s.failed("PING", err)
	}
	return nil
}

// failed adds the remedy to err, and closes the connection also if Redis answered: after a
// failover, or after a slot has moved, the list may be on another server.
func (s *RedisWaitSource) failed(what string, err error) error {
	s.disconnected()
	return fmt.Errorf("%s: %w%s", what, redisCause(err, s.options), redisRemedy(err, s.options.Username, s.key, relayCommands))
}

// disconnected closes the connection in the background.
func (s *RedisWaitSource) disconnected() {
	if s.conn != nil {
		go s.conn.close()
		s.conn = nil
	}
}

func (s *RedisWaitSource) receive(ctx context.Context) (bool, error) {
	err := s.conn.do(ctx, redisBlock+redisGrace, s.conn.B().Blpop().Key(s.key).Timeout(redisBlock.Seconds()).Build())
	switch {
	case rueidis.IsRedisNil(err):
		return false, nil // nothing came, and the connection works
	case ctx.Err() != nil:
		// Redis still waits for this connection, and would give it the next wake-up.
		s.disconnected()
		s.source.connected = false
		return false, context.Cause(ctx)
	case err != nil:
		return false, s.failed("wait on the list "+s.key, err)
	}
	s.empty(ctx)
	return true, nil
}

// empty deletes other wake-ups in the list: the next read covers them. If Redis
// refuses, the worst result is an unneeded read. If no answer comes, Redis may still
// delete the list later, with the wake-up of a row that the read did not see. So the
// next Wait connects again, and a new connection counts as a wake-up.
func (s *RedisWaitSource) empty(ctx context.Context) {
	err := s.conn.do(ctx, redisGrace, s.conn.B().Del().Key(s.key).Build())
	if err == nil {
		return
	}
	if _, answered := rueidis.IsRedisErr(err); answered {
		if !s.spared {
			s.spared = true // it is the same each time
			s.source.options.Logger.Warn("wake-up received, but the rest of the list was not deleted; the relay may read once in vain",
				"error", fmt.Errorf("%w%s", err, redisRemedy(err, s.options.Username, s.key, relayCommands)))
		}
		return
	}
	s.disconnected()
	s.source.connected = false
}

// disconnect closes the connection, unless it was closed when it failed.
func (s *RedisWaitSource) disconnect() {
	if s.conn != nil {
		s.conn.close()
		s.conn = nil
	}
}
