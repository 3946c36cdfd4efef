// Package ir has the data that the generator's passes give to the printer: a Go package
// as named types with their fields, events, and files. Every name is final, every type
// is decided, and every constraint is a plain number or text. It has no logic.
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

// Types yields the declared types of all files.
func (p *Package) Types() iter.Seq[*Named] {
	return func(yield func(*Named) bool) {
		for _, f := range p.Files {
			for _, n := range f.Types {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// File is one Go file of the package.
type File struct {
	Name   string // base name
	Source string // the schema file it comes from, relative to the project
	Event  *Event // nil in a file of shared types
	Types  []*Named
	Defs   []*Definitions // shared by its rules
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
			add(t.Rules)
		}
	}
	return all
}

// Event is one event version.
type Event struct {
	*schema.Event
	Data        *Named
	AggregateID Path // empty: an argument of the insert function
	Key         Path // empty: the aggregate id, or none if not Keyed
	Correlation Path // empty: none in the data
}

// Path leads from event data to one of its values. It has Steps, or Branches if the
// data is a union, or neither if there is no such value.
type Path struct {
	Pointer  string
	Steps    []Step
	Branches []BranchPath
}

// Step leads from a value to a part of it.
type Step struct {
	Kind StepKind
	Type *Type // of the part
	// Optional is true if the value may lack the part.
	Optional bool
	Field    *Field // target of a FieldStep
	// In is the Go name of the field that contains an item, a member or a whole value;
	// "" if it is in the value itself.
	In string
	// Index and Key select the item and the member.
	Index int
	Key   string
}

// StepKind is the kind of a step.
type StepKind int

// The kinds of steps.
const (
	FieldStep  StepKind = iota // to a member of a struct or a position of a tuple
	ItemStep                   // to an item of a slice, which may have fewer
	MemberStep                 // to a member of a map, which may not have it
	WholeStep                  // to the value itself: of event data, or of a union's branch
)

// None reports whether the path is empty.
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
	// Parent and Role say where an inline type is: it is the type of Role of Parent.
	// Parent is nil for other types.
	Parent *Named
	Role   string
	// SharedBy is the Go name of the schema that describes the property in Role, if other
	// schemas include it; then Parent is nil.
	SharedBy string

	// Enum is set for an enum, whose Base is String, Int, Float or JSON.
	Enum []EnumValue
	Base Kind
	// Open is set for an enum that also allows other strings: it is what applies to
	// those.
	Open *Type

	// Union is set for a union.
	Union *Union
	// Holds is set for event data that is not an object: the one value of its struct.
	Holds *Type
	// Of is set for a branch of a union that is neither a struct nor an enum, and for a
	// slice or map that contains itself: the underlying type.
	Of *Type
	// Unions are those that the type is a branch of.
	Unions []*Named

	// Fields of a struct. Unknown properties are kept unless it is Closed, or Extra
	// gives them a type.
	Fields        []*Field
	Extra         *Type
	ExtraName     string // Go name of the field for Extra
	UnknownName   string // Go name of the field for unknown properties
	SpellingName  string // Go name of the field for texts that values do not keep; "" if all do
	Closed        bool
	MinProperties *int
	MaxProperties *int
	Rules         *Rules // nil: none
	// Matching has the maps for properties whose names match a pattern.
	Matching []*Matching

	// Tuple is true for an array: the Fields are its positions, and Extra or
	// UnknownName is for the items after them.
	Tuple              bool
	MinItems, MaxItems *int
	UniqueItems        bool

	// Place and Origins are as in Type. PlacesVar is the Go name of the variable with
	// the places of the fields that do not follow from them.
	Place     string
	Origins   map[string]string
	PlacesVar string
}

// Matching is the map for properties of a struct whose names match a pattern.
type Matching struct {
	Word    string // the source of its name
	Name    string
	Pattern *Pattern
	Source  string // the pattern in the schema
	Type    *Type  // nil: no property may have such a name
	// Overlaps are the other maps that may contain the same property.
	Overlaps []*Matching
	Doc      string
}

// EnumValue is one constant.
type EnumValue struct {
	Name    string
	Given   string // the value's name in the schema; may be empty
	Literal string // Go
}

// Field is one member of a struct.
type Field struct {
	JSON     string
	Word     string // the source of its name, if that is not JSON
	Name     string
	Type     *Type
	Required bool
	// Conditional is true for a property that only a condition describes: a value that
	// does not fit the Type stays among the unknown properties, and Rules decide
	// whether it is valid.
	Conditional bool
	Doc         string
	Deprecated  bool
	Default     *schema.Value // nil: none, or null
	Pos         finding.Pos
}

// Kind is the kind of a type.
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
	Collection // a declared slice or map, which contains itself
)

