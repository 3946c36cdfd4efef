package generator

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outboxgen/outboxgen/generator/internal/migrationfolder"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
	"github.com/outboxgen/outboxgen/generator/internal/sqlc"
	"github.com/outboxgen/outboxgen/migrations"
)

// Formats lists the migration tools that Migration writes for.
func Formats() []string {
	var names []string
	for _, f := range migrations.Formats() {
		names = append(names, string(f))
	}
	return names
}

// MigrationConfig says which migration of the outbox's tables to produce.
type MigrationConfig struct {
	// Format is the tool, one of Formats.
	Format string
	// Upgrade selects the migration that upgrades an event_outbox of an older shape
	// with its rows. Default: the one that creates the tables.
	Upgrade bool
	// Indexes selects the migration that replaces the indexes of an event_outbox from
	// before event_outbox_lease.low_water.
	Indexes bool
	// Moved selects the migration that follows a move to the other store: it replaces an
	// event_outbox without events.
	Moved bool
	// Pauses selects the migration that lets operators pause topics, for an event_outbox
	// from before that.
	Pauses bool
	// Grants selects the migration that grants privileges to the roles.
	Grants bool
	// Log selects an outbox that is a log, not a table: for the migration that creates the
	// tables, and for Moved, Pauses and Grants.
	Log bool
	// Roles are the roles for Grants.
	Roles migrations.Roles
	// Schema is the Postgres schema of the tables; SchemaOfTables returns that of a
	// project. "": names are unqualified, and the tool's search_path decides.
	Schema string
	// Dir is the folder of the service's migrations. The next free number comes from
	// it, and Atlas's atlas.sum covers it. If it is "" or does not exist, the number is
	// the first, and there is no atlas.sum.
	Dir string
	// Time is the version in the file names of the tools that count in time, and
	// of goose, golang-migrate and Flyway unless Dir counts from 1.
	Time time.Time
	// Revision and DownRevision are Alembic's. If Revision is "", it is derived from
	// the name and Time. If DownRevision is "", the migration is the first one.
	// AlembicHeads finds the revision to give.
	Revision, DownRevision string
}

// SchemaOfTables returns the Postgres schema that the project file sets for the outbox's
// tables. It is "" for public, which is the default, and if there is no project file.
// Other problems of the project file are left to Generate.
func SchemaOfTables(cfg Config) (string, error) {
	cfg = cfg.withDefaults()
	file := cfg.File
	if !filepath.IsAbs(file) {
		file = filepath.Join(cfg.Dir, file)
	}
	none := func(string) bool { return false }
	project, _, err := schema.LoadPart(os.DirFS(filepath.Dir(file)), filepath.Base(file), none)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case project.Config.SQLC.Schema == "public":
		return "", nil
	}
	return project.Config.SQLC.Schema, nil
}

// Migration returns the files of one migration. Their paths are base names. None of
// them exists in Dir, except atlas.sum.
func Migration(cfg MigrationConfig) ([]File, error) {
	if cfg.Format == string(migrations.Prisma) {
		if err := checkPrisma(cfg.Dir); err != nil {
			return nil, err
		}
	}
	leading := leadingNumber
	if cfg.Format == string(migrations.Flyway) {
		leading = flywayVersion
	}
	number, err := nextNumber(cfg.Dir, leading)
	if err != nil {
		return nil, err
	}
	opts := migrations.Options{
		Schema:       cfg.Schema,
		Roles:        cfg.Roles,
		Time:         unused(cfg.Dir, cfg.Time),
		Number:       number,
		Revision:     cfg.Revision,
		DownRevision: cfg.DownRevision,
	}
	if cfg.Dir != "" && cfg.Format == string(migrations.Atlas) {
		opts.Dir = os.DirFS(cfg.Dir)
	}
	if cfg.Log {
		opts.Store = migrations.StoreLog
	}
	switch {
	case cfg.Grants:
		opts.Kind = migrations.KindGrants
	case cfg.Moved:
		opts.Kind = migrations.KindMoved
	case cfg.Pauses:
		opts.Kind = migrations.KindPauses
	case cfg.Upgrade:
		opts.Kind = migrations.KindUpgrade
	case cfg.Indexes:
		opts.Kind = migrations.KindIndexes
	}
	written, err := migrations.Files(migrations.Format(cfg.Format), opts)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, f := range written {
		files = append(files, File{Path: f.Name, Content: f.Content})
	}
	return files, nil
}

// prismaProvider matches the line of Prisma's migration_lock.toml with the database.
var prismaProvider = regexp.MustCompile(`(?m)^[ \t]*provider[ \t]*=[ \t]*["']([^"'\n]*)["']`)

