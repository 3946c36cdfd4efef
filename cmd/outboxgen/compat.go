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
		Long: `compat compares JSON Schema files by the rules of Confluent's schema registry,
without a registry and without a project. With --policy strict, a change that passes
here can be registered there.

BACKWARD: readers with the new schema can read data written with the old one.
FORWARD: readers with the old schema can read data written with the new one.
FULL: both. With several old versions, oldest first, the _TRANSITIVE levels compare
with all of them, the other levels with the last one.

The policy says how undeclared properties count. generated, the default, is what
readers do that outboxgen generates: a new optional property is compatible. strict
is the default of a schema registry, and lenient its other policy.

A file without $schema is read as 2020-12, unless it has keywords that only an older
draft knows.

The exit code is 0 if the change is compatible, 1 if it is not, and 2 if there is no
verdict. --explain shows what an ID means and how to make the change safely.`,
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
				return fmt.Errorf("compat needs two files, the old version and the new one; usage: %s", cmd.UseLine())
			}
			cfg.Dir, cfg.Earlier, cfg.New = at.dir, args[:len(args)-1], args[len(args)-1]
			return runCompat(io, cfg, format, all)
		},
	}
	flags := cmd.Flags()
	choiceFlag(cmd, &cfg.Level, "level", "BACKWARD", "the compatibility `level`: NONE, BACKWARD, FORWARD or FULL; the last three may end in _TRANSITIVE",
		"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE")
	choiceFlag(cmd, &cfg.Policy, "policy", "generated", "how to treat undeclared properties", "generated", "lenient", "strict")
	choiceFlag(cmd, &format, "format", "text", "output format of the verdict", generator.CompatFormats()...)
	flags.BoolVar(&all, "all", false, "also list compatible changes")
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
