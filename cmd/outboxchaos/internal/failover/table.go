package failover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/outboxgen/outboxgen/cmd/internal/wait"
)

// Promised limits the time to the next record, in each row that promises a time.
const Promised = 15 * time.Second

// Modes of replication.
const (
	Asynchronous = "asynchronous"
	Synchronous  = "synchronous"
)

// Options say what to measure.
type Options struct {
	// Rows are the beginnings of the names of rows to measure. Default: all.
	Rows []string
	// Modes are the columns. Default: both.
	Modes []string
	// Limit is how long to wait for a record. Default 60s.
	Limit time.Duration
	// Named returns the command of a child that runs RunNamed.
	Named func() (*exec.Cmd, error)
	// Dir is for the logs of the relays and for the command outboxrelay, which is built
	// there.
	Dir string
	// Say is called with a line for everything that happens. Default: none.
	Say func(format string, args ...any)
}

func (o Options) withDefaults() Options {
	if len(o.Modes) == 0 {
		o.Modes = []string{Asynchronous, Synchronous}
	}
	if o.Limit == 0 {
		const limit = 60 * time.Second
		o.Limit = limit
	}
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	return o
}

// Result is one cell of the table.
type Result struct {
	Row, Mode string
	// Took is the time from the failure to the next record; 0: there was none.
	Took time.Duration
	// Again is the time from the second failure to the next record of an event that was
	// committed after it; 0: there was no record. It has a meaning only if HasAgain is
	// true.
	Again    time.Duration
	HasAgain bool
	// Problems lists what was lost or published out of order.
	Problems []string
	Limit    time.Duration
}

// OK reports whether the records came within a limit, all of them and in order.
func (r Result) OK(limit time.Duration) bool {
	within := func(d time.Duration) bool { return d > 0 && d <= limit }
	return len(r.Problems) == 0 && within(r.Took) && (!r.HasAgain || within(r.Again))
}

func (r Result) String() string {
	text := r.duration(r.Took)
	if r.HasAgain {
		text += ", then " + r.duration(r.Again)
	}
	for _, p := range r.Problems {
		text += "; " + p
	}
	return text
}

func (r Result) duration(d time.Duration) string {
	if d == 0 {
		return fmt.Sprintf("none in %s", r.Limit)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// Run measures the rows one after the other.
func Run(ctx context.Context, o Options) ([]Result, error) {
	o = o.withDefaults()
	command := filepath.Join(o.Dir, "outboxrelay")
	build := exec.CommandContext(ctx, "go", "build", "-o", command, "github.com/outboxgen/outboxgen/cmd/outboxrelay")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build outboxrelay (run this in a checkout of the repository): %w\n%s", err, out)
	}
	var results []Result
	for i, r := range rows() {
		if len(o.Rows) > 0 && !slices.ContainsFunc(o.Rows, func(begin string) bool { return strings.HasPrefix(r.name, begin) }) {
			continue
		}
		for _, mode := range o.Modes {
			m := &measurement{Options: o, row: r, mode: mode, command: command, name: fmt.Sprintf("row%02d-%s", i+1, mode)}
			result, err := m.run(ctx)
			if err != nil {
				return results, fmt.Errorf("%s, %s: %w", r.name, mode, err)
			}
			o.Say("%s, %s: %s", r.name, mode, result)
			results = append(results, result)
		}
	}
	if len(results) == 0 {
		return nil, errors.New("no row has this prefix")
	}
	return results, nil
}

// measurement is one cell of the table.
type measurement struct {
	Options
	row     row
	mode    string
	name    string
	command string
}

func (m *measurement) run(ctx context.Context) (_ Result, err error) {
	result := Result{Row: m.row.name, Mode: m.mode, Limit: m.Limit, HasAgain: m.row.after != nil}
	s, err := newSite(ctx, m.row, m.mode == Synchronous)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	const topic = "order.changed.v1"
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, topic))
	if err != nil {
		return result, err
	}
	defer kafka.Close()
	brokers := kafka.ListenAddrs()
	const setUp = 2 * time.Minute
	began, cancel := context.WithTimeout(ctx, setUp)
	defer cancel()
	defer func() {
		for _, p := range s.relays {
			p.Kill()
		}
	}()
	if err := m.startRelays(began, s, brokers); err != nil {
		return result, err
	}
	read, err := startReader(ctx, brokers, topic)
	if err != nil {
		return result, err
	}
	defer read.stop()
	write := startWriter(ctx, s.primary.URL(database), topic)
	defer write.stop()
	const steady = 20
	if err := read.wait(began, func() bool { return len(read.first) >= steady }); err != nil {
		return result, fmt.Errorf("wait for the first records: %w", err)
	}

	next := func(since time.Time, phase int) time.Duration {
		limited, cancel := context.WithDeadline(ctx, since.Add(m.Limit))
		defer cancel()
		var at time.Time
		if read.wait(limited, func() (ok bool) { at, ok = read.earliest(write, phase); return ok }) != nil {
			return 0
		}
		return at.Sub(since)
	}
	failed := time.Now()
	if err := m.row.fail(ctx, s); err != nil {
		return result, err
	}
	if err := s.standby.Promote(ctx); err != nil {
		return result, err
	}
	result.Took = next(failed, write.follow(s.standby.URL(database)))
	if m.row.after != nil && result.Took > 0 {
		if err := m.row.after(ctx, s); err != nil {
			return result, err
		}
		happened := time.Now()
		result.Again = next(happened, write.follow(s.standby.URL(database)))
	}
	write.stop()
	limited, cancelCheck := context.WithTimeout(ctx, m.Limit)
	defer cancelCheck()
	result.Problems, err = read.check(limited, s.standby.URL(database))
	return result, err
}

