package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/internal/version"
	"github.com/outboxgen/outboxgen/cmd/outboxgen/internal/output"
	"github.com/outboxgen/outboxgen/generator"
)

func newInit(io streams, at *project) *cobra.Command {
	var service, out string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Set up a project in a Go module",
		Long: `init writes outboxgen.yaml, an example event schema and a file with the go:generate
line, and generates the Go package. Run it in the folder of go.mod. If the folder
schemas has events already, there is no example.

It looks for the migrations of the service (goose, golang-migrate, tern, Atlas,
Alembic, dbmate, sql-migrate, Flyway, Prisma, Diesel, plain SQL). If sqlc can read
them, the insert functions are compiled against them. If they do not create the
outbox tables yet, init adds a migration that does, for your review. It never
replaces a file.`,
		Example: `  outboxgen init
  outboxgen init --service order_service --out internal/events
  outboxgen init -C services/orders`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runInit(cmd.Context(), io, *at, generator.InitConfig{
				Dir: at.dir, Service: service, Out: out, Version: version.Released(version.Built()), Time: time.Now().UTC(),
			})
		},
	}
	cmd.Flags().StringVar(&service, "service", "", "name of the service (default: from the module path)")
	cmd.Flags().StringVar(&out, "out", "events", "`folder` of the generated package")
	completeFolders(cmd, "out")
	return cmd
}

func runInit(ctx context.Context, io streams, at project, cfg generator.InitConfig) error {
	begun, err := generator.Init(cfg)
	if err != nil {
		return err
	}
	if m := begun.Migrations; m.Format != "" {
		if err := printf(io.Out, "found %s migrations in %s\n", m.Format, m.Path); err != nil {
			return err
		}
	}
	var write []output.File
	for _, f := range begun.Files {
		write = append(write, output.File{Path: f.Path, Content: f.Content})
	}
	if err := apply(io, cfg.Dir, "", write, nil); err != nil {
		return err
	}
	for _, name := range begun.Kept {
		if err := printf(io.Out, "kept %s\n", name); err != nil {
			return err
		}
	}
	if err := runGenerate(ctx, io, at); err != nil {
		return err
	}
	if err := printf(io.Out, "\nNext:\n"); err != nil {
		return err
	}
	for _, step := range begun.Next {
		if err := printf(io.Out, "  - %s\n", step); err != nil {
			return err
		}
	}
	return nil
}
