package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/generator"
)

// registryVariable is the environment variable with the address of the registry.
const registryVariable = "SCHEMA_REGISTRY_URL"

func newRegister(io streams, at *project) *cobra.Command {
	var cfg generator.RegisterConfig
	var format string
	cmd := &cobra.Command{
		Use:   "register [TYPE...]",
		Short: "Register the schemas of the events in a schema registry",
		Long: `register registers the schema of each event, or of the given event types, in a
schema registry with Confluent's API. One JSON Schema describes the value of the
event's records: the envelope and the data, with everything that they refer to.
compat.subjects in the project file says how subjects are named.

It first asks the registry whether each schema is compatible with the latest version
there. If the registry refuses one, none is registered. At a transitive level, the
registry may still refuse a schema later, when it is registered. Then the schemas
before it stay registered, and those after it are not registered. --dry-run changes
nothing.

The address comes from --registry or SCHEMA_REGISTRY_URL. User and password are in
the address or, as user:password, in SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO; a token is
in SCHEMA_REGISTRY_BEARER_TOKEN. They are never printed.

The exit code is 0 if every schema is registered (with --dry-run: could be), 1 if
the project has errors or the registry refuses a schema, and 2 if the registry
gives no answer.`,
		Example: `  outboxgen register --registry https://registry.example.com --dry-run   # in a pull request
  outboxgen register --registry https://registry.example.com             # before the deployment
  outboxgen register --registry http://apicurio:8080/apis/ccompat/v7 shop.order_placed.v1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cfg.Registry == "" {
				cfg.Registry = io.Env(registryVariable)
			}
			if cfg.Registry == "" {
				return errors.New("the address of the schema registry is missing: give --registry or " + registryVariable)
			}
			cfg.Dir, cfg.File, cfg.Types, cfg.Env = at.dir, at.config, args, io.Env
			return runRegister(cmd.Context(), io, cfg, format)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&cfg.Registry, "registry", "", "`URL` of the schema registry (variable "+registryVariable+")")
	flags.BoolVar(&cfg.DryRun, "dry-run", false, "ask the registry, and change nothing")
	flags.BoolVar(&cfg.SetLevel, "set-level", false, "set the compatibility level of each subject to compat.level of its event")
	choiceFlag(cmd, &format, "format", "text", "output format of the result; relay: as the setting registry_subjects of outboxrelay", generator.RegisterFormats()...)
	return cmd
}

func runRegister(ctx context.Context, io streams, cfg generator.RegisterConfig, format string) error {
	result, err := generator.Register(ctx, cfg)
	if result != nil {
		if err := result.Report(io.Err, io.reportOptions()); err != nil {
			return err
		}
		if err := result.Write(io.Out, format); err != nil {
			return fmt.Errorf("write the outcome: %w", err)
		}
	}
	if err != nil {
		return err
	}
	if result.Failed() {
		return errFindings
	}
	return nil
}
