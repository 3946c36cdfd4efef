package rule

import (
	"sync"

	"github.com/outboxgen/outboxgen/runtime/ecma"
)

// A Schema is one JSON Schema. The zero value takes every value. Each field is
// the keyword of its name; a field that is zero says nothing.
type Schema struct {
	// At is the place of the schema, as Violation.Schema begins: the path of its
	// file, # and a JSON Pointer. Where it is "" the place follows from the schema
	// around it and the keyword.
	At string

	// Never is the schema false: no value is valid.
	Never bool
	// Ref is the key of another schema, among Set.Defs.
	Ref string

	Type  []string
	Enum  []JSON
	Const JSON

	Properties            map[string]*Schema
	PatternProperties     map[string]*Schema // the names are patterns, see ecma.CompilePattern
	AdditionalProperties  *Schema
	UnevaluatedProperties *Schema
	PropertyNames         *Schema
	Required              []string
	MinProperties         int
	MaxProperties         *int
	DependentRequired     map[string][]string
	DependentSchemas      map[string]*Schema
	// Dependencies says that DependentRequired stands under the keyword of that
	// name, as it does in older dialects.
	Dependencies bool

	PrefixItems []*Schema
	Items       *Schema
	Contains    *Schema
	MinContains *int // nil: 1
	MaxContains *int
	// ContainsCounts says that Contains evaluates no items for UnevaluatedItems, as
	// before 2020-12.
	ContainsCounts bool

	UnevaluatedItems *Schema
	MinItems         int
	MaxItems         *int
	UniqueItems      bool

	MinLength int
	MaxLength *int
	Pattern   string // see ecma.CompilePattern
	Format    string

	// Bounds are JSON numbers.
	Minimum, Maximum, ExclusiveMinimum, ExclusiveMaximum, MultipleOf string

	AllOf, AnyOf, OneOf []*Schema
	Not, If, Then, Else *Schema
}

// JSON is a JSON document; "" is none.
type JSON string

// A Set is schemas that a value is checked against, each of them, and those that
// they refer to. It must not be changed or copied once it is used.
type Set struct {
	// Rules are the schemas that hold for the value.
	Rules []*Schema
	// Defs are the schemas that a Ref may name.
	Defs map[string]*Schema

	once      sync.Once
	ready     []*node
	annotates bool // some schema asks what others have evaluated
}

// node is a schema that is ready to be used.
type node struct {
	*Schema

	at                  string
	ref                 *node
	enum                map[string]bool // by canonical text
	constant            string
	properties          map[string]*node
	dependents          []member
	patterns            []pattern
	additional, rest    *node
	names               *node
	prefix              []*node
	items, remaining    *node
	contains            *node
	minimum, maximum    *number
	above, below        *number
	step                *number
	pattern             *ecma.Pattern
	allOf, anyOf, oneOf []*node
	not, when           *node
	then, otherwise     *node
}

// member is a schema that belongs to a name.
type member struct {
	name string
	node *node
}

type pattern struct {
	source string
	expr   *ecma.Pattern
	node   *node
}
