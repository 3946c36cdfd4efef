package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/twmb/franz-go/pkg/kgo"
)

// eventArgs is an event as a job.
type eventArgs struct {
	Key  string `json:"key"`
	Data string `json:"data"`
}

func (eventArgs) Kind() string { return "event" }

// eventWorker sends the event of a job and waits.
type eventWorker struct {
	river.WorkerDefaults[eventArgs]
	client *kgo.Client
	topic  string
	sent   *atomic.Int64
}

func (w *eventWorker) Work(ctx context.Context, job *river.Job[eventArgs]) error {
	r := &kgo.Record{Topic: w.topic, Key: []byte(job.Args.Key), Value: []byte(job.Args.Data)}
	if err := w.client.ProduceSync(ctx, r).FirstErr(); err != nil {
		return err
	}
	w.sent.Add(1)
	return nil
}

// riverPeer makes each event a job, and a worker sends it. River promises no order. A
// cooldown of 0 is its default: 100 ms between two fetches, each of at most one job per
// idle worker.
func riverPeer(name string, workers int, cooldown time.Duration) peer {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	pause := cooldown
	if pause == 0 {
		pause = river.FetchCooldownDefault
	}
	return peer{
		name: name,
		settings: fmt.Sprintf("River %s, with its driver for pgx; MaxWorkers %d, FetchCooldown %s (default %s), a worker sends one record with franz-go, without linger, and waits; other settings are the defaults",
			version("github.com/riverqueue/river"), workers, pause, river.FetchCooldownDefault),
		prepare: func(ctx context.Context, pool *pgxpool.Pool, w workload) error {
			driver := riverpgxv5.New(pool)
			migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: quiet})
			if err != nil {
				return err
			}
			if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
				return err
			}
			client, err := river.NewClient(driver, &river.Config{Logger: quiet})
			if err != nil {
				return err
			}
			const transaction = 1_000
			for first := 0; first < w.rows; first += transaction {
				var jobs []river.InsertManyParams
				for n := first; n < min(first+transaction, w.rows); n++ {
					jobs = append(jobs, river.InsertManyParams{Args: eventArgs{key(n), payload(n)}})
				}
				if _, err := client.InsertManyFast(ctx, jobs); err != nil {
					return err
				}
			}
			return nil
		},
		drain: func(ctx context.Context, pool *pgxpool.Pool, kafka *kgo.Client, w workload) (err error) {
			var sent atomic.Int64
			list := river.NewWorkers()
			river.AddWorker(list, &eventWorker{client: kafka, topic: w.topic, sent: &sent})
			client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
				Logger: quiet, Workers: list, FetchCooldown: cooldown,
				Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
			})
			if err != nil {
				return err
			}
			if err := client.Start(ctx); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, client.Stop(context.WithoutCancel(ctx))) }()
			for sent.Load() < int64(w.rows) { // counting jobs would load the database
				select {
				case <-time.After(10 * time.Millisecond):
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return eventually(ctx, pool, `SELECT NOT EXISTS (SELECT FROM river_job WHERE state <> 'completed')`)
		},
	}
}
