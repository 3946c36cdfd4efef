package schema

import (
	"cmp"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// Config is outboxgen.yaml with its defaults filled in.
type Config struct {
	Path     string   // of the file, as it was given
	Dir      string   // the project: the folder of the file; everything is relative to it
	Service  string   // source_service and the wake-up key
	Schemas  []string // globs, relative to Dir
	Out      string   // Go package directory, relative to Dir, with forward slashes
	Package  string   // default: base name of Out
	Envelope string   // outbox | cloudevents | none; default outbox
	Nullable string   // strict | pointer; default strict
	// CorrelationID is text or uuid: which correlation ids events can have; default text.
	CorrelationID string
	Unknown       string // keep | drop; default keep: what becomes of unknown properties
	// Validation is what generated types hold documents to; default strict.
	Validation Validation
	SQLC       SQLCConfig
	Types      []TypeMapping
	Events     []EventConfig
	Dialects   []DialectConfig // in source order
	Lint       LintConfig
	Compat     CompatConfig
	At         map[string]finding.Pos // top-level member -> position

	schemas []Name // Schemas with positions
}

// Validation is what generated types hold documents to.
type Validation string

const (
	// StrictValidation is what the author of a schema most often means: a
	// constraint that has no type beside it implies its type (minLength is for
	// strings, so a number is not valid), formats are asserted, and numbers fit an
	// int64 or a float64.
	StrictValidation Validation = "strict"
	// SpecValidation is what the specification says by itself: a constraint says
	// nothing of values of another type, formats are annotations, and numbers have
	// any size.
	SpecValidation Validation = "spec"
)

// member is the top-level member of the config that pos lies in, "" where there
// is none.
func (c *Config) member(pos finding.Pos) string {
	name, last := "", finding.Pos{}
	for member, at := range c.At {
		if !before(pos, at) && before(last, at) {
			name, last = member, at
		}
	}
	return name
}

// entry is where the entry of events: begins that pos lies in.
func (c *Config) entry(pos finding.Pos) finding.Pos {
	var last finding.Pos
	for _, e := range c.Events {
		if !before(pos, e.Pos) && before(last, e.Pos) {
			last = e.Pos
		}
	}
	return last
}

// before reports whether a stands before b in one file.
func before(a, b finding.Pos) bool {
	return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col)) < 0
}

// SQLCConfig says how the insert functions reach the table.
type SQLCConfig struct {
	Mode       string // embedded | queries; default embedded
	Migrations string // the service's migrations or schema.sql, relative to Dir; "": ours
	Schema     string // Postgres schema that holds event_outbox; default public
	Package    string // mode queries: import path of the service's own sqlc package
	Queries    string // mode queries: the .sql file to write, relative to Dir
	Pos        finding.Pos
	// At holds the position of each member present.
	At map[string]finding.Pos
}

// TypeMapping overrides the Go type of a format or of a $ref target.
type TypeMapping struct {
	Match string // a format name, or a reference as it is written
	Type  string // import/path.Name, or a type of Go's own
	Pos   finding.Pos
}

// EventConfig describes an event whose schema you cannot edit.
type EventConfig struct {
	Schema Name // path, with an optional #fragment
	Name   Name // the Go name without the version; "": from the title
	// Dialect is what the file of the schema is read as, whatever its $schema
	// says; "" where that decides.
	Dialect Dialect
	Extension
}

// DialectConfig says what schemas are read as.
type DialectConfig struct {
	Match   Name // an address that $schema names, or a pattern of files
	Dialect Dialect
}

// LintConfig says how schemas are looked over.
type LintConfig struct {
	Rules []LintRule // in source order
	// PropertyNames is the style of the names of properties, one of NameStyles;
	// "": that which most of them have.
	PropertyNames string
	// EnumValues is the style of the values of enums, one of NameStyles; "": any,
	// the same within one enum.
	EnumValues string
	// EventTypes is what types must match, a regular expression of Go's; nil:
	// words with dots between them, the last of them the version.
	EventTypes *Name
}

// LintRule is the level of one rule.
type LintRule struct {
	ID    Name
	Level string // error | warning | note | off
}

// NameStyles is the styles of names.
func NameStyles() []string {
	return []string{"snake_case", "camelCase", "PascalCase", "kebab-case", "UPPER_CASE"}
}

// CompatConfig says how a project is held against what it was before.
type CompatConfig struct {
	CompatRule

	Versions string // apart | together: whether version 2 of an event has to suit version 1; default apart
	Released string // pattern of git tags that mark releases; "": what is there before counts as released
	Frozen   bool   // released versions may not change at all, other than in annotations
	Subjects string // topic | record | topic-record: how subjects of a registry are named; default topic
	Accept   []Acceptance
	Pos      finding.Pos
}

// CompatRule is how changes of one event are judged. Empty members take the config's.
type CompatRule struct {
	Level  string // NONE, BACKWARD, FORWARD, FULL or with _TRANSITIVE; the config's default is BACKWARD
	Policy string // strict | lenient; the config's default is strict
}

// Acceptance is a change that somebody means to make.
type Acceptance struct {
	ID     Name // of the finding
	Event  Name // its type
	Reason Name
	Pos    finding.Pos
}
