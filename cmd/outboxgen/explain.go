package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

func newExplain(io streams, at *project) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:   "explain FILE | ID",
		Short: "Show the event and the Go code of a schema, or explain a finding",
		Long: `explain shows what generate reads from one schema file of the project and what it
writes: the event's type, topic, envelope, aggregate and key, the Go types and
functions, and all findings in the file.

With the ID of a finding, which is in brackets at the end of every message, it shows
what the finding means, why it matters, and how to fix it.`,
		Example: `  outboxgen explain schemas/order_placed.v1.yaml
  outboxgen explain enum-closed
  outboxgen explain -C services/orders schemas/order_placed.v1.yaml`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return noArguments(cmd, args)
			}
			return oneArgument(cmd, args)
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if list {
				return printf(io.Out, "%s", generator.FindingList())
			}
			switch text, err := generator.ExplainFinding(args[0]); {
			case err == nil && !exists(joinDir(at.dir, args[0])):
				return printf(io.Out, "%s", text)
			case err != nil && !exists(joinDir(at.dir, args[0])) && !strings.ContainsAny(args[0], `./\`):
				return fmt.Errorf("no such file, and %w", err)
			}
			return runExplain(io, *at, args[0])
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return generator.FindingIDs(), cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the IDs of all findings instead")
	return cmd
}

func runExplain(io streams, at project, name string) error {
	file, err := inProject(at, name)
	if err != nil {
		return err
	}
	explanation, err := generator.Explain(generator.Config{Dir: at.dir, File: at.config}, file)
	if err != nil {
		return err
	}
	if err := explanation.Report(io.Err, io.reportOptions()); err != nil {
		return err
	}
	if err := explanation.Write(io.Out); err != nil {
		return err
	}
	if n := explanation.Elsewhere; n > 0 {
		if err := printf(io.Err, "outboxgen: no Go code is shown because other files have errors (%d); run outboxgen generate to see them\n", n); err != nil {
			return err
		}
	}
	if explanation.Failed() || explanation.Elsewhere > 0 {
		return errFindings
	}
	return nil
}

// inProject makes a name from the command line relative to the folder of the
// project file.
func inProject(at project, name string) (string, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(at.dir, name)
	}
	config := at.config
	if !filepath.IsAbs(config) {
		config = filepath.Join(at.dir, config)
	}
	dir, err := filepath.Abs(filepath.Dir(config))
	if err != nil {
		return "", fmt.Errorf("find the project: %w", err)
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	rel, err := filepath.Rel(dir, abs)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", name, err)
	}
	return rel, nil
}
