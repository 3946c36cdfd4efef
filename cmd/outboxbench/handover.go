package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	outbox "github.com/outboxgen/outboxgen/runtime"
)

// handoverPause is the time between two transactions while a leader ends.
const handoverPause = time.Second / 200

func handoverVariants(_ context.Context, l *lab) ([]variant, error) {
	with := func(bare bool, end syscall.Signal) measurement {
		return func(ctx context.Context) ([]float64, error) {
			var longest time.Duration
			children := childrenCPU()
			used, err := l.during(ctx, func() (err error) {
				longest, err = l.handover(ctx, bare, end)
				return err
			})
			used.client += childrenCPU() - children // both relays have ended
			return append([]float64{float64(longest) / float64(time.Millisecond)}, used.total()...), err
		}
	}
	return []variant{
		{"bare loop, stopped", bareLabel, 0, with(true, syscall.SIGTERM)},
		{"relay, stopped", oursLabel, 0, with(false, syscall.SIGTERM)},
		{"bare loop, killed", bareLabel, 2, with(true, syscall.SIGKILL)},
		{"relay, killed", oursLabel, 2, with(false, syscall.SIGKILL)},
	}, nil
}

// handover ends the leader with the signal, and returns the longest time without a record.
func (l *lab) handover(ctx context.Context, bare bool, end syscall.Signal) (longest time.Duration, err error) {
	if err := l.newBatches(ctx); err != nil {
		return 0, err
	}
	var leader, standby *child.Process
	carried, err := l.carried(ctx, func(ctx context.Context, brokers []string, atEnd func(func() error)) (_ outbox.Waker, err error) {
		start := func(name string) (*child.Process, error) {
			p, err := job{Name: name, URL: l.url, Brokers: brokers, Bare: bare, Wake: true}.start(ctx)
			if err == nil {
				atEnd(func() error { p.Kill(); return nil })
			}
			return p, err
		}
		if leader, err = start("leader"); err != nil {
			return nil, err
		}
		if err := l.until(ctx, leader, leads(bare)); err != nil {
			return nil, fmt.Errorf("the leader: %w", err)
		}
		if standby, err = start("standby"); err != nil {
			return nil, err
		}
		if err := l.until(ctx, standby, waits(bare)); err != nil {
			return nil, fmt.Errorf("the standby: %w", err)
		}
		return l.postgresWaker(ctx, atEnd)
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, carried.end()) }()
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()

	last := uuid.New() // of the last event
	var consumer errgroup.Group
	consumer.Go(func() error {
		var before time.Time
		return carried.consume(ctx, func(e envelope, at time.Time) bool {
			if !before.IsZero() {
				longest = max(longest, at.Sub(before))
			}
			before = at
			return e.EventID == last
		})
	})
	err = func() error {
		if err := insertFor(ctx, carried.outbox, l.effort.handover, leader.Ended()); err != nil {
			return err
		}
		leader.Signal(end)
		if err := insertFor(ctx, carried.outbox, 0, leader.Ended()); err != nil {
			return err
		}
		if err := insertFor(ctx, carried.outbox, l.effort.handover, standby.Ended()); err != nil {
			return err
		}
		return insertOne(ctx, carried.outbox, 0, last)
	}()
	if err != nil {
		cancel()
	}
	return longest, errors.Join(err, consumer.Wait())
}

// insertFor inserts events steadily for a while; with 0, until the process has ended. It is
// an error if the process ends during the while.
func insertFor(ctx context.Context, ob *outbox.Outbox, d time.Duration, ended <-chan struct{}) error {
	for n, began := 0, time.Now(); d == 0 || time.Since(began) < d; n++ {
		if err := insertOne(ctx, ob, n, uuid.New()); err != nil {
			return err
		}
		select {
		case <-ended:
			if d == 0 {
				return nil
			}
			return errors.New("a process that carries events ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(handoverPause):
		}
	}
	return nil
}

// leads returns the question whether a process leads.
func leads(bare bool) string {
	if bare {
		return "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted"
	}
	return "SELECT count(holder) > 0 FROM event_outbox_lease"
}

// waits returns the question whether another process waits to lead. A relay that does has
// looked at the lease.
func waits(bare bool) string {
	if bare {
		return "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
	}
	return "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'standby' AND query LIKE '%event_outbox_lease%'"
}

// until waits until the answer to a question is yes, while the process runs.
func (l *lab) until(ctx context.Context, process *child.Process, question string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stall, errors.New("it did not start"))
	defer cancel()
	const pause = 10 * time.Millisecond
	return wait.Until(ctx, pause, func() (yes bool, err error) {
		if !process.Running() {
			return false, errors.New("the process ended")
		}
		return yes, l.admin.QueryRow(ctx, question).Scan(&yes)
	})
}
