package main

import (
	"fmt"
	"path"
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
	var store string
	cmd := &cobra.Command{
		Use:   "migration",
		Short: "Print the migration of the outbox tables",
		Long: `migration prints the SQL that creates the outbox tables, in the format of a
migration tool, with the file name that the tool expects. With --upgrade it prints
the SQL that upgrades an existing event_outbox with its rows. For an outbox that an
earlier version made, --indexes prints the SQL that replaces its indexes (its lease
table has no column low_water), and --pauses the SQL that lets operators pause topics.
With --down it prints the down migration, for tools that keep it in its own file.

With --store log the outbox is a log: event_outbox is partitioned by day, and rows are
only inserted. The relay needs the setting store: log.

With --moved it prints what a project needs after "outboxrelay store migrate", beside
its former migrations: new databases get the other store too. Where the move was made,
it changes nothing. Where event_outbox still has events in the former store, it fails.

With --grants it prints the privileges that each database role needs on the tables
instead: the relay, the service that inserts events, operators, and consumers. The
roles must exist. An empty role name skips that role. Without --format and without
migrations in the project, --grants prints plain SQL.

With --out it writes the files, up and down, into a folder, under the tool's file
names and with the next free number. It replaces no file except atlas.sum. If the
migrations already create the tables, it writes nothing and exits with 1.

For Alembic, the migration follows the head of the folder, or the revision that
--down-revision names. --out also writes outbox_autogenerate.py beside env.py: with
it, autogenerate leaves the outbox tables alone. --autogenerate prints that file.

Without --format, outboxgen uses the tool whose migrations it finds in the project.`,
		Example: `  outboxgen migration --format goose --out db/migrations
  outboxgen migration --format sql | psql
  outboxgen migration --format goose --store log --out db/migrations
  outboxgen migration --format goose --store log --moved --out db/migrations
  outboxgen migration --format migrate --upgrade --out db/migrations
  outboxgen migration --grants --relay-role grading_relay --service-role grading --consumer-role "" --format goose
  outboxgen migration --format alembic --upgrade --out alembic/versions
  outboxgen migration --autogenerate > alembic/outbox_autogenerate.py`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Time = time.Now().UTC()
			cfg.Log = store == string(migrations.StoreLog)
			if !cmd.Flags().Changed("schema") {
				var err error
				if cfg.Schema, err = generator.SchemaOfTables(generator.Config{Dir: at.dir, File: at.config}); err != nil {
					return err
				}
			}
			return runMigration(io, *at, cfg, to)
		},
	}
	flags := cmd.Flags()
	choiceFlag(cmd, &cfg.Format, "format", "", "migration tool: "+strings.Join(generator.Formats(), ", "), generator.Formats()...)
	choiceFlag(cmd, &store, "store", string(migrations.StoreTable), "kind of outbox: table, or log, into which rows are only inserted",
		string(migrations.StoreTable), string(migrations.StoreLog))
	flags.BoolVar(&cfg.Upgrade, "upgrade", false, "upgrade an older event_outbox in place")
	flags.BoolVar(&cfg.Indexes, "indexes", false, "replace the indexes of an event_outbox from before low_water")
	flags.BoolVar(&cfg.Pauses, "pauses", false, "let operators pause topics, in an outbox from before that")
	flags.BoolVar(&cfg.Moved, "moved", false, "replace an empty event_outbox of the other store, after outboxrelay store migrate")
	flags.BoolVar(&cfg.Grants, "grants", false, "print the privileges that the roles need, not the tables")
	roles := migrations.DefaultRoles()
	flags.StringVar(&cfg.Roles.Relay, "relay-role", roles.Relay, "with --grants: role of the relay")
	flags.StringVar(&cfg.Roles.Service, "service-role", roles.Service, "with --grants: role of the service that inserts events")
	flags.StringVar(&cfg.Roles.Operator, "operator-role", roles.Operator, "with --grants: role of operators")
	flags.StringVar(&cfg.Roles.Consumer, "consumer-role", roles.Consumer, "with --grants: role of consumers")
	flags.StringVar(&cfg.Schema, "schema", "", "Postgres schema of the tables (default: sqlc.schema of outboxgen.yaml, else from the search_path)")
	flags.StringVar(&to.folder, "out", "", "`folder` for the files")
	completeFolders(cmd, "out")
	flags.BoolVar(&to.down, "down", false, "print the down migration")
	flags.StringVar(&cfg.Revision, "revision", "", "Alembic revision id (default: derived)")
	flags.StringVar(&cfg.DownRevision, "down-revision", "", "previous Alembic revision id; "+firstRevision+": none (default: the head)")
	flags.BoolVar(&to.autogenerate, "autogenerate", false, "print outbox_autogenerate.py, which makes Alembic's autogenerate leave the tables alone")
	cmd.MarkFlagsMutuallyExclusive("out", "down")
	cmd.MarkFlagsMutuallyExclusive("grants", "upgrade", "indexes", "pauses", "moved")
	for _, forTables := range []string{"upgrade", "indexes"} {
		cmd.MarkFlagsMutuallyExclusive("store", forTables)
	}
	for _, other := range []string{"out", "down", "grants", "upgrade", "indexes", "pauses", "moved", "store"} {
		cmd.MarkFlagsMutuallyExclusive("autogenerate", other)
	}
	return cmd
}