// checkPrisma refuses a folder of migrations for another database than Postgres.
func checkPrisma(dir string) error {
	const lock = "migration_lock.toml"
	text, err := os.ReadFile(filepath.Join(dir, lock))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the database of the migrations: %w", err)
	}
	match := prismaProvider.FindSubmatchIndex(text)
	if match == nil {
		return nil
	}
	provider := string(text[match[2]:match[3]])
	if provider == "postgresql" || provider == "postgres" {
		return nil
	}
	line := 1 + bytes.Count(text[:match[2]], []byte("\n"))
	return fmt.Errorf(`%s:%d: these migrations are for the provider %q, and the outbox's tables need Postgres: write provider = "postgresql" `+
		"there and in the datasource of schema.prisma if the database is Postgres; otherwise keep the outbox in a Postgres database whose migrations are in another folder",
		filepath.ToSlash(filepath.Join(dir, lock)), line, provider)
}

// unused returns the time, or as many seconds later that no file of dir has it as its
// version.
func unused(dir string, at time.Time) time.Time {
	if dir == "" || at.IsZero() {
		return at
	}
	entries, _ := os.ReadDir(dir) // nothing there is nothing taken
	for slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return strings.HasPrefix(e.Name(), at.UTC().Format("20060102150405")+"_")
	}) {
		at = at.Add(time.Second)
	}
	return at
}

// firstDate is the number of digits from which a number is a time and not a count.
const firstDate = 10

// How the name of a migration begins.
var (
	leadingNumber = regexp.MustCompile(`^(\d+)_`)
	flywayVersion = regexp.MustCompile(`^V(\d+)(?:[._]\d+)*__`)
)

// nextNumber returns the number after the highest in a folder with numbers, and 0 if
// the folder uses times or is empty.
func nextNumber(dir string, leading *regexp.Regexp) (int, error) {
	if dir == "" {
		return 0, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("find the next number: %w", err)
	}
	highest := 0
	for _, e := range entries {
		match := leading.FindStringSubmatch(e.Name())
		if match == nil {
			continue
		}
		if len(match[1]) >= firstDate {
			return 0, nil
		}
		number, err := strconv.Atoi(match[1])
		if err != nil {
			return 0, fmt.Errorf("find the next number: %w", err)
		}
		highest = max(highest, number)
	}
	if highest == 0 {
		return 0, nil
	}
	return highest + 1, nil
}

// Migrations says where a service keeps its migrations.
type Migrations struct {
	// Format is the tool, one of Formats.
	Format string
	// Path is relative to the folder that was searched, with forward slashes.
	Path string
	// File is true if Path is a single file of SQL, not a folder.
	File bool
}

// FindMigrations searches dir, up to five folders deep, for the migrations of a
// service, and recognises the tool by the files. ok is false if there are none.
func FindMigrations(dir string) (found Migrations, ok bool, err error) {
	f, ok, err := migrationfolder.Search(dir)
	if err != nil {
		return Migrations{}, false, fmt.Errorf("look for migrations: %w", err)
	}
	return Migrations{Format: string(f.Tool), Path: f.Path, File: f.File}, ok, nil
}

// Outbox is the place where migrations create the outbox's table.
type Outbox struct {
	File string // base name
	Line int    // from 1
	Log  bool   // it is a log, see MigrationConfig.Log
	// Older is true if the migrations lack a column of the current table: the table
	// needs the upgrade.
	Older bool
	// Missing are the columns that the upgrade needs and the migrations lack. If there
	// are any, the upgrade fails as long as the table has no such column.
	Missing []string
}

// FindOutbox searches the migrations at path for the statement that creates the
// event_outbox of a Postgres schema. path is a folder, a file of SQL or a folder of
// Alembic. "" is the schema of the search_path: a table in any schema counts. ok is
// false if there is none, a later migration drops or renames it, or path does not exist.
func FindOutbox(path, schema string) (found Outbox, ok bool, err error) {
	folder, err := migrationfolder.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Outbox{}, false, nil
	case errors.Is(err, migrationfolder.ErrEmpty):
		if folder, err = migrationfolder.ReadAlembic(path); err != nil {
			return Outbox{}, false, fmt.Errorf("read the migrations: %w", err)
		}
	case err != nil:
		return Outbox{}, false, fmt.Errorf("read the migrations: %w", err)
	}
	table, ok := sqlc.FindOutbox(folder, schema)
	if !ok {
		return Outbox{}, false, nil
	}
	return Outbox{File: table.File, Line: table.Line, Log: table.Log, Older: len(table.Lacks) > 0, Missing: table.LacksOlder}, true, nil
}

// join is dir with a slash-separated path below it.
func join(dir, name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
