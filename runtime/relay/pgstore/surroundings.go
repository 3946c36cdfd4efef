package pgstore

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// surroundings are what one look finds out for all stores of a run: that no pooler
// stands in between, and that no other host of the configuration was promoted while
// this one, the former primary, went on taking writes.
type surroundings struct {
	run *serverRun

	mu       sync.Mutex
	looking  *looking  // under way, or failed and nobody has heard of it yet; nil: none
	unpooled bool      // no pooler is in between
	newestAt time.Time // when no other host was found that was promoted later
}

// looking is one look, shared by all who wait for it.
type looking struct {
	done  chan struct{}
	err   error
	ended time.Time
}

const (
	// newestFor is how long one look at the other hosts does for all stores.
	newestFor = 5 * time.Second
	// lookingLimit bounds one look: it takes about forty round trips.
	lookingLimit = 30 * time.Second
)

// check waits for what a look finds, unless it is known. The look goes on when ctx
// ends first: a take-over has less time than it may take on a slow network, and the
// next one finds the answer. It takes no worker.
func (v *surroundings) check(ctx context.Context) error {
	v.mu.Lock()
	if v.unpooled && time.Since(v.newestAt) < newestFor {
		v.mu.Unlock()
		return nil
	}
	l := v.looking
	if l == nil || !l.ended.IsZero() && time.Since(l.ended) >= newestFor {
		l = &looking{done: make(chan struct{})}
		v.looking = l
		v.run.server.work.Go(func() { v.look(l) })
	}
	v.mu.Unlock()
	select {
	case <-l.done:
	case <-ctx.Done():
		return fmt.Errorf("still looking for a pooler and for other primaries: %w", context.Cause(ctx))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.looking == l {
		v.looking = nil
	}
	return l.err
}

func (v *surroundings) look(l *looking) {
	ctx, cancel := context.WithTimeout(v.run.server.ctx, lookingLimit)
	defer cancel()
	v.mu.Lock()
	newest, unpooled := time.Since(v.newestAt) < newestFor, v.unpooled
	v.mu.Unlock()
	var err error
	if !newest {
		err = v.lookForOthers(ctx)
	}
	spent := false // the server has no session left
	if err == nil && !unpooled {
		err = lookForPooler(ctx, v.run.target.config)
		if spent = full(err); spent {
			err = nil // the sessions that there are work; the next check looks again
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err == nil {
		v.newestAt, v.unpooled = time.Now(), !spent
		v.looking = nil
	}
	l.err, l.ended = err, time.Now()
	close(l.done)
}

// lookForOthers ends the run when another host was promoted later.
func (v *surroundings) lookForOthers(ctx context.Context) error {
	target := v.run.target
	other, yes := v.run.server.dial.superseded(ctx, target, v.run.anchor.session.timeline)
	if !yes {
		return nil
	}
	err := fmt.Errorf("%s was promoted, and %s still accepts writes: fence it", other, target.address)
	v.run.end(err)
	return err
}
