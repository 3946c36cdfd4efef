package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/outboxgen/outboxgen/cmd/internal/exitcode"
	"github.com/outboxgen/outboxgen/generator"
)

// streams is everything around the command except the file system.
type streams struct {
	Out, Err io.Writer
	Env      func(string) string
}

// errFindings ends a command whose findings are already written.
var errFindings = errors.New("there are findings")

// exitError carries the exit code of a child.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func run(args []string, io streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot(io)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit exitError
	switch {
	case err == nil:
		return exitcode.OK
	case errors.As(err, &exit):
		return int(exit)
	case errors.Is(err, errFindings):
		return exitcode.Failed
	default:
		fmt.Fprintf(io.Err, "outboxgen: %s\n", strings.TrimRight(err.Error(), "\n"))
		return exitcode.Misuse
	}
}

// project is where the flags say that the project is.
type project struct {
	dir    string // -C
	config string // --config
}

func newRoot(io streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "outboxgen",
		Short: "Generate a Go package with a transactional outbox from event schemas",
		Long: `outboxgen generates a Go package from event schemas (JSON Schema with the keyword
x-outbox): typed event data, envelopes, and insert functions that write an event to
the outbox in the same transaction as the business rows.

` + strings.TrimSpace(exitcode.Help),
		Example: `  outboxgen init                      # set up a project in a Go module
  outboxgen generate                  # after each change of a schema
  outboxgen check                     # in CI: may this change be merged?
  outboxgen explain schemas/order_placed.v1.yaml`,
		SilenceUsage:  true,
		SilenceErrors: true,

		SuggestionsMinimumDistance: 2,
		Args:                       unknownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.Version = versions()
	root.SetVersionTemplate("{{.Version}}")
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	root.SetFlagErrorFunc(flagError)
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	var at project
	generate, explain, check := newGenerate(io, &at), newExplain(io, &at), newCheck(io, &at)
	initialize, compat, migration, register := newInit(io, &at), newCompat(io, &at), newMigration(io, &at), newRegister(io, &at)
	for _, cmd := range []*cobra.Command{initialize, generate, explain, check, compat, register, migration} {
		projectFlags(cmd, &at)
	}
	for _, cmd := range []*cobra.Command{generate, explain, check, register} {
		configFlag(cmd, &at)
	}
	root.AddCommand(initialize, generate, explain, check, compat, register, migration, newExport(io, &at), newDocs(io), newVersion(io), newSQLC())
	return root
}

func projectFlags(cmd *cobra.Command, at *project) {
	cmd.Flags().StringVarP(&at.dir, "directory", "C", ".", "run in this `folder`")
	completeFolders(cmd, "directory")
}

func configFlag(cmd *cobra.Command, at *project) {
	cmd.Flags().StringVar(&at.config, "config", generator.DefaultFile, "the project `file`, relative to the folder")
	if err := cmd.MarkFlagFilename("config", "yaml", "yml"); err != nil {
		panic(err) // the flag is defined above
	}
}

// unknownCommand refuses an argument of the root, which can only be a command
// that does not exist.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q%s; outboxgen --help lists the commands", args[0], didYouMean(cmd.SuggestionsFor(args[0]), ""))
}

func didYouMean(suggestions []string, prefix string) string {
	if len(suggestions) == 0 {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", prefix+suggestions[0])
}

// flagError adds a suggestion to pflag's error about an unknown flag. Cobra only
// suggests commands, so the flags are given to it as commands.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var suggestion string
	if errors.As(err, &unknown) {
		names := &cobra.Command{SuggestionsMinimumDistance: 2}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		})
		suggestion = didYouMean(names.SuggestionsFor(unknown.GetSpecifiedName()), "--")
	}
	return fmt.Errorf("%w%s; %s --help lists the flags", err, suggestion, cmd.CommandPath())
}

// noArguments is for commands that take none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q; usage: %s", args[0], cmd.UseLine())
	}
	return nil
}

// oneArgument is for commands that take exactly one.
func oneArgument(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("an argument is missing; usage: %s", cmd.UseLine())
	}
	return noArguments(cmd, args[1:])
}

// reportOptions returns how findings look on standard error.
func (s streams) reportOptions() generator.ReportOptions { return s.optionsFor(s.Err) }

// optionsFor returns how findings look on w: with carets only on a terminal, and in
// color unless the user does not want it.
func (s streams) optionsFor(w io.Writer) generator.ReportOptions {
	file, ok := w.(*os.File)
	if !ok {
		return generator.ReportOptions{}
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return generator.ReportOptions{}
	}
	return generator.ReportOptions{Carets: true, Color: s.Env("NO_COLOR") == "" && s.Env("TERM") != "dumb"}
}

// printf writes a line for the user.
func printf(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
