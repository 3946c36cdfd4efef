package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
)

type options struct {
	scenarios  []string
	rows       int
	rounds     int
	headers    bool
	list       bool
	json       bool
	verbose    bool
	cpuprofile string
	out        string // a folder

	effort effort // not a flag, except for steady; tests use a smaller one
}

// effort says how much a measurement does.
type effort struct {
	writing         time.Duration // how long the writers of write and insert run
	bulk, bulkBatch int           // transactions of bulk, and events in each
	latency, warmUp time.Duration // of latency, how long events count, and how long earlier ones do not
	steady          time.Duration // how long each way of steady runs
	steadyRate      int           // events a second
	published       int           // rows of history
	schemas         int           // events of generate
	outboxes        int           // the largest number of outboxes of idle
	idle, idleRest  time.Duration // how long idle counts, and how long it waits before
	kills           int           // how often repeats kills a relay for each value
	handover        time.Duration // how long events are inserted before a leader ends
	// how long the events of replay count, and how long earlier ones do not
	replay, replayWarmUp time.Duration
	backlog              int           // rows of the large backlog of memory
	backlogFor           time.Duration // how long a relay works on it at most
	largeRows            int           // number of large rows of memory
}

// usual is the effort for reliable numbers.
var usual = effort{
	writing: time.Second, bulk: 20, bulkBatch: 1_000, latency: 2500 * time.Millisecond, warmUp: 500 * time.Millisecond,
	steady: 45 * time.Second, steadyRate: 5_000, published: 2_000_000, schemas: 1_000,
	outboxes: 40, idle: 12 * time.Second, idleRest: 8 * time.Second, kills: 3, handover: time.Second,
	replay: 4 * time.Second, replayWarmUp: time.Second, backlog: 3_000_000, backlogFor: 30 * time.Second, largeRows: 400,
}

// The defaults of -rows and -rounds.
const (
	usualRows   = 50_000
	usualRounds = 5
)

func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitcode.OK
	}
	if err != nil {
		fmt.Fprintf(stderr, "outboxbench: %v\n", err)
		return exitcode.Misuse
	}
	if o.list {
		printList(stdout, o)
		return exitcode.OK
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "outboxbench: %v\n", err)
		return exitcode.Failed
	}
	return exitcode.OK
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{effort: usual}
	var names string
	flags := flag.NewFlagSet("outboxbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&names, "scenario", "", "run only these `scenarios`, comma-separated (see -list)")
	flags.IntVar(&o.rows, "rows", usualRows, "number of pending rows in the drain scenarios")
	flags.IntVar(&o.rounds, "rounds", usualRounds, "number of measurements of each variant")
	flags.DurationVar(&o.effort.steady, "steady", o.effort.steady, "how long each variant of the scenario steady runs")
	flags.BoolVar(&o.headers, "headers", true, "add the usual headers to the rows of the drain scenarios")
	flags.StringVar(&o.out, "out", "", "write results.json, report.md and plots to this `folder`; go on with an interrupted run")
	flags.BoolVar(&o.list, "list", false, "list the scenarios, and about how long each takes, and exit")
	flags.BoolVar(&o.json, "json", false, "print one JSON document instead of tables")
	flags.BoolVar(&o.verbose, "v", false, "show the relay's warnings")
	flags.StringVar(&o.cpuprofile, "cpuprofile", "", "write a CPU profile to this `file`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q; see outboxbench -help", flags.Arg(0))
	}
	if o.rows < 1 || o.rounds < 1 {
		return o, errors.New("-rows and -rounds must be at least 1")
	}
	if o.effort.steady <= 0 {
		return o, errors.New("-steady must be more than 0")
	}
	if names != "" {
		o.scenarios = strings.Split(names, ",")
	}
	for _, name := range o.scenarios {
		if !slices.ContainsFunc(scenarios(), func(s scenario) bool { return s.name == name }) {
			return o, fmt.Errorf("unknown scenario %q; -list lists them", name)
		}
	}
	return o, nil
}

// measure runs the chosen scenarios and prints their results.
func measure(ctx context.Context, o options, stdout, stderr io.Writer) (err error) {
	l, err := openLab(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if o.cpuprofile != "" {
		file, err := os.Create(o.cpuprofile)
		if err != nil {
			return err
		}
		defer file.Close() //nolint:errcheck // a profile that cannot be written shows when it is read
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	c, err := newCampaign(l, chosen(o.scenarios), l.machine(ctx), commitOfCode(), stderr)
	if err != nil {
		return err
	}
	tables := stdout
	if o.json {
		tables = io.Discard
	}
	c.report.Machine.Print(tables)
	if err := c.run(ctx, tables); err != nil {
		return err
	}
	if o.json {
		return c.report.Write(stdout)
	}
	return nil
}

// chosen returns the scenarios with these names; none: all.
func chosen(names []string) []scenario {
	all := scenarios()
	if len(names) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(s scenario) bool { return !slices.Contains(names, s.name) })
}
