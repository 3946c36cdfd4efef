// Package ir is what the passes of the generator hand to the one that prints: a
// Go package as named types with their fields, events, and files. Every name is
// final, every type is decided, and every constraint is a plain number or text.
// It is data alone.
package ir

import (
	"iter"

	"github.com/outboxgen/outboxgen/generator/internal/finding"
	"github.com/outboxgen/outboxgen/generator/internal/schema"
)

// Package is one Go package of events.
type Package struct {
	Name    string
	Service string
	File    string // of the package itself
	Events  []*Event
	Files   []*File // of types and events, sorted by name
}

// File is one Go file of the package.
type File struct {
	Name   string // base name
	Source string // the schema file it comes from, relative to the project
	Event  *Event // nil in a file of shared types
	Types  []*Named
	Defs   []*Definitions // that its rules share
}

// Rules returns the rules of the file's types, each variable once.
func (f *File) Rules() []*Rules {
	var all []*Rules
	seen := map[string]bool{}
	add := func(r *Rules) {
		if r != nil && !seen[r.Var] {
			seen[r.Var] = true
			all = append(all, r)
		}
	}
	for _, n := range f.Types {
		add(n.Rules)
		for _, t := range n.Parts() {
			for ; t != nil; t = t.Elem {
				add(t.Rules)
			}
		}
	}
	return all
}

// Event is one event version.
type Event struct {
	*schema.Event
	Data        *Named
	AggregateID Path // empty: given by the caller
	Key         Path // empty: the aggregate id, or none when not Keyed
	Correlation Path // empty: none in the data
}

// Path leads from event data to one of its values. It has Steps, or Branches
// where the data is a union, or neither: then there is no such value.
type Path struct {
	Pointer  string
	Steps    []Step
	Branches []BranchPath
}

// Step leads from a value to a part of it.
type Step struct {
	Kind StepKind
	Type *Type // of the part
	// Optional is set where the value may lack the part.
	Optional bool
	Field    *Field // that a FieldStep leads to
	// In is the Go name of the field that an item, a member or a whole value is
	// in, "" where it is the value itself or in it.
	In string
	// Index and Key choose the item and the member.
	Index int
	Key   string
}

// StepKind tells steps apart.
type StepKind int

// The kinds of steps.
const (
	FieldStep  StepKind = iota // to a member of a struct or a position of a tuple
	ItemStep                   // to an item of a slice, which may have fewer
	MemberStep                 // to a member of a map, which may not have it
	WholeStep                  // to the value itself: what event data holds, or a branch of a union
)

// None reports whether the path leads nowhere.
func (p Path) None() bool { return len(p.Steps)+len(p.Branches) == 0 }

// BranchPath is the path through one branch of a union.
type BranchPath struct {
	Branch *Branch
	Steps  []Step
}

// Named is a declared type: a struct, an enum, a union or a branch of one.
type Named struct {
	Name       string
	Schema     *schema.Schema
	Doc        string
	Deprecated bool
	// Parent and Role say where a type stands that is written in line: it is
	// the type of Role of Parent. Parent is nil for any other.
	Parent *Named
	Role   string

	// Enum is set for an enum, whose Base is String, Int, Float or JSON.
	Enum []EnumValue
	Base Kind
	// Open is set for an enum beside which other strings are valid too: what
	// holds for those.
	Open *Type

	// Union is set for a union.
	Union *Union
	// Holds is set for event data that is no object: the one value of its struct.
	Holds *Type
	// Of is set for a branch of a union that is neither a struct nor an enum, and
	// for a slice or map that holds itself: what the declared type is made of.
	Of *Type
	// Unions are those that the type is a branch of.
	Unions []*Named

	// Fields of a struct. Unknown members are kept unless it is Closed, or
	// Extra gives them a type.
	Fields        []*Field
	Extra         *Type
	ExtraName     string // Go name of the field for Extra
	UnknownName   string // Go name of the field for unknown members
	SpellingName  string // Go name of the field for texts that values do not keep; "" if all do
	Closed        bool
	MinProperties *int
	MaxProperties *int
	Rules         *Rules // nil: none
	// Matching are the members whose names match a pattern, in their maps.
	Matching []*Matching

	// Tuple is set where the value is an array: the Fields are its positions,
	// and Extra or UnknownName says what the items behind them are.
	Tuple              bool
	MinItems, MaxItems *int
	UniqueItems        bool

	// Place and Origins are those of a Type; PlacesVar is the Go name of the
	// variable for what they do not tell of the fields.
	Place     string
	Origins   map[string]string
	PlacesVar string
}

