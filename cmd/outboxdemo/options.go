package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// options is what the demo can be told.
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
	flags.IntVar(&o.aggregates, "aggregates", 400, "batches that are changed at once")
	flags.IntVar(&o.writers, "writers", 8, "goroutines that write")
	flags.DurationVar(&o.outage, "outage", 4*time.Second, "how long Kafka is away in the middle; 0: it stays")
	flags.StringVar(&o.kafka, "kafka", "kfake",
		"kfake: franz-go's fake broker; kafka: the real one of 'make services', or the one that KAFKA_BROKERS names")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var errs []error
	if flags.NArg() > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	if o.events < 10_000 {
		errs = append(errs, fmt.Errorf("-events is %d: fewer than 10000 show little", o.events))
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
