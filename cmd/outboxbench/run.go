package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
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

	effort effort // not a flag; tests use a smaller one
}

// effort says how much a measurement does. No flag sets it.
type effort struct {
	writing         time.Duration // how long the writers of write and insert run
	bulk, bulkBatch int           // transactions of bulk, and events in each
	latency, warmUp int           // events of latency that count, and earlier ones that do not
	schemas         int           // events of generate
	outboxes        int           // the largest number of outboxes of idle
	idle, idleRest  time.Duration // how long idle counts, and how long it waits before
	kills           int           // how often repeats kills a relay for each value
}

// usual is the effort for reliable numbers.
var usual = effort{writing: time.Second, bulk: 20, bulkBatch: 1_000, latency: 500, warmUp: 100, schemas: 1_000,
	outboxes: 40, idle: 30 * time.Second, idleRest: 15 * time.Second, kills: 3}

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
		for _, s := range scenarios() {
			fmt.Fprintf(stdout, "%-14s %s\n", s.name, s.about)
		}
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
	const (
		defaultRows   = 100_000
		defaultRounds = 3
	)
	o := options{effort: usual}
	var names string
	flags := flag.NewFlagSet("outboxbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&names, "scenario", "", "run only these `scenarios`, comma-separated (see -list)")
	flags.IntVar(&o.rows, "rows", defaultRows, "number of pending rows in the drain scenarios")
	flags.IntVar(&o.rounds, "rounds", defaultRounds, "number of measurements of each variant")
	flags.BoolVar(&o.headers, "headers", true, "add the usual headers to the rows of the drain scenarios")
	flags.BoolVar(&o.list, "list", false, "list the scenarios and exit")
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
	r := report{Machine: l.machine(ctx), Rows: o.rows, Rounds: o.rounds}
	if !o.json {
		r.Machine.print(stdout)
	}
	for _, s := range scenarios() {
		if len(o.scenarios) > 0 && !slices.Contains(o.scenarios, s.name) {
			continue
		}
		result, err := s.run(ctx, l, o.rounds, func(what string) { fmt.Fprintf(stderr, "\r\033[K%s", what) })
		fmt.Fprint(stderr, "\r\033[K")
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r.Scenarios = append(r.Scenarios, result)
		if !o.json {
			result.print(stdout)
		}
	}
	if o.json {
		return r.write(stdout)
	}
	return nil
}

// run measures a scenario's variants in turn.
func (s scenario) run(ctx context.Context, l *lab, rounds int, progress func(string)) (result, error) {
	variants, err := s.prepare(ctx, l)
	if err != nil {
		return result{}, err
	}
	out := result{Name: s.name, About: s.about, Columns: s.columns}
	for _, v := range variants {
		out.Variants = append(out.Variants, samples{Name: v.name})
	}
	for round := range rounds {
		for i, v := range variants {
			progress(fmt.Sprintf("%s, round %d of %d: %s …", s.name, round+1, rounds, v.name))
			runtime.GC() // no variant collects the garbage of another
			var values []float64
			pprof.Do(ctx, pprof.Labels("variant", v.label), func(ctx context.Context) {
				values, err = v.measure(ctx)
			})
			if err != nil {
				return result{}, fmt.Errorf("%s: %w", v.name, err)
			}
			out.Variants[i].Samples = append(out.Variants[i].Samples, values)
		}
	}
	return out, nil
}
