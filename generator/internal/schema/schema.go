package schema

import "github.com/outboxgen/outboxgen/generator/internal/diag"

// Schema is one JSON Schema, whatever dialect it was written in, in the terms
// of 2020-12: older spellings (definitions, array-form items, boolean
// exclusiveMinimum, dependencies, nullable) are already translated. Every part
// knows its position. A Schema is read-only once it is loaded.
type Schema struct {
	Pos     diag.Pos  // where the schema begins
	Doc     *Document // the file it stands in
	Pointer string    // JSON Pointer from the root of that file, "" for the root

	// Bool is set for the boolean schemas true and false; nothing else is then.
	Bool *bool

	ID     string // $id as written
	Anchor string
	Ref    *Ref // $ref; in 2020-12 other keywords may stand beside it

	Title       string
	Description string
	Deprecated  bool
	ReadOnly    bool
	WriteOnly   bool
	Default     *Value
	Examples    []*Value

	Types []string // type; more than one is a union; empty: any
	Enum  []*Value // nil: no enum
	Const *Value

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
	PrefixItems      []*Schema
	Items            *Schema
	Contains         *Schema
	MinContains      *Number
	MaxContains      *Number
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

	// Numbers.
	Minimum          *Number
	Maximum          *Number
	ExclusiveMinimum *Number
	ExclusiveMaximum *Number
	MultipleOf       *Number

	// Combinations.
	AllOf, AnyOf, OneOf []*Schema
	Not, If, Then, Else *Schema
	Discriminator       *Discriminator // OpenAPI's, where a oneOf carries one

	Defs []Property // $defs and definitions

	// Outbox is x-outbox, nil where the file has none.
	Outbox *Extension

	// At holds the position of each keyword present, by its name as written.
	At map[string]diag.Pos
}

// Property is a named subschema.
type Property struct {
	Name   string
	Pos    diag.Pos // of the name
	Schema *Schema
}

// Name is a string with its position.
type Name struct {
	Text string
	Pos  diag.Pos
}

// Number is a number as it was written, so that nothing is lost.
type Number struct {
	Text string // a JSON number
	Pos  diag.Pos
}

// Dependent is one entry of dependentRequired.
type Dependent struct {
	Name     Name
	Required []Name
}

// Discriminator is OpenAPI's hint which branch of a oneOf a value takes.
type Discriminator struct {
	PropertyName Name
	Mapping      []Name // value -> reference, as written
	Targets      []*Schema
}

// Ref is a resolved reference.
type Ref struct {
	Text   string // as written
	Pos    diag.Pos
	Target *Schema // nil only when the loader reported the reference as an error
}

// Extension is the x-outbox keyword.
type Extension struct {
	Pos           diag.Pos
	Version       *Number
	Type          *Name
	Topic         *Name
	Envelope      *Name
	AggregateType *Name
	AggregateID   *Name // JSON Pointer; nil: the insert function takes it
	Key           *Name // JSON Pointer; nil and !NoKey: the aggregate id
	NoKey         bool  // key: null
	KeyPos        diag.Pos
	Correlation   *Name // JSON Pointer
	// At holds the position of each member present.
	At map[string]diag.Pos
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

// Value is a JSON value with its position, as YAML or JSON source gave it.
type Value struct {
	Pos     diag.Pos
	Kind    ValueKind
	Bool    bool
	Text    string // String: the text; NumberKind: a JSON number as written
	Items   []*Value
	Members []Member // Object: in source order
}

// Member is one member of an object value.
type Member struct {
	Name  string
	Pos   diag.Pos
	Value *Value
}

// Document is one loaded file.
type Document struct {
	Path    string // relative to the project, with forward slashes
	Dialect Dialect
	Root    *Schema
	Source  []byte
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

// Event is one event version that the project describes, in its own file or
// under events: in the config.
type Event struct {
	Schema *Schema
	Pos    diag.Pos // where the event is described
	// GoName is the Go name of the event data, version included, derived from
	// the title (or name: in the config): CJAssessmentCompletedV1.
	GoName        string
	Version       int
	Type          string
	Topic         string
	Envelope      string // outbox, cloudevents or none
	AggregateType string
	AggregateID   *Name // nil: the insert function takes it
	Key           *Name // nil with Keyed: the aggregate id
	Keyed         bool
	Correlation   *Name // nil: none in the data
}

// Project is everything that a run of the generator reads: the config and its
// schemas, loaded, checked, references resolved.
type Project struct {
	Config    *Config
	Documents []*Document // sorted by path
	Events    []*Event    // sorted by GoName
}
