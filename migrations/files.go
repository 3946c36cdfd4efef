package migrations

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Format is the format of a migration tool.
type Format string

// The formats that Files can write.
const (
	Goose      Format = "goose"       // one file with annotations
	Migrate    Format = "migrate"     // golang-migrate: an up and a down file
	Tern       Format = "tern"        // one file, up above the line and down below it
	Atlas      Format = "atlas"       // one versioned file, up only: Atlas plans the way back
	Alembic    Format = "alembic"     // a Python module
	Dbmate     Format = "dbmate"      // one file with annotations
	SQLMigrate Format = "sql-migrate" // one file with annotations
	Flyway     Format = "flyway"      // one versioned file, up only: undoing is not in its free edition
	Prisma     Format = "prisma"      // a folder with one file, up only
	Diesel     Format = "diesel"      // a folder with an up and a down file
	Plain      Format = "sql"         // an up and a down script for psql, each one transaction
)

// Formats returns all formats, in the order of the documentation.
func Formats() []Format {
	return []Format{Goose, Migrate, Tern, Atlas, Alembic, Dbmate, SQLMigrate, Flyway, Prisma, Diesel, Plain}
}

// Kind says what a migration does.
type Kind string

// The kinds of migration.
const (
	KindCreate  Kind = "create"  // creates the tables
	KindUpgrade Kind = "upgrade" // upgrades an event_outbox of an older shape
	KindIndexes Kind = "indexes" // replaces the indexes of an outbox that has published_at in their conditions
	KindPauses  Kind = "pauses"  // lets operators pause topics, in an outbox from before that
	KindGrants  Kind = "grants"  // grants roles their privileges on the tables
	KindMoved   Kind = "moved"   // replaces an empty event_outbox of the other store, for new databases after a move
)

// Store is what kind of outbox event_outbox is.
type Store string

// The stores of an outbox.
const (
	StoreTable Store = "table" // a table; the relay marks or deletes each published row
	StoreLog   Store = "log"   // a partitioned log; rows are only inserted, and a cursor says which are published
)

// Options say which migration Files writes and how it is numbered. The same options
// give the same bytes.
type Options struct {
	// Kind is the kind of migration. "": KindCreate.
	Kind Kind
	// Store is the store of the outbox, for KindCreate, KindPauses, KindGrants and KindMoved.
	// "": StoreTable. The other kinds are for tables only.
	Store Store
	// Schema is the Postgres schema of the tables, which must exist. "": names are
	// unqualified, and the tool's search_path decides.
	Schema string
	// Roles are the roles of KindGrants. The zero value is DefaultRoles.
	Roles Roles
	// Time is the version of the files of all formats but tern and sql, in UTC. It is
	// required for them, except for goose, golang-migrate and Flyway with a Number.
	Time time.Time
	// Number is the version of tern files; 0 means 1. If it is above 0, goose,
	// golang-migrate and Flyway files have it as version instead of Time.
	Number int
	// Revision is the Alembic revision of the migration. "": derived from the contents,
	// Time and DownRevision.
	Revision string
	// DownRevision is the Alembic revision before this one. "": None, for the first
	// migration.
	DownRevision string
	// Dir has the existing migrations. Only Atlas needs it: its atlas.sum covers the
	// whole folder, and Files returns it if Dir is set. Otherwise run "atlas migrate
	// hash" after adding the file.
	Dir fs.FS
}

// File is one file of a migration.
type File struct {
	// Name is relative to the folder of the migrations. With Prisma and Diesel it
	// begins with the folder of this migration, followed by a slash.
	Name    string
	Content []byte
}