// Matching is a map of the members of a struct whose names match a pattern.
type Matching struct {
	Word    string // what it is named after
	Name    string
	Pattern *Pattern
	Source  string // the pattern as the schema has it
	Type    *Type  // nil: no member may have such a name
	// Overlaps are the other maps that may want a member of this one too.
	Overlaps []*Matching
	Doc      string
}

// EnumValue is one constant.
type EnumValue struct {
	Name    string
	Given   string // what the schema calls the value; may be empty
	Literal string // Go
}

// Field is one member of a struct.
type Field struct {
	JSON     string
	Word     string // what it is named after, if that is not JSON
	Name     string
	Type     *Type
	Required bool
	// Conditional is set for a member that only a condition describes: a value
	// that does not fit the Type stays among the unknown members, and Rules
	// decide on it.
	Conditional bool
	Doc         string
	Deprecated  bool
	Default     *schema.Value // nil: none, or null
	Pos         finding.Pos
}

// Kind tells the types apart.
type Kind int

// The kinds of types.
const (
	Any Kind = iota
	Bool
	Int
	Float
	String
	DateTime
	Date
	TimeOfDay
	Duration
	UUID
	Bytes
	Object // free-form
	Slice
	Map
	Struct
	Enum
	UnionKind // an interface
	External  // from the config
	Null      // nothing but null
	Uint      // up to 64 bits without a sign
	BigInt    // an integer of any size
	Number    // a number as it is written
	JSON      // the Base of an enum whose values are JSON
	Base64URL // bytes, as Bytes are
	Base32
	Base16
	Collection // a declared slice or map, which holds itself
)

// Type is the type of a field, an item or a map's value.
type Type struct {
	Kind     Kind
	Nullable bool // null is a value too
	Elem     *Type
	Named    *Named
	// Indirect is set where a struct would otherwise hold itself.
	Indirect bool
	// Import and Name are those of an External type; Import is "" for one of
	// Go's own.
	Import, Name string

	// Const is the only value, of a String, Bool, Int or Float; nil: none.
	Const *schema.Value

	MinLength, MaxLength *int
	Pattern              *Pattern
	Format               string // one that Validate checks

	Minimum, Maximum                   string // a Go literal, "": none
	ExclusiveMinimum, ExclusiveMaximum string
	MultipleOf                         string

	// Place is where the schema stands: the path of its file, # and a JSON
	// Pointer. Origins is where a keyword stands that is not the schema's own.
	Place   string
	Origins map[string]string

	MinItems, MaxItems           *int
	UniqueItems                  bool
	MinProperties, MaxProperties *int

	Rules *Rules // nil: none; those of a Struct stand at its Named
	// Keys is what the names of a map's members match, nil for any.
	Keys *Pattern
}

// Pattern is a regular expression in Go's syntax.
type Pattern struct {
	Var    string // Go name of the variable that holds it
	Source string
}

// Parts yields the types that n is made of, each with the name that Go code
// about it bears behind n's own.
func (n *Named) Parts() iter.Seq2[string, *Type] {
	return func(yield func(string, *Type) bool) {
		more := true
		part := func(name string, t *Type) {
			if more && t != nil {
				more = yield(name, t)
			}
		}
		for _, f := range n.Fields {
			part(f.Name, f.Type)
		}
		part(n.ExtraName, n.Extra)
		part("", n.Holds)
		part("", n.Of)
		part("", n.Open)
		if n.Union != nil {
			for _, branch := range n.Union.Branches {
				switch {
				case n.Union.Raw:
					part(branch.Name, branch.Type)
				case branch.Type.Kind == Enum:
					part(branch.Named.Name, branch.Type)
				}
			}
		}
		for _, m := range n.Matching {
			part(m.Name, m.Type)
		}
	}
}

// CanBeNil reports whether the Go type of t has a nil that stands for absent.
func (t *Type) CanBeNil() bool {
	switch t.Kind {
	case Slice, Map, Object, Bytes, Base64URL, Base32, Base16, Collection, BigInt, Any, UnionKind:
		return true
	}
	return false
}
