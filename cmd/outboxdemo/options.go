package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

type options struct {
	events     int
	aggregates int
	writers    int
	outage     time.Duration
	kafka      string
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("outboxdemo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.events, "events", 20_000, "events to insert, at least 10000")
	flags.IntVar(&o.aggregates, "aggregates", 400, "batches that change concurrently")
	flags.IntVar(&o.writers, "writers", 8, "goroutines that insert")
	flags.DurationVar(&o.outage, "outage", 4*time.Second, "how long Kafka is down in the middle of the run; 0: it is not stopped")
	flags.StringVar(&o.kafka, "kafka", "kfake",
		"kfake: franz-go's fake broker; kafka: the real broker of 'make services', or the one in KAFKA_BROKERS")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var errs []error
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	if o.events < 10_000 {
		errs = append(errs, fmt.Errorf("-events is %d: use at least 10000", o.events))
	}
	if o.aggregates < 1 || o.aggregates > o.events {
		errs = append(errs, fmt.Errorf("-aggregates is %d: use 1 to -events (%d)", o.aggregates, o.events))
	}
	if o.writers < 1 {
		errs = append(errs, fmt.Errorf("-writers is %d: use at least 1", o.writers))
	}
	if o.kafka != "kfake" && o.kafka != "kafka" {
		errs = append(errs, fmt.Errorf("-kafka is %q: use kfake or kafka", o.kafka))
	}
	return o, errors.Join(errs...)
}
