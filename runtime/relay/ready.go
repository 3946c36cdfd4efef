package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// failing has the time since when calls of one kind have failed without a success in
// between: calls of a leader, and take-overs. The driver's loop owns it.
type failing map[string]failure

// failure is the first of several failures in a row.
type failure struct {
	op command
	at time.Duration
}

// update handles an outcome.
func (f failing) update(now time.Duration, o outcome) {
	_, takesOver := o.op.(opTakeOver)
	if !takesOver && slotOf(o.op) != slotRead && slotOf(o.op) != slotSettle {
		return // the lease has Relay.reached; Kafka may be unavailable
	}
	kind := fmt.Sprintf("%T", o.op)
	if o.err == nil || errors.Is(o.err, ErrLeaseMoved) || errors.Is(o.err, errExpired) {
		delete(f, kind)
		return
	}
	if _, already := f[kind]; !already {
		f[kind] = failure{o.op, max(1, now)}
	}
}

// since returns the time since when some kind of call has been failing; 0: none. It
// forgets calls that are not made again, because they cannot succeed.
func (f failing) since(repeats func(command) bool) time.Duration {
	var first time.Duration
	for kind, failed := range f {
		switch {
		case !repeats(failed.op):
			delete(f, kind)
		case first == 0 || failed.at < first:
			first = failed.at
		}
	}
	return first
}

// repeats reports whether a call that failed, or another one of its kind, is still to
// be made.
func (m *machine) repeats(c command) bool {
	if _, ok := c.(opTakeOver); ok { // not if another relay leads meanwhile
		return m.seen.take || m.own.giveBack != nil || !m.seen.known
	}
	return m.leads() && m.t.reader.repeats(c)
}

// explain finds the reason for a refused call: Check returns it, with what to do. If
// Check finds nothing wrong, explain returns err.
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
