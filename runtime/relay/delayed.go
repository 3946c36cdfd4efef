package relay

import (
	"context"
	"log/slog"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/safeerr"
)

const (
	// lookForDueEvery is how often a leader looks for delayed events that are due, if
	// neither a renewal nor the last look has announced one.
	lookForDueEvery = time.Minute
	// mostMoved limits the delayed events of one call. A call that fails is tried again
	// with half of its limit.
	mostMoved = 2_000
	// moveAgain is the pause after a call that failed, moveLater the one after a call that
	// failed although its limit was 1.
	moveAgain, moveLater = time.Second, 30 * time.Second
	// mostNamed limits the ids in one line of the log.
	mostNamed = 20
)

// tellDue passes on what a renewal found out about delayed events.
func (d *driver) tellDue(next Due) {
	if !next.Waiting {
		return
	}
	select {
	case <-d.due: // an older one
	default:
	}
	d.due <- next // only the call for the lease sends, so there is room
}

// moveDue moves delayed events that are due into the outbox, as long as the term lasts.
func (d *driver) moveDue(ctx context.Context) {
	limit := mostMoved
	timer := time.NewTimer(0) // the former leader may have left some
	defer timer.Stop()
	at, failed := time.Now(), false
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-d.due:
			if earlier := time.Now().Add(next.In); earlier.Before(at) && !failed {
				at = earlier
				timer.Reset(next.In)
			}
			continue
		case <-timer.C:
		}
		wait := lookForDueEvery
		moved, err := d.move(ctx, limit)
		failed = err != nil
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			wait = moveAgain
			if limit == 1 {
				wait = moveLater
			}
			limit = max(1, limit/2)
		default:
			limit = min(2*limit, mostMoved)
			if moved.Next.Waiting {
				wait = min(wait, moved.Next.In)
			}
			if moved.More {
				wait = 0
			}
		}
		at = time.Now().Add(wait)
		timer.Reset(wait)
	}
}

// move makes one call, and lets the leader read the rows that it made.
func (d *driver) move(ctx context.Context, limit int) (moved Moved, err error) {
	callCtx, cancel := context.WithTimeout(ctx, d.cfg.StoreTimeout)
	defer cancel()
	if failed := d.r.guard.call("Store.MoveDue", func() {
		moved, err = d.delayer.MoveDue(callCtx, limit)
		safeerr.Use(err)
	}); failed != nil {
		err = failed
	}
	if err != nil && ctx.Err() == nil {
		d.cfg.Observer.Failed("store", ClassRelay, err)
		d.cfg.Logger.WarnContext(ctx, "delayed events not moved, retrying", slog.Any("error", err))
	}
	if moved.Rows > 0 {
		d.wake()
	}
	if len(moved.Known) > 0 {
		d.cfg.Logger.InfoContext(ctx, "delayed events dropped: the outbox has events with their ids",
			slog.Int("events", len(moved.Known)), slog.Any("event_ids", moved.Known[:min(len(moved.Known), mostNamed)]))
	}
	return moved, err
}

// wake lets the leader look for rows.
func (d *driver) wake() {
	select {
	case d.wakes <- struct{}{}:
	default: // one is waiting already
	}
}
