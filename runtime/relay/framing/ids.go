package framing

import (
	"context"
	"errors"
	"sync"
	"time"
)

// How long a wave waits for ids: firstWait for new ones, laterWait for those that were
// not found. After that the topic waits, because a registry that does not answer must
// not delay the topics whose ids are known.
const (
	firstWait = time.Second
	laterWait = 100 * time.Millisecond
)

// ids are the known schema ids by subject. They outlive a term.
type ids struct {
	cfg Config
	now func() time.Time

	mu      sync.Mutex
	known   map[string]*subject
	failing bool // the last request failed
}

// subject is the state of one subject.
type subject struct {
	id      schemaID
	found   bool
	at      time.Time     // when it was found
	err     error         // of the last request, nil if it succeeded
	running chan struct{} // closed when the current request ends; nil: none
}

var errPending = errors.New("the schema registry has not answered yet")

// want starts the request for a subject if one is due. If the id is not known, it
// returns what to wait for, and for how long.
func (c *ids) want(p *requests, name string) (answered <-chan struct{}, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.known[name]
	if s == nil {
		s = &subject{}
		c.known[name] = s
	}
	wait = laterWait
	if s.err == nil && s.running == nil {
		wait = firstWait
	}
	stale := s.found && c.cfg.Refresh > 0 && c.now().Sub(s.at) >= c.cfg.Refresh
	if s.running == nil && (!s.found || stale) {
		done := make(chan struct{})
		s.running = done
		p.start(func(ctx context.Context) {
			found, err := c.cfg.lookUp(ctx, name)
			c.answered(ctx, s, found, err)
			close(done)
		})
	}
	if s.found {
		return nil, 0
	}
	return s.running, wait
}

// answered handles the result of a request.
func (c *ids) answered(ctx context.Context, s *subject, found schemaID, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.running = nil
	if err != nil && ctx.Err() != nil {
		return // the term ended
	}
	s.err = err
	if s.found || err == nil {
		s.at = c.now() // a failed refresh is repeated after the same time
	}
	if err == nil {
		s.id, s.found = found, true
	}
	switch {
	case err != nil && s.found && !c.failing:
		c.failing = true
		c.cfg.Logger.Warn("schema id not refreshed; the known one stays in use", "error", err)
	case err == nil && c.failing:
		c.failing = false
		c.cfg.Logger.Info("schema registry answers again", "registry", c.cfg.Registry)
	}
}

// get returns what is known about a subject now.
func (c *ids) get(name string) (schemaID, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s := c.known[name]; {
	case s.found:
		return s.id, nil
	case s.err != nil:
		return schemaID{}, s.err
	}
	return schemaID{}, errPending
}

// mostRequests is how many requests run at once. A service with a topic for each tenant
// can need the ids of thousands of subjects at the same time.
const mostRequests = 16

// requests are the requests of a term.
type requests struct {
	ctx   context.Context
	stop  context.CancelFunc
	all   sync.WaitGroup
	slots chan struct{}
}

func newRequests() *requests {
	ctx, stop := context.WithCancel(context.Background())
	return &requests{ctx: ctx, stop: stop, slots: make(chan struct{}, mostRequests)}
}

// start runs f as soon as a slot is free, or when the requests are cancelled.
func (r *requests) start(f func(context.Context)) {
	r.all.Go(func() {
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
		case <-r.ctx.Done():
		}
		f(r.ctx)
	})
}

// end cancels the requests and waits for them.
func (r *requests) end() {
	r.stop()
	r.all.Wait()
}
