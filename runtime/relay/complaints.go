package relay

import (
	"errors"
	"log/slog"
	"time"
)

// complaints are the calls that fail, by name. The first failure is logged, and the
// next ones after pauses that grow, with a count: a database that is away makes every
// outbox of a process fail every second or two. The driver's loop owns it.
type complaints map[string]*complaint

type complaint struct {
	failures int // in a row
	refused  bool
	pause    time.Duration
	next     time.Duration // no line before
}

const (
	shortestSilence = 2 * time.Second
	longestSilence  = time.Minute
)

// failed notes a failure. It returns the attributes that a line about it has, and
// whether there is to be one. A call that is refused, and was not before, is worth one.
func (c complaints) failed(now time.Duration, call string, err error) (attrs []any, say bool) {
	refused := errors.Is(err, ErrRefused)
	of := c[call]
	if of == nil {
		of = &complaint{}
		c[call] = of
	}
	of.failures++
	if of.failures > 1 && now < of.next && refused == of.refused {
		return nil, false
	}
	of.refused = refused
	of.pause = min(max(2*of.pause, shortestSilence), longestSilence)
	of.next = now + of.pause
	attrs = []any{slog.String("call", call), slog.Any("error", err)}
	if of.failures > 1 {
		attrs = append(attrs, slog.Int("failures", of.failures))
	}
	return attrs, true
}

// succeeded ends the failures of a call.
func (c complaints) succeeded(call string) { delete(c, call) }
