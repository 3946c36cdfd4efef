package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

func newCheck(io streams, at *project) *cobra.Command {
	var cfg generator.CheckConfig
	var format, explain string
	var skip []string
	var strict bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Say whether a change may be merged",
		Long: `check is the gate for a change of event schemas. It looks for what is wrong with
the schemas, for what is valid but risky (lint), for generated code
that is out of date, and for changes that break those who read or write the events
as they were before. It writes nothing.

--against says what was before:

  REF       a commit, by any name that git knows: main, v1.2.0, HEAD~1
  REF...    the commit at which this branch left REF
  FOLDER    a folder with the project as it was, such as ../before
  URL       a schema registry that speaks Confluent's API, https://host:port; its
            user and password stand in the URL, or as user:password in
            SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO
  none      nothing

The default is the commit at which this branch left the one that it is to be
merged into, as GitHub and GitLab name it to their jobs, or else the default
branch. The files on disk are what is judged, committed or not.

Who has to be able to read whose data is said by compat.level in the project file,
and in x-outbox for one event: BACKWARD by default. The _TRANSITIVE levels look at
every state that an event had on the first-parent history, or at every release
where compat.released names the tags of releases, or at every version in the
registry. A change that is meant is accepted, with a reason, under compat.accept.

It exits 0 when there is no error, 1 when there is, and 2 when it could not judge.
Warnings count with --strict; notes never do. --explain tells what an ID means and
what to do about it.`,
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
	flags.StringVar(&cfg.Against, "against", "", "what was before: a commit, REF..., a folder, the URL of a registry, or none")
	choiceFlag(cmd, &format, "format", "text", "how findings are written", generator.CheckFormats()...)
	flags.StringSliceVar(&skip, "skip", nil, "`parts` to leave out: "+strings.Join(parts, ", "))
	flags.BoolVar(&strict, "strict", false, "warnings count as errors do")
	flags.BoolVar(&cfg.All, "all", false, "list the compatible changes as well")
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
	opts := generator.CheckReportOptions{ReportOptions: io.optionsFor(io.Out), Version: builtVersion()}
	if err := result.Write(io.Out, format, opts); err != nil {
		return fmt.Errorf("write the findings: %w", err)
	}
	if result.Failed(strict) {
		return errFindings
	}
	return nil
}

// explainID explains the finding with one ID.
func explainID(io streams, id string, args []string) error {
	if len(args) > 0 {
		return errors.New("--explain takes no files")
	}
	text, err := generator.ExplainFinding(id)
	if err != nil {
		return err
	}
	return printf(io.Out, "%s", text)
}