// Files returns the files of one migration in a format, sorted by name. The error names
// the invalid option.
func Files(format Format, o Options) ([]File, error) {
	m, err := o.migration()
	if err != nil {
		return nil, err
	}
	write, ok := map[Format]func(migration, Options) ([]File, error){
		Goose: goose, Migrate: golangMigrate, Tern: tern, Atlas: atlas, Alembic: alembic, Plain: plain,
		Dbmate: dbmate, SQLMigrate: sqlMigrate, Flyway: flyway, Prisma: prisma, Diesel: diesel,
	}[format]
	if !ok {
		return nil, fmt.Errorf("migrations: unknown format %q; choose one of %q", format, Formats())
	}
	files, err := write(m, o)
	if err != nil {
		return nil, fmt.Errorf("migrations: format %s: %w", format, err)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// migration is one kind of migration with qualified names.
type migration struct {
	name, title string
	up, down    string
}

func (o Options) migration() (migration, error) {
	var m migration
	if err := o.checkStore(); err != nil {
		return m, err
	}
	switch o.Kind {
	case "", KindCreate:
		m = migration{"event_outbox", "Create the tables of the outbox.", createUp, createDown}
		if o.Store == StoreLog {
			m = migration{"event_outbox_log", "Create the tables of the outbox, which is a log.", logUp, logDown}
		}
	case KindUpgrade:
		m = migration{"event_outbox_upgrade", "Upgrade event_outbox to the current shape.", upgradeUp, upgradeDown}
	case KindIndexes:
		m = migration{"event_outbox_indexes", "Replace the indexes of event_outbox.", indexesUp, indexesDown}
	case KindPauses:
		m = migration{"event_outbox_pauses", "Let operators pause topics of the outbox.", pausesUp, pausesDown}
	case KindGrants:
		if o.Schema != "" && !schemaName.MatchString(o.Schema) {
			break // reported below
		}
		up, down, err := o.Roles.sql(o.Store, o.Schema)
		if err != nil {
			return m, err
		}
		m = migration{"event_outbox_grants", "Grant roles what they need of the outbox's tables.", up, down}
	case KindMoved:
		to, former := StoreTable, StoreLog
		if o.Store == StoreLog {
			to, former = StoreLog, StoreTable
		}
		m = migration{"event_outbox_moved", "Make event_outbox a " + string(to) + ", if it is empty.", moved(to), moved(former)}
	default:
		return m, fmt.Errorf("migrations: unknown kind %q; choose %s, %s, %s, %s, %s or %s", o.Kind, KindCreate, KindUpgrade, KindIndexes, KindPauses, KindGrants, KindMoved)
	}
	if o.Schema == "" {
		return m, nil
	}
	if !schemaName.MatchString(o.Schema) {
		return m, fmt.Errorf("migrations: schema %q: want letters, digits and underscores, at most 63", o.Schema)
	}
	m.up, m.down = qualify(m.up, o.Schema), qualify(m.down, o.Schema)
	return m, nil
}

func (o Options) checkStore() error {
	switch {
	case o.Store != "" && o.Store != StoreTable && o.Store != StoreLog:
		return fmt.Errorf("migrations: unknown store %q; choose %s or %s", o.Store, StoreTable, StoreLog)
	case o.Store == StoreLog && (o.Kind == KindUpgrade || o.Kind == KindIndexes):
		return fmt.Errorf("migrations: a log needs no migration of kind %q", o.Kind)
	}
	return nil
}

// numbered returns Number with the given digits, or Time if there is no Number.
func (o Options) numbered(digits int) (string, error) {
	if o.Number > 0 {
		return fmt.Sprintf("%0*d", digits, o.Number), nil
	}
	return o.stamp("20060102150405")
}

func (o Options) stamp(layout string) (string, error) {
	if o.Time.IsZero() {
		return "", fmt.Errorf("a time is needed for the file's name")
	}
	return o.Time.UTC().Format(layout), nil
}

func goose(m migration, o Options) ([]File, error) {
	version, err := o.numbered(5)
	if err != nil {
		return nil, err
	}
	return []File{{version + "_" + m.name + ".sql", annotated(m, "goose")}}, nil
}

func sqlMigrate(m migration, o Options) ([]File, error) {
	version, err := o.stamp("20060102150405")
	if err != nil {
		return nil, err
	}
	return []File{{version + "_" + m.name + ".sql", annotated(m, "migrate")}}, nil
}

// annotated is a file whose comments tell the tool which statements lead up and
// which down, and which semicolons end no statement.
func annotated(m migration, mark string) []byte {
	var b strings.Builder
	for _, part := range []struct{ name, sql string }{{"Up", m.up}, {"Down", m.down}} {
		for _, statement := range split(part.sql) {
			if _, sql := cutComment(statement); compound(sql) {
				part.sql = strings.Replace(part.sql, sql, "-- +"+mark+" StatementBegin\n"+sql+"\n-- +"+mark+" StatementEnd", 1)
			}
		}
		fmt.Fprintf(&b, "-- +%s %s\n%s\n", mark, part.name, part.sql)
	}
	return text(b.String())
}

func dbmate(m migration, o Options) ([]File, error) {
	version, err := o.stamp("20060102150405")
	if err != nil {
		return nil, err
	}
	return []File{{version + "_" + m.name + ".sql", text("-- migrate:up\n" + m.up + "\n-- migrate:down\n" + m.down)}}, nil
}

func flyway(m migration, o Options) ([]File, error) {
	version, err := o.numbered(1)
	if err != nil {
		return nil, err
	}
	return []File{{"V" + version + "__" + m.name + ".sql", text(m.up)}}, nil
}

func prisma(m migration, o Options) ([]File, error) {
	version, err := o.stamp("20060102150405")
	if err != nil {
		return nil, err
	}
	return []File{{version + "_" + m.name + "/migration.sql", text(m.up)}}, nil
}

func diesel(m migration, o Options) ([]File, error) {
	version, err := o.stamp("2006-01-02-150405")
	if err != nil {
		return nil, err
	}
	folder := version + "_" + m.name
	return []File{{folder + "/up.sql", text(m.up)}, {folder + "/down.sql", text(m.down)}}, nil
}

func golangMigrate(m migration, o Options) ([]File, error) {
	version, err := o.numbered(6)
	if err != nil {
		return nil, err
	}
	// A file is sent as one query, which Postgres runs in one transaction.
	return []File{
		{version + "_" + m.name + ".up.sql", text(m.up)},
		{version + "_" + m.name + ".down.sql", text(m.down)},
	}, nil
}

func tern(m migration, o Options) ([]File, error) {
	name := fmt.Sprintf("%03d_%s.sql", max(o.Number, 1), m.name)
	return []File{{name, text(m.up + "\n---- create above / drop below ----\n\n" + m.down)}}, nil
}

func plain(m migration, _ Options) ([]File, error) {
	transaction := func(sql string) []byte { return text("BEGIN;\n\n" + sql + "\nCOMMIT;\n") }
	return []File{
		{m.name + ".up.sql", transaction(m.up)},
		{m.name + ".down.sql", transaction(m.down)},
	}, nil
}

func alembic(m migration, o Options) ([]File, error) {
	stamp, err := o.stamp("20060102_1504")
	if err != nil {
		return nil, err
	}
	revision, down, revises := o.Revision, "None", "Revises:"
	if revision == "" {
		sum := sha256.Sum256([]byte(m.up + "\x00" + m.down + "\x00" + stamp + "\x00" + o.DownRevision))
		revision = hex.EncodeToString(sum[:6])
	}
	for option, value := range map[string]string{"revision": revision, "down revision": o.DownRevision} {
		if value != "" && !revisionName.MatchString(value) {
			return nil, fmt.Errorf("%s %q: want letters, digits, underscores and hyphens, at most 32", option, value)
		}
	}
	if o.DownRevision != "" {
		down, revises = `"`+o.DownRevision+`"`, revises+" "+o.DownRevision
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\"\"\"%s\n\nRevision ID: %s\n%s\nCreate Date: %s UTC\n\"\"\"\n\n",
		m.title, revision, revises, o.Time.UTC().Format("2006-01-02 15:04"))
	fmt.Fprintf(&b, "from alembic import op\n\nrevision = %q\ndown_revision = %s\nbranch_labels = None\ndepends_on = None\n", revision, down)
	for _, part := range []struct{ name, sql string }{{"upgrade", m.up}, {"downgrade", m.down}} {
		fmt.Fprintf(&b, "\n\ndef %s() -> None:\n", part.name)
		// One statement each, because asyncpg accepts only one at a time.
		for i, statement := range split(part.sql) {
			if i > 0 {
				b.WriteByte('\n')
			}
			comment, sql := cutComment(statement)
			for line := range strings.Lines(comment) {
				b.WriteString(strings.TrimRight("    #"+strings.TrimPrefix(line, "--"), "\n") + "\n")
			}
			fmt.Fprintf(&b, "    op.execute(\n        r\"\"\"\n%s\n        \"\"\"\n    )\n", indent(strings.TrimSuffix(sql, ";"), "        "))
		}
	}
	return []File{{stamp + "_" + m.name + ".py", text(b.String())}}, nil
}

var (
	schemaName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	revisionName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
)

// text returns s with exactly one newline at the end.
func text(s string) []byte { return []byte(strings.TrimRight(s, "\n") + "\n") }
