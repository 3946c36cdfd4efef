package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/internal/version"
	"github.com/outboxgen/outboxgen/cmd/internal/wait"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/tracing"
	"github.com/outboxgen/outboxgen/runtime/relay"
)

func runCommand(env environment) *cobra.Command {
	var c *configuration
	var drain bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run relays until SIGTERM or SIGINT",
		Long: "run leads or stands by for each outbox until SIGTERM or SIGINT. Then it waits for the records in flight,\n" +
			"records their outcome, and hands the outbox over immediately.\n\n" +
			"Outboxes are independent: one that needs operator action is logged, named by /readyz, and\n" +
			"retried every 30 s. If there is only one outbox, and its schema is not a pattern,\n" +
			"the process exits with an error that says what to do.",
		Example: "  outboxrelay run --database-url postgres://localhost/grading --brokers localhost:9092 --service grading_service\n" +
			"  outboxrelay run --database-url postgres://localhost/grading --sink stdout --drain    # print the records, no Kafka\n" +
			"  outboxrelay run --config outboxrelay.yaml",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			process, err := c.process()
			if err != nil {
				return err
			}
			web := readPage(process)
			if err := process.misuse(); err != nil {
				return err
			}
			outboxes, err := c.outboxes(readOutbox)
			if err != nil {
				return err
			}
			log := newLogger(env.stderr, process.text("log-level"), process.text("log-format"), env.secrets)
			limitMemory(env.getenv, env.files, log, debug.SetMemoryLimit)
			endTracing, err := startTracing(cmd.Context(), env, outboxes, log)
			if err != nil {
				return err
			}
			defer endTracing()
			relays, err := newFleet(outboxes, log, terminal.JSON(env.stdout), env.secrets)
			if err != nil {
				return err
			}
			ctx, stop := context.WithCancel(cmd.Context())
			var beside sync.WaitGroup
			defer func() { stop(); beside.Wait() }()
			for _, o := range outboxes {
				if o.unheard {
					log.Warn("redis-url is set but not used: wake-ups need the service's name (setting service)", "outbox", o.name)
				}
				o.kafka.warn(log, o.name)
				beside.Go(func() { o.lookForKafka(ctx, log) })
			}
			var undrained error
			if drain {
				beside.Go(func() { undrained = stopWhenDrained(ctx, relays, stop) })
			}
			if listen := process.text("listen"); listen != "" {
				h := underOwnNames(handler(relays), web.access)
				if web.served {
					p := newPage(relays, web, log)
					h = withPage(h, p)
					beside.Go(func() { p.Run(ctx) })
				}
				closeServer, err := serve(ctx, listen, h, log)
				if err != nil {
					return err
				}
				defer closeServer()
			}
			err = relays.run(ctx)
			stop()
			beside.Wait()
			return errors.Join(withRunbook(err), undrained)
		},
	}
	cmd.Flags().BoolVar(&drain, "drain", false, "exit when every outbox is empty; a standby waits until it leads; fails if an outbox needs operator action")
	c = env.declare(cmd, table)
	return cmd
}

// startTracing lets the relays make spans, if variables of OpenTelemetry say where to. It
// returns the function that ends it.
func startTracing(ctx context.Context, env environment, outboxes []outbox, log *slog.Logger) (func(), error) {
	settings, err := tracing.Read(env.getenv, env.secrets)
	if err != nil {
		return nil, misuse{err}
	}
	provider, end, err := settings.Start(ctx, version.Built(), log, env.secrets)
	if err != nil || provider == nil {
		return end, err
	}
	for i := range outboxes {
		outboxes[i].relay.TracerProvider, outboxes[i].relay.ContinueTraces = provider, true
	}
	return end, nil
}

// stopWhenDrained ends the run when no relay has anything left to do. It does not wait
// for an outbox that needs operator action: the error says what is needed.
func stopWhenDrained(ctx context.Context, relays *fleet, stop func()) error {
	for wait.For(ctx, 50*time.Millisecond) {
		if !relays.complete() {
			continue
		}
		var problems []error
		waiting := false
		for _, m := range relays.all() {
			if m.problem != nil {
				problems = append(problems, fmt.Errorf("outbox %s: %w", m.name, m.problem))
			} else if !drained(m.status) {
				waiting = true
			}
		}
		if !waiting {
			stop()
			return errors.Join(problems...)
		}
	}
	return nil
}

func drained(s relay.Status) bool {
	return s.Leader && s.CaughtUp && s.Queued+s.InFlight+s.Unsettled+s.HeldKeys+s.PausedTopicCount+s.Withheld+s.SetAsideCount == 0
}

// withUnit writes a duration as text, such as "1.5s": in JSON, slog writes a number of
// nanoseconds.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

func newLogger(w io.Writer, level, format string, secrets *secret.Redactor) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // it was checked when it was read
	options := &slog.HandlerOptions{Level: l, ReplaceAttr: withUnit}
	if format == "text" {
		return slog.New(secrets.Handler(slog.NewTextHandler(w, options)))
	}
	return slog.New(secrets.Handler(slog.NewJSONHandler(terminal.JSON(w), options)))
}