// startRelays starts two relays, of which the first leads.
func (m *measurement) startRelays(ctx context.Context, s *site, brokers []string) error {
	for i := range 2 {
		p := &relayProcess{
			log:   filepath.Join(m.Dir, fmt.Sprintf("%s-relay%d.log", m.name, i+1)),
			start: func() (*exec.Cmd, error) { return m.relay(s, brokers) },
		}
		s.relays = append(s.relays, p)
		if err := p.run(ctx, true); err != nil {
			return err
		}
		if i > 0 {
			break
		}
		if err := wait.Until(ctx, look, func() (bool, error) { return p.leads(ctx) }); err != nil {
			return fmt.Errorf("wait until the relay leads: %w", err)
		}
	}
	return nil
}

// relay returns the command of a relay with default settings.
func (m *measurement) relay(s *site, brokers []string) (*exec.Cmd, error) {
	address := s.url(m.row)
	if !m.row.oneName {
		cmd := exec.Command(m.command, "run", "--database-url", address, "--brokers", brokers[0], "--listen", "127.0.0.1:0")
		cmd.Env = []string{"TMPDIR=" + os.TempDir()} // variables are settings
		return cmd, nil
	}
	cmd, err := m.Named()
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(NamedConfig{Database: address, Brokers: brokers, Addresses: []string{"127.0.0.1", "127.0.0.2"}})
	if err != nil {
		return nil, err
	}
	// The pipe stays open as long as this process: the child ends with it.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	go func() { _, _ = stdin.Write(append(config, '\n')) }() // a child that has ended needs none
	return cmd, nil
}

// Print writes the table as Markdown.
func Print(w io.Writer, results []Result) error {
	var names, modes []string
	cells := map[[2]string]Result{}
	for _, r := range results {
		if !slices.Contains(names, r.Row) {
			names = append(names, r.Row)
		}
		if !slices.Contains(modes, r.Mode) {
			modes = append(modes, r.Mode)
		}
		cells[[2]string{r.Row, r.Mode}] = r
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| what happens to the primary | %s |\n|%s\n", strings.Join(modes, " | "), strings.Repeat(" --- |", len(modes)+1))
	for _, name := range names {
		fmt.Fprintf(&b, "| %s |", name)
		for _, mode := range modes {
			fmt.Fprintf(&b, " %s |", cells[[2]string{name, mode}])
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
