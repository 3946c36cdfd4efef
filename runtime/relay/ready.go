package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// failing notes since when calls of one kind fail without a success in between:
// those of a leader, and those that would make one. The driver's loop owns it.
type failing map[string]time.Duration

// note takes an outcome and gives the time since when some kind of call has been
// failing; 0: none is.
func (f failing) note(now time.Duration, o outcome) time.Duration {
	kind := fmt.Sprintf("%T", o.op)
	_, takesOver := o.op.(opTakeOver)
	switch {
	case takesOver && o.err != nil && !errors.Is(o.err, ErrLeaseMoved):
		if _, already := f[kind]; !already {
			f[kind] = max(1, now)
		}
	case takesOver:
		delete(f, kind)
	case slotOf(o.op) != slotRead && slotOf(o.op) != slotSettle: // the lease has Relay.reached, and Kafka may be away
	case o.err != nil && !errors.Is(o.err, errExpired):
		if _, already := f[kind]; !already {
			f[kind] = max(1, now)
		}
	default:
		delete(f, kind)
	}
	return f.since()
}

// standsBy notes that there is nothing to take over.
func (f failing) standsBy() time.Duration {
	delete(f, fmt.Sprintf("%T", opTakeOver{}))
	return f.since()
}

func (f failing) since() time.Duration {
	var first time.Duration
	for _, at := range f {
		if first == 0 || at < first {
			first = at
		}
	}
	return first
}

// refusedPause is how long the lease waits after a call that the store refused:
// somebody has to change something first.
const refusedPause = 10 * time.Second

// pauseAfter is how long to wait until the lease row is looked at again.
func (m *machine) pauseAfter(err error) time.Duration {
	if errors.Is(err, ErrRefused) {
		return max(refusedPause, m.cfg.ObserveEvery)
	}
	return m.cfg.ObserveEvery
}

// explain finds the reason for a refused call: Check names it, and what to do.
// When Check finds nothing wrong, the error stays as it is.
func (d *driver) explain(err error) error {
	if !errors.Is(err, ErrRefused) {
		return err
	}
	now := int64(d.cfg.Clock.Now())
	last := d.explained.Load()
	if last != 0 && now-last < int64(recheckAfter) || !d.explained.CompareAndSwap(last, max(1, now)) {
		return err
	}
	ctx, cancel := context.WithTimeout(d.root, d.cfg.StoreTimeout)
	defer cancel()
	checkErr := d.cfg.Store.Check(ctx)
	var setup *SetupError
	if errors.As(checkErr, &setup) && !setup.Transient {
		d.cfg.Logger.ErrorContext(d.root, "the database refused a call", slog.Any("error", err))
		return checkErr
	}
	return err
}
