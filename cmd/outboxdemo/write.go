package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

const (
	// rollbackOneIn is how many changes there are for each one that is rolled back.
	rollbackOneIn = 50
	// uniqueViolation is the SQLSTATE of an essay that is graded already.
	uniqueViolation = "23505"
	// writingTakes is how long writing takes, so that there are events before, during
	// and after the outage.
	writingTakes = 10 * time.Second
)

func batchName(i int) string { return fmt.Sprintf("batch-%04d", i) }

// write has the writers grade essays until the events are in.
func (d *demo) write(ctx context.Context) error {
	writers, ctx := errgroup.WithContext(ctx)
	var started atomic.Int64
	began := time.Now()
	for w := range d.options.writers {
		random := rand.New(rand.NewPCG(uint64(w), 1))
		writers.Go(func() error {
			for {
				n := started.Add(1)
				if n > int64(d.options.events) {
					return nil
				}
				due := began.Add(writingTakes * time.Duration(n) / time.Duration(d.options.events))
				if !wait.For(ctx, time.Until(due)) {
					return context.Cause(ctx)
				}
				if err := d.grade(ctx, random); err != nil {
					return err
				}
			}
		})
	}
	return writers.Wait()
}

// grade grades one essay of some batch. Sometimes it first tries an essay that was
// graded already, and that transaction is rolled back with its event.
func (d *demo) grade(ctx context.Context, random *rand.Rand) error {
	batch := batchName(random.IntN(d.options.aggregates))
	essay := uuid.New()
	number, err := d.service.Grade(ctx, batch, essay, random.Float64())
	if err != nil {
		return err
	}
	d.ledger.commit(change{batch, number})
	if random.IntN(rollbackOneIn) > 0 {
		return nil
	}
	_, err = d.service.Grade(ctx, batch, essay, random.Float64())
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && pg.Code == uniqueViolation {
		return nil
	}
	return fmt.Errorf("an essay was graded twice: %w", err)
}
