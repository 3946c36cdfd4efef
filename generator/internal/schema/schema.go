package schema

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// Schema is one JSON Schema of any dialect, in the terms of 2020-12: older forms
// (definitions, items as an array, boolean exclusiveMinimum, dependencies, nullable)
// are translated. Every part has its position. A Schema is read-only once it is loaded.
type Schema struct {
	Pos     finding.Pos // where the schema begins
	Doc     *Document   // the file that contains it
	Pointer string      // JSON Pointer from the root of that file, "" for the root
	// Variant distinguishes schemas in one place: there are several if their dynamic
	// references lead to different targets. The first is 0.
	Variant int

	// Bool is set for the boolean schemas true and false. Then nothing else is set.
	Bool *bool

	ID     string // $id as written
	Anchor string
	// Ref is $ref. Other keywords may be next to it, unless the dialect ignores them;
	// then they are not here. A $dynamicRef or $recursiveRef is also here, with the
	// target that validation would find; see Variant.
	Ref           *Ref
	DynamicAnchor string // $dynamicAnchor, which is an anchor as well

	Title       string
	Description string
	Deprecated  bool
	ReadOnly    bool
	WriteOnly   bool
	Default     *Value
	Examples    []*Value

	Types []string // type; more than one is a union; empty: any
	Enum  []*Value // nil: no enum; empty but not nil: no value is valid
	// EnumNames are names of values of Enum in annotations of tools, by Canonical; nil:
	// none.
	EnumNames map[string]string
	Const     *Value

	// Objects.
	Properties            []Property // in source order
	PatternProperties     []Property // Name is the pattern
	AdditionalProperties  *Schema
	UnevaluatedProperties *Schema
	PropertyNames         *Schema
	Required              []Name
	MinProperties         *Number
	MaxProperties         *Number
	DependentRequired     []Dependent
	DependentSchemas      []Property

	// Arrays.
	PrefixItems []*Schema
	Items       *Schema
	Contains    *Schema
	MinContains *Number
	MaxContains *Number
	// ContainsCounts is true if Contains does not evaluate items for UnevaluatedItems,
	// as before 2020-12.
	ContainsCounts   bool
	UnevaluatedItems *Schema
	MinItems         *Number
	MaxItems         *Number
	UniqueItems      bool

	// Strings.
	MinLength        *Number
	MaxLength        *Number
	Pattern          *Name
	Format           string
	ContentEncoding  string
	ContentMediaType string
	ContentSchema    *Schema // the schema of an encoded string's content; an annotation

	// Numbers.
	Minimum          *Number
	Maximum          *Number
	ExclusiveMinimum *Number
	ExclusiveMaximum *Number
	MultipleOf       *Number

	// Combinations.
	AllOf, AnyOf, OneOf []*Schema
	Not, If, Then, Else *Schema
	Discriminator       *Discriminator // OpenAPI's, if a oneOf has one
	BaseOf              *Schema        // the OpenAPI base type that this schema is for its branches, without its union

	Defs []Property // $defs and definitions

	// Outbox is the event that x-outbox describes, or nil.
	Outbox *Extension
	// Marks is the rest of x-outbox; nil if there is none.
	Marks *Marks

	// At has the position of each keyword, by its name as written: a draft-07 schema
	// has "definitions", not "$defs".
	At map[string]finding.Pos
}

// Property is a named subschema.
type Property struct {
	Name   string
	Pos    finding.Pos // of the name
	Schema *Schema
}

// Name is a string with its position.
type Name struct {
	Text string
	Pos  finding.Pos
}

// Texts returns names without their positions.
func Texts(names []Name) []string {
	var texts []string
	for _, n := range names {
		texts = append(texts, n.Text)
	}
	return texts
}

// Number is a number as written, so that nothing is lost.
type Number struct {
	Text string // a JSON number
	Pos  finding.Pos
}

// Dependent is one entry of dependentRequired.
type Dependent struct {
	Name     Name
	Required []Name
}

// Discriminator is OpenAPI's hint which branch of a oneOf applies to a value. Mapping,
// Refs and Targets are parallel.
type Discriminator struct {
	PropertyName Name
	Mapping      []Name // the values of the property, in source order
	Refs         []*Ref // the references that they map to
	Targets      []*Schema
}

// Ref is a resolved reference.
type Ref struct {
	Text   string // as written
	Pos    finding.Pos
	Target *Schema // nil only if the loader reported an error for the reference
}

