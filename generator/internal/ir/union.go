package ir

import "github.com/outboxgen/outboxgen/generator/internal/schema"

// Union is what a type has that is one of several.
type Union struct {
	Keyword  string // oneOf, anyOf or type: what Validate blames
	Branches []*Branch
	// Raw is set where a value may be valid for several branches: it is kept
	// as it came.
	Raw bool
	// Tag is the path to the member that tells the object branches apart, empty
	// where their members do. Base is the kind of its values.
	Tag  []string
	Base Kind
	// Unknown is the Go name of the type that keeps what is none of the branches.
	Unknown string
}

// Branch is one of the types of a union.
type Branch struct {
	Type *Type
	// Named is the Go type of the branch: that of Type where it has one, else one
	// declared for it. It is nil in a raw union, which needs none.
	Named *Named
	Word  string // what the methods of a raw union are named after
	Name  string // in the names of these methods
	JSON  string // JSON type
	Tags  []*schema.Value
	// Member is the one whose presence chooses the branch, after the branches
	// before it; "" where only this branch is left.
	Member string
	Order  int // in which members are asked for
}
