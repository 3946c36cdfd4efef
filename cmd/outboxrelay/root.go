package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/secret"
	"github.com/outboxgen/outboxgen/cmd/outboxrelay/internal/terminal"
)

// environment is what the process gives to the commands.
type environment struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	interactive    bool          // a person can answer a question
	completes      bool          // the shell asks for completions
	user           func() string // the name of the process's user; nil: the real one
	files          fs.FS         // the root of the file system, for the container's memory limit; nil: none is set
	answers        time.Duration // how long a statement of an operator's command may get no answer; 0: the default
	// secrets learns every secret that is read and keeps it out of the output.
	secrets *secret.Redactor
}

// misuse is an error in how the command was called.
type misuse struct{ error }

func (m misuse) Unwrap() error { return m.error }

func execute(args []string, env environment) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return executeUntil(ctx, args, env)
}

// executeUntil runs a command until it ends or ctx ends.
func executeUntil(ctx context.Context, args []string, env environment) int {
	env.secrets = &secret.Redactor{}
	env.completes = len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd)
	root := rootCommand(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitcode.OK
	}
	_, _ = fmt.Fprintf(env.stderr, "outboxrelay: %s\n", terminal.Lines(env.secrets.Text(err.Error()))) // nowhere left to say it
	if errors.As(err, new(misuse)) {
		return exitcode.Misuse
	}
	return exitcode.Failed
}

func rootCommand(env environment) *cobra.Command {
	root := &cobra.Command{
		Use: "outboxrelay",

		SuggestionsMinimumDistance: 2,
		Short:                      "Publish the rows of outbox tables to Kafka",
		Long: "outboxrelay publishes the rows of outbox tables to Kafka, shows their state, and lets operators fix problems.\n\n" +
			"Settings come from flags, the outbox's entry in the file (--config), environment variables, the top level of\n" +
			"the file, and defaults. The first value found wins.\n\n" +
			strings.TrimSpace(exitcode.Help),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if meant := cmd.SuggestionsFor(args[0]); len(meant) > 0 {
				return misuse{fmt.Errorf("unknown command %q: did you mean %s?", args[0], meant[0])}
			}
			return misuse{errors.New("unknown command: see outboxrelay --help; quote a value that contains spaces")} // it may be a part of a password
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if before, _, ok := strings.Cut(err.Error(), " in -"); ok { // the rest repeats the argument, which may be a part of a password
			err = errors.New(before)
		}
		return misuse{fmt.Errorf("%w: see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(
		runCommand(env),
		statusCommand(env),
		deadCommand(env),
		replayCommand(env),
		discardCommand(env),
		delayedCommand(env),
		cancelCommand(env),
		sendNowCommand(env),
		doctorCommand(env),
		pauseCommand(env),
		resumeCommand(env),
		tailCommand(env),
		purgeCommand(env),
		storeCommand(env),
		redriveCommand(env),
		configCommand(env),
		versionCommand(env),
	)
	return root
}

// configuration has the settings that a command declared, as they were given. It is
// complete once the flags are parsed.
type configuration struct {
	environment
	declared []setting
	flags    *pflag.FlagSet
	path     string
	timeout  time.Duration // of the operator commands
	session  string        // application_name of their sessions
	warned   sync.Map      // the warnings of connections that were printed
	asOwner  bool          // the command needs the rights of the tables' owner, and limits its statements itself
	longest  time.Duration // how long one of these statements may get no answer at least
}

// declare adds flags for the settings that a command reads, and --config. A command
// that reads another setting panics, because its --help would not show it.
func (env environment) declare(cmd *cobra.Command, settings []setting) *configuration {
	c := &configuration{environment: env, declared: settings, flags: cmd.Flags()}
	c.flags.SortFlags = false
	c.flags.StringVar(&c.path, "config", "", "settings `file` (environment variable OUTBOXRELAY_CONFIG)")
	completeFiles(cmd, "config", "yaml", "yml")
	for _, s := range settings {
		s.flag(env, cmd)
	}
	return c
}

func (c *configuration) layers() (layers, error) {
	path := c.path
	if path == "" {
		path = c.getenv("OUTBOXRELAY_CONFIG")
	}
	f, err := readFile(path, table)
	if err != nil {
		return layers{}, misuse{err}
	}
	given := values{}
	c.flags.Visit(func(flag *pflag.Flag) {
		if s, ok := flag.Value.(*settingFlag); ok {
			given[flag.Name] = s.text
		}
	})
	return layers{flags: given, getenv: c.getenv, file: f}, nil
}

func (c *configuration) process() (*reader, error) {
	l, err := c.layers()
	if err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(slices.Clone(c.declared), func(s setting) bool { return !s.process })
	r := newReader(own, l.resolve(own, nil), c.secrets)
	return r, r.misuse()
}

// outboxes reads the settings of every outbox. The error lists all problems.
func (c *configuration) outboxes(read func(*reader) outbox) ([]outbox, error) {
	l, err := c.layers()
	if err != nil {
		return nil, err
	}
	theirs := slices.DeleteFunc(slices.Clone(c.declared), func(s setting) bool { return s.process })
	resolved, err := l.outboxes(theirs)
	if err != nil {
		return nil, misuse{err}
	}
	var (
		out      []outbox
		problems []error
		names    = map[string]bool{}
	)
	for _, v := range resolved {
		r := newReader(theirs, v, c.secrets)
		o := read(r)
		if len(r.problems) == 0 && names[o.name] {
			r.problem("name", "two outboxes have the name %s: set another name or service for one of them", o.name)
		}
		names[o.name] = true
		out = append(out, o)
		problems = append(problems, r.problems...)
	}
	if err = errors.Join(problems...); err == nil {
		err = duplicate(out)
	}
	if err != nil {
		return nil, misuse{err}
	}
	return out, nil
}

// flagsFor returns the flags with which another command is about an outbox, one of so many.
func (c *configuration) flagsFor(name string, outboxes int) string {
	flags := ""
	if c.path != "" {
		flags = " --config " + quoted(c.path)
	}
	if outboxes > 1 {
		flags += " --outbox " + quoted(name)
	}
	return flags
}
