package pgstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/pgdial"
)

// surroundings are the results of checks for all stores of a run: that there is no
// pooler, and that no other host of the configuration was promoted while this one, the
// former primary, still accepts writes.
type surroundings struct {
	run  *serverRun
	look errand

	mu       sync.Mutex
	unpooled bool      // there is no pooler
	newestAt time.Time // when no host was found that was promoted later
}

// newestFor is how long one check of the other hosts is valid for all stores.
const newestFor = 5 * time.Second

// known returns which results are still valid.
func (v *surroundings) known() (newest, unpooled bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return time.Since(v.newestAt) < newestFor, v.unpooled
}

// check waits for the results, unless they are known. It uses no worker.
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
		// A server without a free session is checked again by the next check; the
		// existing sessions work.
		unpooled = err == nil
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && !pgdial.Full(err) {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.newestAt, v.unpooled = time.Now(), unpooled
	return nil
}

// lookForOthers ends the run if another host was promoted later.
func (v *surroundings) lookForOthers(ctx context.Context) error {
	target := v.run.target
	other, yes := v.run.server.dial.superseded(ctx, target, v.run.anchor.session.timeline)
	if !yes {
		return nil
	}
	err := fmt.Errorf("%s was promoted, and %s still accepts writes: fence it", other, target.Address)
	v.run.end(err)
	return err
}
