// Package chaos runs the harness: it writes, reads, causes faults, and judges the
// result.
package chaos

import (
	"context"
	"os/exec"
	"time"

	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
)

// Options configure a run.
type Options struct {
	// Seed decides the faults and what is written.
	Seed uint64
	// Duration is how long faults are caused. The drain comes after it.
	Duration time.Duration
	// Writers is the number of concurrent writers. Default 12.
	Writers int
	// Pause is about how long each writer pauses between two transactions. Default
	// 60ms.
	Pause time.Duration
	// Patience limits the wait for progress at the end. After that long without any,
	// missing events count as lost. Default 90s.
	Patience time.Duration
	// Only selects faults by the beginnings of their descriptions. Default: all.
	Only []string
	// Log makes the outbox a log instead of a table.
	Log bool
	// NoPoison leaves out events that cannot be sent until they are fixed.
	NoPoison bool
	// RulesOff are the rules of the protocol that are switched off.
	RulesOff []string
	// Midway is called when half of the time is over.
	Midway func(ctx context.Context, l *lab.Lab) error
	// Servers are used by this run alone.
	Servers lab.Servers
	// Command makes the command of a child in the given role.
	Command func(role string) (*exec.Cmd, error)
	// Dir gets logs and journals.
	Dir string
	// Say is called with a line for everything that happens.
	Say func(format string, args ...any)
}

func (o Options) withDefaults() Options {
	const writers = 12
	if o.Writers == 0 {
		o.Writers = writers
	}
	if o.Pause == 0 {
		o.Pause = 60 * time.Millisecond
	}
	if o.Patience == 0 {
		o.Patience = 90 * time.Second
	}
	return o
}
