package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/outboxgen/outboxgen/cmd/internal/child"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/migrations"
)

// idle measures outboxes in which nothing happens. Each has its own schema, and two
// relay processes serve all of them.
type idle struct {
	lab     *lab
	command string // outboxrelay, built for this run
	dir     string
	schemas int // how many schemas exist already
}

// idlePoll is the pause between two looks of the bare loop: the default of the relay's
// poll-max.
const idlePoll = 200 * time.Millisecond

// idleVariants measures the process outboxrelay. It needs a checkout of this
// repository.
func idleVariants(ctx context.Context, l *lab) (_ []variant, err error) {
	_, dir, err := l.build(ctx, "outboxrelay")
	if err != nil {
		return nil, err
	}
	i := &idle{lab: l, dir: dir, command: filepath.Join(dir, "outboxrelay")}
	out := []variant{{"bare loop, polling", bareLabel, 0, i.bare}}
	for _, n := range []int{1, l.effort.outboxes} {
		outboxes := "1 outbox"
		if n > 1 {
			outboxes = fmt.Sprintf("%d outboxes", n)
		}
		for _, w := range []struct{ name, setting string }{{"polling", "none"}, {"woken by Postgres", "postgres"}} {
			out = append(out, variant{outboxes + ", " + w.name, oursLabel, 0, func(ctx context.Context) ([]float64, error) {
				return i.relays(ctx, n, w.setting)
			}})
		}
	}
	return out, nil
}

// bare returns one session that looks whether a row waits.
func (i *idle) bare(ctx context.Context) (_ []float64, err error) {
	m, err := newMeter(i.lab.admin.Config())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	conn, err := pgx.Connect(ctx, m.url())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing depends on the goodbye
	ctx, cancel := context.WithTimeout(ctx, i.lab.effort.idle)
	defer cancel()
	before, tick := m.statements.Load(), time.NewTicker(idlePoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			rate := float64(m.statements.Load()-before) / i.lab.effort.idle.Seconds()
			return []float64{rate, rate, 0, rate, float64(m.sessions.Load()), 0}, nil
		case <-tick.C:
		}
		if _, err := conn.Exec(ctx, "SELECT seq FROM event_outbox WHERE published_at IS NULL AND dead_at IS NULL ORDER BY seq LIMIT 100"); err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
}

// relays runs two relay processes for n outboxes, and counts once both only wait.
func (i *idle) relays(ctx context.Context, n int, wake string) (_ []float64, err error) {
	if err := i.prepare(ctx, n); err != nil {
		return nil, err
	}
	k, err := i.lab.kafka()
	if err != nil {
		return nil, err
	}
	defer k.close()
	start := func(name string) (*idleRelay, error) { return i.start(ctx, name, k.addrs, n, wake) }
	leader, err := start("leader")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, leader.stop()) }()
	if err := i.until(ctx, leader, func() (bool, error) { return i.leads(ctx, n) }); err != nil {
		return nil, err
	}
	standby, err := start("standby")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, standby.stop()) }()
	if err := i.until(ctx, standby, func() (bool, error) { return standby.meter.sessions.Load() > 0, nil }); err != nil {
		return nil, err
	}
	if !wait.For(ctx, i.lab.effort.idleRest) { // what happens only at the start is over
		return nil, ctx.Err()
	}
	return i.count(ctx, n, leader.meter, standby.meter)
}

// count counts statements for a while.
func (i *idle) count(ctx context.Context, n int, leader, standby *meter) ([]float64, error) {
	commits, err := i.commits(ctx)
	if err != nil {
		return nil, err
	}
	began, l, s := time.Now(), leader.statements.Load(), standby.statements.Load()
	if !wait.For(ctx, i.lab.effort.idle) {
		return nil, ctx.Err()
	}
	l, s = leader.statements.Load()-l, standby.statements.Load()-s
	took := time.Since(began)
	after, err := i.commits(ctx)
	if err != nil {
		return nil, err
	}
	each := func(count int64) float64 { return float64(count) / took.Seconds() / float64(n) }
	const own = 1 // the commit of the query that counts
	return []float64{
		each(l + s), each(l), each(s), each(max(0, after-commits-own)),
		float64(leader.sessions.Load()), float64(standby.sessions.Load()),
	}, nil
}

