package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

func runCommand(env environment, c *configuration) *cobra.Command {
	var drain bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run relays until told to stop (SIGTERM or SIGINT)",
		Long: "run leads or stands by for each outbox until SIGTERM or SIGINT; then it finishes what is being sent,\n" +
			"records it, and hands the outbox over at once.",
		Example: "  outboxrelay run --database-url postgres://localhost/grading --brokers localhost:9092 --service grading_service\n" +
			"  outboxrelay run --database-url postgres://localhost/grading --sink stdout --drain    # look at the records, no Kafka\n" +
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
			log, err := newLogger(env.stderr, process["log-level"], process["log-format"], c.secrets)
			if err != nil {
				return err
			}
			relays, err := newFleet(outboxes, log, terminal.JSON(env.stdout), c.secrets)
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancel(cmd.Context())
			var beside sync.WaitGroup
			defer func() { stop(); beside.Wait() }()
			for _, o := range outboxes {
				if o.unheard {
					log.Warn("redis-url is set and nobody listens there: wake-ups need the service's name (setting service)", "outbox", o.name)
				}
				o.kafka.warn(log, o.name)
				beside.Go(func() { o.lookForKafka(ctx, log) })
			}
			if drain {
				beside.Go(func() { stopWhenDrained(ctx, relays, stop) })
			}
			if listen := process["listen"]; listen != "" {
				closeServer, err := serve(ctx, listen, handler(relays), log)
				if err != nil {
					return err
				}
				defer closeServer()
			}
			return relays.run(ctx)
		},
	}
	cmd.Flags().BoolVar(&drain, "drain", false, "end when every outbox is empty; a standby waits until it leads")
	return cmd
}

// stopWhenDrained ends the run once no relay has anything left to do.
func stopWhenDrained(ctx context.Context, relays *fleet, stop func()) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if relays.complete() && !slices.ContainsFunc(relays.all(), func(r namedRelay) bool { return !drained(r.relay.Status()) }) {
			stop()
			return
		}
	}
}

func drained(s relay.Status) bool {
	return s.Leader && s.CaughtUp && s.Queued+s.InFlight+s.Unsettled+s.HeldKeys+len(s.PausedTopics)+len(s.SetAside) == 0
}

func newLogger(w io.Writer, level, format string, secrets *secret.Redactor) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, misuse{fmt.Errorf("setting log-level: it is %q: use debug, info, warn or error", level)}
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "json":
		return slog.New(secrets.Handler(slog.NewJSONHandler(terminal.JSON(w), options))), nil
	case "text":
		return slog.New(secrets.Handler(slog.NewTextHandler(w, options))), nil
	}
	return nil, misuse{fmt.Errorf("setting log-format: it is %q: use json or text", format)}
}
