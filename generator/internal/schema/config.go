package schema

import (
	"path"
	"path/filepath"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// Config is outboxgen.yaml with defaults.
type Config struct {
	Path     string // of the file, as it was given
	Dir      string // the folder of the file; everything is relative to it
	Service  string // source_service and the wake-up key
	About    About
	Schemas  []string // globs, relative to Dir
	Out      string   // Go package directory, relative to Dir, with forward slashes
	Package  string   // default: base name of Out
	Envelope string   // outbox | cloudevents | none; default outbox
	Nullable string   // strict | pointer; default strict
	// CorrelationID is text or uuid: which correlation ids events can have; default text.
	CorrelationID string
	Unknown       string // keep | drop; default keep: what becomes of unknown properties
	Zero          string // refuse | allow; default refuse: what an insert does with required UUIDs and times that were not set
	// Validation is how strictly generated types validate; default strict.
	Validation Validation
	SQLC       SQLCConfig
	Types      []TypeMapping
	Events     []EventConfig
	Dialects   []DialectConfig // in source order
	AsyncAPI   AsyncAPIConfig
	Lint       LintConfig
	Compat     CompatConfig
	At         map[string]finding.Pos // top-level member -> position

	schemas []Name // Schemas with positions
}

// Validation is how strictly generated types validate.
type Validation string

const (
	// StrictValidation follows what authors usually mean: a constraint without a type
	// implies its type (minLength is for strings, so a number is invalid), formats are
	// checked, and numbers fit an int64 or a float64.
	StrictValidation Validation = "strict"
	// SpecValidation follows the specification exactly: a constraint has no effect on
	// values of another type, formats are annotations, and numbers have any size.
	SpecValidation Validation = "spec"
)

// File returns the name of the file, as findings have it.
func (c *Config) File() string { return path.Base(filepath.ToSlash(c.Path)) }

// member returns the top-level member of the config that contains pos, or "".
func (c *Config) member(pos finding.Pos) string {
	name, last := "", finding.Pos{}
	for member, at := range c.At {
		if at.Compare(pos) <= 0 && last.Compare(at) < 0 {
			name, last = member, at
		}
	}
	return name
}

// entry returns the beginning of the entry of events: that contains pos.
func (c *Config) entry(pos finding.Pos) finding.Pos {
	var last finding.Pos
	for _, e := range c.Events {
		if e.Pos.Compare(pos) <= 0 && last.Compare(e.Pos) < 0 {
			last = e.Pos
		}
	}
	return last
}

// SQLCConfig says how the insert functions reach the table.
type SQLCConfig struct {
	Mode       string // embedded | queries; default embedded
	Migrations string // the service's migrations or schema.sql, relative to Dir; "": outboxgen's
	Schema     string // Postgres schema that holds event_outbox; default public
	Package    string // mode queries: import path of the service's own sqlc package
	Queries    string // mode queries: the .sql file to write, relative to Dir
	Pos        finding.Pos
	// At holds the position of each member present.
	At map[string]finding.Pos
}

// About is what people want to know of a service besides its events.
type About struct {
	Owner       string // whom to ask: a team, a person, an address; "": unknown
	Description string
	// SourceURL is the address of a file in the service's repository, with {path} and
	// {line}; "": unknown.
	SourceURL *Name
}

// AsyncAPIConfig says how the operations of documents of AsyncAPI are read.
type AsyncAPIConfig struct {
	// PublishSends is true if publish in AsyncAPI 2 means that the service sends, and
	// subscribe that it receives. The specification means the opposite.
	PublishSends bool
	// PublishSet is whether the config says it.
	PublishSet bool
	// OmitReceived is true if messages that the service only receives are no events.
	OmitReceived bool
}

// EventConfig describes an event whose schema users cannot edit.
type EventConfig struct {
	Schema Name // path, with an optional #fragment
	Name   Name // the Go name without the version; "": from the title
	// Dialect is the dialect of the schema's file, whatever its $schema; "" if $schema
	// decides.
	Dialect Dialect
	// Left is true if the message of AsyncAPI is no event: event: false.
	Left bool
	Extension
}

// DialectConfig sets the dialect of schemas.
type DialectConfig struct {
	Match   Name // an address that $schema names, or a pattern of files
	Dialect Dialect
}

// LintConfig configures lint.
type LintConfig struct {
	Rules []LintRule // in source order
	// PropertyNames is the style of property names, one of NameStyles; "": the style of
	// most of them.
	PropertyNames string
	// EnumValues is the style of enum values, one of NameStyles; "": any, but one style
	// in each enum.
	EnumValues string
	// EventTypes is a Go regular expression that event types must match; nil: words
	// with dots between them, the last of them the version.
	EventTypes *Name
	// Baseline is the file with the findings of lint that are accepted, relative to
	// Dir; "": none.
	Baseline string
}

// LintRule is the level of one rule.
type LintRule struct {
	ID    Name
	Level string // error | warning | note | off
}

// NameStyles returns the styles of names.
func NameStyles() []string {
	return []string{"snake_case", "camelCase", "PascalCase", "kebab-case", "UPPER_CASE"}
}

// CompatConfig says how a project is compared with its earlier state.
type CompatConfig struct {
	CompatRule

	Versions string // apart | together: whether version 2 of an event has to be compatible with version 1; default apart
	Released string // pattern of git tags that mark releases; "": the earlier state counts as released
	Frozen   bool   // released versions may only change in annotations
	Subjects string // topic | record | topic-record: how the registry's subjects are named; default topic
	Accept   []Acceptance
	Pos      finding.Pos

	// SubjectsPos is the place of subjects; zero if the file does not set it.
	SubjectsPos finding.Pos
}

// CompatRule says how changes of one event are checked. Empty members use the config's
// values.
type CompatRule struct {
	Level  string // NONE, BACKWARD, FORWARD, FULL or with _TRANSITIVE; the config's default is BACKWARD
	Policy string // generated | strict | lenient; the config's default is generated
}

// Acceptance is an intended change.
type Acceptance struct {
	ID     Name // of the finding
	Event  Name // its type
	Reason Name
	Pos    finding.Pos
}
