package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

// keep runs the relay of one outbox until ctx ends. If it needs operator action, only
// this outbox stops, and is tried again.
func (f *fleet) keep(ctx context.Context, m *member) {
	for {
		err := f.runOnce(ctx, m)
		if ctx.Err() != nil {
			return
		}
		name := m.outbox.name
		if setup, ok := errors.AsType[*relay.SetupError](err); ok {
			f.log.ErrorContext(ctx, "outbox needs operator action, retrying later", "outbox", name,
				"problem", setup.Problem, "remedy", setup.Remedy, "retry_in", f.retry)
		} else {
			f.log.ErrorContext(ctx, "relay stopped, retrying later", "outbox", name, "error", err, "retry_in", f.retry)
		}
		if !wait.For(ctx, f.retry) {
			return
		}
	}
}

// errEnded is the problem of a relay that ended without an error.
var errEnded = errors.New("the relay ended")

// runOnce creates and runs a relay until it ends. An earlier problem of the outbox
// stays until the relay is ready.
func (f *fleet) runOnce(ctx context.Context, m *member) error {
	r, forget := m.next, m.forget
	m.next, m.forget = nil, nil
	if r == nil {
		var err error
		if r, forget, err = f.newRelay(m.outbox); err != nil {
			f.stopped(m, err)
			return err
		}
	}
	defer forget()
	f.started(m, r)
	watching, stop := context.WithCancel(ctx)
	var watched sync.WaitGroup
	watched.Go(func() { f.solveWhenReady(watching, m, r) })
	err := r.Run(ctx)
	stop()
	watched.Wait()
	if ctx.Err() != nil {
		return nil // it was told to end
	}
	if err == nil {
		err = errEnded
	}
	f.stopped(m, err)
	return err
}

// lookForReady is the time between two checks whether a retry has succeeded.
const lookForReady = 100 * time.Millisecond

// solveWhenReady waits until the relay of a member with a problem is ready, and then
// ends the problem.
func (f *fleet) solveWhenReady(ctx context.Context, m *member, r *relay.Relay) {
	if !f.hasProblem(m) {
		return
	}
	if wait.Until(ctx, lookForReady, func() (bool, error) { return r.Ready(), nil }) == nil {
		f.solved(m)
	}
}
