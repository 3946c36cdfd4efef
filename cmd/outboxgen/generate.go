package main

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxgen/internal/output"
	"github.com/outboxgen/outboxgen/generator"
)

func newGenerate(io streams, at *project) *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Generate the Go package of a project",
		Long: `generate reads outboxgen.yaml and its schemas, and writes the Go package. It writes
either all files or none, removes generated files that are no longer needed, and
never changes a file that it did not generate. It prints the files that it wrote and
removed, or that everything is up to date.

With --check it writes nothing: it prints a unified diff of the changes that it
would make, and the exit code is 1 if there are any.`,
		Example: `  outboxgen generate
  outboxgen generate --check                 # in CI: exit code 1 if something is out of date
  outboxgen generate -C services/orders      # another folder
  outboxgen generate --config orders.yaml`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if check {
				return runCheck(cmd.Context(), io, *at, again(cmd))
			}
			return runGenerate(cmd.Context(), io, *at)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "compare with the files on disk instead of writing")
	return cmd
}

// generateFiles generates the files, writes the findings, and compares the files with
// those on disk.
func generateFiles(ctx context.Context, io streams, at project) (*generator.Result, []generator.Difference, error) {
	command, err := self()
	if err != nil {
		return nil, nil, err
	}
	result, err := generator.Generate(ctx, generator.Config{Dir: at.dir, File: at.config, SQLCCommand: command})
	if err != nil {
		return nil, nil, err
	}
	if err := result.Report(io.Err, io.reportOptions()); err != nil {
		return nil, nil, err
	}
	if result.Failed() {
		return nil, nil, errFindings
	}
	differences, err := result.Compare()
	return result, differences, err
}

func runGenerate(ctx context.Context, io streams, at project) error {
	result, differences, err := generateFiles(ctx, io, at)
	if err != nil {
		return err
	}
	if len(differences) == 0 {
		return printf(io.Out, "up to date: %d files\n", len(result.Files))
	}
	write, remove := changes(differences)
	if err := apply(io, result.Dir, "", write, remove); err != nil {
		return unwritable(io, result, err)
	}
	return foretell(io, remove)
}

func changes(differences []generator.Difference) (write []output.File, remove []string) {
	for _, d := range differences {
		if d.Kind == generator.Orphaned {
			remove = append(remove, d.Path)
			continue
		}
		write = append(write, output.File{Path: d.Path, Content: d.New})
	}
	return write, remove
}

// foretell explains an error that go generate will report: it has listed the files of
// the package and opens each to look for more lines, but the files after the one with
// this line may have been removed.
func foretell(io streams, removed []string) error {
	here := io.Env("GOFILE") // set by go generate
	index := slices.IndexFunc(removed, func(name string) bool {
		return strings.HasSuffix(name, ".go") && path.Base(name) > here
	})
	if here == "" || index < 0 {
		return nil
	}
	return printf(io.Err, "outboxgen: all files are generated, but go generate may fail now because %s no longer exists; run it again. "+
		"To avoid this, put the go:generate line into a file that sorts last in the generated package, such as zz_generate.go\n", removed[index])
}

// unwritable reports that the output cannot be written, at the line of the
// configuration file that sets its place.
func unwritable(io streams, result *generator.Result, err error) error {
	var failed *output.Error
	if !errors.As(err, &failed) {
		return err
	}
	result.Findings = []generator.Finding{{Pos: result.Out, ID: "unwritable-output", Message: failed.Error()}}
	if err := result.Report(io.Err, io.reportOptions()); err != nil {
		return err
	}
	return errFindings
}

func printDiffs(io streams, differences []generator.Difference) error {
	for _, d := range differences {
		if err := printf(io.Out, "%s", d.Diff()); err != nil {
			return err
		}
	}
	return nil
}

// runCheck compares the files with those on disk. command writes them.
func runCheck(ctx context.Context, io streams, at project, command string) error {
	_, differences, err := generateFiles(ctx, io, at)
	if err != nil {
		return err
	}
	if len(differences) == 0 {
		return nil
	}
	if err := printDiffs(io, differences); err != nil {
		return err
	}
	for _, d := range differences {
		if err := printf(io.Err, "%s: %s [generated-file-%[2]s]\n", d.Path, d.Kind); err != nil {
			return err
		}
	}
	if err := printf(io.Err, "outboxgen: %d generated files are out of date; run %s\n", len(differences), command); err != nil {
		return err
	}
	return errFindings
}
