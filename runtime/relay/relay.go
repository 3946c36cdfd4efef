package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/outboxgen/outboxgen/runtime/internal/backoff"
	"github.com/outboxgen/outboxgen/runtime/internal/safeerr"
)

// Relay moves the rows of one outbox to its sink while it leads, and stands by while
// another instance leads. A process may run several, one for each outbox. Relays share
// nothing, except that their stores may share database sessions.
type Relay struct {
	cfg     Config
	guard   *guard
	status  atomic.Pointer[Status]
	reached atomic.Int64 // when the store last answered about the lease; 0: never
	stuck   atomic.Int64 // since when a leader has failed to read or to settle; 0: it works
}

// New returns a relay that is not running yet. The error names every invalid field of
// the config.
func New(cfg Config) (*Relay, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg, g := guarded(cfg)
	r := &Relay{cfg: cfg, guard: g}
	r.status.Store(&Status{Reason: "not running"})
	return r, nil
}

// Run leads or stands by until ctx ends. Then it finishes the wave, settles it,
// releases the lease and returns nil. If the store finds a problem that needs operator
// action, Run returns a *SetupError, at the start or later. It retries after every
// other error, also after a transient SetupError once it has found the outbox in order.
// Call Run once.
func (r *Relay) Run(ctx context.Context) error {
	defer func() { _ = r.guard.call("Store.Close", r.cfg.Store.Close) }()
	if r.cfg.Wake != nil {
		defer r.cfg.Wake.Close()
	}
	if err := r.check(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	d := newDriver(ctx, r)
	return d.run(ctx)
}

// check repeats the check of the store until it succeeds or is final.
func (r *Relay) check(ctx context.Context) error {
	for tries := 1; ; tries++ {
		callCtx, cancel := context.WithTimeout(ctx, r.cfg.StoreTimeout)
		var err error
		if failed := r.guard.call("Store.Check", func() {
			err = r.cfg.Store.Check(callCtx)
			safeerr.Use(err)
		}); failed != nil {
			err = failed
		}
		cancel()
		var setup *SetupError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &setup):
			return err
		}
		r.cfg.Logger.WarnContext(ctx, "outbox not reached, retrying", slog.Any("error", err))
		r.status.Store(&Status{Reason: "the outbox cannot be reached: " + err.Error()})
		if !backoff.Sleep(ctx, backoff.Jittered(r.cfg.OutageMin, r.cfg.OutageMax, tries)) {
			return nil
		}
	}
}

// Status returns the latest status. While the relay runs, it is at most half a second
// old. Any goroutine may call it at any time.
func (r *Relay) Status() Status {
	s := *r.status.Load()
	s.Panics = r.guard.count.Load()
	return s
}

// Ready reports whether this instance works: it has reached the store within the last
// two terms, and it stands by, or it leads and can read and settle rows. It turns false
// after two terms of failing to read or settle. Status().Reason says what is wrong. An
// outage of Kafka does not matter: the rows wait.
func (r *Relay) Ready() bool {
	now, at, stuck := r.cfg.Clock.Now(), r.reached.Load(), r.stuck.Load()
	recent := func(since int64) bool { return now-time.Duration(since) < 2*r.cfg.Term }
	return at != 0 && recent(at) && (stuck == 0 || recent(stuck))
}
