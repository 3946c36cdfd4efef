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
	run  *serverRun
	look errand

	mu       sync.Mutex
	unpooled bool      // no pooler is in between
	newestAt time.Time // when no other host was found that was promoted later
}

// newestFor is how long one look at the other hosts does for all stores.
const newestFor = 5 * time.Second

// known tells what need not be looked for.
func (v *surroundings) known() (newest, unpooled bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return time.Since(v.newestAt) < newestFor, v.unpooled
}

// check waits for what a look finds, unless it is known. It takes no worker.
func (v *surroundings) check(ctx context.Context) error {
	if newest, unpooled := v.known(); newest && unpooled {
		return nil
	}
	err := v.look.run(ctx, &v.run.server.work, v.lookAround)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("still looking for a pooler and for other primaries: %w", err)
	}
	return err
}

func (v *surroundings) lookAround() error {
	ctx, cancel := context.WithTimeout(v.run.ctx, checkLimit)
	defer cancel()
	newest, unpooled := v.known()
	if !newest {
		if err := v.lookForOthers(ctx); err != nil {
			return err
		}
	}
	if !unpooled {
		err := v.run.server.dial.lookForPooler(ctx, v.run.target)
		// A server that has no session left is looked at again by the next check; the
		// sessions that there are work.
		unpooled = err == nil
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && !full(err) {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.newestAt, v.unpooled = time.Now(), unpooled
	return nil
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
