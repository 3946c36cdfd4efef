package schema

import (
	"path/filepath"
	"slices"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
)

// Schema is one JSON Schema, whatever dialect it was written in, in the terms
// of 2020-12: older spellings (definitions, array-form items, boolean
// exclusiveMinimum, dependencies, nullable) are already translated. Every part
// knows its position. A Schema is read-only once it is loaded.
type Schema struct {
	Pos     finding.Pos // where the schema begins
	Doc     *Document   // the file it stands in
	Pointer string      // JSON Pointer from the root of that file, "" for the root
	// Variant tells schemas apart that stand in one place: there are several of
	// those whose dynamic references lead elsewhere by another way. The first is 0.
	Variant int

	// Bool is set for the boolean schemas true and false; nothing else is then.
	Bool *bool

	ID     string // $id as written
	Anchor string
	// Ref is $ref; other keywords may stand beside it, unless the dialect
	// ignores those, when they are not here either. A $dynamicRef or
	// $recursiveRef is here as well, with the target that validation finds; see
	// Variant.
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
	// EnumNames are the names that a tool gave to values of Enum, by what
	// Canonical says of them; nil: none.
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
	// ContainsCounts says that Contains only counts items: it evaluates none of
	// them for UnevaluatedItems, as before 2020-12.
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
	ContentSchema    *Schema // what an encoded string holds; an annotation

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
	BaseOf              *Schema        // the base type of OpenAPI that this is for its branches, without its union

	Defs []Property // $defs and definitions

	// Outbox is the event that x-outbox describes, nil where it describes none.
	Outbox *Extension
	// Marks is what x-outbox says beside that, at any schema; nil without one.
	Marks *Marks

	// At holds the position of each keyword present, by its name as written:
	// a draft-07 schema has "definitions" here, not "$defs".
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

// Number is a number as it was written, so that nothing is lost.
type Number struct {
	Text string // a JSON number
	Pos  finding.Pos
}

// Dependent is one entry of dependentRequired.
type Dependent struct {
	Name     Name
	Required []Name
}

// Discriminator is OpenAPI's hint which branch of a oneOf a value takes.
// Mapping, Refs and Targets run in parallel.
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
	Target *Schema // nil only when the loader reported the reference as an error
}

// Extension is the x-outbox keyword.
type Extension struct {
	Pos           finding.Pos
	Version       *Number
	Type          *Name
	Topic         *Name
	Envelope      *Name
	AggregateType *Name
	AggregateID   *Name // JSON Pointer; nil: the insert function takes it
	Key           *Name // JSON Pointer; nil and !NoKey: the aggregate id
	NoKey         bool  // key: null
	KeyPos        finding.Pos
	Correlation   *Name // JSON Pointer
	Compat        CompatRule
	// At holds the position of each member present.
	At map[string]finding.Pos
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

// String is the name that JSON Schema gives the kind.
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
	Root    *Schema // nil when the file could not be read as a schema
	Source  []byte
	// Listed is whether schemas: in the config names the file, or LoadFile was
	// asked for it; others are here because something refers to them.
	Listed bool

	refers []*Document // that its references lead to
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
	Pos    finding.Pos // where the event is described
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
	Correlation   *Name      // nil: none in the data
	Compat        CompatRule // with the config's where the event says nothing

	at               map[string]finding.Pos
	typePos, namePos finding.Pos
}

// Place is where a member of x-outbox (or of the entry under events:) stands,
// such as "topic" or "aggregate.id"; where it is left out, that of the event.
func (e *Event) Place(member string) finding.Pos {
	if pos, ok := e.at[member]; ok {
		return pos
	}
	return e.Pos
}

// Project is everything that a run of the generator reads: the config and its
// schemas, loaded, checked, references resolved.
type Project struct {
	Config    *Config     // nil where a file was loaded without one
	Documents []*Document // sorted by path; those reached by $ref alone are here too
	Events    []*Event    // sorted by GoName
	LeftOut   []string    // what LoadPart left out, sorted
	Sources   finding.Sources
}

// Document is the loaded file at path, nil where there is none.
func (p *Project) Document(path string) *Document {
	for _, d := range p.Documents {
		if d.Path == path {
			return d
		}
	}
	return nil
}

// Sound is p with those events alone that no error in list bears on: not in
// their files, nor in what these refer to, nor in their entries of the config,
// nor in what the config says for all of them. What is found about them holds
// whatever else is wrong.
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
				// It decides which files are read and how they are looked at; what
				// was read is as it is.
			default:
				return &sound
			}
		}
	}
	for _, e := range p.Events {
		if e != nil && e.Schema != nil && !entries[e.Pos] && !e.Schema.Doc.reaches(broken, map[*Document]bool{}) {
			sound.Events = append(sound.Events, e)
		}
	}
	return &sound
}

// Reached is d and every file that its references lead to, d first.
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

// reaches reports whether d, or a file that it refers to, is among files.
func (d *Document) reaches(files map[string]bool, seen map[*Document]bool) bool {
	if seen[d] {
		return false
	}
	seen[d] = true
	return files[d.Path] || slices.ContainsFunc(d.refers, func(to *Document) bool { return to.reaches(files, seen) })
}

// Resolved is the schema that s stands for: s itself, or where s is nothing
// but a $ref, the schema at the end of the chain of those. Loading makes sure
// that chains end. nil when a reference in the chain did not resolve.
func (s *Schema) Resolved() *Schema {
	for s != nil && s.OnlyRef() {
		s = s.Ref.Target
	}
	return s
}

// OnlyRef reports whether s says nothing beyond its $ref that bears on values:
// annotations and definitions may stand beside it.
func (s *Schema) OnlyRef() bool {
	return s.Ref != nil && !s.SaysMore()
}

// SaysMore reports whether s says anything that bears on values beside a $ref
// and the keywords given.
func (s *Schema) SaysMore(than ...string) bool {
	for name := range s.At {
		if !besideRef(name) && !slices.Contains(than, name) {
			return true
		}
	}
	return false
}
