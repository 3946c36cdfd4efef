package relay

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
	"github.com/outboxgen/outboxgen/runtime/internal/safeerr"
)

// keepStats asks the store for its statistics as long as the term lasts.
func (d *driver) keepStats(ctx context.Context) {
	const call = "Store.Stats"
	troubles := complaints{call: {stale: 2 * d.cfg.StatsEvery}}
	for {
		callCtx, cancel := context.WithTimeout(ctx, d.cfg.StoreTimeout)
		var s Stats
		var err error
		if failed := d.r.guard.call(call, func() {
			s, err = d.cfg.Store.Stats(callCtx)
			safeerr.Use(err)
		}); failed != nil {
			err = failed
		}
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.cfg.Observer.Failed("count", ClassRelay, err)
			if attrs, say := troubles.failed(d.cfg.Clock.Now(), call, err); say {
				d.cfg.Logger.WarnContext(ctx, "rows not counted, retrying; their metrics are not exported", attrs...)
			}
		default:
			if failed, say := troubles.worked(d.cfg.Clock.Now(), call); say {
				d.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "rows counted again", after(failed))
			}
			d.cfg.Observer.Stats(s)
			select {
			case d.stats <- s:
			case <-ctx.Done():
				return
			}
		}
		if !backoff.Sleep(ctx, d.cfg.StatsEvery) {
			return
		}
	}
}

// sweep deletes old settled rows, a batch at a time.
func (d *driver) sweep(ctx context.Context, lease Lease) {
	for {
		callCtx, cancel := context.WithTimeout(ctx, d.cfg.StoreTimeout)
		var n int
		var err error
		if failed := d.r.guard.call("Store.Sweep", func() {
			n, err = d.cfg.Store.Sweep(callCtx, lease, d.cfg.Keep, d.cfg.SweepRows)
			safeerr.Use(err)
		}); failed != nil {
			err = failed
		}
		cancel()
		wait := d.cfg.SweepEvery
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrLeaseLost):
			return
		case err != nil:
			d.cfg.Observer.Failed("store", ClassRelay, err)
			d.cfg.Logger.WarnContext(ctx, "published rows not deleted, retrying", slog.Any("error", err))
		case n >= d.cfg.SweepRows:
			wait /= 10
		}
		if !backoff.Sleep(ctx, wait) {
			return
		}
	}
}

// maintainEvery is the time between two calls of Maintainer.Maintain.
const maintainEvery = time.Minute

// maintain lets the store care for its tables as long as the term lasts.
func (d *driver) maintain(ctx context.Context, m Maintainer, lease Lease) {
	const call = "Store.Maintain"
	troubles := complaints{call: {stale: 2 * maintainEvery}}
	for {
		callCtx, cancel := context.WithTimeout(ctx, d.cfg.StoreTimeout)
		var err error
		if failed := d.r.guard.call(call, func() {
			err = m.Maintain(callCtx, lease, d.cfg.Keep)
			safeerr.Use(err)
		}); failed != nil {
			err = failed
		}
		cancel()
		switch {
		case ctx.Err() != nil || errors.Is(err, ErrLeaseLost):
			return
		case err != nil:
			d.cfg.Observer.Failed("store", ClassRelay, err)
			if attrs, say := troubles.failed(d.cfg.Clock.Now(), call, err); say {
				d.cfg.Logger.WarnContext(ctx, "tables of the outbox not maintained, retrying", attrs...)
			}
		default:
			if failed, say := troubles.worked(d.cfg.Clock.Now(), call); say {
				d.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "tables of the outbox maintained again", after(failed))
			}
		}
		if !backoff.Sleep(ctx, maintainEvery) {
			return
		}
	}
}

// listen passes wake-ups on as long as the term lasts.
func (d *driver) listen(ctx context.Context) {
	told, troubles := false, complaints{}
	for tries := 0; ; {
		err := d.cfg.Wake.Wait(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			d.cfg.Observer.Failed("wake", ClassRelay, err)
			now := d.cfg.Clock.Now()
			of := troubles.of(now, "wake-ups")
			if !told {
				var failures int
				if failures, told = of.due(now, false); told {
					d.cfg.Logger.WarnContext(ctx, "wake-ups unavailable, retrying; the outbox is polled",
						slog.Duration("poll", d.cfg.PollMax), slog.Int("failures", failures), slog.Any("error", err))
				}
			}
			tries++
			if !backoff.Sleep(ctx, backoff.Jittered(d.cfg.OutageMin, d.cfg.OutageMax, tries)) {
				return
			}
			continue
		}
		tries, told = 0, false
		if failed, say := troubles.worked(d.cfg.Clock.Now(), "wake-ups"); say {
			d.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "wake-ups work again", after(failed))
		}
		d.wake()
	}
}
