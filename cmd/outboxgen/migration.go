package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/outboxgen/outboxgen/cmd/outboxgen/internal/output"
	"github.com/outboxgen/outboxgen/generator"
	"github.com/outboxgen/outboxgen/migrations"
)

func newMigration(io streams, at *project) *cobra.Command {
	var cfg generator.MigrationConfig
	var to destination
	cmd := &cobra.Command{
		Use:   "migration",
		Short: "Print the migration of the outbox's tables",
		Long: `migration prints the SQL that creates the outbox's tables, in the form of one
migration tool, and names the file that the tool wants it in. With --upgrade it
starts from an event_outbox of an older shape, with rows in it, and changes it in
place. Where a tool keeps the way down in a file of its own, --down prints that.

With --grants it prints instead what each database role needs of the tables, and
no more: the relay, the service that inserts events, operators, and consumers.
The roles must be there. An empty role name leaves that role out. Without
--format and without migrations in the project, --grants prints plain SQL.

--out writes the files into a folder instead, both ways, under the names that the
tool wants and with the next free number. It replaces no file but atlas.sum, and
adds nothing where the migrations create the tables already.
Without --format, the tool is the one whose migrations are found in the project.`,
		Example: `  outboxgen migration --format goose --out db/migrations
  outboxgen migration --format sql | psql
  outboxgen migration --format migrate --upgrade --out db/migrations
  outboxgen migration --grants --relay-role grading_relay --service-role grading --consumer-role "" --format goose
  outboxgen migration --format alembic --down-revision 3f2a1b --out alembic/versions`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			cfg.Time = time.Now().UTC()
			return runMigration(io, *at, cfg, to)
		},
	}
	flags := cmd.Flags()
	choiceFlag(cmd, &cfg.Format, "format", "", "migration tool", generator.Formats()...)
	flags.BoolVar(&cfg.Upgrade, "upgrade", false, "upgrade an older event_outbox in place")
	flags.BoolVar(&cfg.Grants, "grants", false, "print the least privileges of the roles, not the tables")
	roles := migrations.DefaultRoles()
	flags.StringVar(&cfg.Roles.Relay, "relay-role", roles.Relay, "with --grants: role of the relay")
	flags.StringVar(&cfg.Roles.Service, "service-role", roles.Service, "with --grants: role of the service that inserts events")
	flags.StringVar(&cfg.Roles.Operator, "operator-role", roles.Operator, "with --grants: role of operators")
	flags.StringVar(&cfg.Roles.Consumer, "consumer-role", roles.Consumer, "with --grants: role of consumers")
	flags.StringVar(&cfg.Schema, "schema", "", "Postgres schema of the tables (default: left to the search_path)")
	flags.StringVar(&to.folder, "out", "", "`folder` to write the files into")
	completeFolders(cmd, "out")
	flags.BoolVar(&to.down, "down", false, "print the way down")
	flags.StringVar(&cfg.Revision, "revision", "", "Alembic's revision (default: derived)")
	flags.StringVar(&cfg.DownRevision, "down-revision", "", "Alembic's revision before this one")
	cmd.MarkFlagsMutuallyExclusive("out", "down")
	cmd.MarkFlagsMutuallyExclusive("grants", "upgrade")
	return cmd
}

// destination is where a migration goes.
type destination struct {
	folder string // "": it is printed
	down   bool   // print the file that leads down
}

func runMigration(io streams, at project, cfg generator.MigrationConfig, to destination) error {
	if cfg.Format == "" {
		found, ok, err := generator.FindMigrations(at.dir)
		if err != nil {
			return err
		}
		switch {
		case ok:
			cfg.Format = found.Format
		case cfg.Grants:
			cfg.Format = string(migrations.Plain)
		default:
			return fmt.Errorf("no migrations are here to tell the tool from; say --format %s", strings.Join(generator.Formats(), "|"))
		}
	}
	if to.folder != "" {
		cfg.Dir = joinDir(at.dir, to.folder)
		if !cfg.Upgrade && !cfg.Grants {
			if err := refuseTwice(io, cfg, to.folder); err != nil {
				return err
			}
		}
	}
	files, err := generator.Migration(cfg)
	if err != nil {
		return err
	}
	if to.folder != "" {
		return writeNew(io, cfg.Dir, to.folder, files)
	}
	return printMigration(io, cfg.Format, files, to.down)
}

// refuseTwice refuses to add the tables to migrations that create them already.
func refuseTwice(io streams, cfg generator.MigrationConfig, shown string) error {
	there, ok, err := generator.FindOutbox(cfg.Dir)
	if err != nil || !ok {
		return err
	}
	next := "nothing is left to do"
	if there.Older {
		next = "its shape is an older one, so add --upgrade"
	}
	if err := printf(io.Err, "outboxgen: %s:%d creates event_outbox already, and nothing was written; %s\n", joinDir(shown, there.File), there.Line, next); err != nil {
		return err
	}
	return errFindings
}

// printMigration prints one file, exactly, so that it can be piped on; its name
// goes where messages go, except for plain SQL, whose name is nobody's business.
func printMigration(io streams, format string, files []generator.File, down bool) error {
	index := slices.IndexFunc(files, func(f generator.File) bool { return strings.Contains(f.Path, ".down.") == down })
	if index < 0 {
		return fmt.Errorf("%s has no file of its own for the way down", format)
	}
	if format != "sql" {
		if err := printf(io.Err, "file: %s\n", files[index].Path); err != nil {
			return err
		}
	}
	return printf(io.Out, "%s", files[index].Content)
}

// writeNew writes files that must not be there yet, and atlas.sum.
func writeNew(io streams, dir, shown string, files []generator.File) error {
	var write []output.File
	for _, f := range files {
		if f.Path != "atlas.sum" && exists(joinDir(dir, f.Path)) {
			return fmt.Errorf("%s is there already; nothing was written", joinDir(shown, f.Path))
		}
		write = append(write, output.File{Path: f.Path, Content: f.Content})
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the folder %s: %w", shown, err)
	}
	if err := output.Apply(dir, write, nil); err != nil {
		return err
	}
	for _, f := range files {
		if err := printf(io.Out, "wrote %s\n", joinDir(shown, f.Path)); err != nil {
			return err
		}
	}
	return nil
}