// destination is where a migration goes.
type destination struct {
	folder string // "": it is printed
	down   bool   // print the file that leads down
	// autogenerate prints Alembic's filter instead of a migration.
	autogenerate bool
}

func runMigration(io streams, at project, cfg generator.MigrationConfig, to destination) error {
	if to.autogenerate {
		return printFilter(io, cfg.Format)
	}
	if cfg.Format == "" || to.folder == "" {
		found, ok, err := generator.FindMigrations(at.dir)
		if err != nil {
			return err
		}
		if ok && to.folder == "" && !found.File && (cfg.Format == "" || cfg.Format == found.Format) {
			cfg.Dir = joinDir(at.dir, found.Path) // whose numbers the file name continues
		}
		switch {
		case cfg.Format != "":
		case ok:
			cfg.Format = found.Format
		case cfg.Grants:
			cfg.Format = string(migrations.Plain)
		default:
			return fmt.Errorf("no migrations found that show which tool to use; set --format %s", strings.Join(generator.Formats(), "|"))
		}
	}
	if to.folder != "" {
		cfg.Dir = joinDir(at.dir, to.folder)
		if err := refuseUnfit(io, cfg, to.folder); err != nil {
			return err
		}
	}
	if cfg.Format == string(migrations.Alembic) {
		return runAlembic(io, at, cfg, to)
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

// refuseUnfit refuses to add the tables to migrations that create them already, and the
// upgrade to those whose table it cannot upgrade.
func refuseUnfit(io streams, cfg generator.MigrationConfig, shown string) error {
	if cfg.Indexes || cfg.Pauses || cfg.Grants {
		return nil
	}
	there, ok, err := generator.FindOutbox(cfg.Dir, cfg.Schema)
	if err != nil {
		return err
	}
	if cfg.Moved {
		return refuseMoved(io, cfg, shown, there, ok)
	}
	if !ok || cfg.Upgrade && len(there.Missing) == 0 {
		return nil
	}
	problem := "already creates event_outbox, so nothing was written"
	if cfg.Upgrade {
		problem = "creates the event_outbox to upgrade, and nothing was written"
	}
	switch {
	case len(there.Missing) > 0:
		problem += "; the upgrade needs columns that no migration mentions: " + strings.Join(there.Missing, ", ") +
			`; add them in a migration, or keep the table beside a new one: docs/migrating.md, "The usual shape"`
	case there.Older:
		problem += "; the table has an older shape: add --upgrade"
	case there.Log != cfg.Log && !cfg.Upgrade:
		problem += `; if "outboxrelay store migrate" moves it to the other store, add --moved: docs/running.md, "Move between table and log"`
	}
	if err := printf(io.Err, "outboxgen: %s:%d %s\n", joinDir(shown, there.File), there.Line, problem); err != nil {
		return err
	}
	return errFindings
}

// refuseMoved refuses a migration that replaces the outbox of the other store if there is none.
func refuseMoved(io streams, cfg generator.MigrationConfig, shown string, there generator.Outbox, ok bool) error {
	var problem string
	switch {
	case !ok:
		problem = shown + " creates no event_outbox, so nothing was written; leave out --moved"
	case there.Log == cfg.Log:
		problem = fmt.Sprintf("%s:%d already creates event_outbox in this store, so nothing was written", joinDir(shown, there.File), there.Line)
	default:
		return nil
	}
	if err := printf(io.Err, "outboxgen: %s\n", problem); err != nil {
		return err
	}
	return errFindings
}

// printMigration prints one file, exactly, so that it can be piped on; its name
// goes where messages go, except for plain SQL, whose name does not matter.
func printMigration(io streams, format string, files []generator.File, down bool) error {
	index := slices.IndexFunc(files, func(f generator.File) bool {
		return (strings.Contains(f.Path, ".down.") || path.Base(f.Path) == "down.sql") == down
	})
	if index < 0 {
		return fmt.Errorf("%s keeps the down migration in the same file", format)
	}
	if format != "sql" {
		if err := printf(io.Err, "file: %s\n", files[index].Path); err != nil {
			return err
		}
	}
	return printf(io.Out, "%s", files[index].Content)
}

// writeNew writes files that must not exist yet, and atlas.sum.
func writeNew(io streams, dir, shown string, files []generator.File) error {
	var write []output.File
	for _, f := range files {
		if f.Path != "atlas.sum" && exists(joinDir(dir, f.Path)) {
			return fmt.Errorf("%s already exists; nothing was written", joinDir(shown, f.Path))
		}
		write = append(write, output.File{Path: f.Path, Content: f.Content})
	}
	if err := makeFolder(dir, shown); err != nil {
		return err
	}
	return apply(io, dir, shown, write, nil)
}
