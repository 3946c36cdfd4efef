package migrations

import "time"

// Format names a migration tool.
type Format string

// The formats that Files knows.
const (
	Goose   Format = "goose"
	Migrate Format = "migrate" // golang-migrate
	Tern    Format = "tern"
	Atlas   Format = "atlas"
	Alembic Format = "alembic"
	Plain   Format = "sql" // one file for up, one for down
)

// Kind says what a migration starts from.
type Kind string

// The kinds of migration.
const (
	KindCreate  Kind = "create"  // the tables are not there yet
	KindUpgrade Kind = "upgrade" // an event_outbox of an older shape is there
)

// Options says what Files writes. The zero value creates the tables in the
// search_path's first schema, with the time 0001-01-01 in names: set Time or
// Number.
type Options struct {
	// Kind: "" is KindCreate.
	Kind Kind
	// Schema is the Postgres schema of the tables. "" leaves names
	// unqualified, so that the tool's search_path decides.
	Schema string
	// Time becomes the version of goose, golang-migrate, atlas and alembic
	// file names, in UTC.
	Time time.Time
	// Number becomes the version of tern's file name (default 1); for goose and
	// golang-migrate, a number above 0 is used instead of Time.
	Number int
	// Revision and DownRevision are Alembic's. Revision "" is derived from the
	// name and Time; DownRevision "" is None, the first migration.
	Revision, DownRevision string
}

// File is one file to write.
type File struct {
	Name    string // base name
	Content []byte
}

// Files gives the files of one migration in the form of one tool.
func Files(Format, Options) ([]File, error) { return nil, errNotYet }
