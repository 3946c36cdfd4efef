package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/internal/version"
	"github.com/outboxgen/outboxgen/generator"
)

func newCheck(io streams, at *project) *cobra.Command {
	var cfg generator.CheckConfig
	var format, explain string
	var skip []string
	var strict bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check whether a change of the schemas may be merged",
		Long: `check examines a change of event schemas in CI. It reports errors in the schemas,
valid but risky schemas (lint), generated code that is out of date, and changes
that break consumers or producers of an earlier version. It writes no file except
that of lint.baseline, with --write-baseline.

--against selects the earlier version:

  REF       a commit, by any name that git knows: main, v1.2.0, HEAD~1
  REF...    the commit where this branch left REF
  FOLDER    a folder with an earlier version of the project, such as ../before
  URL       a schema registry with Confluent's API, https://host:port; its user and
            password are in the URL, or as user:password in
            SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO
  none      no comparison

The default is the commit where this branch left its target branch. The target
branch is the one that GitHub or GitLab gives to the job, or else the default
branch. The new version is the files on disk, committed or not.

compat.level in the project file, or in x-outbox for one event, sets the
compatibility level: BACKWARD by default. The _TRANSITIVE levels compare with all
earlier versions of an event: those of the first-parent history; the releases, if
compat.released is set; or those in the registry, if --against is a URL. To accept
an intended change, list it with a reason under compat.accept.

lint.rules in the project file sets the level of each finding of lint, and
lint.baseline names a file with accepted ones. Both also apply to the warnings of
generate.

The exit code is 0 without errors, 1 with errors, and 2 if the check could not run.
With --strict, warnings count as errors; notes never do. --explain shows what an ID
means and how to fix it.`,
		Example: `  outboxgen check                                # in a pull request
  outboxgen check --against HEAD~1               # after a push to the main branch
  outboxgen check --against https://registry.example.com --skip generated
  outboxgen check --format github                # annotations in GitHub Actions
  outboxgen check --format sarif > outboxgen.sarif
  outboxgen check --explain topic-changed`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("explain") {
				return explainID(io, explain, args)
			}
			if err := noArguments(cmd, args); err != nil {
				return err
			}
			cfg.Config = generator.Config{Dir: at.dir, File: at.config}
			for _, part := range skip {
				cfg.Skip = append(cfg.Skip, generator.Part(part))
			}
			return runGate(cmd.Context(), io, cfg, format, strict)
		},
	}
	parts := make([]string, len(generator.Parts()))
	for i, part := range generator.Parts() {
		parts[i] = string(part)
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Against, "against", "", "the earlier version: a commit, REF..., a folder, the URL of a registry, or none")
	choiceFlag(cmd, &format, "format", "text", "output format of the findings", generator.CheckFormats()...)
	flags.StringSliceVar(&skip, "skip", nil, "`parts` to skip: "+strings.Join(parts, ", "))
	flags.BoolVar(&strict, "strict", false, "treat warnings as errors")
	flags.BoolVar(&cfg.WriteBaseline, "write-baseline", false, "accept the findings of lint: write them into the file of lint.baseline")
	flags.BoolVar(&cfg.All, "all", false, "also list compatible changes")
	flags.StringVar(&explain, "explain", "", "explain the `ID` of a finding instead")
	complete(cmd, "skip", parts)
	complete(cmd, "explain", generator.FindingIDs())
	completeFolders(cmd, "against")
	return cmd
}

func runGate(ctx context.Context, io streams, cfg generator.CheckConfig, format string, strict bool) error {
	command, err := self()
	if err != nil {
		return err
	}
	cfg.SQLCCommand, cfg.Env = command, io.Env
	result, err := generator.Check(ctx, cfg)
	if err != nil {
		return err
	}
	opts := generator.CheckReportOptions{ReportOptions: io.optionsFor(io.Out), Version: version.Built()}
	if err := result.Write(io.Out, format, opts); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	if result.Failed(strict) {
		return errFindings
	}
	return nil
}

func explainID(io streams, id string, args []string) error {
	if len(args) > 0 {
		return errors.New("--explain does not take files")
	}
	text, err := generator.ExplainFinding(id)
	if err != nil {
		return err
	}
	return printf(io.Out, "%s", text)
}
