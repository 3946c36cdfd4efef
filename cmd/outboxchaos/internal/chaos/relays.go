package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/fault"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/instance"
	"github.com/outboxgen/outboxgen/cmd/outboxchaos/internal/lab"
)

// aWhile limits the wait for something that should happen soon.
const aWhile = 10 * time.Second

func (r *run) leader(ctx context.Context) (*lab.Relay, error) {
	ctx, cancel := context.WithTimeout(ctx, aWhile)
	defer cancel()
	var leader *lab.Relay
	if !r.Until(ctx, func() bool { leader = r.Leader(); return leader != nil }) {
		return nil, errMissed
	}
	return leader, nil
}

// onLeader returns a function that does something to the leader, and then starts the
// relays that have ended.
func (r *run) onLeader(do func(context.Context, fault.Fault, *lab.Relay) error) func(context.Context, fault.Fault) error {
	return func(ctx context.Context, f fault.Fault) error {
		leader, err := r.leader(ctx)
		if err != nil {
			return err
		}
		return errors.Join(do(ctx, f, leader), r.startRelays())
	}
}

// alone returns a function that does something to the leader only.
func alone(do func(context.Context, fault.Fault, ...*lab.Relay) error) func(context.Context, fault.Fault, *lab.Relay) error {
	return func(ctx context.Context, f fault.Fault, leader *lab.Relay) error { return do(ctx, f, leader) }
}

// successors returns a function that kills the leader and does something to the others.
func (r *run) successors(do func(context.Context, fault.Fault, ...*lab.Relay) error) func(context.Context, fault.Fault, *lab.Relay) error {
	return func(ctx context.Context, f fault.Fault, leader *lab.Relay) error {
		others := slices.DeleteFunc(slices.Clone(r.Relays[:]), func(one *lab.Relay) bool { return one == leader })
		leader.Kill()
		return do(ctx, f, others...)
	}
}

func killAtRelease(_ context.Context, f fault.Fault, leader *lab.Relay) error {
	leader.Tell(fmt.Sprintf("arm %s %s", f.Point, instance.Kill))
	leader.End(aWhile)
	return nil
}

func killAnywhere(_ context.Context, _ fault.Fault, leader *lab.Relay) error {
	leader.Kill()
	return nil
}

func (r *run) killAll(context.Context, fault.Fault, *lab.Relay) error {
	for _, one := range r.Relays {
		one.Kill()
	}
	return nil
}

func stopAnywhere(ctx context.Context, f fault.Fault, leader *lab.Relay) error {
	leader.Signal(syscall.SIGSTOP)
	wait.For(ctx, f.Hold)
	leader.Signal(syscall.SIGCONT)
	return nil
}

func (r *run) endLeader(_ context.Context, _ fault.Fault, leader *lab.Relay) error {
	if !leader.End(aWhile) {
		r.say("the leader did not end within %s", aWhile)
	}
	return nil
}

// killAt arms a failpoint in the instances, and waits until one instance has reached
// it.
func (r *run) killAt(ctx context.Context, f fault.Fault, in ...*lab.Relay) error {
	return r.armed(ctx, f.Point, instance.Kill, in, func(one *lab.Relay) bool { return !one.Running() })
}

func (r *run) stopAt(ctx context.Context, f fault.Fault, in ...*lab.Relay) error {
	var stopped *lab.Relay
	err := r.armed(ctx, f.Point, instance.Stop, in, func(one *lab.Relay) bool {
		if one.Stopped() {
			stopped = one
		}
		return stopped != nil
	})
	if stopped != nil {
		wait.For(ctx, f.Hold)
	}
	for _, one := range in {
		one.Signal(syscall.SIGCONT) // also one that was reached late
	}
	return err
}

func (r *run) armed(ctx context.Context, p instance.Point, a instance.Action, in []*lab.Relay, off func(*lab.Relay) bool) error {
	for _, one := range in {
		one.Tell(fmt.Sprintf("arm %s %s", p, a))
	}
	defer func() {
		for _, one := range in {
			one.Tell("disarm")
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, aWhile)
	defer cancel()
	if !r.Until(ctx, func() bool { return slices.ContainsFunc(in, off) }) {
		return errMissed
	}
	return nil
}
