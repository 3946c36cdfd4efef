package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it could not do its work
	exitMisuse = 2 // it was called in a way that makes no sense
)

// environment is what the process gives the commands.
type environment struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	interactive    bool // somebody can answer a question
}

// misuse is an error of the caller's.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

func execute(args []string, env environment) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return executeUntil(ctx, args, env)
}

// executeUntil runs a command until it is done or ctx ends.
func executeUntil(ctx context.Context, args []string, env environment) int {
	secrets := &secret.Redactor{}
	root := rootCommand(env, secrets)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintf(env.stderr, "outboxrelay: %s\n", terminal.Lines(secrets.Text(err.Error()))) // nowhere left to say it
	if errors.As(err, new(misuse)) {
		return exitMisuse
	}
	return exitFailed
}

func rootCommand(env environment, secrets *secret.Redactor) *cobra.Command {
	root := &cobra.Command{
		Use: "outboxrelay",

		SuggestionsMinimumDistance: 2,
		Short:                      "Move the rows of outbox tables to Kafka",
		Long: "outboxrelay moves the rows of outbox tables to Kafka, and shows and fixes what stands in their way.\n\n" +
			"Settings come from flags, the environment, a file (--config) and defaults, in that order.",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
				return misuse{fmt.Errorf("unknown command %q: did you mean %s?", args[0], meant[0])}
			}
			return misuse{errors.New("unknown command: see outboxrelay --help; a value with spaces needs quotes")} // it may be a part of a password
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if before, _, ok := strings.Cut(err.Error(), " in -"); ok { // the rest repeats the argument, which may be a part of a password
			err = errors.New(before)
		}
		return misuse{fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())}
	})
	settings := registerSettings(root.PersistentFlags(), env.getenv, secrets)
	root.AddCommand(
		runCommand(env, settings),
		statusCommand(env, settings),
		deadCommand(env, settings),
		replayCommand(env, settings),
		discardCommand(env, settings),
		configCommand(env, settings),
		versionCommand(env),
	)
	return root
}

// configuration is the settings as they were given; it is complete once flags
// are parsed.
type configuration struct {
	flags  *pflag.FlagSet
	path   *string
	getenv func(string) string
	// secrets learns every secret that is read and keeps it out of what is printed.
	secrets *secret.Redactor
}

// registerSettings makes a flag of each setting.
func registerSettings(flags *pflag.FlagSet, getenv func(string) string, secrets *secret.Redactor) *configuration {
	path := flags.String("config", "", "file of settings (variable OUTBOXRELAY_CONFIG)")
	for _, s := range table {
		flags.String(s.name, s.def, s.help)
	}
	return &configuration{flags: flags, path: path, getenv: getenv, secrets: secrets}
}

func (c *configuration) layers() (layers, error) {
	path := *c.path
	if path == "" {
		path = c.getenv("OUTBOXRELAY_CONFIG")
	}
	f, err := readFile(path, table)
	if err != nil {
		return layers{}, misuse{err}
	}
	given := values{}
	// A subcommand parses into a set of its own that shares these flags: they know
	// that they were changed, their set does not.
	c.flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed && flag.Name != "config" {
			given[flag.Name] = flag.Value.String()
		}
	})
	return layers{flags: given, getenv: c.getenv, file: f}, nil
}

// process reads the settings of the process.
func (c *configuration) process() (values, error) {
	l, err := c.layers()
	if err != nil {
		return nil, err
	}
	return l.process(table), nil
}

// outboxes reads the settings of every outbox. The error lists all that cannot
// be used.
func (c *configuration) outboxes() ([]outbox, error) {
	l, err := c.layers()
	if err != nil {
		return nil, err
	}
	resolved, err := l.outboxes(table)
	if err != nil {
		return nil, misuse{err}
	}
	var (
		out      []outbox
		problems []error
		names    = map[string]bool{}
	)
	for _, v := range resolved {
		o, err := readOutbox(v, c.secrets)
		if err == nil && names[o.name] {
			err = fmt.Errorf("setting name: two outboxes are called %s: give each a name or a service of its own", o.name)
		}
		names[o.name] = true
		out = append(out, o)
		problems = append(problems, err)
	}
	err = errors.Join(problems...)
	if err == nil {
		err = duplicate(out)
	}
	if err != nil {
		return nil, misuse{err}
	}
	return out, nil
}
