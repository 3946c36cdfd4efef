package relay

import (
	"errors"
	"log/slog"
	"maps"
	"time"
)

// complaints are what fails, by name: calls, topics, partitions, Kafka. The first failure
// is logged, later ones after growing pauses and with a count, even if some attempts
// succeed in between: while a database is unavailable, every outbox of a process fails
// every second or two.
type complaints map[string]*complaint

type complaint struct {
	failures int // since the last log line
	refused  bool
	pause    time.Duration
	next     time.Duration // no log line before this time

	fails bool          // since the last success
	since time.Duration // the first failure since then
	last  time.Duration // the last one
	told  bool          // one of them was logged
	stale time.Duration // if it is longer than stale: the same for this one
}

const (
	shortestSilence = 2 * time.Second
	longestSilence  = time.Minute
	// mostComplaints limits the names that are remembered: topics can have any name.
	mostComplaints = 1_000
)

// of returns what is known about a name.
func (c complaints) of(now time.Duration, name string) *complaint {
	of := c[name]
	if of == nil {
		if len(c) >= mostComplaints {
			maps.DeleteFunc(c, func(_ string, old *complaint) bool { return now >= old.next })
		}
		if len(c) >= mostComplaints {
			clear(c)
		}
		of = &complaint{}
		c[name] = of
	}
	of.failures++
	if !of.fails || of.doubtful(now) {
		of.fails, of.since, of.told = true, now, false
	}
	of.last = now
	return of
}

// stale is after which time without a failure nobody knows whether it lasted.
const stale = 2 * longestSilence

func (of *complaint) doubtful(now time.Duration) bool { return now-of.last >= max(stale, of.stale) }

// worked records a success. It returns for how long there were none, and whether to log it:
// the failures were logged.
func (c complaints) worked(now time.Duration, name string) (failed time.Duration, say bool) {
	of := c[name]
	if of == nil || !of.fails {
		return 0, false
	}
	say = of.told && !of.doubtful(now)
	of.fails, of.told = false, false
	return now - of.since, say
}

// due reports whether to log a failure, and how many there were since the last line.
func (of *complaint) due(now time.Duration, urgent bool) (failures int, say bool) {
	if of.pause > 0 && now < of.next && !urgent {
		return 0, false
	}
	if now > of.next+longestSilence { // it was well for long
		of.pause = 0
	}
	of.pause = min(max(2*of.pause, shortestSilence), longestSilence)
	of.next = now + of.pause
	failures, of.failures = of.failures, 0
	of.told = true
	return failures, true
}

// failed records a failure of a call. It returns the attributes of its log line, and
// whether to log it. The first refusal after other failures is always logged.
func (c complaints) failed(now time.Duration, call string, err error) (attrs []any, say bool) {
	refused, of := errors.Is(err, ErrRefused), c.of(now, call)
	failures, say := of.due(now, refused != of.refused)
	if !say {
		return nil, false
	}
	of.refused = refused
	attrs = []any{slog.String("call", call), slog.Any("error", err)}
	if failures > 1 {
		attrs = append(attrs, slog.Int("failures", failures))
	}
	return attrs, true
}
