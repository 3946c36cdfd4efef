package shape

import (
	"github.com/outboxgen/outboxgen/generator/internal/ir"
	"github.com/outboxgen/outboxgen/generator/internal/normal"
)

// maxNesting is how deep lists and maps may be nested without a declared type in
// between. Go's compiler fails at type arguments that are nested about 50 deep, and
// null adds one at each level.
const maxNesting = 16

// shallow returns t, the type of the items or values of node, or a raw value if lists
// and maps are nested too deep in it.
func (b *builder) shallow(t *ir.Type, node *normal.Node) *ir.Type {
	if nesting(t) < maxNesting {
		return t
	}
	b.list.Warnf(node.Primary().Pos, "value-kept-raw",
		"lists and maps are nested more than %d deep here; the Go type accepts any value, and Validate checks it", maxNesting).
		SetHint("put an object in between")
	return b.raw(node)
}

// nesting returns how many lists and maps are in each other at t.
func nesting(t *ir.Type) int {
	n := 0
	for ; t != nil && (t.Kind == ir.Slice || t.Kind == ir.Map); t = t.Elem {
		n++
	}
	return n
}
