package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/outboxgen/outboxgen/runtime/relay/pgstore"
)

// unsettledRows are the values to measure, with the default among them.
var unsettledRows = []int{1_000, 5_000, 10_000, 30_000}

// repeatsVariants kills relays while they drain, with several values of UnsettledRows.
func repeatsVariants(_ context.Context, l *lab) ([]variant, error) {
	d := drain{mode: pgstore.Mark}
	out := []variant{{"bare loop, not killed", bareLabel, 0, func(ctx context.Context) ([]float64, error) {
		values, err := d.measure(ctx, l, d.bare)
		if err != nil {
			return nil, err
		}
		return slices.Insert(values, 1, 0), nil
	}}}
	for _, n := range unsettledRows {
		d := drain{mode: pgstore.Mark, unsettled: n}
		out = append(out, variant{fmt.Sprintf("unsettled-rows %d", n), oursLabel, 0, func(ctx context.Context) ([]float64, error) {
			values, err := d.measure(ctx, l, d.relay)
			if err != nil {
				return nil, err
			}
			worst, err := l.killed(ctx, n)
			return slices.Insert(values, 1, float64(worst)), err
		}})
	}
	return out, nil
}

// killed kills a draining relay several times with SIGKILL, and returns how many rows
// the worst kill repeated.
func (l *lab) killed(ctx context.Context, unsettled int) (worst int64, err error) {
	if err := l.reset(ctx); err != nil {
		return 0, err
	}
	if err := l.fill(ctx); err != nil {
		return 0, err
	}
	k, err := l.kafka()
	if err != nil {
		return 0, err
	}
	defer k.close()
	var before int64 // repeated by earlier kills
	for i := range l.effort.kills {
		at := int64(l.rows)*int64(i+1)/int64(l.effort.kills+1) + before
		if err := l.killOne(ctx, k, unsettled, at); err != nil {
			return 0, err
		}
		sent, err := k.records(ctx)
		if err != nil {
			return 0, err
		}
		var settled int64
		if err := l.admin.QueryRow(ctx, "SELECT count(*) FROM event_outbox WHERE published_at IS NOT NULL").Scan(&settled); err != nil {
			return 0, err
		}
		worst = max(worst, sent-before-settled)
		before = sent - settled
	}
	return worst, nil
}

// killOne starts a relay in its own process, and kills it once a number of records are
// in Kafka.
func (l *lab) killOne(ctx context.Context, k *kafka, unsettled int, at int64) error {
	drainer, err := job{URL: l.url, Brokers: k.addrs, Unsettled: unsettled}.start(ctx)
	if err != nil {
		return err
	}
	defer drainer.Kill()
	limit := time.Now().Add(stall)
	for {
		sent, err := k.records(ctx)
		if err != nil || sent >= at {
			return err
		}
		if time.Now().After(limit) {
			return fmt.Errorf("the relay that is to be killed sent %d of %d records in %s", sent, at, stall)
		}
	}
}
