package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/outboxgen/outboxgen/runtime/relay"
)

func runCommand(env environment, c *configuration) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run relays until told to stop (SIGTERM or SIGINT)",
		Long: "run leads or stands by for each outbox until SIGTERM or SIGINT; then it finishes what is being sent,\n" +
			"records it, and hands the outbox over at once.",
		Example: "  outboxrelay run --database-url postgres://localhost/grading --brokers localhost:9092 --service grading_service\n" +
			"  outboxrelay run --database-url postgres://localhost/grading --sink stdout    # no Kafka: look at the records\n" +
			"  outboxrelay run --config outboxrelay.yaml",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			process, err := c.process()
			if err != nil {
				return err
			}
			outboxes, err := c.outboxes()
			if err != nil {
				return err
			}
			log, err := newLogger(env.stderr, process["log-level"], process["log-format"])
			if err != nil {
				return err
			}
			return runRelays(cmd.Context(), outboxes, process["listen"], log, env.stdout)
		},
	}
}

func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, misuse{fmt.Errorf("setting log-level: it is %q: use debug, info, warn or error", level)}
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return nil, misuse{fmt.Errorf("setting log-format: it is %q: use json or text", format)}
}

// runRelays runs a relay for each outbox until ctx ends or one of them cannot
// go on.
func runRelays(ctx context.Context, outboxes []outbox, listen string, log *slog.Logger, stdout io.Writer) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var relays []namedRelay
	for _, o := range outboxes {
		r, err := o.newRelay(registry, log, stdout)
		if err != nil {
			return fmt.Errorf("outbox %s: %w", o.name, err)
		}
		relays = append(relays, namedRelay{o.name, r})
	}
	if listen != "" {
		stop, err := serve(ctx, listen, handler(relays, registry), log)
		if err != nil {
			return err
		}
		defer stop()
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range relays {
		group.Go(func() error {
			if err := r.relay.Run(ctx); err != nil {
				return fmt.Errorf("outbox %s: %w", r.name, err)
			}
			return nil
		})
	}
	err := group.Wait()
	if setup := (*relay.SetupError)(nil); errors.As(err, &setup) {
		log.Error("stopped: this needs a person", "problem", setup.Problem, "remedy", setup.Remedy)
	}
	return err
}
