package ir

import "github.com/outboxgen/outboxgen/generator/internal/schema"

// Union is what a type has that is one of several types.
type Union struct {
	Keyword  string // oneOf, anyOf or type: what Validate blames
	Branches []*Branch
	// Raw is true if a value may be valid for several branches. Then it is kept as JSON
	// text.
	Raw bool
	// Tag is the path to the property that distinguishes the object branches; empty if
	// their properties do. Base is the kind of its values.
	Tag  []string
	Base Kind
	// Unknown is the Go name of the type for values that match no branch.
	Unknown string
}

// Branch is one of the types of a union.
type Branch struct {
	Type *Type
	// Named is the Go type of the branch: that of Type if it has one, else one declared
	// for the branch. It is nil in a raw union.
	Named *Named
	Word  string // the source of the names of a raw union's methods
	Name  string // in the names of these methods
	JSON  string // JSON type
	Tags  []*schema.Value
	// Member is the property whose presence selects the branch, after the branches
	// before it; "" for the last branch.
	Member string
	Order  int // in which properties are checked
}
