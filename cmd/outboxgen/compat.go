package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

func newCompat(io streams, at *project) *cobra.Command {
	var cfg generator.CompatConfig
	var format, explain string
	var all bool
	cmd := &cobra.Command{
		Use:   "compat OLD... NEW",
		Short: "Check whether a changed JSON Schema is compatible",
		Long: `compat compares JSON Schema files as Confluent's schema registry does, without a
registry and without a project: what passes here registers there.

BACKWARD asks whether readers with the new schema can read what was written with
the old one, FORWARD whether readers with the old schema can read what is written
with the new one, FULL both. With several old versions, the oldest first, the
_TRANSITIVE levels look at all of them, the others at the last.

The strict policy takes an object that allows undeclared properties at its word;
the lenient one trusts that nobody writes them and that readers skip them.

Files without $schema are of 2020-12, unless they have words that only an older
draft knows.

It exits 0 when the change is compatible, 1 when it is not, and 2 when there is no
verdict. --explain tells what an ID means and how to make the change safely.`,
		Example: `  outboxgen compat order.v1.json order.v2.json
  outboxgen compat --level FULL --policy lenient old.yaml new.yaml
  outboxgen compat --level BACKWARD_TRANSITIVE v1.json v2.json v3.json
  outboxgen compat --format json old.json new.json
  outboxgen compat --explain property-added-to-open-model`,
		ValidArgsFunction: schemaFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("explain") {
				return explainID(io, explain, args)
			}
			if len(args) < 2 {
				return fmt.Errorf("two files are needed, the old version and the new one; usage: %s", cmd.UseLine())
			}
			cfg.Dir, cfg.Earlier, cfg.New = at.dir, args[:len(args)-1], args[len(args)-1]
			return runCompat(io, cfg, format, all)
		},
	}
	flags := cmd.Flags()
	choiceFlag(cmd, &cfg.Level, "level", "BACKWARD", "the `level`, which says who has to read whose data: NONE, BACKWARD, FORWARD, FULL, or with _TRANSITIVE",
		"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE")
	choiceFlag(cmd, &cfg.Policy, "policy", "strict", "how open objects count", "strict", "lenient")
	choiceFlag(cmd, &format, "format", "text", "how the verdict is written", generator.CompatFormats()...)
	flags.BoolVar(&all, "all", false, "list the changes that are compatible as well")
	flags.StringVar(&explain, "explain", "", "explain the `ID` of a change instead")
	complete(cmd, "explain", generator.FindingIDs())
	return cmd
}

func runCompat(io streams, cfg generator.CompatConfig, format string, all bool) error {
	result, err := generator.Compat(cfg)
	if err != nil {
		return err
	}
	if err := result.Write(io.Out, format, all, io.optionsFor(io.Out)); err != nil {
		return fmt.Errorf("write the verdict: %w", err)
	}
	if !result.Compatible() {
		return errFindings
	}
	return nil
}