// commits returns how many transactions the database has seen.
func (i *idle) commits(ctx context.Context) (n int64, err error) {
	return n, i.lab.admin.QueryRow(ctx, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()").Scan(&n)
}

// prepare makes the schemas that are missing, and ends all terms.
func (i *idle) prepare(ctx context.Context, n int) error {
	for ; i.schemas < n; i.schemas++ {
		schema := idleSchema(i.schemas)
		if _, err := i.lab.admin.Exec(ctx, "CREATE SCHEMA "+schema+"; SET search_path = "+schema); err != nil {
			return err
		}
		if err := migrations.Up(ctx, i.lab.admin); err != nil {
			return err
		}
	}
	if _, err := i.lab.admin.Exec(ctx, "RESET search_path"); err != nil {
		return err
	}
	for k := range n {
		if _, err := i.lab.admin.Exec(ctx, "TRUNCATE "+idleSchema(k)+".event_outbox_lease"); err != nil {
			return err
		}
	}
	return nil
}

func idleSchema(n int) string { return fmt.Sprintf("tenant_%03d", n) }

// leads reports whether each of the n outboxes has a leader.
func (i *idle) leads(ctx context.Context, n int) (bool, error) {
	for k := range n {
		var led bool
		err := i.lab.admin.QueryRow(ctx, "SELECT count(holder) > 0 FROM "+idleSchema(k)+".event_outbox_lease").Scan(&led)
		if err != nil || !led {
			return false, err
		}
	}
	return true, nil
}

// idleRelay is an outboxrelay process and the meter between it and Postgres.
type idleRelay struct {
	*child.Process
	meter *meter
	cmd   *exec.Cmd
	said  bytes.Buffer // once ended
}

func (i *idle) start(ctx context.Context, name string, brokers []string, n int, wake string) (_ *idleRelay, err error) {
	m, err := newMeter(i.lab.admin.Config())
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	config := filepath.Join(i.dir, name+".yaml")
	var text strings.Builder
	fmt.Fprintf(&text, "listen: \"\"\nlog_level: warn\ndatabase_url: %q\nbrokers: [%s]\nwake: %s\noutboxes:\n", m.url(), strings.Join(brokers, ", "), wake)
	for k := range n {
		fmt.Fprintf(&text, "  - {name: %[1]s, service: %[1]s, schema: %[1]s}\n", idleSchema(k))
	}
	const private = 0o600 // the address may have a password
	if err := os.WriteFile(config, []byte(text.String()), private); err != nil {
		return nil, err
	}
	r := &idleRelay{meter: m, cmd: exec.CommandContext(ctx, i.command, "run", "--config", config)}
	r.cmd.Stdout, r.cmd.Stderr = &r.said, &r.said
	r.cmd.Env = []string{"TMPDIR=" + i.dir} // variables are settings of the relay, and override the file
	r.Process, err = child.Start(r.cmd, nil)
	return r, err
}

// stop ends the process cleanly.
func (r *idleRelay) stop() error {
	r.Signal(syscall.SIGTERM)
	r.EndsWithin(stall)
	err := r.meter.close()
	if !r.cmd.ProcessState.Success() {
		err = errors.Join(fmt.Errorf("outboxrelay: %s\n%s", r.cmd.ProcessState, r.said.String()), err)
	}
	return err
}

// until waits until something holds while the process runs.
func (i *idle) until(ctx context.Context, r *idleRelay, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stall, fmt.Errorf("outboxrelay did not start in %s", stall))
	defer cancel()
	const pause = 50 * time.Millisecond
	return wait.Until(ctx, pause, func() (bool, error) {
		if !r.Running() {
			return false, errors.New("outboxrelay ended")
		}
		return holds()
	})
}