// Extension is the x-outbox keyword.
type Extension struct {
	Pos           finding.Pos
	Version       *Number
	Type          *Name
	Topic         *Name
	Envelope      *Name
	AggregateType *Name
	AggregateID   *Name // JSON Pointer; nil: an argument of the insert function
	Key           *Name // JSON Pointer; nil and !NoKey: the aggregate id
	NoKey         bool  // key: null
	KeyPos        finding.Pos
	Correlation   *Name // JSON Pointer
	Tombstone     bool  // the event's key can be deleted
	Role          *Name // publish or consume; nil: publish, or as the operations of AsyncAPI say
	Compat        CompatRule
	// GoName, Wrapped and SchemaURI are for messages of AsyncAPI and entries of events::
	// the Go name without the version, whether the payload describes the envelope, and
	// the $id of the event data.
	GoName    Name
	Wrapped   bool
	SchemaURI *Name
	// At has the position of each member.
	At map[string]finding.Pos
	// Missing has the required members that an entry of events: lacks. A message of
	// AsyncAPI says them itself.
	Missing []string
}

// ValueKind tells the JSON types apart.
type ValueKind int

// The kinds of JSON values.
const (
	Null ValueKind = iota
	Bool
	NumberKind
	String
	Array
	Object
)

// String returns the name that JSON Schema gives the kind.
func (k ValueKind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

// Value is a JSON value with its position, as YAML or JSON source gave it.
type Value struct {
	Pos     finding.Pos
	Kind    ValueKind
	Bool    bool
	Text    string // String: the text; NumberKind: a JSON number as written
	Items   []*Value
	Members []Member // Object: in source order
}

// Member is one member of an object value.
type Member struct {
	Name  string
	Pos   finding.Pos
	Value *Value
}

// Document is one loaded file.
type Document struct {
	Path    string  // relative to the project, with forward slashes
	Dialect Dialect // of the root
	Root    *Schema // nil if the file could not be read as a schema
	// Roots has the schemas of the file that are not inside others: Root or, in a file
	// that only contains schemas, such as a document of AsyncAPI, those that are used.
	Roots  []*Schema
	Source []byte
	// Listed is true if the file matches schemas: or is the one of LoadFile; other
	// files are here because something refers to them.
	Listed bool

	refers []*Document    // targets of its references
	levels map[string]int // the dialects of schemas with a schemaFormat, by pointer
}

// Dialect is a version of JSON Schema.
type Dialect string

// The dialects that load. 2020-12 is native.
const (
	Draft202012 Dialect = "2020-12"
	Draft201909 Dialect = "2019-09"
	Draft7      Dialect = "draft-07"
	Draft6      Dialect = "draft-06"
	Draft4      Dialect = "draft-04"
)

// Event is one event version, described in its own file or under events: in the config.
type Event struct {
	Schema *Schema
	Pos    finding.Pos // where the event is described
	// GoName is the Go name of the event data with its version, from the title (or
	// name: in the config): CJAssessmentCompletedV1.
	GoName        string
	Version       int
	Type          string
	Topic         string
	Envelope      string // outbox, cloudevents or none
	AggregateType string
	AggregateID   *Name // nil: an argument of the insert function
	Key           *Name // nil with Keyed: the aggregate id
	Keyed         bool
	Correlation   *Name // nil: none in the data
	// CorrelationUUID is true if every correlation id is a UUID.
	CorrelationUUID bool
	// Tombstone is true if the event's key can be deleted: a record with a null value.
	Tombstone bool
	// Consumed is true if the service receives the event, and another one publishes it.
	Consumed bool
	// Service is the name of the service in the project file.
	Service Name
	Compat  CompatRule // with the config's values as defaults
	// SchemaURI is data_schema_uri of its envelopes: the $id of the schema; "": none.
	SchemaURI string
	// Title, Description and Examples are what the message of AsyncAPI says: Examples
	// are of the event data.
	Title, Description string
	Examples           []*Value
	// Within is the document of AsyncAPI of which the event is a message; nil: none.
	// AlsoWithin are others.
	Within     *Document
	AlsoWithin []*Document

	// OwnCompat is what the event itself says about compatibility; Compat also has the
	// values of the config.
	OwnCompat CompatRule

	message          *Document // the file that has the message of AsyncAPI
	at               map[string]finding.Pos
	typePos, namePos finding.Pos
}

// ShownTitle returns the title of the event: that of its message, or else of its data; "":
// none.
func (e *Event) ShownTitle() string {
	return e.shown(e.Title, func(s *Schema) string { return s.Title })
}

// ShownDescription returns the description of the event: that of its message, or else of its
// data; "": none.
func (e *Event) ShownDescription() string {
	return e.shown(e.Description, func(s *Schema) string { return s.Description })
}

func (e *Event) shown(own string, of func(*Schema) string) string {
	if strings.TrimSpace(own) != "" {
		return own
	}
	for _, s := range e.Schema.Described() {
		if text := of(s); strings.TrimSpace(text) != "" {
			return text
		}
	}
	return ""
}

// Place returns the position of a member of x-outbox (or of the entry under events:),
// such as "topic" or "aggregate.id"; if it is missing, that of the event.
func (e *Event) Place(member string) finding.Pos {
	if pos, ok := e.at[member]; ok {
		return pos
	}
	return e.Pos
}

// In reports whether the event is described in a document: it has the schema, or the
// message of AsyncAPI.
func (e *Event) In(d *Document) bool {
	return e.Schema.Doc == d || e.Within == d || e.message != nil && e.message == d || slices.Contains(e.AlsoWithin, d)
}

// Files returns the files without which the event cannot be read: that of its schema and,
// for a message of AsyncAPI, its documents and what these refer to.
func (e *Event) Files() []*Document {
	files := []*Document{e.Schema.Doc}
	for _, d := range append([]*Document{e.Within}, e.AlsoWithin...) {
		if d != nil {
			files = append(files, d.Reached()...)
		}
	}
	return files
}

// InConfig reports whether an entry of events: in the config describes the event.
func (e *Event) InConfig(p *Project) bool { return p.Config != nil && e.Pos.File == p.Config.File() }

// Project is everything that a run reads: the config and its schemas, loaded and
// checked, with resolved references.
type Project struct {
	Config    *Config     // nil if a file was loaded without one
	Documents []*Document // sorted by path; includes files reached only by $ref
	Events    []*Event    // sorted by GoName
	LeftOut   []string    // the files that LoadPart left out, sorted
	Missing   []string    // the files that could not be read, sorted
	Sources   finding.Sources

	subjects subjects
}

// Document returns the loaded file at path, or nil.
func (p *Project) Document(path string) *Document {
	for _, d := range p.Documents {
		if d.Path == path {
			return d
		}
	}
	return nil
}

// Sound returns p with only the events that no error in list affects: in their files,
// in files that these refer to, in their entries of the config, or in settings for all
// of them. Findings about these events are valid whatever the other errors are.
func (p *Project) Sound(list *finding.List) *Project {
	broken, entries := map[string]bool{}, map[finding.Pos]bool{}
	sound := *p
	sound.Events = nil
	config := filepath.Base(p.Config.Path)
	for _, f := range list.Sorted() {
		switch {
		case f.Severity != finding.Error:
		case f.Pos.File != config:
			broken[f.Pos.File] = true
		default:
			switch member := p.Config.member(f.Pos); member {
			case "events":
				entries[p.Config.entry(f.Pos)] = true
			case "schemas", "dialects", "lint", "compat":
				// The setting decides which files are read and how they are checked;
				// what was read is valid.
			default:
				return &sound
			}
		}
	}
	for _, e := range p.Events {
		if e != nil && e.Schema != nil && !entries[e.Pos] && !slices.ContainsFunc(e.Schema.Doc.Reached(), func(d *Document) bool { return broken[d.Path] }) {
			sound.Events = append(sound.Events, e)
		}
	}
	return &sound
}

// Reached returns d and every file that its references lead to, d first.
func (d *Document) Reached() []*Document {
	all := []*Document{d}
	for i := 0; i < len(all); i++ {
		for _, to := range all[i].refers {
			if !slices.Contains(all, to) {
				all = append(all, to)
			}
		}
	}
	return all
}

// Resolved returns the schema that s stands for: s itself or, if s is only a $ref, the
// schema at the end of the chain of references. The loader makes sure that chains end.
// nil if a reference in the chain did not resolve.
func (s *Schema) Resolved() *Schema {
	for s != nil && s.OnlyRef() {
		s = s.Ref.Target
	}
	return s
}

// Described returns the schemas whose annotations describe a value of s: s, what it
// refers to, and the only part of its allOf. s is the first.
func (s *Schema) Described() []*Schema {
	var all []*Schema
	for s != nil && !slices.Contains(all, s) {
		all = append(all, s)
		switch {
		case s.Ref != nil:
			s = s.Ref.Target
		case len(s.AllOf) == 1:
			s = s.AllOf[0]
		default:
			return all
		}
	}
	return all
}

// Dialect returns the dialect of a schema, or of the schema that it only refers to: that
// of its file, unless a schemaFormat in a document of AsyncAPI names another one.
func (s *Schema) Dialect() Dialect {
	if to := s.Resolved(); to != nil {
		s = to
	}
	return dialects[s.Doc.levelAt(s.Pointer, s.Doc.Dialect.level())]
}

// Requires reports whether required of s lists the name.
func (s *Schema) Requires(name string) bool {
	return slices.ContainsFunc(s.Required, func(n Name) bool { return n.Text == name })
}

// OnlyRef reports whether s has only $ref, annotations and definitions.
func (s *Schema) OnlyRef() bool {
	return s.Ref != nil && !s.SaysMore()
}

// SaysMore reports whether s has keywords that affect validation besides $ref and the
// given ones.
func (s *Schema) SaysMore(than ...string) bool {
	for name := range s.At {
		if !besideRef(name) && !slices.Contains(than, name) {
			return true
		}
	}
	return false
}