// Type is the type of a field, an item or a map's value.
type Type struct {
	Kind     Kind
	Nullable bool // null is a value too
	Elem     *Type
	Named    *Named
	// Indirect is true if a struct would otherwise contain itself.
	Indirect bool
	// Import and Name are those of an External type; Import is "" for a basic Go type.
	Import, Name string

	// Const is the only valid value of a String, Bool, Int or Float; nil: none.
	Const *schema.Value

	MinLength, MaxLength *int
	Pattern              *Pattern
	Format               string // one that Validate checks

	Minimum, Maximum                   string // a Go literal, "": none
	ExclusiveMinimum, ExclusiveMaximum string
	MultipleOf                         string

	// Place is where the schema is: the path of its file, # and a JSON Pointer. Origins
	// has the places of keywords that are not in that schema.
	Place   string
	Origins map[string]string

	MinItems, MaxItems           *int
	UniqueItems                  bool
	MinProperties, MaxProperties *int

	Rules *Rules // nil: none; those of a Struct are in its Named
	// Keys is the pattern of a map's keys, nil for any key.
	Keys *Pattern
}

// Pattern is a regular expression in Go's syntax.
type Pattern struct {
	Var    string // Go name of the variable that holds it
	Source string
}

// Parts yields the types that n consists of and those of their elements, each with its
// suffix for names derived from n's.
func (n *Named) Parts() iter.Seq2[string, *Type] {
	return func(yield func(string, *Type) bool) {
		more := true
		part := func(name string, t *Type) {
			for ; more && t != nil; t, name = t.Elem, name+"Item" {
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

// Within yields the types that n consists of, those of the branches of a union, and the
// same of each declared type among them that into selects.
func (n *Named) Within(into func(*Named) bool) iter.Seq[*Type] {
	return func(yield func(*Type) bool) {
		n.within(into, yield, map[*Named]bool{})
	}
}

func (n *Named) within(into func(*Named) bool, yield func(*Type) bool, seen map[*Named]bool) bool {
	if seen[n] {
		return true
	}
	seen[n] = true
	visit := func(t *Type) bool {
		return yield(t) && (t.Named == nil || !into(t.Named) || t.Named.within(into, yield, seen))
	}
	for _, t := range n.Parts() {
		if !visit(t) {
			return false
		}
	}
	if n.Union == nil {
		return true
	}
	for _, branch := range n.Union.Branches {
		for t := branch.Type; t != nil; t = t.Elem {
			if !visit(t) {
				return false
			}
		}
	}
	return true
}

// CanBeNil reports whether the Go type of t has a nil, which means absent.
func (t *Type) CanBeNil() bool {
	switch t.Kind {
	case Slice, Map, Object, Bytes, Base64URL, Base32, Base16, Collection, BigInt, Any, UnionKind:
		return true
	}
	return false
}

// External returns the kind of the same values for an External type: Int or Uint for a
// Go integer, UUID for uuid.UUID, and Any for other types.
func (t *Type) External() Kind {
	switch t.Import + "." + t.Name {
	case ".int", ".int8", ".int16", ".int32", ".int64":
		return Int
	case ".uint", ".uint8", ".uint16", ".uint32", ".uint64":
		return Uint
	case "github.com/google/uuid.UUID":
		return UUID
	}
	return Any
}
