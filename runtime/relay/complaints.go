package relay

import (
	"errors"
	"log/slog"
	"time"
)

// complaints are the calls that fail, by name. The first failure is logged, later ones
// after growing pauses and with a count: while a database is unavailable, every outbox
// of a process fails every second or two. The driver's loop owns it.
type complaints map[string]*complaint

type complaint struct {
	failures int // in a row
	refused  bool
	pause    time.Duration
	next     time.Duration // no log line before this time
}

const (
	shortestSilence = 2 * time.Second
	longestSilence  = time.Minute
)

// failed records a failure. It returns the attributes of its log line, and whether to
// log it. The first refusal after other failures is always logged.
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

// succeeded forgets the failures of a call.
func (c complaints) succeeded(call string) { delete(c, call) }
