package rule

import (
	"sync"

	"github.com/outboxgen/outboxgen/runtime/ecma"
	"github.com/outboxgen/outboxgen/runtime/internal/decimal"
)

// Schema is one JSON Schema. The zero value accepts every value. Each field is the
// keyword of its name; a zero field means that the keyword is absent.
type Schema struct {
	// At is the place of the schema, as in Violation.Schema: the path of its file, #
	// and a JSON Pointer. If it is "", the place is that of the outer schema plus the
	// keyword.
	At string

	// Never means the schema false: no value is valid.
	Never bool
	// Ref is the key of another schema in Set.Defs.
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
	// Dependencies means that DependentRequired is under the keyword dependencies, as
	// in older dialects.
	Dependencies bool

	PrefixItems []*Schema
	Items       *Schema
	Contains    *Schema
	MinContains *int // nil: 1
	MaxContains *int
	// ContainsCounts means that Contains does not evaluate items for UnevaluatedItems,
	// as before 2020-12.
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

// JSON is a JSON document; "" means none.
type JSON string

// Set is the schemas that a value is checked against, all of them, and the schemas that
// they refer to. Do not change or copy it after its first use. After that it is safe
// for concurrent use.
type Set struct {
	// Rules are the schemas that the value must satisfy.
	Rules []*Schema
	// Defs are the schemas that a Ref may refer to.
	Defs map[string]*Schema

	once      sync.Once
	ready     []*node
	annotates bool // a schema depends on what others have evaluated
}

// node is a compiled schema.
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
	minimum, maximum    *decimal.Number
	above, below        *decimal.Number
	step                *decimal.Number
	pattern             *ecma.Pattern
	allOf, anyOf, oneOf []*node
	not, when           *node
	then, otherwise     *node
}

// member is a schema with a property name.
type member struct {
	name string
	node *node
}

type pattern struct {
	expr *ecma.Pattern
	node *node
}
