package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

const memoryExplained = "The largest resident set of a process that publishes rows that wait: `outboxrelay run` with default settings, and the barest loop of handover. Small rows have 100 bytes, " +
	"large ones 500 kB, which do not compress. The process with the largest backlog ends after half a minute, the others when all rows are sent. The peak is what Linux calls VmHWM; it " +
	"includes the program itself, and memory that Go has not given back yet. The barest loop reads pages of 5,000 rows, whatever their size."

// memoryColumns are what memory measures.
var memoryColumns = []string{"peak MB", "rows sent", "server CPU s", "process CPU s", "WAL MB"}

// memory measures the most memory that a process has.
type memory struct {
	lab     *lab
	command string // outboxrelay, built for this run
	dir     string
}

// backlog is the rows that wait.
type backlog struct {
	rows, bytes int
	limit       time.Duration // after which the process ends
}

// memoryVariants measures the process outboxrelay. It needs a checkout of this
// repository.
func memoryVariants(ctx context.Context, l *lab) ([]variant, error) {
	_, dir, err := l.build(ctx, "outboxrelay")
	if err != nil {
		return nil, err
	}
	m := &memory{lab: l, dir: dir, command: filepath.Join(dir, "outboxrelay")}
	const small, large = 100, 500_000
	few := backlog{rows: l.rows, bytes: small, limit: stall}
	many := backlog{rows: l.effort.backlog, bytes: small, limit: l.effort.backlogFor}
	wide := backlog{rows: l.effort.largeRows, bytes: large, limit: stall}
	with := func(b backlog, start func(context.Context, []string) (*child.Process, error)) measurement {
		return func(ctx context.Context) ([]float64, error) { return m.measure(ctx, b, start) }
	}
	const fewOfOurs, wideBare = 1, 3
	return []variant{
		{"bare loop, small rows", bareLabel, 0, with(few, m.bare)},
		{"relay, small rows", oursLabel, 0, with(few, m.relay)},
		{"relay, largest backlog", oursLabel, fewOfOurs, with(many, m.relay)},
		{"bare loop, rows of 500 kB", bareLabel, wideBare, with(wide, m.bare)},
		{"relay, rows of 500 kB", oursLabel, wideBare, with(wide, m.relay)},
	}, nil
}

func (m *memory) measure(ctx context.Context, b backlog, start func(context.Context, []string) (*child.Process, error)) (_ []float64, err error) {
	if err := m.lab.fillWith(ctx, b); err != nil {
		return nil, err
	}
	k, err := m.lab.kafka()
	if err != nil {
		return nil, err
	}
	defer k.close()
	children := childrenCPU()
	var p *child.Process
	defer func() { p.Kill() }()
	used, err := m.lab.during(ctx, func() (err error) {
		if p, err = start(ctx, k.addrs); err != nil {
			return err
		}
		return sendsWithin(ctx, p, k, b)
	})
	if err != nil {
		return nil, err
	}
	sent, err := k.records(ctx)
	if err != nil {
		return nil, err
	}
	peak := peakOf(p.Pid())
	p.Signal(syscall.SIGTERM)
	if !p.EndsWithin(stall) {
		return nil, fmt.Errorf("the process did not end in %s", stall)
	}
	return []float64{peak / megabyte, float64(sent), used.server.Seconds(), (childrenCPU() - children).Seconds(), float64(used.wal) / megabyte}, nil
}

// sendsWithin waits until all rows are in Kafka, or the limit has passed.
func sendsWithin(ctx context.Context, p *child.Process, k *kafka, b backlog) error {
	limit := time.Now().Add(b.limit)
	const pause = 20 * time.Millisecond
	return wait.Until(ctx, pause, func() (bool, error) {
		if !p.Running() {
			return false, errors.New("the process ended")
		}
		n, err := k.records(ctx)
		switch {
		case err != nil || n >= int64(b.rows):
			return true, err
		case time.Now().Before(limit):
			return false, nil
		case b.limit == stall:
			return false, fmt.Errorf("%d of %d rows were sent in %s", n, b.rows, stall)
		}
		return true, nil
	})
}

// fillWith inserts rows of the backlog's size.
func (l *lab) fillWith(ctx context.Context, b backlog) error {
	if err := l.reset(ctx); err != nil {
		return err
	}
	random := make([]byte, b.bytes/2)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	_, err := l.admin.Exec(ctx, `
		INSERT INTO event_outbox (id, aggregate_type, aggregate_id, event_type, topic, event_key, event_data)
		SELECT gen_random_uuid(), 'batch', key, 'graded.v1', $2, key, $4::json
		FROM (SELECT 'batch-' || lpad((n % $3)::text, 4, '0') AS key FROM generate_series(1, $1::integer) AS n) AS numbered`,
		b.rows, topic, keys, `{"comment": "`+hex.EncodeToString(random)+`"}`)
	if err != nil {
		return fmt.Errorf("insert rows: %w", err)
	}
	for _, sql := range []string{"VACUUM ANALYZE event_outbox", "CHECKPOINT"} {
		if _, err := l.admin.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

func (m *memory) bare(ctx context.Context, brokers []string) (*child.Process, error) {
	return job{URL: m.lab.url, Brokers: brokers, Bare: true}.start(ctx)
}

func (m *memory) relay(ctx context.Context, brokers []string) (*child.Process, error) {
	config := filepath.Join(m.dir, "memory.yaml")
	text := fmt.Sprintf("listen: \"\"\nlog_level: error\ndatabase_url: %q\nbrokers: [%s]\nwake: none\nservice: %s\n", m.lab.url, strings.Join(brokers, ", "), service)
	const private = 0o600 // the address may have a password
	if err := os.WriteFile(config, []byte(text), private); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, m.command, "run", "--config", config)
	cmd.Stderr = os.Stderr                // it logs only errors
	cmd.Env = []string{"TMPDIR=" + m.dir} // variables are settings of the relay, and override the file
	return child.Start(cmd, nil)
}
