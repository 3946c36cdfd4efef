package framing

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A wave waits for ids: firstWait for those that nobody asked for before, laterWait for
// those that were not found. Then the topic waits instead, because a registry that hangs
// must not hold up the topics whose ids are known.
const (
	firstWait = time.Second
	laterWait = 100 * time.Millisecond
)

// ids are the schema ids that are known, by subject. They outlive a term.
type ids struct {
	cfg Config
	now func() time.Time

	mu      sync.Mutex
	known   map[string]*subject
	failing bool // the registry did not answer last time
}

// subject is what is known about one.
type subject struct {
	id      schemaID
	found   bool
	at      time.Time     // when it was found
	err     error         // of the last request, nil if it succeeded
	running chan struct{} // closed when the request that is under way ends; nil: none is
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

// answered takes the outcome of a request.
func (c *ids) answered(ctx context.Context, s *subject, found schemaID, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.running = nil
	if err != nil && ctx.Err() != nil {
		return // the term ended
	}
	s.err = err
	if s.found || err == nil {
		s.at = c.now() // a refresh that failed is tried again after the same time
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

// requests are those that a term has under way.
type requests struct {
	ctx  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup
}

func newRequests() *requests {
	ctx, stop := context.WithCancel(context.Background())
	return &requests{ctx: ctx, stop: stop}
}

func (r *requests) start(f func(context.Context)) { r.all.Go(func() { f(r.ctx) }) }

// end cancels what is under way and waits for it.
func (r *requests) end() {
	r.stop()
	r.all.Wait()
}
