package relay

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// skips is a clock that every call of a wake source moves on.
type skips struct{ at time.Duration }

func (s *skips) Now() time.Duration { return s.at }

// lateWake is a wake source that fails for three minutes.
type lateWake struct {
	clock *skips
	calls int
	end   func()
}

func (w *lateWake) Wait(ctx context.Context) error {
	w.clock.at += 10 * time.Second
	switch w.calls++; {
	case w.calls <= 18:
		return errors.New("not now")
	case w.calls == 19:
		return nil
	}
	w.end()
	return ctx.Err()
}

func (w *lateWake) Close() {}

// An outage that lasts longer than anything is logged ends with a line all the same.
func TestTheEndOfALongOutageIsLogged(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var log strings.Builder
	clock := &skips{at: time.Hour}
	d := &driver{wakes: make(chan struct{}, 1), cfg: &Config{
		Clock: clock, Wake: &lateWake{clock: clock, end: cancel}, Observer: NopObserver{}, OutageMin: time.Millisecond, OutageMax: time.Millisecond,
		Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})),
	}}
	d.listen(ctx)
	const want = `level=WARN msg="wake-ups unavailable, retrying; the outbox is polled" poll=0s failures=1 error="not now"
level=INFO msg="wake-ups work again" after=3m0s
`
	if diff := cmp.Diff(want, log.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Statistics that are read every three minutes are said to work again.
func TestARecoveryOfWhatIsTriedRarelyIsLogged(t *testing.T) {
	t.Parallel()
	const every = 3 * time.Minute
	c := complaints{"Store.Stats": {stale: 2 * every}, "topic": {}}
	got := map[string]time.Duration{}
	for name := range c {
		now := time.Hour
		c.failed(now, name, errors.New("x"))
		now += every
		c.failed(now, name, errors.New("x"))
		now += every
		if failed, say := c.worked(now, name); say {
			got[name] = failed
		}
	}
	if diff := cmp.Diff(map[string]time.Duration{"Store.Stats": 2 * every}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
